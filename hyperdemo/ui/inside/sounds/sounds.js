// What a visitor does to the networks of a sound, and hears. Gradio runs this, after shared.js, the inspector's network.js and
// field.js, and voice.js, as the body of a function of `element`, `trigger`, `props` and `watch`.
//
// props.value is one of these: {sound}, what is on the stage now, "" for nothing; {sound, models:
// [{key, label, file}], runtime, answer}, its networks; {refused}, where they could not be had. No
// `answer` is like another, nor is a `refused`, so that each is noticed.

const KEPT = 9; // the bits that stand for all of them

let voices = []; // {key, label, voice, written}
let sound = null; // what is on the stage; null while nothing was said of that
let asked = null, waiting = false; // whose networks were asked for, and whether they are owed
let shown = null; // the value whose networks these are
let version = 0, working = false, failure = "";
let layers = []; // edits of layers, in their order
let now = null; // samples of the chosen voice, edited
let context = null, source = null;

document.dispatchEvent(new Event("hyperdemo-sounds")); // ends one that stood here before

const say = (words) => { part.message.textContent = words; };
const chosen = () => voices[part.model.selectedIndex] ?? voices[0];

function update() {
  const value = props.value ?? {};
  if (value.models || value.refused) take(value);
  else if (value.sound !== undefined && value.sound !== sound) turnTo(value.sound);
}

// Another sound is on the stage.
function turnTo(other) {
  sound = other;
  leave();
  say("");
  if (part.sounds.open) ask();
}

function leave() {
  version++;
  working = false;
  stop();
  part.body.hidden = true;
  shown = now = null;
  voices = [];
}

// One answer is waited for at a time; where it comes too late, `take` asks again.
function ask() {
  if (sound === "") return say("Choose a sound first; then its networks can be opened.");
  say("Writing the networks of this sound…");
  if (waiting) return;
  [asked, waiting] = [sound, true];
  trigger("submit", {});
}

// What comes of a sound that another one has replaced meanwhile is dropped. Where none has, the
// server knows best which one it was.
function take(value) {
  const late = asked !== sound && (value.refused || value.sound !== sound);
  waiting = false;
  if (!late && value.models) start(value);
  else if (late && part.sounds.open) ask();
  else if (!late) say("");
}

async function start(value) {
  const still = () => value === shown;
  leave();
  shown = value;
  sound = value.sound;
  failure = "";
  say("Starting the networks in your browser…");
  try {
    const packed = value.models.map(({ file }) => fetchBytes(file.url));
    const read = await Promise.all(packed.map(async (bytes) => readVoice(await bytes)));
    await startRuntime(value.runtime);
    if (!still()) return;
    voices = value.models.map(({ key, label }, k) => ({ key, label, voice: read[k] }));
    build();
    await run(false);
    if (!still()) return;
    say("");
    part.body.hidden = false;
    draw();
  } catch (error) {
    if (!still()) return;
    leave(); // who opens them again asks again
    say((failure = `The networks cannot be run here: ${error.message}.`));
  }
}

function build() {
  const { nets, freqs, stretch, overlap, rate, samples } = voices[0].voice, net = nets[0];
  const numbers = net.layers.reduce((sum, { mask }) => sum + mask.length, 1);
  const weights = net.layers.reduce((sum, { base }) => sum + base.length, 0);
  part.about.textContent =
    `The first ${(samples / rate).toFixed(1)} s of the sound are ${nets.length} networks, each for ${((1000 * stretch) / rate).toFixed(0)} ms and faded into the next ` +
    `within ${((1000 * overlap) / rate).toFixed(0)} ms. Each has ${weights.toLocaleString("en")} weights, of which ${numbers} numbers were written for it. They run in your browser: change them.`;
  part.model.replaceChildren(...voices.map(({ label }, k) => new Option(label, k)));
  part.layer.replaceChildren(new Option("all layers", -1), ...net.layers.map((_, k) => new Option(`layer ${k + 1}`, k)));
  part.cut.max = part.cut.value = freqs.length;
  part.swap.hidden = voices.length < 2;
  clear();
}

function clear() {
  layers = [];
  part.cut.value = part.cut.max;
  part.bits.value = KEPT;
  part.order.value = "forwards";
}

function edits() {
  const { freqs } = voices[0].voice, found = [...layers];
  if (Number(part.bits.value) < KEPT) found.push({ kind: "quantise", layer: -1, bits: Number(part.bits.value) });
  if (part.cut.value !== part.cut.max) found.push({ kind: "cut", layer: 0, first: Number(part.cut.value), bands: freqs.length });
  return found;
}

