"use strict";
// Draws the charts in the colors of the page, and again when it turns light or dark.
(() => {
  const boxes = [...document.querySelectorAll(".chart")];
  const hidden = new Map(boxes.map((box) => [box.id.slice("chart-".length), new Set()]));

  const themed = (value, style) => {
    if (typeof value === "string") {
      return value.startsWith("--") ? style.getPropertyValue(value).trim() : value;
    }
    if (Array.isArray(value)) return value.map((inner) => themed(inner, style));
    if (value && typeof value === "object") {
      return Object.fromEntries(
        Object.entries(value).map(([key, inner]) => [key, themed(inner, style)]),
      );
    }
    return value;
  };

  const draw = (box) => {
    const name = box.id.slice("chart-".length);
    const style = getComputedStyle(document.documentElement);
    const source = document.getElementById(`figure-${name}`).textContent;
    const { data, layout } = themed(JSON.parse(source), style);
    layout.font.family = getComputedStyle(document.body).fontFamily;
    layout.hoverlabel.bgcolor = style.getPropertyValue("--surface").trim();
    layout.hoverlabel.font = { color: style.getPropertyValue("--text").trim(), size: 12 };
    for (const trace of data) trace.visible = !hidden.get(name).has(trace.legendgroup);
    return Plotly.react(box, data, layout, { displayModeBar: false });
  };

  const drawAll = () => Promise.all(boxes.map(draw));

  for (const button of document.querySelectorAll(".legend button")) {
    button.addEventListener("click", () => {
      const { chart, series } = button.dataset;
      const shown = button.getAttribute("aria-pressed") === "true";
      button.setAttribute("aria-pressed", String(!shown));
      hidden.get(chart)[shown ? "add" : "delete"](series);
      draw(document.getElementById(`chart-${chart}`));
    });
  }

  // Boxes change their width with the window, and when a part of the page is folded in or out.
  const resized = new ResizeObserver((entries) => {
    for (const { target } of entries) if (target.data) Plotly.Plots.resize(target);
  });

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  drawAll().then(() => {
    for (const box of boxes) resized.observe(box);
    document.documentElement.setAttribute("data-drawn", "");
  });
})();
