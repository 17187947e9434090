// The explorer: its controls, and the figures of the rule they make. Text from the data is only ever set as textContent.
(function () {
  const block = document.getElementById("x-data");
  if (!block) return;
  const data = JSON.parse(block.textContent);
  const { Z, wilson, round, whole, number } = pqlFigures, { exact, add, less } = pqlAmounts;
  const $ = (name) => document.getElementById("x-" + name);
  const controls = new Map(data.controls.flatMap((control) => control.ids.map((id) => [id, control])));
  const order = new Map(data.controls.flatMap((control) => control.ids).map((id, at) => [id, at]));
  const byId = new Map(data.criteria.map((criterion) => [criterion.id, criterion]));
  const text = pqlRuleText(data, termsOf, least), { term, sentence } = text;
  const count = pqlCounting(data);

  function termsOf(rule) { // the values of a trait are one criterion, which any of them meets
    const terms = new Map();
    for (const id of [...rule.criteria].sort((a, b) => order.get(a) - order.get(b))) {
      const control = controls.get(id), key = control.kind === "chips" ? control : id;
      terms.set(key, [...(terms.get(key) || []), id]);
    }
    return [...terms.values()];
  }

  function least(rule) {
    const terms = termsOf(rule).length;
    return rule.join === "all" ? terms : rule.join === "any" ? Math.min(1, terms) : rule.k;
  }

  function same(one, other) {
    const key = (rule) => termsOf(rule).join(";") + "/" + least(rule);
    return key(one) === key(other);
  }

  // ------------------------------------------------------------ figures

  function liftOf(caught, qualified, everyone, rows) {
    if (!qualified || !everyone) return null;
    const base = everyone / rows;
    if (!caught) return { value: 0, low: 0, high: wilson(0, qualified).high / base };
    const lift = caught / qualified / base;
    const half = Z * Math.sqrt(Math.max(1 / caught - 1 / qualified - 1 / everyone + (2 * lift - 1) / rows, 0));
    return { value: lift, low: lift * Math.exp(-half), high: lift * Math.exp(half) };
  }

  const middle = (a) => round((a[0] + a[1]) / 2);

  // Where groups are merged, an interval reaches from the low end of the lowest to the high end of the highest possible value.
  function reaching(of, { x, n }) {
    const value = of(Math.min(middle(x), middle(n)), middle(n));
    if (exact(x) && exact(n)) return value;
    const low = of(x[0], n[1]), high = of(x[1], Math.max(n[0], x[1]));
    return value && { value: value.value, low: low ? low.low : 0, high: high ? high.high : value.high };
  }

  function figures(period, { x, n, leads = null, weeks = null }) {
    const base = data.base[period];
    return {
      x, n, leads, weeks,
      known: exact(x) && exact(n),
      rate: reaching(wilson, { x, n }),
      lift: reaching((a, b) => liftOf(a, b, base.conversions, base.rows), { x, n }),
      recall: reaching((a) => wilson(a, base.conversions), { x, n }),
    };
  }

  const known = ([x, n]) => ({ x: [x, x], n: [n, n] });

  // The figures of a rule that was tested are on the page, so that nothing of it is merged.
  function counted(rule, period, terms, k) {
    const found = count(period, terms, k), tested = (data.tested || []).find((one) => same(one, rule));
    if (!tested) return found;
    return { ...found, ...known(tested[period]), leads: period === "later" ? tested.leads : null };
  }

  const parted = ({ n, x }) => ({ n, x, yes: x, no: less(n, x) });

  function without(whole, part) { // what is in the whole and not in the part
    const n = less(whole.n, part.n), x = less(whole.x, part.x);
    return { n, x: [Math.min(x[0], n[1]), Math.min(x[1], n[1])] };
  }

  function evaluate(rule) {
    const terms = termsOf(rule), k = least(rule);
    const later = counted(rule, "later", terms, k);
    const result = { earlier: figures("earlier", counted(rule, "earlier", terms, k)), later: figures("later", later) };
    if (data.today) {
      const today = known(data.todays.later), base = data.base.later, everyone = known([base.conversions, base.rows]);
      const onlyToday = without(today, later.today), onlyNew = without(later, later.today);
      const neither = without(without(everyone, later), onlyToday);
      result.cells = { both: parted(later.today), onlyNew: parted(onlyNew), onlyToday: parted(onlyToday), neither: parted(neither) };
    }
    if (k > 1) result.near = parted(without(count("later", terms, k - 1), later));
    return result;
  }

  const todays = data.todays && {
    later: figures("later", { ...known(data.todays.later), leads: data.todays.leads }),
    earlier: figures("earlier", known(data.todays.earlier)),
  };

  // ------------------------------------------------------------ words

  const frequency = (rate) => pqlFigures.frequency(rate, data.per);

  function interval(e) {
    const low = frequency(e.low) === "0" ? "fewer than 0.1" : frequency(e.low), high = frequency(e.high);
    return low === high && low.includes(" ") ? low : low + " to " + high;
  }
  const percent = (rate) => number(100 * rate) + " %";
  const amount = (a) => (exact(a) ? whole(a[0]) : a[1] < 10 ? "fewer than 10" : whole(a[0]) + " to " + whole(a[1]));
  const judgeable = (x, n) => n >= 30 && Math.max(x, n * data.everyone) >= 5;
  const judged = (cell) => judgeable(middle(cell.x), cell.n[0]);

  function rateText(cell) { // a rate with the counts behind it, or the reason why there is none
    if (!cell.n[1]) return "nobody";
    const behind = amount(cell.x) + " of " + amount(cell.n);
    if (!judged(cell)) return (cell.n[1] < 10 && !exact(cell.n) ? "fewer than 10 meet it" : behind) + ": too few to judge";
    return (exact(cell.x) && exact(cell.n) ? "" : "about ") + percent(middle(cell.x) / middle(cell.n)) + " (" + behind + ")";
  }

  // ------------------------------------------------------------ the page

  const sliders = Array.from(document.querySelectorAll("#x input[name=slider]"));
  const boxes = Array.from(document.querySelectorAll("#x input[name=criterion]"));
  const joins = Array.from(document.querySelectorAll("#x input[name=join]"));
  const tried = new Set();
  const idsOf = (slider) => slider.dataset.ids.split(" ");
  let speak = 0, shown = null;

  function read() {
    const stepped = sliders.filter((slider) => slider.value > 0).map((slider) => idsOf(slider)[slider.value - 1]);
    const criteria = [...stepped, ...boxes.filter((box) => box.checked).map((box) => box.value)];
    const terms = termsOf({ criteria }).length;
    const k = Math.min(Math.max(Math.floor(Number($("k").value)) || 1, 1), Math.max(terms, 1));
    return { criteria, join: joins.find((radio) => radio.checked).value, k };
  }

  function set(rule) {
    for (const slider of sliders) {
      slider.value = 1 + idsOf(slider).findIndex((id) => rule.criteria.includes(id));
      say(slider);
    }
    for (const box of boxes) box.checked = rule.criteria.includes(box.value);
    for (const radio of joins) radio.checked = radio.value === rule.join;
    $("k").value = rule.k;
  }

  function say(slider) {
    const criterion = slider.value > 0 ? byId.get(idsOf(slider)[slider.value - 1]) : null;
    slider.parentNode.querySelector("output").textContent = criterion ? criterion.short : "off";
    slider.setAttribute("aria-valuetext", criterion ? term([criterion.id]) : "off");
  }

  function element(name, content, kind) {
    const made = document.createElement(name);
    if (content !== undefined) made.textContent = content;
    if (kind) made.className = kind;
    return made;
  }

  function tableOf(caption, headings, rows) {
    const table = element("table"), head = element("tr"), body = element("tbody");
    table.append(element("caption", caption), element("thead"), body);
    table.tHead.append(head);
    for (const heading of headings) head.append(Object.assign(element("th", heading), { scope: "col" }));
    for (const row of rows) {
      const line = element("tr");
      row.forEach((content, at) => line.append(at ? element("td", content) : Object.assign(element("th", content), { scope: "row" })));
      body.append(line);
    }
    const region = element("div", undefined, "scroll");
    for (const [name, value] of [["tabindex", "0"], ["role", "region"], ["aria-label", caption]]) region.setAttribute(name, value);
    region.append(table);
    return region;
  }

  function show(rule) {
    const result = evaluate(rule), empty = !rule.criteria.length;
    shown = { rule, result };
    $("rule").textContent = empty ? "Nothing is set: this is everyone." : capital(sentence(rule)) + ".";
    fill("later", result);
    if (todays) fill("today", todays);
    $("near").textContent = near(result);
    $("cells").replaceChildren(...cells(result, empty));
    $("without").replaceChildren(...earning(rule));
    $("strip").replaceChildren(...strip(rule, result));
    $("sentence").value = empty ? "" : sentence(rule);
    $("yaml").value = empty ? "" : text.yaml(rule);
    $("sql").value = empty ? "" : text.sql(rule);
    clearTimeout(speak);
    const message = summary(rule, result.later);
    if ($("live").textContent === "") $("live").textContent = message;
    else speak = setTimeout(() => ($("live").textContent = message), 300);
  }

  const capital = (words) => words.charAt(0).toUpperCase() + words.slice(1);

  function fill(column, { later, earlier }) {
    const base = data.base.later, may = judged(later), leads = later.leads;
    const put = (name, words) => ($(column + "-" + name).textContent = words);
    const [rate, behind] = rateText(later).split(/ (?=\()/);
    $(column + "-rate").replaceChildren(rate + " ", element("small", behind || ""));
    put("interval", may ? interval(later.rate) + " of " + whole(data.per) : "–");
    put("lift", may && later.lift
      ? frequency(later.rate.value) + " instead of " + frequency(base.conversions / base.rows) + " of " + whole(data.per) + " (" +
        number(later.lift.value) + " times; " + number(later.lift.low) + " to " + number(later.lift.high) + ")"
      : "–");
    put("recall", may && later.recall
      ? number(100 * later.recall.value) + " of 100 (" + number(100 * later.recall.low) + " to " + number(100 * later.recall.high) + ")"
      : "–");
    put("leads", leads ? number(leads.value) + (leads.low === null ? "" : " (" + number(leads.low) + " to " + number(leads.high) + ")") : "–");
    put("earlier", rateText(earlier));
  }

  function summary(rule, later) {
    if (!later.n[1]) return "Nobody in the later weeks meets this rule.";
    if (!judged(later)) return capital(rateText(later)) + ".";
    const who = rule.criteria.length ? " that meet this rule, " : " in general, ";
    const rate = frequency(later.rate.value);
    return "Of " + whole(data.per) + " " + data.entities + who + (rate.includes("than") ? "" : "about ") + rate + " convert within " + data.horizon +
      " days (95 % interval " + interval(later.rate) + ")" + (later.known ? "." : "; small groups are merged, so the interval is wider.");
  }

  function near(result) {
    if (!result.near) return "";
    return "Near misses: " + amount(result.near.n) + " " + data.entities + " lack exactly one; of these convert: " + rateText(result.near) + ".";
  }

  function cells(result, empty) {
    if (!result.cells || empty) return [];
    const named = [["both", "both rules"], ["onlyNew", "only this rule"], ["onlyToday", "only today’s rule"], ["neither", "neither"]];
    const rows = named.map(([key, label]) => [label, amount(result.cells[key].n), rateText(result.cells[key])]);
    return [tableOf("Compared with today’s rule, later weeks", ["found by", data.entities, "convert"], rows)];
  }

  function earning(rule) {
    const terms = termsOf(rule);
    if (terms.length < 2) return [];
    const rows = terms.map(function (ids) {
      const rest = { ...rule, criteria: rule.criteria.filter((other) => !ids.includes(other)) };
      rest.k = Math.min(rule.k, terms.length - 1);
      const later = evaluate(rest).later;
      return [term(ids), amount(later.n), rateText(later)];
    });
    return [tableOf("Which criterion earns its place: the rule without it, later weeks", ["without", data.entities, "convert"], rows)];
  }

  function byMonth(weeks) {
    const months = new Map();
    for (const week of weeks) {
      const key = week.week.slice(0, 7), month = months.get(key) || { week: key, label: week.label.split(" ").pop(), finished: true, n: 0, x: 0 };
      months.set(key, { ...month, finished: month.finished && week.finished, n: month.n + week.n, x: month.x + week.x });
    }
    return [...months.values()];
  }

  function strip(rule, result) {
    const stored = (data.strips || []).find((candidate) => same(candidate, rule));
    if (!rule.criteria.length || (!stored && !result.later.weeks)) return [];
    const weekly = data.weeks.map(function (week, at) {
      const live = [0, 0];
      for (const part of [result.earlier.weeks, result.later.weeks]) {
        const cell = part && part[week.week];
        if (cell) { live[0] += cell[0]; live[1] += cell[1]; }
      }
      const [n, x] = stored ? stored.weeks[at] : live;
      return { ...week, n, x };
    });
    const finished = weekly.filter((week) => week.finished), thin = finished.filter((week) => week.n < 30).length > finished.length / 2;
    const weeks = thin ? byMonth(weekly) : weekly, unit = thin ? "month" : "week";
    const rows = weeks.map((week) => [week.label, week.finished ? whole(week.n) : "not finished", week.finished ? rateText(known([week.x, week.n])) : "–"]);
    const folded = element("details");
    folded.append(element("summary", "The numbers behind this picture"), tableOf("This rule, " + unit + " by " + unit, [thin ? unit : "week of", "leads", "convert"], rows));
    const figure = element("figure");
    figure.append(drawn(weeks.filter((week) => week.finished), unit), element("figcaption", "The rule’s rate by " + unit + ", with its 95 % interval. A small open dot: too few to judge."), folded);
    return [figure];
  }

  function drawn(weeks, unit) {
    const width = matchMedia("(max-width: 44rem)").matches ? 300 : 640, height = 130, left = 36, base = height - 24;
    const ranges = weeks.map((week) => (week.n >= 30 ? wilson(week.x, week.n) : null));
    const top = Math.max(0.01, ...ranges.filter(Boolean).map((e) => e.high)), gap = (width - left - 8) / Math.max(weeks.length, 1);
    const y = (rate) => base - (rate / top) * (base - 22);
    const svg = shape("svg", { viewBox: "0 0 " + width + " " + height, width, height, role: "img" });
    svg.append(label("title", {}, "The rule’s rate by " + unit), label("text", { x: 0, y: 11, class: "t dim" }, "of " + whole(data.per) + " convert"));
    for (const rate of [0, top])
      svg.append(shape("line", { x1: left, x2: width - 8, y1: y(rate), y2: y(rate), class: "grid" }),
        label("text", { x: left - 6, y: y(rate) + 4, class: "t dim", "text-anchor": "end" }, frequency(rate)));
    weeks.forEach(function (week, at) {
      const x = left + gap * (at + 0.5), range = ranges[at];
      if (range) svg.append(
        shape("rect", { x: x - 3, width: 6, y: y(range.high), height: Math.max(y(range.low) - y(range.high), 0), rx: 3, class: "band rule" }),
        shape("circle", { cx: x, cy: y(range.value), r: 4, class: "dot rule" }));
      else if (week.n) svg.append(shape("circle", { cx: x, cy: y(Math.min(week.x / week.n, top)), r: 3.5, class: "dot few" }));
      if (at % Math.ceil(weeks.length / (width < 500 ? 4 : 8)) === 0)
        svg.append(label("text", { x, y: height - 6, class: "t dim", "text-anchor": "middle" }, week.label));
    });
    return svg;
  }

  function shape(name, attributes) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  }

  function label(name, attributes, says) {
    const made = shape(name, attributes);
    made.textContent = says;
    return made;
  }

  // ------------------------------------------------------------ controls

  function limit(rule) {
    const full = data.most !== null && termsOf(rule).length >= data.most;
    const ticked = new Set(boxes.filter((box) => box.checked).map((box) => controls.get(box.value)));
    for (const slider of sliders) slider.disabled = full && slider.value === "0";
    for (const box of boxes) box.disabled = full && !ticked.has(controls.get(box.value));
    $("k").max = Math.max(termsOf(rule).length, 1);
    $("k").disabled = rule.join !== "at_least_k";
  }

  function honest(rule) {
    if (rule.criteria.length) tried.add(termsOf(rule).join(";") + "/" + least(rule));
    $("honest").hidden = tried.size < 5;
    $("honest").textContent = "You have tried " + tried.size + " rules. The best of many looks better than it will be: expect less of it next month.";
  }

  function update(remember) {
    const rule = read();
    limit(rule);
    honest(rule);
    show(rule);
    if (remember) history.replaceState(null, "", "#rule=" + rule.criteria.map(encodeURIComponent).join(",") + "&join=" + rule.join + "&k=" + rule.k);
  }

  function fromAddress() {
    if (!location.hash.startsWith("#rule=")) return null;
    const parameters = new Map(location.hash.slice(1).split("&").map((part) => part.split("=")));
    const names = (parameters.get("rule") || "").split(",").map((id) => { try { return decodeURIComponent(id); } catch { return ""; } });
    const criteria = [];
    for (const id of names) {
      const slid = (controls.get(id) || {}).kind === "slider" && criteria.some((other) => controls.get(other) === controls.get(id));
      if (byId.has(id) && !slid && fits({ criteria: [...criteria, id] })) criteria.push(id);
    }
    const join = ["all", "any", "at_least_k"].includes(parameters.get("join")) ? parameters.get("join") : "all";
    return { criteria, join, k: Math.max(1, Math.min(Number(parameters.get("k")) || 1, Math.max(termsOf({ criteria }).length, 1))) };
  }

  const nothing = { criteria: [], join: "all", k: 1 };
  const fits = (rule) => rule && (data.most === null || termsOf(rule).length <= data.most);

  for (const button of document.querySelectorAll("#x [data-start]")) {
    const rule = button.dataset.start === "clear" ? nothing : data.starts[button.dataset.start];
    button.hidden = !fits(rule);
    button.addEventListener("click", function () { set(rule); update(true); });
  }
  for (const slider of sliders) {
    slider.addEventListener("input", function () { say(slider); show(read()); });
    slider.addEventListener("change", function () { say(slider); update(true); });
  }
  for (const input of [...boxes, ...joins]) input.addEventListener("change", () => update(true));
  $("k").addEventListener("input", () => $("k").value !== "" && update(true));
  $("k").addEventListener("change", function () { $("k").value = read().k; update(true); });
  window.addEventListener("hashchange", function () {
    const rule = fromAddress();
    if (rule) { set(rule); update(false); }
  });
  for (const button of document.querySelectorAll("#x [data-copy]"))
    button.addEventListener("click", function () {
      const area = $(button.dataset.copy);
      area.select();
      $("copied").textContent = document.execCommand("copy") ? "Copied." : "Press Ctrl+C: the text is selected.";
    });
  $("csv").addEventListener("click", function () {
    const rows = [["weeks", "rule", "leads", "conversions", "rate", "low", "high"]];
    for (const period of ["later", "earlier"]) {
      const found = shown.result[period], rate = found.rate || { value: "", low: "", high: "" };
      rows.push([period, sentence(shown.rule), amount(found.n), amount(found.x), rate.value, rate.low, rate.high]);
    }
    shown.rule.criteria.forEach((id) => rows.push(["criterion", term([id]), "", "", "", "", ""]));
    const link = element("a"), url = URL.createObjectURL(new Blob(["\ufeff" + text.csv(rows)], { type: "text/csv" }));
    link.href = url;
    link.download = "rule.csv";
    link.click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  });

  $("still").hidden = true;
  document.getElementById("x").hidden = false;
  set(fromAddress() || (fits(data.starts.best) ? data.starts.best : nothing));
  update(false);
  window.pqlExplorer = { evaluate }; // for checks against the numbers of the library
})();
