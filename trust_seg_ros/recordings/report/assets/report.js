// Puts the parts together: the camera selector, the lists of moments and objects, latency, and the colours of the page.

function drawLatency() {
  if (!byId("latency-plot")) return;
  const traces = data.latency.map((one, n) => {
    const all = one.time.map((_, row) => row);
    const rows = thinned(all, one.time, one.ms, null, 800);
    return {
      type: "scatter",
      mode: rows.length <= 120 ? "lines+markers" : "lines",
      name: plain(one.topic),
      x: rows.map((row) => one.time[row]),
      y: rows.map((row) => one.ms[row]),
      hovertemplate: "%{y:.4~g} ms at %{x:.2f} s",
      line: { color: cameraColour(n), width: 1.4 },
    };
  });
  Plotly.react(byId("latency-plot"), traces, layout({
    height: 300,
    margin: { l: 56, r: 12, t: 40, b: 44 },
    showlegend: true,
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 0 },
    annotations: [],
    xaxis: axis({ title: { text: "seconds of the recording", standoff: 6 } }),
    yaxis: axis({ title: { text: "latency, ms" }, rangemode: "tozero" }),
  }), CONFIG);
}

/** Hides cards of other cameras; a list without cards left says so. */
function filterCards() {
  for (const list of document.querySelectorAll("ul.cards")) {
    let left = 0;
    for (const card of list.children) {
      card.hidden = state.camera >= 0 && card.dataset.camera !== data.cameras[state.camera];
      left += !card.hidden;
    }
    let said = list.nextElementSibling;
    if (!said || !said.classList.contains("empty")) {
      said = element("p", "None of this camera.");
      said.className = "empty";
      list.after(said);
    }
    said.hidden = left > 0;
  }
}

function chooseCamera(camera) {
  state.camera = camera;
  filterCards();
  drawClasses();
  drawTimeline();
  if (state.picture < 0) return;
  const frame = data.pictures[state.picture];
  if (cameraChosen(frame.camera)) show(state.picture);
  else showNearest(frame.time, -1);
}

function startCameras() {
  byId("camera-label").hidden = !wide;
  const option = (name, value) => {
    const made = element("option", name);
    made.value = value;
    return made;
  };
  byId("camera").append(option("all", -1), ...data.cameras.map(option));
  byId("camera").addEventListener("change", (event) => chooseCamera(Number(event.target.value)));
}

function startWorst() {
  document.querySelectorAll("img[data-overlay]").forEach((image) => { image.src = picture(image.dataset.overlay).overlay; });
  document.querySelectorAll("[data-picture]").forEach((button) => {
    button.addEventListener("click", () => show(Number(button.dataset.picture)));
  });
}

function startObjects() {
  const list = byId("objects");
  if (!list) return;
  for (const card of list.children) {
    card.querySelector("button").addEventListener("click", () => {
      showNearest(Number(card.dataset.time), data.cameras.indexOf(card.dataset.camera));
    });
  }
  const orders = {
    time: (a, b) => a.dataset.first - b.dataset.first,
    certainty: (a, b) => a.dataset.rank - b.dataset.rank,
    frames: (a, b) => b.dataset.frames - a.dataset.frames || a.dataset.rank - b.dataset.rank,
  };
  byId("object-order").addEventListener("change", (event) => {
    list.append(...[...list.children].sort(orders[event.target.value]));
  });
}

function drawAll() {
  drawTimeline();
  drawClasses();
  drawLatency();
}

startCameras();
startViewer();
startTimeline();
startClasses();
startWorst();
startObjects();
drawLatency();
for (const query of ["(prefers-color-scheme: dark)", "print"]) matchMedia(query).addEventListener("change", drawAll);
if (data.pictures.length) {
  const worst = data.pictures.findIndex((p) => p.worst === 1);
  show(Math.max(worst, 0));
}
document.documentElement.dataset.ready = "yes";
