// Figures that the scripts of the page share: those of the library.
const pqlFigures = (function () {
  const Z = 1.959963984540054;

  function wilson(x, n) {
    if (!n) return null;
    const share = x / n, z2 = Z * Z, middle = (share + z2 / (2 * n)) / (1 + z2 / n);
    const half = (Z / (1 + z2 / n)) * Math.sqrt((share * (1 - share)) / n + z2 / (4 * n * n));
    return { value: share, low: share > 0 ? middle - half : 0, high: share < 1 ? middle + half : 1 };
  }

  const round = (value) => Math.floor(value + 0.5);
  const whole = (value) => String(value).replace(/\B(?=(\d{3})+$)/g, ",");

  function number(value) { // one decimal below 10, none above; halves up
    const tenths = Math.floor(value * 10 + 0.5) / 10;
    return tenths < 10 ? String(tenths) : whole(round(value));
  }

  function frequency(rate, per) { // a rate as a count of 100 or 1,000
    const shown = number(rate * per);
    if (shown === "0" && rate > 0) return "fewer than 0.1";
    return rate < 1 && shown === whole(per) ? "more than " + whole(per - 1) : shown;
  }

  return { Z, wilson, round, whole, number, frequency };
})();
