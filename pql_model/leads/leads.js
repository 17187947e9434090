// Search, band and order over all tables of the list.
(function () {
  const form = document.querySelector(".controls");
  const find = document.getElementById("find"), band = document.getElementById("band"), order = document.getElementById("sort");
  const found = document.getElementById("found");
  const tables = Array.from(document.querySelectorAll("table[data-sortable]"));
  const rows = tables.flatMap((table) => Array.from(table.tBodies[0].rows));
  const plain = (text) => text.normalize("NFKC").toLocaleLowerCase();
  let texts = null; // of each row, read when somebody first searches

  function matches() {
    const words = plain(find.value).split(/\s+/).filter(Boolean);
    if (words.length && texts === null) texts = rows.map((row) => plain(row.textContent));
    return rows.map(function (row, index) {
      return (band.value === "" || row.dataset.band === band.value) && words.every((word) => texts[index].includes(word));
    });
  }

  function filter() {
    const shown = matches(), active = find.value.trim() !== "" || band.value !== "";
    let count = 0;
    rows.forEach(function (row, index) {
      row.hidden = !shown[index];
      count += shown[index];
    });
    for (const table of tables) {
      const empty = !Array.from(table.tBodies[0].rows).some((row) => !row.hidden);
      table.hidden = empty;
      const folded = table.closest("details");
      if (folded && active && !empty) folded.open = true;
    }
    found.textContent = active ? count + " of " + rows.length + " listed" : "";
  }

  function sort() {
    for (const table of tables) {
      const headings = Array.from(table.tHead.rows[0].cells);
      const column = headings.findIndex((heading) => heading.dataset.sort === order.value);
      if (column >= 0) window.pqlTables.sort(table, column, order.value === "chance" || order.value === "worth");
    }
  }

  let waiting = 0;
  find.addEventListener("input", function () {
    clearTimeout(waiting);
    waiting = setTimeout(filter, 150);
  });
  band.addEventListener("change", filter);
  order.addEventListener("change", sort);
  form.addEventListener("submit", (event) => event.preventDefault());
  form.hidden = false;
})();
