// A blind test of hearing: A, B and X, of which X is one of the others. Gradio runs this, after
// shared.js and tally.js, as the body of a function of `element`, `trigger`, `props` and `watch`.
//
// What A, B and X are is known to `trial` alone until there is an answer. All three begin at the same
// sample and sound as loud as in the player, whose samples they are.

const ORIGINAL = "original";
const FADE_S = 0.01; // from silence and back to it: a jump would click
const LEAD_S = 0.05;
const SHORTEST_S = 0.5; // that may be listened to
const LETTERS = ["a", "x", "b"];

let run = ""; // of the player, whose sounds are on trial; "" while they are not all there
let rate = 16000, total = 0;
let samples = null, buffers = {}; // by track
let model = props.value.models[0].key;
let trial = null; // which track each letter is
let heard = new Set(), answered = false;
let context = null, contextRate = 0;
let sounding = null; // {letter, source, gain}

document.dispatchEvent(new Event("hyperdemo-abx")); // ends one that stood here before

const player = () => document.querySelector("#sound-player [data-part=player]")?.player;
const question = () => `sound-${model}`;

// The player has changed: another sound, more of it, or it plays.
function look() {
  const state = player()?.state;
  const whole = state?.total > 0 && state.complete && Math.round(state.arrived * state.rate) >= state.total;
  if (state?.wanted && sounding) stop();
  if ((whole ? state.run : "") === run) return;
  stop();
  run = whole ? state.run : "";
  samples = null;
  buffers = {};
  part.verdict.textContent = "";
  if (whole) {
    ({ rate, total } = state);
    part.begin.max = Math.max(0, Math.floor((total / rate - SHORTEST_S) * 10) / 10);
    part.begin.value = 0;
    draw();
  }
  show();
}

function draw() {
  const order = coin() ? [ORIGINAL, model] : [model, ORIGINAL];
  trial = { a: order[0], b: order[1], x: order[coin()] };
  heard = new Set();
  answered = false;
}

// ---- what is heard ----

function bufferOf(track) {
  samples ??= player().samples;
  if (!buffers[track]) {
    buffers[track] = new AudioBuffer({ length: total, sampleRate: rate });
    buffers[track].copyToChannel(samples[track], 0);
  }
  return buffers[track];
}

function wake() {
  if (context && contextRate !== rate) { context.close(); context = null; }
  if (!context) {
    // At the sound's own rate no sample is interpolated.
    try { context = new AudioContext({ sampleRate: rate }); } catch { context = new AudioContext(); }
    contextRate = rate;
  }
  context.resume();
}

function play(letter) {
  const goesOn = sounding?.letter === letter;
  stop();
  if (!goesOn) {
    player().pause();
    wake();
    const source = new AudioBufferSourceNode(context, { buffer: bufferOf(trial[letter]) });
    const gain = new GainNode(context, { gain: 0 });
    source.connect(gain).connect(context.destination);
    const from = Math.min(Math.round(Number(part.begin.value) * rate), total - 1);
    const zero = Math.ceil((context.currentTime + LEAD_S) * context.sampleRate) / context.sampleRate;
    const end = zero + (total - from) / rate, fade = Math.min(FADE_S, (end - zero) / 2);
    gain.gain.setValueAtTime(0, zero);
    gain.gain.linearRampToValueAtTime(1, zero + fade);
    gain.gain.setValueAtTime(1, end - fade);
    gain.gain.linearRampToValueAtTime(0, end);
    source.onended = () => {
      gain.disconnect();
      if (sounding?.source !== source) return;
      sounding = null;
      show();
    };
    source.start(zero, from / rate);
    sounding = { letter, source, gain };
    heard.add(letter);
  }
  show();
}

function stop() {
  if (!sounding) return;
  const { source, gain } = sounding, now = context.currentTime;
  sounding = null;
  gain.gain.cancelScheduledValues(now);
  gain.gain.setValueAtTime(gain.gain.value, now);
  gain.gain.linearRampToValueAtTime(0, now + FADE_S);
  source.stop(now + FADE_S);
  show();
}

// ---- what is asked ----

function answer(letter) {
  if (answered || !heard.has("x")) return;
  answered = true;
  const right = trial.x === trial[letter], was = trial.x === trial.a ? "A" : "B";
  part.verdict.textContent = `${right ? "Right" : "Wrong"}: X was ${was}: ${inWords(trial.x)}.`;
  tell(question(), right);
  show();
  part.next.focus();
}

const inWords = (track) => (track === ORIGINAL ? "the original" : nameOf(track));

function next() {
  stop();
  draw();
  part.verdict.textContent = "";
  show();
  part.x.focus();
}

function show() {
  part.hint.hidden = Boolean(run);
  part.test.hidden = !run;
  part.answers.hidden = answered;
  part.after.hidden = !answered;
  part.xIsA.disabled = part.xIsB.disabled = !heard.has("x");
  part.time.textContent = `${Number(part.begin.value).toFixed(1)} s`;
  for (const letter of LETTERS) {
    const was = answered && letter !== "x" ? `: ${inWords(trial[letter])}` : "";
    const does = sounding?.letter === letter ? "Stop" : "Play";
    part[letter].textContent = `${does} ${letter.toUpperCase()}${was}`;
  }
}

part.model.replaceChildren(...props.value.models.map(({ key, label }) => new Option(label, key)));
part.model.addEventListener("change", () => {
  model = part.model.value;
  stop();
  draw();
  part.verdict.textContent = "";
  tell(question());
  show();
});
part.begin.addEventListener("input", () => { stop(); show(); });
for (const letter of LETTERS) part[letter].addEventListener("click", () => play(letter));
part.xIsA.addEventListener("click", () => answer("a"));
part.xIsB.addEventListener("click", () => answer("b"));
part.next.addEventListener("click", next);
part.guess.addEventListener("toggle", () => { if (part.guess.open) tell(question()); else stop(); });
document.addEventListener("hyperdemo-player-shown", look);
document.addEventListener("hyperdemo-abx", () => {
  document.removeEventListener("hyperdemo-player-shown", look);
  stop();
  context?.close();
}, { once: true });
show();
look();
