// Volumes side by side under one camera, which the visitor turns. Gradio runs this, after scene.js,
// truth.js, pace.js and loading.js, as the body of a function of `element`, `props` and `watch`, once the viewer stands on the page.
//
// props.value: {panels: [{key, label, file}], steps, truth, video}: panels from left to right, whose file
// is null before a run's end; steps are [{step, files}], a file by key; truth is null or {file, angles}, square views in a row and the azimuth and
// elevation of each in degrees; video is null or the file of the whole turn; example is what the
// address calls the object, or "".

const FRONT = { azimuthDeg: 0, elevationDeg: 20, zoom: 1 }; // the side that the picture shows
const MAX_ELEVATION_DEG = 85, MIN_ZOOM = 0.7, MAX_ZOOM = 4;
const DRAG_DEG = 180; // a drag across one panel
const KEY_DEG = 6, KEY_ZOOM = 1.25;
const SPIN_DEG_S = 24; // one turn in 15 s
const REST_MS = 200; // without a move, after which all pixels are drawn
const SCALES = { // what the colours of a mode mean
  depth: "Dark is near, white is far: the greys span the object's diameter.",
  normals: "Where the surface faces: red to the right, green up, blue towards you.",
  difference: "White is right, dark red is wrong, seen from the known side next to yours.",
};
const MAX_SCALE = 2, MAX_SIDE = 1024; // pixels of a panel, each way: beyond, nothing more shows

let scene = null, ready = false, failure = "";
let camera = { ...FRONT };
let spinning = false, onScreen = false;
let pending = 0, lastFrame = 0, flowing = false, lastMove = -Infinity, nFrames = 0;

document.dispatchEvent(new Event("hyperdemo-viewer")); // ends one that stood here before

const stage = new Stage(part, {
  scene: () => scene,
  changed(error) {
    if (error) failure = `This view cannot be turned here: ${error.message}.`;
    tell();
    ask();
  },
});
const on = (...wanted) => stage.on(...wanted);

function tell() {
  const loading = shown && !ready ? "Loading both objects…" : "";
  const { lost } = stage, waiting = lost ? "The graphics were interrupted; one moment…" : loading;
  part.message.textContent = failure || waiting;
  for (const name of ["spin", "out", "in", "reset", "mode"]) part[name].disabled = !ready || lost;
  part.video.hidden = !(failure && video);
  if (!part.video.hidden && part.video.src !== video.url) part.video.src = video.url;
  part.spin.setAttribute("aria-pressed", spinning);
  part.scale.textContent = SCALES[part.mode.value] ?? "";
  part.scale.hidden = !part.scale.textContent;
  part.hint.hidden = !part.scale.hidden;
  part.viewer.dispatchEvent(new Event("hyperdemo-viewer-told", { bubbles: true }));
}

// ---- frames, and none where nothing has changed ----

const canDraw = () => ready && !stage.lost && onScreen && !document.hidden;

function ask() {
  if (!pending && canDraw()) pending = requestAnimationFrame(frame);
}

function frame(now) {
  pending = 0;
  if (!canDraw()) return;
  const gap = now - lastFrame, turning = spinning && pointers.size === 0;
  const moving = turning || performance.now() - lastMove < REST_MS;
  if (turning && flowing) camera.azimuthDeg += (SPIN_DEG_S * Math.min(gap, 100)) / 1000;
  if (moving && flowing) keepPace(gap);
  draw(moving ? pace.share : 1);
  lastFrame = now;
  flowing = moving; // the next frame follows at once, so the time between them tells
  if (moving) ask();
}

function draw(share) {
  const scale = Math.min(window.devicePixelRatio || 1, MAX_SCALE);
  const whole = Math.min(MAX_SIDE, (part.canvas.clientWidth * scale) / Math.max(1, panels.length));
  const side = Math.max(1, Math.round(whole * share)), width = side * panels.length;
  if (part.canvas.width !== width || part.canvas.height !== side)
    Object.assign(part.canvas, { width, height: side });
  const view = { ...seen(), ground: ground() };
  scene.gl.clearColor(...view.ground, 1);
  scene.gl.clear(scene.gl.COLOR_BUFFER_BIT);
  panels.forEach(({ key }, k) => scene.volumes.has(placeOf(key)) && scene.draw(placeOf(key), view, k * side, 0, side));
  turnTruth();
  nFrames++;
}

// What stands behind is the page's: white by day, dark by night.
function ground() {
  const rgb = getComputedStyle(part.canvas.parentNode).backgroundColor.match(/[\d.]+/g) ?? [];
  return rgb.length < 3 ? [1, 1, 1] : rgb.slice(0, 3).map((value) => value / 255);
}

// ---- the camera ----

// Where the picture was taken from, as far as it is known.
const front = () => (truth ? { ...FRONT, elevationDeg: truth.angles[0][1] } : { ...FRONT });