async function run(heard = true) {
  const mine = ++version, own = chosen(), rival = voices.find((one) => one !== own) ?? own, still = () => mine === version;
  working = true;
  tell();
  try {
    own.written ??= await sounded(own.voice, rival.voice, { order: "forwards", edits: [] }, still);
    const samples = own.written && (await sounded(own.voice, rival.voice, { order: part.order.value, edits: edits() }, still));
    if (!samples) return;
    now = samples;
  } finally {
    if (still()) working = false;
  }
  tell();
  draw();
  if (heard) play(now);
}

// How far what is heard is from what was written, in dB; no number where they are not equally long.
function distance(written, edited) {
  if (written.length !== edited.length) return "";
  let signal = 0, noise = 0;
  written.forEach((value, k) => { signal += value ** 2; noise += (value - edited[k]) ** 2; });
  return noise ? `SNR to what was written: ${(10 * Math.log10(signal / noise)).toFixed(1).replace("-", "−")} dB` : "as it was written";
}

function tell() {
  const { freqs } = voices[0].voice, own = chosen(), index = Number(part.cut.value);
  part.cutName.textContent = index ? `${Math.round(freqs[index - 1] / (2 * Math.PI)).toLocaleString("en")} Hz` : "none";
  part.bitsName.textContent = part.bits.value < KEPT ? part.bits.value : "all";
  part.undo.disabled = !layers.length;
  const quieterDb = now ? 20 * Math.log10(peak(now)) : 0; // as the server's words of a clip say it
  const quieter = quieterDb >= 0.1 ? [`played ${quieterDb.toFixed(1)} dB quieter`] : [];
  sayInRow(part.done, working ? ["Working…"] : [...layers.map(({ words }) => words), distance(own.written, now) || "another length", ...quieter]);
}

const peak = (samples) => samples.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

function play(samples) {
  stop();
  context ??= new AudioContext();
  context.resume();
  const { rate } = voices[0].voice, buffer = context.createBuffer(1, samples.length, rate);
  const gain = 1 / Math.max(1, peak(samples));
  buffer.copyToChannel(samples.map((value) => gain * value), 0);
  source = new AudioBufferSourceNode(context, { buffer });
  source.connect(context.destination);
  source.start();
}

function stop() {
  source?.stop();
  source = null;
}

// Both waves, an average of minima and maxima over each column of pixels.
function draw() {
  const canvas = part.wave, wide = (canvas.width = Math.max(300, canvas.clientWidth)), high = (canvas.height = 96), g = canvas.getContext("2d");
  const own = chosen(), most = Math.max(1e-6, peak(own.written), peak(now)), style = getComputedStyle(part.sounds);
  for (const [samples, colour] of [[own.written, style.getPropertyValue("--neutral-400")], [now, style.getPropertyValue("--primary-500")]]) {
    g.fillStyle = colour || "grey";
    for (let x = 0; x < wide; x++) {
      const some = samples.subarray(Math.floor((x * samples.length) / wide), Math.ceil(((x + 1) * samples.length) / wide));
      let [low, up] = [0, 0];
      for (const value of some) [low, up] = [Math.min(low, value), Math.max(up, value)];
      const y = (value) => high / 2 - (value / most) * (high / 2);
      g.fillRect(x, y(up), 1, Math.max(1, y(low) - y(up)));
    }
  }
}

function change(kind, words, own = {}) {
  const layer = Number(part.layer.value), where = layer < 0 ? "all layers" : `layer ${layer + 1}`;
  layers = [...layers, { kind, layer, words: `${where} ${words}`, ...own }];
  run();
}

part.sounds.addEventListener("toggle", () => {
  if (!part.sounds.open) stop();
  else if (!shown) ask();
});
part.model.addEventListener("change", () => run());
part.before.addEventListener("click", () => play(chosen().written));
part.after.addEventListener("click", () => play(now));
part.halve.addEventListener("click", () => change("scale", "halved", { factor: 0.5 }));
part.zero.addEventListener("click", () => change("scale", "zeroed", { factor: 0 }));
part.scramble.addEventListener("click", () => change("scramble", "scrambled", { seed: layers.length + 1 }));
part.swap.addEventListener("click", () => change("swap", "of the other model"));
for (const input of [part.cut, part.bits]) input.addEventListener("input", tell);
for (const input of [part.cut, part.bits, part.order]) input.addEventListener("change", () => run());
part.undo.addEventListener("click", () => { layers = layers.slice(0, -1); run(); });
part.reset.addEventListener("click", () => { clear(); run(); });

part.sounds.networks = {
  get state() {
    const ready = voices.length > 0 && now !== null;
    return { sound, version, working, failure, ready, layers: layers.length };
  },
  get samples() { return { written: chosen().written, edited: now }; },
};
document.addEventListener("hyperdemo-sounds", stop, { once: true });
watch("value", update);
update();
