/* What style sheets cannot do. */
(function () {
  "use strict";

  // A box that scrolls must be reachable from the keyboard.
  const BOXES = ".highlight pre, .cell_output pre, div.math, mjx-container[display='true'], .claims-scroll, .table-scroll, .pst-scrollable-table-container, .text_html, .bd-sidebar-primary nav";

  function reachable() {
    document.querySelectorAll(BOXES).forEach((box) => {
      const scrolls = box.scrollWidth > box.clientWidth + 1;
      if (scrolls) box.tabIndex = 0;
      else if (!box.matches(".claims-scroll")) box.removeAttribute("tabindex");
    });
  }

  // Wide tables scroll in a box of their own instead of widening the page.
  function boxTables() {
    document.querySelectorAll(".bd-article table").forEach((table) => {
      if (table.closest(".claims-scroll, .table-scroll, .pst-scrollable-table-container, .text_html, aside")) return;
      const box = document.createElement("div");
      box.className = "table-scroll";
      table.replaceWith(box);
      box.append(table);
    });
  }

  // The theme leaves these without a name.
  function nameControls() {
    document.querySelectorAll(".bd-sidebar-primary details > summary").forEach((summary) => {
      const page = summary.closest("li").querySelector("a");
      summary.setAttribute("aria-label", "Pages of " + (page ? page.textContent.trim() : "this part"));
      summary.querySelector("[role=presentation]")?.removeAttribute("role");
    });
    document.querySelectorAll("button[title]:not([aria-label])").forEach((b) => b.setAttribute("aria-label", b.title));
  }

  // Slider handles, and what they stand for, arrive after the page.
  function nameSliders() {
    document.querySelectorAll(".noUi-handle:not([aria-label])").forEach((handle) => {
      const label = handle.closest(".jupyter-widgets")?.querySelector(".widget-label");
      handle.setAttribute("aria-label", label ? label.textContent.trim() || "Value" : "Value");
    });
    document.querySelectorAll(".widget-readout[contenteditable]:not([aria-label])").forEach((box) => {
      box.setAttribute("role", "textbox");
      box.setAttribute("aria-label", (box.closest(".jupyter-widgets")?.querySelector(".widget-label")?.textContent.trim() || "Value") + ", as a number");
    });
  }

  // The widget manager speaks to MathJax 2; on a page that has formulas and widgets it meets MathJax 3.
  function bridgeMathJax() {
    if (!window.MathJax || window.MathJax.Hub) return;
    window.MathJax.Hub = { Queue: ([, , element]) => window.MathJax.startup.promise.then(() => window.MathJax.typesetPromise([element])) };
  }

  document.addEventListener("DOMContentLoaded", () => {
    bridgeMathJax();
    boxTables();
    nameControls();
    reachable();
    addEventListener("resize", reachable);
    addEventListener("load", reachable);
    document.fonts?.ready.then(reachable);
    addEventListener("load", () => window.MathJax?.startup?.promise?.then(reachable));
    const article = document.querySelector(".bd-article");
    if (article?.querySelector("script[type='application/vnd.jupyter.widget-view+json']"))
      new MutationObserver(() => { nameSliders(); reachable(); }).observe(article, { childList: true, subtree: true });
  });

  // Paper is white.
  let theme;
  addEventListener("beforeprint", () => {
    theme = document.documentElement.dataset.theme;
    document.documentElement.dataset.theme = "light";
  });
  addEventListener("afterprint", () => { document.documentElement.dataset.theme = theme; });
})();
