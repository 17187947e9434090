// The definition explorer. Text from the data is only ever set as textContent.
(function () {
  const block = document.getElementById("x-data");
  if (!block) return;
  const data = JSON.parse(block.textContent);
  const { Z, wilson, round, whole, number } = pqlFigures;
  const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const VALUE = new Uint8Array(128);
  for (let at = 0; at < 64; at++) VALUE[LETTERS.charCodeAt(at)] = at;
  const ids = data.criteria.map((criterion) => criterion.id);
  const byId = new Map(data.criteria.map((criterion) => [criterion.id, criterion]));
  const $ = (name) => document.getElementById("x-" + name);

  // ------------------------------------------------------------ counting
  // An amount is [lowest, highest], which are equal where it is known exactly.

  const exact = (amount) => amount[0] === amount[1];
  const add = (a, b) => [a[0] + b[0], a[1] + b[1]];
  const less = (a, b) => [Math.max(a[0] - b[1], 0), Math.max(a[1] - b[0], 0)];

  function choose(n, k) {
    let ways = 1;
    for (let at = 1; at <= k; at++) ways = (ways * (n - k + at)) / at;
    return k < 0 || k > n ? 0 : Math.round(ways);
  }

  function* subsets(of, size, from = 0) {
    if (size === 0) yield [];
    else for (let at = from; at <= of.length - size; at++)
      for (const rest of subsets(of, size - 1, at + 1)) yield [of[at], ...rest];
  }

  function numbers(text) {
    const found = [];
    let value = 0, shift = 1;
    for (let at = 0; at < text.length; at++) {
      const code = VALUE[text.charCodeAt(at)];
      value += (code % 32) * shift;
      if (code >= 32) shift *= 32;
      else { found.push(value); value = 0; shift = 1; }
    }
    return found;
  }

  function fromCounts() {
    const stored = data.counts, n = ids.length, cache = {};
    const stream = (name) => (cache[name] = cache[name] || numbers(stored[name]));

    function place(set) { // sets stand by size, then in order
      let at = 0, before = -1;
      for (let size = 0; size < set.length; size++) at += choose(n, size);
      set.forEach(function (member, i) {
        for (let skipped = before + 1; skipped < member; skipped++) at += choose(n - 1 - skipped, set.length - 1 - i);
        before = member;
      });
      return at;
    }

    function all(name, set, most) {
      const code = stream(name)[place(set)];
      return code ? [code + stored.least - 1, code + stored.least - 1] : [0, Math.max(0, most)];
    }

    function atLeast(name, chosen, k, most) {
      if (k <= 0) return all(name, [], most);
      let low = 0, high = 0, floor = 0, ceiling = 0;
      for (let size = k; size <= chosen.length; size++) {
        const weight = choose(size - 1, k - 1) * ((size - k) % 2 ? -1 : 1);
        for (const set of subsets(chosen, size)) {
          const met = all(name, set, most);
          low += weight > 0 ? weight * met[0] : weight * met[1];
          high += weight > 0 ? weight * met[1] : weight * met[0];
          if (size === k) { floor = Math.max(floor, met[0]); ceiling += met[1]; }
        }
      }
      return [Math.max(low, floor), Math.max(Math.min(high, ceiling), floor)];
    }

    return function (period, chosen, k) {
      const most = stored.least - 1;
      const yes = atLeast(period + "_yes", chosen, k, most), no = atLeast(period + "_no", chosen, k, most);
      const found = { yes, no };
      if (period === "later") {
        if (data.today) {
          found.todayYes = inside(atLeast("today_yes", chosen, k, yes[1]), yes);
          found.todayNo = inside(atLeast("today_no", chosen, k, no[1]), no);
        }
        const weekly = inside(atLeast("weekly", chosen, k, yes[1] + no[1]), add(yes, no));
        if (data.whole_weeks && exact(weekly)) found.leads = { value: weekly[0] / data.whole_weeks, low: null, high: null };
      }
      return found;
    };
  }

  const inside = (part, whole) => [Math.min(part[0], whole[1]), Math.min(part[1], whole[1])];

  function fromRows() {
    const words = data.rows.groups.reduce((sum, group) => sum + Math.ceil(group[4] / 32), 0);
    const bits = {};
    for (const [id, text] of Object.entries(data.rows.bits)) {
      const column = (bits[id] = new Uint32Array(words));
      for (let at = 0; at < text.length; at++) {
        const code = VALUE[text.charCodeAt(at)];
        for (let bit = 0; bit < 6; bit++)
          if ((code >> bit) & 1) column[(at * 6 + bit) >> 5] |= 1 << ((at * 6 + bit) & 31);
      }
    }

    function ones(word) {
      word -= (word >>> 1) & 0x55555555;
      word = (word & 0x33333333) + ((word >>> 2) & 0x33333333);
      return (((word + (word >>> 4)) & 0x0f0f0f0f) * 0x01010101) >>> 24;
    }

    function met(chosen, k) { // level[j]: at least j of the criteria seen so far
      const columns = chosen.map((at) => bits[ids[at]]), result = new Uint32Array(words), level = new Uint32Array(k + 1);
      for (let word = 0; word < words; word++) {
        level.fill(0);
        level[0] = 0xffffffff;
        for (const column of columns) for (let j = k; j > 0; j--) level[j] |= level[j - 1] & column[word];
        result[word] = level[k];
      }
      return result;
    }

    return function (period, chosen, k) {
      const found = { yes: [0, 0], no: [0, 0], weeks: {} }, leads = {}, today = bits.in_force;
      if (today) Object.assign(found, { todayYes: [0, 0], todayNo: [0, 0] });
      const rule = met(chosen, Math.max(k, 0));
      let at = 0;
      for (const [later, week, lead, converted, rows] of data.rows.groups) {
        const end = at + Math.ceil(rows / 32);
        if ((later === 1) !== (period === "later")) { at = end; continue; }
        let count = 0, both = 0;
        for (; at < end; at++) {
          count += ones(rule[at]);
          if (today) both += ones(rule[at] & today[at]);
        }
        if (k <= 0) { count = rows; both = 0; }
        const side = converted ? "yes" : "no";
        found[side] = add(found[side], [count, count]);
        if (today) { const name = converted ? "todayYes" : "todayNo"; found[name] = add(found[name], [both, both]); }
        const cell = (found.weeks[week] = found.weeks[week] || [0, 0]);
        cell[0] += count;
        if (converted) cell[1] += count;
        if (lead) leads[lead] = (leads[lead] || 0) + count;
      }
      if (period === "later" && data.whole_weeks) {
        const seen = Object.values(leads), sum = seen.reduce((a, b) => a + b, 0);
        const low = seen.length < data.whole_weeks ? 0 : Math.min(...seen);
        found.leads = { value: sum / data.whole_weeks, low, high: Math.max(0, ...seen) };
      }
      return found;
    };
  }

  const count = data.mode === "counts" ? fromCounts() : fromRows();
  const today = todaysRule();

  function todaysRule() { // who meets the rule in force: the empty rule's part inside it
    if (!data.today) return null;
    if (data.mode === "counts") {
      const found = count("later", [], 0);
      return { yes: found.todayYes, no: found.todayNo };
    }
    ids.push("in_force");
    const found = count("later", [ids.length - 1], 1);
    ids.pop();
    return { yes: found.yes, no: found.no };
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

  function figures(period, found) {
    const base = data.base[period], x = found.yes, n = add(found.yes, found.no);
    const known = exact(x) && exact(n);
    return {
      x, n, known,
      rate: known ? wilson(x[0], n[0]) : null,
      lift: known ? liftOf(x[0], n[0], base.conversions, base.rows) : null,
      recall: exact(x) ? wilson(x[0], base.conversions) : null,
      leads: found.leads || null,
      weeks: found.weeks || null,
    };
  }

  // The figures of a rule that was tested are on the page, so that nothing of it is withheld.
  function countedOrTested(rule, period, chosen, k) {
    const found = count(period, chosen, k), tested = (data.tested || []).find((one) => same(one, rule));
    if (!tested) return found;
    const [x, n] = tested[period];
    return { ...found, yes: [x, x], no: [n - x, n - x], leads: period === "later" ? tested.leads : found.leads };
  }

  function evaluate(rule) {
    const chosen = rule.criteria.map((id) => ids.indexOf(id)).sort((a, b) => a - b);
    const k = least(rule), later = countedOrTested(rule, "later", chosen, k);
    const result = { earlier: figures("earlier", countedOrTested(rule, "earlier", chosen, k)), later: figures("later", later) };
    if (today) {
      const both = { yes: later.todayYes, no: later.todayNo };
      const onlyNew = { yes: less(later.yes, both.yes), no: less(later.no, both.no) };
      const onlyToday = { yes: less(today.yes, both.yes), no: less(today.no, both.no) };
      const base = data.base.later, everyone = { yes: [base.conversions, base.conversions] };
      everyone.no = [base.rows - base.conversions, base.rows - base.conversions];
      const neither = {};
      for (const side of ["yes", "no"]) neither[side] = less(less(everyone[side], later[side]), onlyToday[side]);
      result.cells = { both, onlyNew, onlyToday, neither };
    }
    if (k > 1) {
      const wider = count("later", chosen, k - 1);
      result.near = { yes: less(wider.yes, later.yes), no: less(wider.no, later.no) };
    }
    return result;
  }

  const least = (rule) => (rule.join === "all" ? rule.criteria.length : rule.join === "any" ? 1 : rule.k);

  // ------------------------------------------------------------ words

  function frequency(rate) {
    const shown = round(rate * data.per);
    if (shown === 0 && rate > 0) return "fewer than 1";
    if (shown === data.per && rate < 1) return "more than " + whole(data.per - 1);
    return whole(shown);
  }

  function interval(e) {
    const low = frequency(e.low) === "0" ? "fewer than 1" : frequency(e.low), high = frequency(e.high);
    return low === high && low.includes(" ") ? low : low + " to " + high;
  }
  const percent = (rate) => number(100 * rate) + " %";
  const amount = (a) => (exact(a) ? whole(a[0]) : whole(a[0]) + " to " + whole(a[1]));
  const judgeable = (x, n) => n >= 30 && Math.max(x, n * data.everyone) >= 5;

  function counted(cell) { // a rate with the counts behind it, or the reason why there is none
    const x = cell.yes || cell.x, n = cell.n || add(cell.yes, cell.no);
    const behind = amount(x) + " of " + amount(n);
    if (!exact(x) || !exact(n)) return behind + " (small counts are withheld)";
    if (!n[0]) return "nobody";
    return judgeable(x[0], n[0]) ? percent(x[0] / n[0]) + " (" + behind + ")" : behind + ": too few to judge";
  }

  function joined(texts, rule) {
    if (texts.length < 2) return texts.join("");
    if (rule.join === "at_least_k") return "at least " + rule.k + " of these " + texts.length + ": " + texts.join("; ");
    const word = rule.join === "any" ? " or " : " and ";
    return texts.slice(0, -1).join(", ") + word + texts[texts.length - 1];
  }

  const withoutBackticks = (text) => text.replaceAll("`", "");
  const sentence = (rule) => withoutBackticks(joined(rule.criteria.map((id) => byId.get(id).text), rule));

  function yaml(rule) {
    const lines = rule.criteria.map((id) => "    - " + byId.get(id).yaml + "\n").join("");
    return "definition:\n" + (rule.join === "at_least_k" ? "  at_least_k: " + rule.k + "\n  of:\n" : "  " + rule.join + ":\n") + lines;
  }

  function sql(rule) {
    const parts = rule.criteria.map((id) => byId.get(id).sql);
    const head = "-- an outline; `pql criteria sql` writes a statement that runs\n";
    if (rule.join !== "at_least_k") return head + "WHERE " + parts.join(rule.join === "any" ? "\n   OR " : "\n  AND ");
    return head + "WHERE " + parts.map((part) => "CASE WHEN " + part + " THEN 1 ELSE 0 END").join("\n    + ") + "\n   >= " + rule.k;
  }

  function csv(rows) { // a cell that a spreadsheet would run as a formula gets a quote in front
    const cell = (value) => '"' + String(value).replace(/^[=+\-@\t\r]/, "'$&").replaceAll('"', '""') + '"';
    return rows.map((row) => row.map(cell).join(",") + "\r\n").join("");
  }

  // ------------------------------------------------------------ the page

  const boxes = Array.from(document.querySelectorAll("#x input[name=criterion]"));
  const joins = Array.from(document.querySelectorAll("#x input[name=join]"));
  const tried = new Set();
  let speak = 0, shown = null;

  function read() {
    const criteria = boxes.filter((box) => box.checked).map((box) => box.value);
    const k = Math.min(Math.max(Math.floor(Number($("k").value)) || 1, 1), Math.max(criteria.length, 1));
    return { criteria, join: joins.find((radio) => radio.checked).value, k };
  }

  function set(rule) {
    for (const box of boxes) box.checked = rule.criteria.includes(box.value);
    for (const radio of joins) radio.checked = radio.value === rule.join;
    $("k").value = rule.k;
  }

  function element(name, text, kind) {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
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
      row.forEach((text, at) => line.append(at ? element("td", text) : Object.assign(element("th", text), { scope: "row" })));
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
    $("rule").textContent = empty ? "No criterion is ticked: this is everyone." : capital(sentence(rule)) + ".";
    for (const period of ["later", "earlier"]) fill(period, result[period]);
    $("near").textContent = near(result);
    $("cells").replaceChildren(...cells(result, empty));
    $("without").replaceChildren(...without(rule));
    $("strip").replaceChildren(...strip(rule, result));
    $("sentence").value = empty ? "" : sentence(rule);
    $("yaml").value = empty ? "" : yaml(rule);
    $("sql").value = empty ? "" : sql(rule);
    clearTimeout(speak);
    const message = summary(rule, result.later);
    if ($("live").textContent === "") $("live").textContent = message;
    else speak = setTimeout(() => ($("live").textContent = message), 300);
  }

  const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

  function fill(period, found) {
    $(period + "-rate").textContent = counted(found);
    const judged = found.known && judgeable(found.x[0], found.n[0]);
    const base = data.base[period], rates = judged ? frequency(found.rate.value) + " instead of " + frequency(base.conversions / base.rows) : "";
    $(period + "-lift").textContent = judged
      ? rates + " of " + whole(data.per) + " (" + number(found.lift.value) + " times; " + number(found.lift.low) + " to " + number(found.lift.high) + ")"
      : "–";
    $(period + "-recall").textContent = judged
      ? round(100 * found.recall.value) + " of 100 conversions (" + round(100 * found.recall.low) + " to " + round(100 * found.recall.high) + ")"
      : "–";
    if (period === "earlier") return;
    const leads = found.leads;
    $("later-leads").textContent = leads
      ? number(leads.value) + (leads.low === null ? "" : " (" + number(leads.low) + " to " + number(leads.high) + ")") : "–";
  }

  function summary(rule, later) {
    if (!later.known) return "In the later weeks " + counted(later) + ".";
    if (!later.n[0]) return "Nobody in the later weeks meets this rule.";
    if (!judgeable(later.x[0], later.n[0])) return counted(later) + ".";
    const who = rule.criteria.length ? " that meet this rule, " : " in general, ";
    const rate = frequency(later.rate.value);
    return "Of " + whole(data.per) + " " + data.entities + who + (rate.includes("than") ? "" : "about ") + rate + " convert within " + data.horizon +
      " days (95 % interval " + interval(later.rate) + ").";
  }

  function near(result) {
    if (!result.near) return "";
    const cell = counted(result.near);
    return "Near misses: " + amount(add(result.near.yes, result.near.no)) + " " + data.entities + " lack exactly one; of these " + cell + " convert.";
  }

  function cells(result, empty) {
    if (!result.cells || empty) return [];
    const named = [["both", "both rules"], ["onlyNew", "only this rule"], ["onlyToday", "only today’s rule"], ["neither", "neither"]];
    const rows = named.map(([key, label]) => [label, amount(add(result.cells[key].yes, result.cells[key].no)), counted(result.cells[key])]);
    return [tableOf("Compared with today’s rule, later weeks", ["found by", data.entities, "convert"], rows)];
  }

  function without(rule) {
    if (rule.criteria.length < 2) return [];
    const rows = rule.criteria.map(function (id) {
      const rest = { ...rule, criteria: rule.criteria.filter((other) => other !== id) };
      rest.k = Math.min(rule.k, rest.criteria.length);
      const later = evaluate(rest).later;
      return [withoutBackticks(byId.get(id).text), amount(later.n), counted(later)];
    });
    return [tableOf("Which criterion earns its place: the rule without it, later weeks", ["without", data.entities, "convert"], rows)];
  }

  function same(one, other) {
    const key = (rule) => [...rule.criteria].sort().join() + least(rule);
    return key(one) === key(other);
  }

  function strip(rule, result) {
    const stored = (data.strips || []).find((candidate) => same(candidate, rule));
    if (!rule.criteria.length || (!stored && !result.later.weeks)) return [];
    const weeks = data.weeks.map(function (week, at) {
      const live = [0, 0];
      for (const part of [result.earlier.weeks, result.later.weeks]) {
        const cell = part && part[week.week];
        if (cell) { live[0] += cell[0]; live[1] += cell[1]; }
      }
      const [n, x] = stored ? stored.weeks[at] : live;
      return { ...week, n, x };
    });
    const rows = weeks.map((week) => [week.label, week.finished ? whole(week.n) : "not finished", week.finished ? counted({ x: [week.x, week.x], n: [week.n, week.n] }) : "–"]);
    const folded = element("details");
    folded.append(element("summary", "The numbers behind this picture"), tableOf("This rule, week by week", ["week of", "leads", "convert"], rows));
    const figure = element("figure");
    figure.append(drawn(weeks.filter((week) => week.finished)), element("figcaption", "The rule’s rate by week, with its 95 % interval. A small open dot: too few to judge."), folded);
    return [figure];
  }

  function drawn(weeks) {
    const width = matchMedia("(max-width: 44rem)").matches ? 300 : 640, height = 130, left = 36, base = height - 24;
    const ranges = weeks.map((week) => (week.n >= 30 ? wilson(week.x, week.n) : null));
    const top = Math.max(0.01, ...ranges.filter(Boolean).map((e) => e.high)), gap = (width - left - 8) / Math.max(weeks.length, 1);
    const y = (rate) => base - (rate / top) * (base - 22);
    const svg = shape("svg", { viewBox: "0 0 " + width + " " + height, width, height, role: "img" });
    svg.append(text("title", {}, "The rule’s rate by week"), text("text", { x: 0, y: 11, class: "t dim" }, "of " + whole(data.per) + " convert"));
    for (const rate of [0, top])
      svg.append(shape("line", { x1: left, x2: width - 8, y1: y(rate), y2: y(rate), class: "grid" }),
        text("text", { x: left - 6, y: y(rate) + 4, class: "t dim", "text-anchor": "end" }, frequency(rate)));
    weeks.forEach(function (week, at) {
      const x = left + gap * (at + 0.5), range = ranges[at];
      if (range) svg.append(
        shape("rect", { x: x - 3, width: 6, y: y(range.high), height: Math.max(y(range.low) - y(range.high), 0), rx: 3, class: "band rule" }),
        shape("circle", { cx: x, cy: y(range.value), r: 4, class: "dot rule" }));
      else if (week.n) svg.append(shape("circle", { cx: x, cy: y(Math.min(week.x / week.n, top)), r: 3.5, class: "dot few" }));
      if (at % Math.ceil(weeks.length / (width < 500 ? 4 : 8)) === 0)
        svg.append(text("text", { x, y: height - 6, class: "t dim", "text-anchor": "middle" }, week.label));
    });
    return svg;
  }

  function shape(name, attributes) {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  }

  function text(name, attributes, says) {
    const made = shape(name, attributes);
    made.textContent = says;
    return made;
  }

  // ------------------------------------------------------------ controls

  function limit(rule) {
    const full = data.most !== null && rule.criteria.length >= data.most;
    for (const box of boxes) box.disabled = full && !box.checked;
    $("k").max = Math.max(rule.criteria.length, 1);
    $("k").disabled = rule.join !== "at_least_k";
  }

  function honest(rule) {
    if (rule.criteria.length) tried.add([...rule.criteria].sort().join() + "/" + least(rule));
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
    const criteria = names.filter((id) => byId.has(id)).slice(0, data.most === null ? undefined : data.most);
    const join = ["all", "any", "at_least_k"].includes(parameters.get("join")) ? parameters.get("join") : "all";
    return { criteria, join, k: Math.max(1, Math.min(Number(parameters.get("k")) || 1, Math.max(criteria.length, 1))) };
  }

  const nothing = { criteria: [], join: "all", k: 1 };
  const fits = (rule) => rule && (data.most === null || rule.criteria.length <= data.most);

  for (const button of document.querySelectorAll("#x [data-start]")) {
    const rule = button.dataset.start === "clear" ? nothing : data.starts[button.dataset.start];
    button.hidden = !fits(rule);
    button.addEventListener("click", function () { set(rule); update(true); });
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
    shown.rule.criteria.forEach((id) => rows.push(["criterion", withoutBackticks(byId.get(id).text), "", "", "", "", ""]));
    const link = element("a"), url = URL.createObjectURL(new Blob(["\ufeff" + csv(rows)], { type: "text/csv" }));
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
