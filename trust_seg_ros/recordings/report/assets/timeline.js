// The time line: plots above one another on one axis of seconds, thinned to what a screen can show.

const timeline = byId("timeline-plot");
const frames = data.frames;
const LINES = [
  { title: "Flagged pixels, %", scale: 100, columns: { flagged_pixels: "flagged pixels, %" } },
  { title: "Mean entropy, 0…1", columns: { entropy_mean: "entropy" } },
  { title: "Pixels on unreliable segments, %", scale: 100, columns: { unreliable_pixels: "on unreliable segments, %" } },
  { title: "Pixels on OoD segments, %", scale: 100, columns: { ood_pixels: "on OoD segments, %" } },
  ...thresholdLines(),
  { title: "Shift, standard deviations", shift: true, columns: { shift_statistic: "shift, σ" } },
];
const MARKS = ["time jump", "refused", "pictured", "worst"];
const DASHES = { threshold_unreliable: "dash", threshold_ood: "dot", threshold_ood_meta: "dashdot" };
const rowsOf = data.cameras.map(() => []);
frames.camera.forEach((camera, row) => rowsOf[camera].push(row));
/** Lines that have values to draw. */
const drawn = LINES.filter((line) => Object.keys(line.columns).some((name) => frames.columns[name]));
let zoomed = null;

/** All thresholds in one plot where all are between 0 and 1; else one for each unit. */
function thresholdLines() {
  const probabilities = { threshold_unreliable: "threshold on P(false positive)", threshold_ood_meta: "threshold on P(OoD)" };
  const pixel = { threshold_pixel: "threshold on pixels" }, ood = { threshold_ood: "threshold of OoD" };
  const small = ["threshold_pixel", "threshold_ood"].every((name) => (frames.columns[name] || []).every((v) => v >= 0 && v <= 1));
  if (small) return [{ title: "Thresholds", step: true, columns: { ...pixel, ...probabilities, ...ood } }];
  return [
    { title: `Threshold on pixels (${plain(data.pixelScore)})`, step: true, columns: pixel },
    { title: `Threshold of OoD (${plain(data.oodScore)})`, step: true, columns: ood },
    { title: "Thresholds on probabilities", step: true, columns: probabilities },
  ];
}

function cameraChosen(camera) {
  return state.camera < 0 || state.camera === camera;
}

function named(what, camera) {
  return wide ? `${what} · ${plain(data.cameras[camera])}` : what;
}

function lineTraces() {
  const traces = [];
  const buckets = Math.max(150, Math.floor(800 / data.cameras.length));
  drawn.forEach((line, place) => {
    const there = Object.keys(line.columns).filter((name) => frames.columns[name]);
    data.cameras.forEach((_, camera) => {
      if (!cameraChosen(camera)) return;
      there.forEach((name) => {
        const values = frames.columns[name];
        const rows = thinned(rowsOf[camera], frames.time, values, zoomed, buckets);
        traces.push({
          type: "scatter",
          mode: rows.length <= 120 ? "lines+markers" : "lines",
          x: rows.map((row) => frames.time[row]),
          y: rows.map((row) => (values[row] === null ? null : values[row] * (line.scale || 1))),
          yaxis: `y${place + 2}`,
          name: named(line.columns[name], camera),
          meta: { camera },
          hovertemplate: "%{y:.3~g}",
          line: { color: cameraColour(camera), width: 1.4, shape: line.step ? "hv" : "linear", dash: DASHES[name] || "solid" },
          marker: { size: 4, color: cameraColour(camera) },
        });
      });
    });
  });
  return traces;
}

/** The marks to draw: a mark that would cover the one before on any screen is left out. */
function apart(times) {
  const span = zoomed ? zoomed[1] - zoomed[0] : data.section[1] - data.section[0];
  let last = -Infinity;
  return times.map((_, n) => n).filter((n) => {
    if (times.length > 1500 && times[n] - last < span / 1500) return false;
    last = times[n];
    return true;
  });
}

