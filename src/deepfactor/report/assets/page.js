"use strict";
// Draw the figures, sort the tables. No network, no state beyond the page.
(() => {
  const narrow = window.matchMedia("(max-width: 640px)").matches;
  const touch = window.matchMedia("(pointer: coarse)").matches;
  const plots = [];
  for (const source of document.querySelectorAll("script[data-figure]")) {
    const place = document.getElementById(source.dataset.figure);
    const spec = JSON.parse(source.textContent);
    spec.layout.font.family = getComputedStyle(document.body).fontFamily;
    // A finger that drags means to scroll the page, not to zoom the figure.
    if (touch || narrow) spec.layout.dragmode = false;
    if (narrow) spec.layout.xaxis.nticks = 4;
    Plotly.newPlot(place, spec.data, spec.layout, { displayModeBar: false, responsive: true });
    plots.push(place);
  }
  // Paper has another width than the window, and no resize event tells of it: two of 325 px fit A4 and letter.
  const resize = (size) => plots.forEach((place) => Plotly.relayout(place, size));
  window.addEventListener("beforeprint", () => resize({ autosize: false, width: 325, height: 200 }));
  window.addEventListener("afterprint", () => resize({ autosize: true, width: null, height: null }));

  const compare = (a, b, numeric) => {
    if (a === "" || b === "") return a === b ? 0 : NaN; // no number: last in either direction
    return numeric ? Number(a) - Number(b) : a.localeCompare(b, undefined, { numeric: true });
  };
  const sort = (table, column, ascending) => {
    const body = table.tBodies[0];
    const numeric = table.tHead.rows[0].cells[column].classList.contains("number");
    const key = (row) => row.cells[column].dataset.sort;
    const rows = [...body.rows].sort((p, q) => {
      const order = compare(key(p), key(q), numeric);
      if (Number.isNaN(order)) return key(p) === "" ? 1 : -1;
      return ascending ? order : -order;
    });
    body.append(...rows);
  };
  for (const button of document.querySelectorAll("th button")) {
    button.addEventListener("click", () => {
      const head = button.parentElement;
      const table = head.closest("table");
      // Numbers start with the largest, names with A.
      const first = head.classList.contains("number") ? "descending" : "ascending";
      const other = first === "ascending" ? "descending" : "ascending";
      const next = head.getAttribute("aria-sort") === first ? other : first;
      for (const cell of table.tHead.rows[0].cells) cell.setAttribute("aria-sort", "none");
      head.setAttribute("aria-sort", next);
      sort(table, head.cellIndex, next === "ascending");
    });
  }
})();
