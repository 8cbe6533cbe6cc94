"use strict";
// Charts are drawn when they come into sight, and again when the filter, the intervals or the ground change.
(() => {
  const { charts, styles } = JSON.parse(document.getElementById("charts").textContent);

  const made = (tag, properties = {}, ...inside) => {
    const element = Object.assign(document.createElement(tag), properties);
    element.append(...inside);
    return element;
  };

  class Figure {
    constructor(element, chart) {
      Object.assign(this, { element, chart, drawn: false, bands: true });
      const scatter = chart.kind === "scatter";
      const panels = element.querySelector(".panels");
      panels.classList.toggle("scatter", scatter);
      panels.classList.toggle("single", !scatter && chart.panels.length === 1);
      if (scatter && chart.columns) panels.style.setProperty("--across", chart.columns);
      this.panels = chart.panels.map((panel) => {
        const plot = made("div", { className: "plot", role: "img" });
        const names = panel.series.map((one) => one.name).join(", ");
        plot.setAttribute("aria-label", `${chart.title}${panel.title ? `, ${panel.title}` : ""}: ${names}`);
        const box = made("div", { className: "panel" }, ...(panel.title ? [made("h4", { textContent: panel.title })] : []), plot);
        panels.append(box);
        return { panel, box, plot };
      });
      this.empty = made("p", { className: "hint", textContent: "No chosen label is in this chart.", hidden: true });
      panels.after(this.empty);
      this.legend();
      if (!scatter) this.numbers();
    }

    // Lines are named as they are in the chart; a label under two settings has two of them.
    legend() {
      const place = this.element.querySelector(".legend");
      const look = drawing.theme();
      if (this.chart.kind === "scatter") {
        place.replaceChildren(...this.chart.classes.map((one) => {
          const dot = made("i", { className: "dot" });
          dot.style.background = drawing.css(drawing.readable(one.colour, look));
          return made("span", {}, dot, one.name);
        }));
        return;
      }
      const names = new Map(this.chart.panels.flatMap((panel) => panel.series.map((one) => [one.name, one.label])));
      const entries = [...names].filter(([, label]) => choosing.shows({ label })).map(([name, label]) => {
        const box = document.querySelector(`#filter input[value="${CSS.escape(label)}"]`);
        const drawn = box && names.size === new Set(names.values()).size ? box.parentElement.querySelector("svg") : null;
        return made("span", {}, ...(drawn ? [drawn.cloneNode(true)] : [this.stroke(name, look)]), name);
      });
      if (this.chart.panels.some((panel) => panel.series.some((one) => one.low.length))) {
        const box = made("input", { type: "checkbox", checked: this.bands });
        box.addEventListener("change", () => { this.bands = box.checked; this.draw(); });
        const few = this.chart.panels.some((panel) => panel.series.some((one) => one.seeds.length));
        entries.push(made("label", {}, box, few ? "single seeds, intervals" : "95 % intervals"));
      }
      place.replaceChildren(...entries);
    }

    stroke(name, look) {
      const dashes = { solid: "none", dash: "7 3", dot: "2 2", dashdot: "7 2 2 2" };
      const [svg, line] = ["svg", "line"].map((tag) => document.createElementNS("http://www.w3.org/2000/svg", tag));
      const set = (element, values) => Object.entries(values).forEach(([key, value]) => element.setAttribute(key, value));
      set(svg, { class: "swatch", width: 30, height: 12, "aria-hidden": "true" });
      const style = styles[name];
      set(line, { x1: 1, y1: 6, x2: 29, y2: 6, stroke: drawing.css(drawing.colourOf(style, look)) });
      set(line, { "stroke-width": style.bold ? 2.6 : 1.8, "stroke-dasharray": dashes[style.dash] });
      svg.append(line);
      return svg;
    }

    // What the lines show as a table, made when it is asked for.
    numbers() {
      const { chart } = this;
      const details = made("details", { className: "numbers" }, made("summary", { textContent: "Numbers of this chart" }));
      details.addEventListener("toggle", () => {
        if (details.children.length > 1) return;
        const shown = (value) => (value === null || value === undefined ? "" : (value * (chart.percent ? 100 : 1)).toFixed(1));
        const headings = ["panel", "label", chart.x_title, chart.y_title, "95 % interval"];
        const body = made("tbody");
        for (const panel of chart.panels) for (const one of panel.series) one.x.forEach((x, i) => {
          const interval = one.low.length && one.low[i] !== null ? `${shown(one.low[i])} to ${shown(one.high[i])}` : "";
          const cells = [panel.title, one.name, String(x), shown(one.y[i]), interval];
          const row = made("tr", {}, ...cells.map((text, at) => made("td", { textContent: text, className: at > 1 ? "number" : "" })));
          row.dataset.label = one.label;
          body.append(row);
        });
        const head = made("thead", {}, made("tr", {}, ...headings.map((text) => made("th", { scope: "col", textContent: text }))));
        const region = made("div", { className: "scroll", tabIndex: 0, role: "region" }, made("table", {}, head, body));
        region.setAttribute("aria-label", `Numbers of ${chart.title}`);
        details.append(region);
        choosing.apply();
      });
      this.element.append(details);
    }

    draw() {
      const { chart } = this;
      this.element.hidden = !choosing.shows({ dataset: chart.dataset || undefined, backbone: chart.backbone || undefined });
      if (this.element.hidden || !this.drawn) return;
      for (const { panel, box, plot } of this.panels) {
        const series = panel.series.filter((one) => choosing.shows({ label: one.label }));
        box.hidden = !series.length;
        if (series.length) drawing.panel(plot, chart, panel, series, styles, this.bands);
      }
      this.empty.hidden = this.panels.some(({ box }) => !box.hidden);
    }
  }

  const figures = charts.map((chart) => {
    const element = document.querySelector(`figure[data-chart="${CSS.escape(chart.name)}"]`);
    return new Figure(element, chart);
  });
  const again = () => figures.forEach((figure) => { figure.legend(); figure.draw(); });
  const show = async (figure) => {
    await plotly;
    figure.drawn = true;
    figure.draw();
  };

  const sight = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      if (!entry.isIntersecting) continue;
      sight.unobserve(entry.target);
      show(figures.find((figure) => figure.element === entry.target));
    }
  }, { rootMargin: "400px" });
  for (const figure of figures) sight.observe(figure.element);
  addEventListener("beforeprint", () => figures.forEach(show));
  choosing.listen(again);
  drawing.listen(again);
})();
