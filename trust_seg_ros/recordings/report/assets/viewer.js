// The frame shown: its pictures and numbers, and the controls to step to others.

const JPEG = "data:image/jpeg;base64,";

/** Addresses of the three pictures of a frame; read from its block on demand, as there may be many. */
function picture(number) {
  const all = JSON.parse(byId(`picture-${number}`).textContent);
  return { image: JPEG + all.image, overlay: JPEG + all.overlay, entropy: JPEG + all.entropy };
}

/** Number of the picture of a camera (-1: of any selected camera) nearest in time; -1 = none. */
function nearest(time, camera) {
  let best = -1;
  data.pictures.forEach((p, n) => {
    if (!(camera < 0 ? cameraChosen(p.camera) : p.camera === camera)) return;
    if (best < 0 || Math.abs(p.time - time) < Math.abs(data.pictures[best].time - time)) best = n;
  });
  return best;
}

function showNearest(time, camera) {
  const number = nearest(time, camera);
  if (number < 0) {
    byId("distance").textContent = "This camera has no pictures.";
    return;
  }
  show(number, data.pictures[number].time - time);
}

/** Show a picture; away: seconds between it and the requested moment. */
function show(number, away = 0) {
  state.picture = number;
  const frame = data.pictures[number];
  const { image, overlay, entropy } = picture(number);
  byId("image").src = image;
  byId("overlay").src = overlay;
  byId("entropy").src = entropy;
  byId("shown-camera").textContent = data.cameras[frame.camera];
  byId("stamp").textContent = frame.stamp;
  byId("play").textContent = frame.play;
  byId("play-line").hidden = !frame.play;
  const distance = `${Math.abs(away).toFixed(2)} s ${away > 0 ? "after" : "before"} the moment chosen`;
  byId("distance").textContent = Math.abs(away) >= 0.005 ? `the nearest picture, ${distance}` : "";
  const rows = frame.numbers.flatMap(([name, value]) => [explained(name), element("dd", value)]);
  byId("numbers").replaceChildren(...rows);
  const among = chosenPictures();
  byId("place").textContent = `${among.indexOf(number) + 1} of ${among.length}`;
  byId("previous").disabled = among[0] === number;
  byId("next").disabled = among[among.length - 1] === number;
  document.querySelectorAll("[data-picture]").forEach((button) => {
    button.setAttribute("aria-pressed", String(Number(button.dataset.picture) === number));
  });
  if (byId("enlarged").open) enlarge(enlarged);
  markMoment();
}

/** The name of a number, with its explanation where there is one. */
function explained(name) {
  const made = element("dt", name);
  if (data.terms[name]) made.title = data.terms[name];
  return made;
}

function element(name, text) {
  const made = document.createElement(name);
  made.textContent = text;
  return made;
}

function chosenPictures() {
  return data.pictures.map((_, n) => n).filter((n) => cameraChosen(data.pictures[n].camera));
}

function step(by) {
  const among = chosenPictures();
  const place = among.indexOf(state.picture) + by;
  if (place >= 0 && place < among.length) show(among[place]);
}

let enlarged = "overlay";

function enlarge(which) {
  enlarged = which;
  byId("enlarged-picture").src = byId(which).src;
  if (!byId("enlarged").open) byId("enlarged").showModal();
}

async function copyCommand() {
  const command = byId("play").textContent;
  try {
    await navigator.clipboard.writeText(command);
    byId("copy").textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(byId("play"));
    byId("copy").textContent = "Selected";
  }
  setTimeout(() => { byId("copy").textContent = "Copy"; }, 1500);
}

function onKey(event) {
  const typing = event.target.closest && event.target.closest("input, select, textarea");
  if (typing || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
  const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!by || state.picture < 0) return;
  event.preventDefault();
  step(by);
}

function startViewer() {
  // links to sections stop below the viewer
  new ResizeObserver(([viewer]) => {
    document.documentElement.style.setProperty("--viewer-height", `${Math.round(viewer.target.offsetHeight) + 8}px`);
  }).observe(byId("viewer"));
  if (!data.pictures.length) {
    byId("no-pictures").hidden = false;
    document.querySelector(".screen").hidden = true;
    byId("viewer").classList.add("folded");
    return;
  }
  byId("details").open = innerWidth >= 700;
  addEventListener("beforeprint", () => { byId("details").open = true; });
  byId("previous").addEventListener("click", () => step(-1));
  byId("next").addEventListener("click", () => step(1));
  byId("copy").addEventListener("click", copyCommand);
  document.addEventListener("keydown", onKey);
  document.querySelectorAll("[data-enlarge]").forEach((button) => {
    button.addEventListener("click", () => enlarge(button.dataset.enlarge));
  });
  byId("fold").addEventListener("click", () => {
    const folded = byId("viewer").classList.toggle("folded");
    byId("fold").textContent = folded ? "Show" : "Hide";
    byId("fold").setAttribute("aria-expanded", String(!folded));
  });
}
