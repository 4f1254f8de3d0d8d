"use strict";
// Shared by all parts of the page: its data, the selection, and the look of plots.

const data = JSON.parse(document.getElementById("data").textContent);
const byId = (id) => document.getElementById(id);
const wide = data.cameras.length > 1;

/** The selection: camera (-1 = all), picture shown (-1 = none). */
const state = { camera: -1, picture: -1 };

/** Escapes names of topics and classes, since Plotly interprets tags and entities in texts. */
function plain(text) {
  return String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
}

function colourOf(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function cameraColour(camera) {
  return colourOf(`camera-${camera % 6}`);
}

/** An axis in the colours of the page. */
function axis(more) {
  const line = colourOf("line");
  return { gridcolor: line, linecolor: line, zerolinecolor: line, tickcolor: line, automargin: false, ...more };
}

function layout(more) {
  return {
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: colourOf("plot"),
    font: { family: "system-ui, sans-serif", size: 12, color: colourOf("text") },
    hoverlabel: { bgcolor: colourOf("panel"), bordercolor: colourOf("line"), font: { color: colourOf("text") }, namelength: -1 },
    modebar: { bgcolor: "rgba(0,0,0,0)", color: colourOf("quiet"), activecolor: colourOf("accent") },
    ...more,
  };
}

const CONFIG = {
  responsive: true,
  displaylogo: false,
  // the first click of a double click draws a frame, which takes time on a slow machine
  doubleClickDelay: 600,
  // listed one by one: some of the others would open pages of plotly on the network
  modeBarButtons: [["toImage"], ["zoom2d", "pan2d"], ["zoomIn2d", "zoomOut2d", "resetScale2d"]],
  toImageButtonOptions: { filename: "drive" },
};

/** Text above the left end of a plot's y axis. */
function title(text, yref) {
  const place = { x: 0, xref: "paper", xanchor: "left", y: 1, yref: `${yref} domain`, yanchor: "bottom" };
  return { ...place, text, showarrow: false, font: { size: 12, color: colourOf("quiet") } };
}

/**
 * The lowest and the highest value of every bucket of neighbours, in order: looks like all values when there are
 * more values than pixels. rows: indices into xs and ys, in order of time; null = no value.
 */
function thin(rows, ys, from, to, buckets, out) {
  const each = Math.max(1, Math.ceil((to - from) / buckets));
  for (let start = from; start < to; start += each) {
    const end = Math.min(start + each, to);
    let low = -1, high = -1;
    for (let k = start; k < end; k++) {
      const value = ys[rows[k]];
      if (value === null) continue;
      if (low < 0 || value < ys[rows[low]]) low = k;
      if (high < 0 || value > ys[rows[high]]) high = k;
    }
    if (low < 0) out.push(rows[start]);
    else if (low === high) out.push(rows[low]);
    else out.push(rows[Math.min(low, high)], rows[Math.max(low, high)]);
  }
}

/** Rows to draw: fine inside the window of times, coarse outside. */
function thinned(rows, xs, ys, window, buckets) {
  if (rows.length <= 2 * buckets) return rows;
  let from = 0, to = rows.length;
  if (window) {
    const at = (time) => {
      let low = 0, high = rows.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (xs[rows[middle]] < time) low = middle + 1;
        else high = middle;
      }
      return low;
    };
    from = Math.max(0, at(window[0]) - 1);
    to = Math.min(rows.length, at(window[1]) + 1);
  }
  const out = [], coarse = Math.ceil(buckets / 4);
  thin(rows, ys, 0, from, coarse, out);
  thin(rows, ys, from, to, buckets, out);
  thin(rows, ys, to, rows.length, coarse, out);
  return out;
}
