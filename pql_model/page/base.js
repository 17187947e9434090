"use strict";
// What every page does: tables that sort, and folded parts that open for print.
(function () {
  function number(row, column) {
    const value = row.cells[column].dataset.value;
    return value === undefined ? null : Number(value);
  }

  function sort(table, column, heading, button) {
    const down = heading.getAttribute("aria-sort") !== "descending";
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = Array.from(table.tBodies[0].rows);
    const numeric = rows.some((row) => number(row, column) !== null);
    rows.sort(function (one, other) {
      if (!numeric) {
        const order = one.cells[column].textContent.localeCompare(other.cells[column].textContent, "en");
        return down ? -order : order;
      }
      const a = number(one, column), b = number(other, column);
      if (a === null || b === null) return (a === null) - (b === null); // what is not judged has no rank
      return down ? b - a : a - b;
    });
    for (const row of rows) table.tBodies[0].append(row);
    button.focus();
  }

  for (const table of document.querySelectorAll("table[data-sortable]")) {
    Array.from(table.tHead.rows[0].cells).forEach(function (heading, column) {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", () => sort(table, column, heading, button));
    });
  }

  let opened = [];
  window.addEventListener("beforeprint", function () {
    const closed = Array.from(document.querySelectorAll("details:not([open])"));
    for (const part of closed) part.open = true;
    opened.push(...closed);
  });
  window.addEventListener("afterprint", function () {
    for (const part of opened) part.open = false;
    opened = [];
  });
})();
