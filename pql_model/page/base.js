"use strict";
// What every page does: tables that sort, and folded parts that open for print.
(function () {
  const collator = new Intl.Collator("en", { numeric: true });

  function number(row, column) {
    const value = row.cells[column].dataset.value;
    return value === undefined ? null : Number(value);
  }

  // Numbers by `data-value`; what has none has no rank and comes last. A column without numbers is sorted by its text.
  function sort(table, column, down) {
    const heading = table.tHead.rows[0].cells[column];
    for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
    heading.setAttribute("aria-sort", down ? "descending" : "ascending");
    const rows = Array.from(table.tBodies[0].rows, (row) => ({ row, value: number(row, column), text: null }));
    if (rows.every((one) => one.value === null)) {
      for (const one of rows) one.text = one.row.cells[column].textContent;
      rows.sort((one, other) => (down ? -1 : 1) * collator.compare(one.text, other.text));
    } else {
      rows.sort(function (one, other) {
        if (one.value === null || other.value === null) return (one.value === null) - (other.value === null);
        return down ? other.value - one.value : one.value - other.value;
      });
    }
    table.tBodies[0].append(...rows.map((one) => one.row));
  }

  for (const table of document.querySelectorAll("table[data-sortable]")) {
    const offered = table.dataset.sortable.split(",").filter(Boolean); // none: every column
    Array.from(table.tHead.rows[0].cells).forEach(function (heading, column) {
      if (offered.length && !offered.includes(heading.textContent)) return;
      const button = document.createElement("button");
      button.type = "button";
      heading.dataset.sort = heading.textContent;
      button.append(...heading.childNodes);
      heading.append(button);
      button.addEventListener("click", function () {
        sort(table, column, heading.getAttribute("aria-sort") !== "descending");
        button.focus();
      });
    });
  }
  window.pqlTables = { sort };

  // On a telephone the rows of these tables are cards, whose cells name their column; roles keep what the layout takes away.
  for (const table of document.querySelectorAll("table[data-cards]")) {
    const headings = Array.from(table.tHead.rows[0].cells, (cell) => cell.textContent.trim());
    const role = (element, name) => element.setAttribute("role", name);
    table.dataset.cards = "on";
    role(table, "table");
    for (const body of [table.tHead, ...table.tBodies]) role(body, "rowgroup");
    for (const row of table.rows) {
      role(row, "row");
      Array.from(row.cells).forEach(function (cell, at) {
        role(cell, row.parentNode === table.tHead ? "columnheader" : cell.tagName === "TH" ? "rowheader" : "cell");
        if (cell.tagName === "TD") cell.dataset.label = headings[at];
      });
    }
  }

  // A page with a short print prints its folded parts only when asked for everything.
  const whole = document.querySelector("[data-print-all]");
  if (whole) {
    whole.hidden = false;
    whole.addEventListener("click", function () {
      document.documentElement.classList.add("everything");
      window.print();
    });
  }

  let opened = [];
  window.addEventListener("beforeprint", function () {
    if (whole && !document.documentElement.classList.contains("everything")) return;
    const closed = Array.from(document.querySelectorAll("details:not([open]):not([data-print=closed])"));
    for (const part of closed) part.open = true;
    opened.push(...closed);
  });
  window.addEventListener("afterprint", function () {
    for (const part of opened) part.open = false;
    opened = [];
    document.documentElement.classList.remove("everything");
  });
})();
