// The control of leads a week. It fills the same cells that the page was written with.
(function () {
  const block = document.getElementById("v-data");
  if (!block) return;
  const data = JSON.parse(block.textContent);
  const { number } = pqlFigures;
  const $ = (name) => document.getElementById("v-" + name);

  const each = (estimate, change) => ({ value: change(estimate.value), low: change(estimate.low), high: change(estimate.high) });
  const rounded = (estimate) => each(estimate, (end) => Math.round(end * 1e6) / 1e6); // as the page's own numbers are
  const wilson = (x, n) => rounded(pqlFigures.wilson(x, n));
  const times = (estimate, factor) => rounded(each(estimate, (end) => end * factor));

  const ends = (estimate, scale) => number(scale * estimate.low) + " to " + number(scale * estimate.high);

  function model(leads) {
    let best = data.model[0];
    for (const point of data.model) if (point[0] <= leads + 1e-6) best = point;
    const rate = wilson(best[2], best[1]);
    return { leads: best[0], rate: rate, wins: times(rate, best[0]), recall: wilson(best[2], data.conversions) };
  }
  function rule(of, leads) {
    const own = of.leads_per_week.value, worked = Math.min(own, leads);
    return { leads: worked, rate: of.rate, wins: times(of.rate, worked), recall: times(of.recall, own ? worked / own : 0) };
  }

  function fill(cell, text, small) {
    const range = document.createElement("small");
    range.textContent = small;
    cell.replaceChildren(text, range);
  }
  function show(leads) {
    for (const row of document.querySelectorAll("[data-list]")) {
      const name = row.dataset.list, at = name === "model" ? model(leads) : rule(data.rules[name], leads);
      const cell = (part) => row.querySelector('[data-cell="' + part + '"]');
      cell("leads").textContent = number(at.leads);
      fill(cell("rate"), number(100 * at.rate.value) + " %", ends(at.rate, 100) + " %");
      fill(cell("wins"), number(at.wins.value), ends(at.wins, 1));
      fill(cell("recall"), number(100 * at.recall.value) + " %", ends(at.recall, 100) + " %");
    }
    $("title").textContent = number(leads);
    $("title-wins").textContent = number(model(leads).wins.value);
  }

  let waiting;
  function change(from, to) {
    const leads = Number(from.value);
    if (!(leads >= 1)) return;
    to.value = String(leads);
    const most = data.model[data.model.length - 1][0];
    show(Math.min(leads, most));
    clearTimeout(waiting);
    waiting = setTimeout(function () {
      $("live").textContent = leads > most ? "There are " + number(most) + " leads a week in all." : $("title").closest("h2").textContent + ".";
    }, 300);
  }
  const start = Math.max(1, Math.round(Number($("title").textContent.replace(/,/g, ""))));
  const range = $("range"), field = $("leads");
  range.min = "1";
  range.max = String(Math.max(start, Math.min(Math.floor(data.model[data.model.length - 1][0]), 4 * start)));
  range.value = field.value = String(start);
  range.addEventListener("input", () => change(range, field));
  field.addEventListener("input", () => change(field, range));
  $("control").hidden = false;
})();
