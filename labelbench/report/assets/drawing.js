"use strict";
// What plotly is told about one panel: traces and layout, in the colours of a light or a dark ground.
const drawing = (() => {
  const DARK = matchMedia("(prefers-color-scheme: dark)");
  const COARSE = matchMedia("(pointer: coarse)");
  const FEWEST = 3; // contrast of a line with its ground, as WCAG asks of graphics

  const theme = () => {
    const style = getComputedStyle(document.documentElement);
    const of = (name) => style.getPropertyValue(`--${name}`).trim();
    return { dark: DARK.matches, ground: of("ground"), text: of("text"), line: of("line"), reference: of("reference") };
  };

  const channels = (colour) => [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((c) => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };

  // A colour made for white paper, lightened until it can be seen on a dark ground.
  function readable(colour, { dark, ground }) {
    let rgb = channels(colour);
    const below = luminance(channels(ground)) + 0.05;
    while (dark && (luminance(rgb) + 0.05) / below < FEWEST) rgb = rgb.map((c) => c + (255 - c) * 0.1);
    return rgb.map(Math.round);
  }
  const css = ([r, g, b], alpha = 1) => `rgba(${r}, ${g}, ${b}, ${alpha})`;

  // Plotly reads a few tags in its texts; names are shown as they are.
  const plain = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

  const colourOf = (style, look) => (style.bold ? channels(look.reference) : readable(style.colour, look));

  function lines(chart, series, styles, look, bands) {
    const factor = chart.percent ? 100 : 1;
    const scaled = (values) => values.map((value) => (value === null ? null : value * factor));
    const found = [];
    const shade = Math.max(0.06, 0.3 / series.length);
    for (const one of series) {
      const style = styles[one.name];
      const colour = colourOf(style, look);
      const [y, low, high] = [one.y, one.low, one.high].map(scaled);
      if (bands && one.seeds.length) {
        for (const values of one.seeds) {
          found.push({
            type: "scatter", mode: "lines", hoverinfo: "skip", x: one.x, y: scaled(values),
            line: { color: css(colour, 0.4), dash: style.dash, width: 0.8 },
          });
        }
      } else if (bands && low.length) {
        for (const [from, to] of stretches(low)) {
          const x = one.x.slice(from, to);
          found.push({
            type: "scatter", mode: "lines", hoverinfo: "skip", line: { width: 0 }, fill: "toself",
            x: [...x, ...x.slice().reverse()], y: [...high.slice(from, to), ...low.slice(from, to).reverse()],
            fillcolor: css(colour, shade),
          });
        }
      }
      const whisker = bands && y.length === 1 && low.length && low[0] !== null
        ? { error_y: { type: "data", symmetric: false, array: [high[0] - y[0]], arrayminus: [y[0] - low[0]], thickness: 1, width: 0 } }
        : {};
      const interval = y.map((_, i) => (low.length && low[i] !== null ? ` [${low[i].toFixed(1)}, ${high[i].toFixed(1)}]` : ""));
      found.push({
        type: "scatter", mode: one.x.length > 40 ? "lines" : "lines+markers", name: plain(one.name),
        x: one.x, y, customdata: interval,
        line: { color: css(colour), dash: style.dash, width: style.bold ? 2.6 : 1.6 },
        marker: { color: css(colour), symbol: style.marker, size: style.bold ? 7 : 6 },
        hovertemplate: `%{fullData.name}<br>%{x:.4~g}: %{y:.1f}%{customdata}<extra></extra>`,
        ...whisker,
      });
    }
    return found;
  }

  // Where values follow each other without a gap: from, and to exclusive.
  function stretches(values) {
    const found = [];
    values.forEach((value, i) => {
      if (value === null) return;
      if (i === 0 || values[i - 1] === null) found.push([i, i + 1]);
      else found[found.length - 1][1] = i + 1;
    });
    return found;
  }

  function points(chart, series, look) {
    const colours = chart.classes.map((one) => css(readable(one.colour, look), 0.85));
    return series.map((one) => ({
      type: "scatter", mode: "markers", name: plain(one.name), x: one.x, y: one.y,
      text: one.classes.map((index) => plain(chart.classes[index].name)),
      marker: { size: 4, color: one.classes.map((index) => colours[index]), line: { width: 0 } },
      hovertemplate: "%{text}<extra></extra>",
    }));
  }

  // Of rising values those that leave room for their labels on a logarithmic axis.
  function spaced(values) {
    const room = Math.log(values[values.length - 1] / values[0]) / 9;
    const kept = values.slice(0, 1);
    for (const value of values.slice(1)) if (Math.log(value / kept[kept.length - 1]) >= room) kept.push(value);
    return kept;
  }

  function layout(chart, panel, look) {
    const axis = { color: look.text, gridcolor: look.line, linecolor: look.line, zeroline: false, automargin: true };
    const xs = [...new Set(panel.series.flatMap((one) => one.x))].sort((a, b) => a - b);
    const ticks = chart.log_x ? spaced(xs) : chart.kind === "line" && xs.length <= 8 ? xs : undefined;
    const base = {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", showlegend: false, hovermode: "closest",
      font: { family: "system-ui, sans-serif", size: 12, color: look.text },
      hoverlabel: { bgcolor: look.ground, bordercolor: look.line, font: { color: look.text } },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: look.line, activecolor: look.text },
      // A finger that moves over a chart scrolls the page.
      dragmode: COARSE.matches ? false : "zoom",
    };
    if (chart.kind === "scatter") {
      const bare = { visible: false, fixedrange: COARSE.matches };
      return { ...base, margin: { l: 4, r: 4, t: 4, b: 4 }, xaxis: bare, yaxis: bare };
    }
    return {
      ...base,
      margin: { l: 48, r: 8, t: 8, b: 44 },
      xaxis: {
        ...axis, type: chart.log_x ? "log" : "linear", title: { text: plain(chart.x_title) },
        ...(ticks ? { tickvals: ticks, ticktext: ticks.map(String) } : { nticks: 8 }),
      },
      yaxis: { ...axis, title: { text: plain(chart.y_title) }, ...(chart.percent ? { range: [-3, 103] } : {}) },
    };
  }

  const config = (chart) => ({
    responsive: true, displaylogo: false, ...(COARSE.matches ? { displayModeBar: false } : {}),
    modeBarButtonsToRemove: ["lasso2d", "select2d", "autoScale2d", "zoomIn2d", "zoomOut2d"],
    toImageButtonOptions: { format: "svg", filename: chart.name },
  });

  function panel(element, chart, of, series, styles, bands) {
    const look = theme();
    const traces = chart.kind === "scatter" ? points(chart, series, look) : lines(chart, series, styles, look, bands);
    Plotly.react(element, traces, layout(chart, of, look), config(chart));
  }

  return { panel, theme, readable, colourOf, css, listen: (again) => DARK.addEventListener("change", again) };
})();