// The side that the address asks for, once: ?az=…&el=… in degrees.
let asked = new URLSearchParams(location.search);
function lookAsAsked() {
  const [azimuthDeg, elevationDeg] = ["az", "el"].map((name) => Number(asked.get(name) ?? NaN));
  asked = new URLSearchParams();
  if (!Number.isFinite(azimuthDeg)) return;
  spinning = false;
  look({ ...camera, azimuthDeg, elevationDeg: Number.isFinite(elevationDeg) ? elevationDeg : camera.elevationDeg });
}

function look({ azimuthDeg, elevationDeg, zoom }) {
  if (!ready) return;
  const within = (value, least, most) => Math.min(most, Math.max(least, value));
  camera = {
    azimuthDeg: ((azimuthDeg % 360) + 360) % 360,
    elevationDeg: within(elevationDeg, -MAX_ELEVATION_DEG, MAX_ELEVATION_DEG),
    zoom: within(zoom, MIN_ZOOM, MAX_ZOOM),
  };
  lastMove = performance.now();
  ask();
}

function spin(on) {
  spinning = on;
  tell();
  ask();
}

// The object follows the hand, so the camera goes the other way.
function turn(right, down) {
  const { azimuthDeg, elevationDeg, zoom } = camera;
  if (spinning) spin(false);
  look({ azimuthDeg: azimuthDeg - right, elevationDeg: elevationDeg + down, zoom });
}

function magnify(factor) {
  if (spinning) spin(false);
  look({ ...camera, zoom: camera.zoom * factor });
}

function reset() {
  spin(false);
  look(front());
}

// ---- what the visitor does ----

const pointers = new Map();
const spread = () => {
  const [a, b] = pointers.values();
  return Math.hypot(a.x - b.x, a.y - b.y);
};

on("pointerdown", (event) => {
  if (event.button !== 0 || pointers.size > 1) return;
  part.canvas.setPointerCapture(event.pointerId);
  pointers.set(event.pointerId, { x: event.clientX, y: event.clientY });
});
on("pointermove", (event) => {
  const from = pointers.get(event.pointerId);
  if (!from) return;
  const apart = pointers.size === 2 && Math.max(1, spread()), to = { x: event.clientX, y: event.clientY };
  pointers.set(event.pointerId, to);
  if (apart) return magnify(spread() / apart);
  const degrees = (DRAG_DEG * panels.length) / part.canvas.clientWidth;
  if (to.x !== from.x || to.y !== from.y) turn((to.x - from.x) * degrees, (to.y - from.y) * degrees);
});
for (const name of ["pointerup", "pointercancel"])
  on(name, (event) => { if (pointers.delete(event.pointerId)) ask(); });
on("click", () => spin(false));
on("wheel", (event) => {
  if (!event.ctrlKey && !event.metaKey) return; // the page scrolls
  event.preventDefault();
  magnify(Math.exp(-0.01 * Math.max(-30, Math.min(30, event.deltaY))));
}, { passive: false });
on("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !ready) return;
  const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  const factor = { "+": KEY_ZOOM, "=": KEY_ZOOM, "-": 1 / KEY_ZOOM }[event.key];
  if (step) turn(KEY_DEG * step[0], KEY_DEG * step[1]);
  else if (factor) magnify(factor);
  else if (event.key === "Home") reset();
  else return;
  event.preventDefault();
});
part.spin.addEventListener("click", () => spin(!spinning));
part.in.addEventListener("click", () => magnify(KEY_ZOOM));
part.out.addEventListener("click", () => magnify(1 / KEY_ZOOM));
part.reset.addEventListener("click", reset);

part.mode.addEventListener("change", () => { tell(); lastMove = performance.now(); ask(); });

stage.observe(new IntersectionObserver(([{ isIntersecting }]) => {
  onScreen = isIntersecting;
  ask();
}));
stage.observe(new ResizeObserver(() => ask()));
document.addEventListener("visibilitychange", ask);

// For tests, and for whoever wants to measure what is drawn.
const api = {
  setCamera(azimuthDeg, elevationDeg, zoom = 1) { spin(false); look({ azimuthDeg, elevationDeg, zoom }); },
  // As it is seen now, or from this side.
  readPixels: (key, side, azimuthDeg) =>
    scene.read(placeOf(key), azimuthDeg === undefined ? seen() : { ...front(), azimuthDeg, ground: ground() }, side),
  get state() {
    const { share, typical } = pace;
    return { ...camera, run, example: props.value.example, mode: part.mode.value, step: steps[shownStep]?.step ?? null, complete: panels.every(({ key }) => scene?.volumes.has(key)), side: truth && nearestSide(), ready, lost: stage.lost, failure, spinning, onScreen, nFrames, share, frameMs: typical };
  },
  dispose() {
    cancelAnimationFrame(pending);
    document.removeEventListener("visibilitychange", ask);
    stage.end();
  },
};
document.addEventListener("hyperdemo-viewer", api.dispose, { once: true });
part.viewer.viewer = api;
watch("value", update);
update();