function markTrace(camera, kind, times, texts, symbol, size) {
  const kept = apart(times);
  return {
    type: "scatter",
    mode: "markers",
    x: kept.map((n) => times[n]),
    y: kept.map(() => kind),
    text: kept.map((n) => plain(texts[n])),
    hovertemplate: "%{text}",
    yaxis: "y",
    name: named(MARKS[kind], camera),
    meta: { camera },
    marker: { symbol, size, color: cameraColour(camera), line: { width: symbol === "x-thin" ? 2 : 0, color: cameraColour(camera) } },
  };
}

function markTraces() {
  const traces = [];
  data.cameras.forEach((_, camera) => {
    if (!cameraChosen(camera)) return;
    const jumps = frames.timeJumps.filter((row) => frames.camera[row] === camera);
    const refused = frames.refused.filter(([row]) => frames.camera[row] === camera);
    const mine = data.pictures.filter((picture) => picture.camera === camera);
    const worst = mine.filter((picture) => picture.worst > 0);
    const times = (rows) => rows.map((row) => frames.time[row]);
    traces.push(
      markTrace(camera, 0, times(jumps), jumps.map(() => "the time went back"), "triangle-left", 9),
      markTrace(camera, 1, times(refused.map(([row]) => row)), refused.map(([, why]) => why), "x-thin", 8),
      markTrace(camera, 2, mine.map((p) => p.time), mine.map(() => "a picture"), "circle", 5),
      markTrace(camera, 3, worst.map((p) => p.time), worst.map((p) => `number ${p.worst} of the worst`), "star", 9),
    );
  });
  return traces.filter((trace) => trace.x.length);
}

/** The moment shown, and when the shift monitor had fired. */
function shapes() {
  const lines = [];
  const shift = drawn.findIndex((line) => line.shift);
  if (shift >= 0) {
    frames.shifts.filter(([camera]) => cameraChosen(camera)).forEach(([, from, to]) => lines.push({
      type: "rect", x0: from, x1: to, y0: 0, y1: 1, yref: `y${shift + 2} domain`, layer: "below",
      fillcolor: colourOf("signal"), opacity: 0.35, line: { width: 1, color: colourOf("signal") },
    }));
  }
  if (state.picture >= 0) {
    const x = data.pictures[state.picture].time;
    lines.push({ type: "line", name: "shown", x0: x, x1: x, y0: 0, y1: 1, yref: "paper", line: { color: colourOf("accent"), width: 2 } });
  }
  return lines;
}

function timelineLayout() {
  const marks = 74, plot = 74, gap = 24, slider = 30;
  const height = marks + drawn.length * (plot + gap);
  let top = height;
  const more = {};
  const place = (tall) => {
    const domain = [(top - tall) / height, top / height];
    top -= tall + gap;
    return domain;
  };
  more.yaxis = axis({ domain: place(marks), range: [-0.6, 3.6], tickvals: [0, 1, 2, 3], ticktext: MARKS, fixedrange: true, zeroline: false });
  drawn.forEach((line, n) => {
    more[`yaxis${n + 2}`] = axis({ domain: place(plot), rangemode: line.shift ? "normal" : "tozero", nticks: 4, fixedrange: true });
  });
  const [start, stop] = data.section;
  const end = Math.max(stop, ...frames.time.slice(-1), start + 0.001);
  const pad = 0.01 * (end - start);
  more.xaxis = axis({
    range: zoomed || [start - pad, end + pad], anchor: `y${drawn.length ? drawn.length + 1 : ""}`,
    hoverformat: ".2f", ticksuffix: " s", showspikes: true, spikemode: "across", spikethickness: 1, spikecolor: colourOf("quiet"), spikedash: "dot", rangeslider: { visible: true, thickness: 36 / height, range: [start - pad, end + pad], bgcolor: colourOf("plot"), bordercolor: colourOf("line"), borderwidth: 1 },
  });
  return layout({
    ...more,
    height: height + slider + 94,
    margin: { l: 74, r: 12, t: 24, b: slider },
    showlegend: wide,
    hovermode: "x",
    hoverdistance: 60,
    dragmode: "zoom",
    annotations: drawn.map((line, n) => title(line.title, `y${n + 2}`)),
    shapes: shapes(),
  });
}

