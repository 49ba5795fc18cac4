"use strict";
// Draws the charts in the colours of the page, again when these change and before it is printed.
(() => {
  const read = (id) => JSON.parse(document.getElementById(id).textContent);
  const figures = read("figures");
  const darkOf = read("dark-colours");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const print = window.matchMedia("print");
  const still = window.matchMedia("(prefers-reduced-motion: reduce)");
  const narrow = window.matchMedia("(max-width: 40rem)");
  const PAPER_WIDTH = 680;
  const PAPER_HEIGHT = 480;

  const coloured = (value, isDark) => {
    if (typeof value === "string") return isDark ? (darkOf[value] ?? value) : value;
    if (Array.isArray(value)) return value.map((each) => coloured(each, isDark));
    if (value === null || typeof value !== "object") return value;
    return Object.fromEntries(
      Object.entries(value).map(([key, each]) => [key, coloured(each, isDark)]),
    );
  };

  const draw = (onPaper) => {
    for (const [id, figure] of Object.entries(figures)) {
      const place = document.getElementById(`plot-${id}`);
      const { data, layout } = coloured(figure, dark.matches && !onPaper);
      // On a narrow screen the legends take more lines.
      layout.height = Number(place.dataset.height) * (narrow.matches && !onPaper ? 1.25 : 1);
      place.style.height = `${layout.height}px`;
      if (onPaper) {
        layout.width = PAPER_WIDTH;
        layout.height = Math.min(layout.height, PAPER_HEIGHT);
      }
      if (still.matches) layout.transition = { duration: 0 };
      Plotly.react(place, data, layout, {
        displaylogo: false,
        displayModeBar: narrow.matches ? false : "hover",
        responsive: !onPaper,
        // Nothing of a run is offered for an upload to anybody.
        showSendToCloud: false,
        plotlyServerURL: "",
        modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"],
      });
    }
    document.documentElement.dataset.drawn = onPaper ? "print" : dark.matches ? "dark" : "light";
  };

  draw(print.matches);
  dark.addEventListener("change", () => draw(print.matches));
  print.addEventListener("change", (event) => draw(event.matches));
  window.addEventListener("beforeprint", () => draw(true));
  window.addEventListener("afterprint", () => draw(false));
  // A link to a section inside a closed one opens it.
  const open = () => {
    const target = document.getElementById(location.hash.slice(1));
    target?.closest("details")?.setAttribute("open", "");
  };
  window.addEventListener("hashchange", open);
  open();
})();
