"use strict";
// Draw the figures, unfold the sections, sort the tables, switch the language. No network, no state beyond the page and
// the chosen language.
(() => {
  const root = document.documentElement;
  const narrow = window.matchMedia("(max-width: 640px)").matches;
  const touch = window.matchMedia("(pointer: coarse)").matches;
  const plots = [];

  const put = (spec, path, word) => {
    const last = path[path.length - 1];
    path.slice(0, -1).reduce((node, key) => node[key], spec)[last] = word;
  };
  const speak = ({ place, spec, words }, language) => {
    for (const [path, english, chinese] of words) put(spec, path, language === "zh" ? chinese : english);
    // Words inside data (names of bars) change in place, which plotly sees by this number alone.
    spec.layout.datarevision = (spec.layout.datarevision || 0) + 1;
    return Plotly.react(place, spec.data, spec.layout, { displayModeBar: false, responsive: true });
  };
  // Dates that several lines share stand once on the page.
  const axes = JSON.parse(document.querySelector("script[data-axes]")?.textContent || "[]");
  const language = () => (root.lang.startsWith("zh") ? "zh" : "en");

  // A figure is drawn when it is first seen unfolded: a folded one has no width.
  const drawn = (plot) => plots.includes(plot);
  const draw = (plot) => {
    if (drawn(plot) || !plot.place.offsetWidth) return;
    const { words, ...spec } = JSON.parse(plot.source.textContent);
    for (const trace of spec.data) if (trace.x?.axis !== undefined) trace.x = axes[trace.x.axis];
    spec.layout.font.family = getComputedStyle(document.body).fontFamily;
    // A finger that drags means to scroll the page, not to zoom the figure.
    if (touch || narrow) spec.layout.dragmode = false;
    if (narrow && spec.layout.xaxis.type !== "category") spec.layout.xaxis.nticks = 4;
    if (narrow && spec.layout.xaxis.rangeselector) spec.layout.xaxis.rangeselector.visible = false;
    Object.assign(plot, { spec, words });
    plots.push(plot);
    speak(plot, language());
  };
  const figures = [...document.querySelectorAll("script[data-figure]")].map((source) => (
    { source, place: document.getElementById(source.dataset.figure) }
  ));
  const drawShown = () => figures.forEach(draw);
  drawShown();

  // Sections unfold by a click, by an address that leads into them, all at once by a button, and on paper.
  const folds = [...document.querySelectorAll("details")];
  const unfolding = folds.filter((fold) => fold.classList.contains("unfolds"));
  for (const fold of folds) fold.addEventListener("toggle", () => fold.open && drawShown());
  const unfold = (id) => {
    const target = id && document.getElementById(id);
    if (!target) return;
    const within = target.querySelector(":scope > details.unfolds");
    for (let fold = within || target.closest("details"); fold; fold = fold.parentElement.closest("details")) fold.open = true;
    drawShown();
    target.scrollIntoView();
  };
  const unfoldAddress = () => unfold(decodeURIComponent(location.hash.slice(1)));
  for (const link of document.querySelectorAll('a[href^="#"]')) {
    link.addEventListener("click", () => unfold(link.getAttribute("href").slice(1)));
  }
  window.addEventListener("hashchange", unfoldAddress);
  unfoldAddress();
  for (const button of document.querySelectorAll("[data-unfold]")) {
    button.addEventListener("click", () => {
      const open = !unfolding.every((fold) => fold.open);
      for (const fold of unfolding) fold.open = open;
      button.setAttribute("aria-pressed", String(open));
    });
  }

  // Paper has another width than the window, and no resize event tells of it: two of 325 px fit A4 and letter.
  let folded = [];
  window.addEventListener("beforeprint", () => {
    folded = unfolding.filter((fold) => !fold.open);
    for (const fold of folded) fold.open = true;
    drawShown();
    for (const { place, spec } of plots) {
      const width = place.closest(".single, .wide") ? 670 : 325;
      Plotly.relayout(place, { autosize: false, width, height: spec.layout.height || 210 });
    }
  });
  window.addEventListener("afterprint", () => {
    for (const { place, spec } of plots) {
      Plotly.relayout(place, { autosize: true, width: null, height: spec.layout.height || null });
    }
    for (const fold of folded) fold.open = false;
  });

  // Language: the address (#zh, #en) says it first, then what the reader chose last, then the file.
  const kept = {
    read() { try { return localStorage.getItem("deepfactor-language"); } catch { return null; } },
    write(value) { try { localStorage.setItem("deepfactor-language", value); } catch { /* a file may have no storage */ } },
  };
  const show = (chosen) => {
    const changed = chosen !== language();
    root.lang = chosen === "zh" ? "zh-CN" : "en";
    for (const button of document.querySelectorAll("[data-language]")) {
      button.setAttribute("aria-pressed", String(button.dataset.language === chosen));
    }
    for (const name of ["title", "aria-label"]) {
      for (const element of document.querySelectorAll(`[data-zh-${name}]`)) {
        if (!element.hasAttribute(`data-en-${name}`)) element.setAttribute(`data-en-${name}`, element.getAttribute(name));
        element.setAttribute(name, element.getAttribute(`data-${chosen}-${name}`));
      }
    }
    if (changed) for (const plot of plots) speak(plot, chosen);
  };
  const asked = () => ["en", "zh"].find((known) => location.hash === `#${known}`);
  for (const button of document.querySelectorAll("[data-language]")) {
    button.addEventListener("click", () => {
      kept.write(button.dataset.language);
      show(button.dataset.language);
      history.replaceState(null, "", `#${button.dataset.language}`);
    });
  }
  window.addEventListener("hashchange", () => asked() && show(asked()));
  show(asked() || (["en", "zh"].includes(kept.read()) ? kept.read() : language()));

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

  // A page of something under way is loaded anew, but not under somebody who is writing into it.
  const again = Number(document.body.dataset.refresh);
  const reload = () => {
    const writing = document.activeElement?.matches("input, select, textarea");
    if (document.visibilityState === "visible" && !writing) location.reload();
    else setTimeout(reload, 1000 * again);
  };
  if (again) setTimeout(reload, 1000 * again);
})();