/** Entries of the legend: one per camera. */
function withLegend(traces) {
  const named = new Set();
  const entries = wide ? data.cameras.map((name, camera) => ({
    type: "scatter", mode: "lines", x: [null], y: [null], yaxis: "y", name: plain(name), hoverinfo: "skip",
    line: { color: cameraColour(camera), width: 3 }, showlegend: true, visible: cameraChosen(camera),
  })) : [];
  traces.forEach((trace) => { trace.showlegend = false; named.add(trace.name); });
  return [...entries, ...traces];
}

function drawTimeline() {
  if (!frames.camera.length && !data.pictures.length) return;
  const more = wide ? { legend: { orientation: "h", y: 1, yanchor: "bottom", x: 0 } } : {};
  return Plotly.react(timeline, withLegend([...markTraces(), ...lineTraces()]), { ...timelineLayout(), ...more }, CONFIG);
}

/** Move the mark to the moment shown; the window follows if the moment is outside. */
function markMoment() {
  if (!timeline.layout) return;
  const moment = data.pictures[state.picture].time;
  if (zoomed && (moment < zoomed[0] || moment > zoomed[1])) {
    const half = (zoomed[1] - zoomed[0]) / 2;
    zoomTo([moment - half, moment + half]);
  } else Plotly.relayout(timeline, { shapes: shapes() });
}

function zoomTo(window) {
  zoomed = window;
  return drawTimeline();
}

let waiting = 0;

/** Draws the finer points once the mouse rests: a dragged window changes with every move. */
function zoomLater(window) {
  clearTimeout(waiting);
  waiting = setTimeout(() => zoomTo(window), 100);
}

/** The point under the mouse: the nearest one. */
function nearestPoint(event) {
  const top = timeline.getBoundingClientRect().top;
  const away = (p) => Math.abs(p.yaxis._offset + p.yaxis.d2p(p.y) + top - event.event.clientY);
  return event.points.reduce((best, p) => (away(p) < away(best) ? p : best));
}

function startTimeline() {
  const missing = LINES.filter((line) => !drawn.includes(line)).map((line) => line.title.replace(/, .*/, ""));
  const keys = Object.entries(DASHES).filter(([name]) => frames.columns[name]);
  const dashes = { dash: "dashed", dot: "dotted", dashdot: "dash-dotted" };
  if (keys.length) {
    const names = { threshold_unreliable: "P(false positive)", threshold_ood: `${data.oodScore} of OoD`, threshold_ood_meta: "P(OoD)" };
    byId("dashes").textContent = `Thresholds: solid, ${data.pixelScore} of pixels; ${keys.map(([name, dash]) => `${dashes[dash]}, ${names[name]}`).join("; ")}.`;
  }
  if (frames.camera.length && missing.length) byId("not-plotted").textContent = `Not measured in this drive: ${unescaped(missing.join("; "))}.`;
  if (!drawTimeline()) return;
  timeline.on("plotly_click", (event) => {
    const point = nearestPoint(event);
    const camera = point.data.meta ? point.data.meta.camera : -1;
    showNearest(point.x, camera);
  });
  timeline.on("plotly_relayout", (change) => {
    const range = change["xaxis.range"] || [change["xaxis.range[0]"], change["xaxis.range[1]"]];
    if (change["xaxis.autorange"]) zoomLater(null);
    else if (range[0] !== undefined && range[1] !== undefined) zoomLater([Number(range[0]), Number(range[1])]);
  });
  byId("zoom-all").addEventListener("click", () => zoomTo(null));
  byId("zoom-near").addEventListener("click", () => {
    const moment = state.picture < 0 ? 0 : data.pictures[state.picture].time;
    zoomTo([moment - 10, moment + 10]);
  });
}

function unescaped(text) {
  return text.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");
}
