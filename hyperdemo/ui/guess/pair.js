// Two objects without names, of which one was written by the pretrained model. Gradio runs this, after
// shared.js and tally.js, as the body of a function of `element`, `trigger`, `props` and `watch`.
//
// While `data-hides` stands on the question, the page's style hides what bears names; with it all of
// them come back. Which object is which is known to `order` alone until there is an answer.

const QUESTION = "object";
const SIDE = 320; // pixels of a picture, each way

let mode = "off"; // or "waiting" for the next object, "asking" about the one that is there
let run = -1; // of the viewer: the one before the next, or the one that is asked about
let order = []; // keys of the models, from left to right
let pending = 0;

document.dispatchEvent(new Event("hyperdemo-pair")); // ends one that stood here before

const viewer = () => document.querySelector("#object-viewer [data-part=viewer]")?.viewer;
const isThere = (state) => Boolean(state?.ready && state.complete && !state.lost);

// The viewer has changed: another object, or one that is there now.
function look() {
  const state = viewer()?.state, isOther = state && state.run !== run;
  if (mode === "waiting" && isOther && state.failure) end("The two cannot be drawn in this browser.");
  else if (mode === "waiting" && isOther && isThere(state)) ask(state);
  else if (mode === "asking" && isOther) end("Another object came first, so there was no answer.");
  else if (mode === "off" && isOther && order.length) clear();
  part.here.disabled = !isThere(state);
}

function wait() {
  clear();
  run = viewer()?.state.run ?? -1;
  set("waiting");
  part.show.focus();
}

function ask(state) {
  clear();
  run = state.run;
  order = props.value.models.map(({ key }) => key);
  if (coin()) order.reverse();
  set("asking");
  try { draw(); } catch { end("The two cannot be drawn in this browser."); }
}

function answer(place) {
  const right = order[place] === PRETRAINED, was = order[0] === PRETRAINED ? "left" : "right";
  part.leftName.textContent = `Left: ${nameOf(order[0])}`;
  part.rightName.textContent = `Right: ${nameOf(order[1])}`;
  set("off");
  part.verdict.textContent = `${right ? "Right" : "Wrong"}: the ${was} one was pretrained.`;
  part.hide.focus({ preventScroll: true });
  part.verdict.scrollIntoView({ block: "center" }); // the stage has come back above it
  tell(QUESTION, right);
}

// Names come back without an answer.
function end(words) {
  if (mode === "off") return;
  clear();
  set("off");
  part.verdict.textContent = words;
}

function clear() {
  order = [];
  part.turn.value = 0;
  part.leftName.textContent = "Left";
  part.rightName.textContent = "Right";
  part.verdict.textContent = "";
  part.pair.hidden = true;
}

function set(to) {
  mode = to;
  part.guess.toggleAttribute("data-hides", mode !== "off");
  part.choose.hidden = mode === "asking";
  part.hide.hidden = mode === "waiting";
  part.waiting.hidden = mode !== "waiting";
  part.answers.hidden = mode !== "asking";
  part.back.hidden = mode === "off";
  part.pair.hidden = !order.length;
}

function draw() {
  pending = 0;
  order.forEach((key, place) => {
    const pixels = viewer().readPixels(key, SIDE, Number(part.turn.value));
    const picture = new ImageData(new Uint8ClampedArray(pixels), SIDE);
    part[place ? "right" : "left"].getContext("2d").putImageData(picture, 0, 0);
  });
}

for (const canvas of [part.left, part.right]) Object.assign(canvas, { width: SIDE, height: SIDE });
part.hide.addEventListener("click", wait);
part.here.addEventListener("click", () => {
  ask(viewer().state);
  part.leftWas.focus();
});
part.show.addEventListener("click", () => { end(""); part.hide.focus(); });
part.leftWas.addEventListener("click", () => answer(0));
part.rightWas.addEventListener("click", () => answer(1));
part.turn.addEventListener("input", () => { pending ||= requestAnimationFrame(draw); });
part.guess.addEventListener("toggle", () => { if (part.guess.open) tell(QUESTION); else end(""); });
part.guess.addEventListener("no-more", () => end("The run ended early, so there was no answer."));
document.addEventListener("hyperdemo-viewer-told", look);
document.addEventListener("hyperdemo-pair", () => {
  document.removeEventListener("hyperdemo-viewer-told", look);
  cancelAnimationFrame(pending);
}, { once: true });
look();
