"use strict";
(() => {
  const DAY = 864e5;
  const all = (query, root = document) => [...root.querySelectorAll(query)];
  const touch = matchMedia("(pointer: coarse)").matches;
  const config = { displayModeBar: false, responsive: true, doubleClick: false };
  const time = (value) => (typeof value === "number" ? value : Date.parse(value.replace(" ", "T") + (value.length > 10 ? "Z" : "")));

  // The scale of the values follows what is in sight, so that one old peak does not flatten the rest.
  function fit(div) {
    const [from, to] = div.layout.xaxis.range.map(time);
    let [low, top] = [0, 0];
    for (const trace of div.data) {
      if (trace.visible === false) continue;
      const at = times(trace);
      const inside = (i) => at(i + 1) >= from && at(i - 1) <= to;
      for (let i = 0; i < trace.y.length; i++) {
        if (!inside(i)) continue;
        if (trace.y[i] > top) top = trace.y[i];
        if (trace.y[i] < low) low = trace.y[i];
      }
    }
    return Plotly.relayout(div, { "yaxis.range": [low * 1.05, top * 1.05 || (low < 0 ? 0 : 1)] });
  }

  // The time of a line's point: evenly spaced from x0 on, or each by itself where steps are months.
  function times(trace) {
    const start = trace.x ? 0 : time(trace.x0);
    if (!trace.x) return (i) => start + i * trace.dx;
    const each = trace.x.map(time);
    return (i) => each[Math.max(0, Math.min(i, each.length - 1))];
  }

  // Of several series one is chosen, and of the models some.
  function visible(div, trace) {
    const choice = document.querySelector(`select[data-series="${div.id}"]`);
    if (choice && trace.legendgroup !== choice.value) return false;
    const chip = all(`.chips[data-group="${div.dataset.group}"] button`).find((button) => button.dataset.name === trace.meta);
    return !chip || chip.getAttribute("aria-pressed") === "true";
  }

  const refresh = (div) => Plotly.restyle(div, { visible: div.data.map((trace) => visible(div, trace)) });

  function extent(div) {
    const choice = document.querySelector(`select[data-series="${div.id}"]`);
    const traces = div.data.filter((trace) => !choice || trace.legendgroup === choice.value);
    const spans = traces.map((trace) => [times(trace)(0), times(trace)(trace.y.length - 1)]);
    return [Math.min(...spans.map((s) => s[0])), Math.max(...spans.map((s) => s[1]))];
  }

  function show(div, from, span) {
    const [first, last] = extent(div);
    const length = Math.min(span || Infinity, last - first);
    const start = Math.max(first, Math.min(from, last - length));
    const range = [start, start + length].map((t) => new Date(t).toISOString().slice(0, 19));
    return Plotly.relayout(div, { "xaxis.range": range });
  }

  const drawn = all(".plot").map((div) => {
    const { data, layout } = JSON.parse(document.getElementById(div.id + "-figure").textContent);
    if (touch) layout.dragmode = false; // a finger scrolls the page
    return Plotly.newPlot(div, data, layout, config).then(() => {
      if (!("fit" in div.dataset)) return undefined;
      div.on("plotly_relayout", (change) => {
        if ("xaxis.range[0]" in change || "xaxis.range" in change) fit(div);
      });
      const chosen = document.querySelector(`[data-for="${div.id}"] [aria-pressed=true]`);
      return show(div, -Infinity, chosen.dataset.days * DAY);
    });
  });
  Promise.all(drawn).then(() => document.documentElement.setAttribute("data-drawn", drawn.length));

  for (const bar of all(".spans")) {
    const div = document.getElementById(bar.dataset.for);
    bar.addEventListener("click", ({ target }) => {
      const [from, to] = div.layout.xaxis.range.map(time);
      if (target.dataset.step) show(div, from + target.dataset.step * (to - from) * 0.8, to - from);
      if (!target.dataset.days) return;
      all("[data-days]", bar).forEach((button) => button.setAttribute("aria-pressed", button === target));
      show(div, from, target.dataset.days * DAY);
    });
  }

  for (const bar of all(".chips")) {
    bar.addEventListener("click", ({ target }) => {
      const chip = target.closest("button");
      if (!chip) return;
      const on = chip.getAttribute("aria-pressed") !== "true";
      chip.setAttribute("aria-pressed", on);
      for (const div of all(`.plot[data-group="${bar.dataset.group}"]`)) {
        refresh(div).then(() => "fit" in div.dataset && fit(div));
      }
    });
  }

  for (const choice of all("select[data-series]")) {
    const div = document.getElementById(choice.dataset.series);
    const chosen = () => document.querySelector(`[data-for="${div.id}"] [aria-pressed=true]`);
    choice.addEventListener("change", () => refresh(div).then(() => show(div, -Infinity, chosen().dataset.days * DAY)).then(() => fit(div)));
  }

  for (const table of all("table.sortable")) {
    table.tHead.addEventListener("click", ({ target }) => {
      const button = target.closest("button");
      if (!button) return;
      const head = button.parentElement;
      const order = head.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
      all("th", table.tHead).forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", order);
      const sign = order === "ascending" ? 1 : -1;
      const key = (row) => {
        const cell = row.cells[head.cellIndex];
        return button.dataset.kind === "text" ? cell.textContent.trim() : parseFloat(cell.dataset.value);
      };
      const compare = (a, b) => {
        if (typeof a === "string") return sign * a.localeCompare(b);
        if (isNaN(a) || isNaN(b)) return isNaN(a) - isNaN(b); // what is not known comes last, either way
        return sign * (a - b);
      };
      table.tBodies[0].append(...[...table.tBodies[0].rows].sort((a, b) => compare(key(a), key(b))));
    });
  }

  // A table says that it scrolls where it does, also once its part of the page is opened.
  const measure = new ResizeObserver((seen) => {
    for (const { target } of seen) target.parentElement.toggleAttribute("data-wide", target.scrollWidth > target.clientWidth + 1);
  });
  all(".scroll").forEach((region) => measure.observe(region));

  // A chart does not follow the paper's width by itself.
  const widths = (width) => all(".plot").forEach((div) => Plotly.relayout(div, width ? { width, autosize: false } : { width: null, autosize: true }));
  // Nor can paper be unfolded; where the numbers come from is in run.json, too.
  let unfolded = [];
  addEventListener("beforeprint", () => {
    unfolded = all("details:not([open])").filter((part) => !part.closest("#provenance"));
    unfolded.forEach((part) => (part.open = true));
    widths(680);
  });
  addEventListener("afterprint", () => {
    unfolded.forEach((part) => (part.open = false));
    widths(0);
  });
})();
