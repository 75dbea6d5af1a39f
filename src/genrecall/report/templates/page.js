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

// A table of the page as CSV, made here: nothing is loaded.
(() => {
  // A spreadsheet computes what begins like a formula: of a shopper's text it must not.
  const figure = /^[+-]?\d[\d.,]*( \[[\d.,+−–% ]*\])?$/;
  const harmless = (text) => (/^[=@+\t-]/.test(text) && !figure.test(text) ? `'${text}` : text);
  const quoted = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const texts = (row) => [...row.cells].map((cell) => cell.textContent.replace(/\s+/g, " ").trim());
  // A table may hold more than it shows.
  const csv = (table) =>
    [...[...table.tHead.rows].map(texts), ...(table.whole ?? [...table.tBodies[0].rows].map(texts))]
      .map((line) => line.map((value) => quoted(harmless(String(value)))).join(",") + "\r\n")
      .join("");

  for (const table of document.querySelectorAll(".scroll table")) {
    const name = table.closest(".scroll").getAttribute("aria-label").replace(/^Table: /, "");
    const button = document.createElement("button");
    button.type = "button";
    button.className = "csv";
    button.textContent = "CSV";
    button.setAttribute("aria-label", `Save as CSV: ${name}`);
    button.addEventListener("click", () => {
      const link = document.createElement("a");
      // With a mark of the encoding, without which a spreadsheet guesses another one.
      link.href = URL.createObjectURL(new Blob(["\ufeff", csv(table)], { type: "text/csv" }));
      link.download = `${name.replace(/[^a-zA-Z0-9@]+/g, "-")}.csv`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 1000);
    });
    table.closest(".scroll").append(button);
  }
})();

// Finds measured queries by their words and their category.
(() => {
  const box = document.getElementById("find");
  if (!box) return;
  const most = 50;
  const rows = JSON.parse(document.getElementById("queries-data").textContent);
  const texts = rows.map(([query, category]) => `${query}\n${category}`.toLowerCase());
  const body = document.querySelector("#hits tbody");
  const buttons = [...document.querySelectorAll("#hits button")];
  let column = null, direction = 1;

  const compare = (a, b) =>
    direction * (typeof a === "string" ? a.localeCompare(b) : a - b);
  const shown = (value, place) => (place > 2 ? value.toFixed(3) : value.toLocaleString("en"));

  const find = () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    const found = rows.filter((_, place) => words.every((word) => texts[place].includes(word)));
    if (column !== null) found.sort((a, b) => compare(a[column], b[column]));
    document.getElementById("hits").whole = found;
    body.replaceChildren(
      ...found.slice(0, most).map((row) => {
        const line = document.createElement("tr");
        for (const [place, value] of row.entries()) {
          line.insertCell().textContent = shown(value, place);
        }
        return line;
      }),
    );
    const rest = found.length > most ? `, the first ${most} shown` : "";
    document.getElementById("found").textContent =
      `${found.length.toLocaleString("en")} found${rest}`;
  };

  for (const [place, button] of buttons.entries()) {
    button.addEventListener("click", () => {
      direction = column === place ? -direction : 1;
      column = place;
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
      find();
    });
  }
  box.addEventListener("input", find);
  find();
})();
