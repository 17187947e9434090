// How many meet a rule, from the counts of combinations or from the rows. Amounts are [lowest, highest], equal where known.
const pqlAmounts = {
  exact: (a) => a[0] === a[1],
  add: (a, b) => [a[0] + b[0], a[1] + b[1]],
  less: (a, b) => [Math.max(a[0] - b[1], 0), Math.max(a[1] - b[0], 0)],
};

// A function of a period, the criteria of a rule (an array of terms: a term is met by any of its ids) and the least number
// of terms: { n, x } of the rows and conversions, where known { today: { n, x } }, { leads } and { weeks }.
function pqlCounting(data) {
  const { exact, less } = pqlAmounts;
  const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const VALUE = new Uint8Array(128);
  for (let at = 0; at < 64; at++) VALUE[LETTERS.charCodeAt(at)] = at;
  const ids = data.controls.flatMap((control) => control.ids);
  const place = new Map(ids.map((id, at) => [id, at]));

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

  const oneOfEach = (terms) => terms.reduce((sets, term) => sets.flatMap((set) => term.map((id) => [...set, id])), [[]]);

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

  // ------------------------------------------------------------ counts

  function fromCounts() {
    const places = setPlaces(), streams = {};
    for (const name of ["earlier", "later"].concat(data.today ? ["today"] : [])) {
      const n = numbers(data.counts[name]).map((code) => (code > 2 ? [code + 7, code + 7] : [[0, 0], [1, 4], [5, 9]][code]));
      const shown = numbers(data.counts[name + "_converted"]);
      let next = 0;
      streams[name] = { n, x: n.map((rows) => (rows[0] > 9 ? [shown[next], shown[next++]] : [0, rows[1]])) };
    }
    const outside = numbers(data.counts.outside);
    let next = 0;
    streams.outside = { n: streams.later.n.map((rows) => (rows[0] > 9 ? [outside[next], outside[next++]] : [0, rows[1]])) };

    function keyOf(set) {
      let key = 0;
      for (const at of set) key = key * (ids.length + 1) + at + 1;
      return key;
    }

    function setPlaces() { // sets by size, then in order; at most one criterion of a control
      const after = data.controls.flatMap((control) => control.ids.map(() => place.get(control.ids[control.ids.length - 1]) + 1));
      const places = new Map([[0, 0]]);
      let level = [[]];
      for (let size = 1; size <= data.most; size++) {
        const longer = [];
        for (const set of level)
          for (let at = set.length ? after[set[set.length - 1]] : 0; at < ids.length; at++) {
            const larger = [...set, at];
            places.set(keyOf(larger), places.size);
            if (size < data.most) longer.push(larger);
          }
        level = longer;
      }
      return places;
    }

    function atLeast(stream, terms, k) { // by inclusion and exclusion
      if (k <= 0) return stream[0];
      let low = 0, high = 0, floor = 0, ceiling = 0;
      for (let size = k; size <= terms.length; size++) {
        const weight = choose(size - 1, k - 1) * ((size - k) % 2 ? -1 : 1);
        for (const chosen of subsets(terms, size)) {
          let least = 0, most = 0;
          for (const set of oneOfEach(chosen)) {
            const met = stream[places.get(keyOf(set))];
            least += met[0]; most += met[1];
          }
          low += weight * (weight > 0 ? least : most);
          high += weight * (weight > 0 ? most : least);
          if (size === k) { floor = Math.max(floor, least); ceiling += most; }
        }
      }
      const lowest = Math.max(low, floor);
      return [lowest, Math.max(Math.min(high, ceiling), lowest)];
    }

    function within(part, whole) { // a part is no larger than the whole
      return [Math.min(part[0], whole[1]), Math.min(part[1], whole[1])];
    }

    function both(stream, terms, k, whole) {
      const n = within(atLeast(stream.n, terms, k), whole.n);
      return { n, x: within(within(atLeast(stream.x, terms, k), n), whole.x) };
    }

    const everybody = { n: [Infinity, Infinity], x: [Infinity, Infinity] };
    return function (period, rule, k) {
      const terms = rule.map((term) => term.map((id) => place.get(id)));
      const found = both(streams[period], terms, k, everybody);
      if (period === "earlier") return found;
      if (data.today) found.today = both(streams.today, terms, k, found);
      const inWeeks = less(found.n, within(atLeast(streams.outside.n, terms, k), found.n));
      if (data.whole_weeks && exact(inWeeks)) found.leads = { value: inWeeks[0] / data.whole_weeks, low: null, high: null };
      return found;
    };
  }

  // ------------------------------------------------------------ rows

  function fromRows() {
    const words = data.rows.groups.reduce((sum, group) => sum + Math.ceil(group[4] / 32), 0);
    const planes = data.rows.planes.map(bitsOf), columns = new Map();
    let plane = 0;
    data.controls.forEach(function (control, at) {
      const digits = planes.slice(plane, (plane += data.rows.digits[at]));
      let met = null;
      for (let step = control.ids.length; step > 0; step--) { // a slider's looser steps are met by those of the stricter ones
        const here = atStep(digits, step);
        if (met && control.kind === "slider") for (let word = 0; word < words; word++) here[word] |= met[word];
        columns.set(control.ids[step - 1], (met = here));
      }
    });
    const today = data.today ? planes[plane] : null;

    function bitsOf(text) {
      const column = new Uint32Array(words);
      for (let at = 0; at < text.length; at++) {
        const code = VALUE[text.charCodeAt(at)];
        for (let bit = 0; bit < 6; bit++)
          if ((code >> bit) & 1) column[(at * 6 + bit) >> 5] |= 1 << ((at * 6 + bit) & 31);
      }
      return column;
    }

    function atStep(digits, step) {
      const column = new Uint32Array(words).fill(0xffffffff);
      digits.forEach(function (digit, at) {
        const flip = (step >> at) & 1 ? 0 : 0xffffffff;
        for (let word = 0; word < words; word++) column[word] &= digit[word] ^ flip;
      });
      return column;
    }

    function ones(word) {
      word -= (word >>> 1) & 0x55555555;
      word = (word & 0x33333333) + ((word >>> 2) & 0x33333333);
      return (((word + (word >>> 4)) & 0x0f0f0f0f) * 0x01010101) >>> 24;
    }

    function met(rule, k) { // level[j]: at least j of the terms seen so far
      const terms = rule.map((term) => term.map((id) => columns.get(id)));
      const result = new Uint32Array(words), level = new Uint32Array(k + 1);
      for (let word = 0; word < words; word++) {
        level.fill(0);
        level[0] = 0xffffffff;
        for (const term of terms) {
          let any = 0;
          for (const column of term) any |= column[word];
          for (let j = k; j > 0; j--) level[j] |= level[j - 1] & any;
        }
        result[word] = level[k];
      }
      return result;
    }

    return function (period, rule, k) {
      const amount = { n: 0, x: 0 }, both = { n: 0, x: 0 }, weeks = {}, leads = {};
      const column = met(rule, Math.max(k, 0));
      let at = 0;
      for (const [later, week, lead, converted, rows] of data.rows.groups) {
        const end = at + Math.ceil(rows / 32);
        if ((later === 1) !== (period === "later")) { at = end; continue; }
        let count = 0, shared = 0;
        for (; at < end; at++) {
          count += ones(column[at]);
          if (today) shared += ones(column[at] & today[at]);
        }
        if (k <= 0) count = rows; // the padding of a group meets the empty rule too
        const cell = (weeks[week] = weeks[week] || [0, 0]);
        for (const [to, size] of [[amount, count], [both, shared]]) {
          to.n += size;
          if (converted) to.x += size;
        }
        cell[0] += count;
        if (converted) cell[1] += count;
        if (lead) leads[lead] = (leads[lead] || 0) + count;
      }
      const known = (found) => ({ n: [found.n, found.n], x: [found.x, found.x] });
      const found = { ...known(amount), weeks };
      if (period === "earlier") return found;
      if (today) found.today = known(both);
      if (data.whole_weeks) {
        const seen = Object.values(leads), sum = seen.reduce((a, b) => a + b, 0);
        const low = seen.length < data.whole_weeks ? 0 : Math.min(...seen);
        found.leads = { value: sum / data.whole_weeks, low, high: Math.max(0, ...seen) };
      }
      return found;
    };
  }

  return data.mode === "counts" ? fromCounts() : fromRows();
}
