// A recorded training: pictures, scores and curves at the step that the slider stands at. Gradio runs this, after shared.js, as the
// body of a function of `element`, `props` and `watch`.

const FRAME_MS = 450, SVG = "http://www.w3.org/2000/svg";
const LEFT = 40, MARGIN = 8, TOP = 12, BOTTOM = 182, HEIGHT = 220; // of the curves, in pixels

let shown = null; // the value that is on the page
let strips = []; // what moves: an element, and the row of its picture at a step and a view
let playing = 0;
let cursor = null;
let right = 0; // end of the curves

const decibels = (value) => `${value.toFixed(2)} dB`;
const steps = () => shown.steps;

// A row of pictures as two halves, which a narrow page puts one below the other.
function strip(label, colour, picture, rows, row) {
  const outer = document.createElement("div"), name = document.createElement("b"), inner = document.createElement("div");
  outer.className = "strip";
  if (colour) name.append(Object.assign(document.createElement("i"), { style: `background: ${colour}` }));
  name.append(label);
  inner.setAttribute("role", "img");
  inner.setAttribute("aria-label", `${label}: ${shown.objects.join(", ")}`);
  const halves = [0, 100].map((across) => {
    const half = document.createElement("div");
    half.style.aspectRatio = `${shown.objects.length / 2} / 1`;
    half.style.backgroundImage = `url(${picture})`;
    half.style.backgroundSize = `200% ${100 * rows}%`;
    inner.append(half);
    return (at) => { half.style.backgroundPosition = `${across}% ${(100 * at) / (rows - 1)}%`; };
  });
  outer.append(name, inner);
  part.pictures.append(outer);
  strips.push((step, view) => halves.forEach((place) => place(row(step, view))));
}

function begin() {
  shown = props.value;
  const { arms, views, trainObjects } = shown, n = steps().length;
  part.about.textContent =
    `Here encoder and heads learn together, by the recipe of the other tabs' models but in fewer steps: ` +
    `${steps().at(-1).toLocaleString("en")}, on ${trainObjects.toLocaleString("en")} objects. The objects below are not among those.`;
  part.at.max = n - 1;
  part.pictures.replaceChildren();
  strips = [];
  strip("What goes in", "", shown.truth, views + 1, () => 0);
  strip("The truth", "", shown.truth, views + 1, (step, view) => 1 + view);
  for (const { label, colour, pictures } of arms)
    strip(label, colour, pictures, views * n, (step, view) => views * step + view);
  part.recorded.hidden = false;
  drawCurves();
  show();
}

const line = (name, attributes) => {
  const node = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) node.setAttribute(key, value);
  part.curves.append(node);
  return node;
};

// Steps stand further apart early on, where most was recorded.
const across = (step) => LEFT + (right - LEFT) * Math.sqrt(step / steps().at(-1));

function drawCurves() {
  const all = shown.arms.flatMap((arm) => arm.psnr), low = Math.floor(Math.min(...all)), high = Math.ceil(Math.max(...all));
  const up = (value) => BOTTOM - ((BOTTOM - TOP) * (value - low)) / (high - low);
  const width = Math.min(720, element.clientWidth);
  right = width - MARGIN;
  part.curves.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
  part.curves.replaceChildren();
  for (let value = low; value <= high; value += high - low > 5 ? 2 : 1) {
    line("line", { class: "grid", x1: LEFT, x2: right, y1: up(value), y2: up(value) });
    line("text", { x: LEFT - 8, y: up(value) + 5, "text-anchor": "end" }).textContent = value;
  }
  for (const share of [0, 0.04, 0.16, 0.36, 0.64, 1]) {
    const step = Math.round(share * steps().at(-1));
    line("text", { x: across(step), y: BOTTOM + 22, "text-anchor": share === 1 ? "end" : "middle" }).textContent = step.toLocaleString("en");
  }
  for (const { psnr, colour } of shown.arms)
    line("polyline", { class: "line", stroke: colour, points: psnr.map((value, k) => `${across(steps()[k])},${up(value)}`).join(" ") });
  cursor = line("line", { class: "cursor", y1: TOP, y2: BOTTOM });
  const [first, second] = shown.arms;
  part.curves.setAttribute("aria-label",
    `PSNR from another side over the steps: ${first.label} ends at ${decibels(first.psnr.at(-1))}, ${second.label} at ${decibels(second.psnr.at(-1))}`);
  part.caption.textContent = "PSNR in dB, of these objects from another side, over the steps of the training; higher is better.";
}

// The score on all validation objects at the last step up to this one that it was taken at.
function validation(step) {
  const known = shown.arms.map((arm) => arm.validation.filter(([at]) => at <= step).at(-1));
  if (known.some((one) => !one)) return "";
  return ` On all validation objects, at step ${known[0][0].toLocaleString("en")}: ${known.map(([, value]) => decibels(value)).join(" and ")}.`;
}

function show() {
  const k = Number(part.at.value), step = steps()[k], view = part.front.checked ? 0 : shown.views - 1;
  for (const move of strips) move(k, view);
  cursor.setAttribute("x1", across(step));
  cursor.setAttribute("x2", across(step));
  part.at.setAttribute("aria-valuetext", `step ${step}`);
  const scores = shown.arms.map(({ label, psnr }) => `${label} ${decibels(psnr[k])}`).join(", ");
  part.now.textContent = `Step ${step.toLocaleString("en")}: ${scores} on these, from another side.${validation(step)}`;
}

function stop() {
  clearInterval(playing);
  playing = 0;
  part.play.textContent = "Play";
}

part.play.addEventListener("click", () => {
  if (playing) return stop();
  if (part.at.value === part.at.max) part.at.value = 0;
  part.play.textContent = "Pause";
  playing = setInterval(() => {
    if (!element.isConnected) return stop();
    part.at.value = Number(part.at.value) + 1;
    show();
    if (part.at.value === part.at.max) stop();
  }, FRAME_MS);
  show();
});
part.at.addEventListener("input", () => { stop(); show(); });
part.front.addEventListener("change", show);
watch("value", () => { if (props.value?.steps && !shown) begin(); });
if (props.value?.steps) begin();
