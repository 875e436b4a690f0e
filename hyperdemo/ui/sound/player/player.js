// Tracks of one length on one clock, of which one is heard. Gradio runs this as the body of a
// function of `element`, `props` and `watch`, once the player stands on the page.
//
// props.value: {run, rate_hz, n_samples, complete, tracks: [{key, label, pieces: [{start, file}]}]}
// Each value holds all pieces so far, each a mono WAV of 16 bits. Positions are in samples.

const FADE_S = 0.01; // from one track to another: a jump would click
const LEAD_S = 0.05; // from asking for sound to the first sample, so that all tracks start as one
const REFILL_S = 1; // what must lie ahead before playback goes on that had run out of sound
const TICK_MS = 40;
const COLUMNS = 480; // of the drawn waveform

let run = null, rate = 16000, total = 0, complete = true, ended = false, failure = "";
let tracks = []; // {key, label, pieces: [{start, buffer}], asked, arrived, queue, peaks, gain}
let audible = 0;
let context = null;
let sources = new Set();
let labelled = false, wanted = false; // the visitor wants to hear; `playing` says whether there is sound for it
let playing = false;
let from = 0, zero = 0; // while playing, sample `from` sounds at the context's time `zero`
let still = 0; // position while not playing

document.dispatchEvent(new Event("hyperdemo-player")); // ends one that stood here before

// ---- sound that arrives ----

function update() {
  const value = props.value;
  if (!value || !value.tracks) return;
  if (value.run !== run || tracks.length !== value.tracks.length) begin(value);
  complete = value.complete;
  value.tracks.forEach((given, k) => {
    for (const piece of given.pieces.slice(tracks[k].asked)) fetchPiece(tracks[k], piece);
    tracks[k].asked = given.pieces.length;
  });
  show();
}

function begin(value) {
  pause();
  if (context && value.rate_hz !== rate) { context.close(); context = null; }
  run = value.run; rate = value.rate_hz; total = value.n_samples;
  still = 0; ended = false; failure = "";
  tracks = value.tracks.map(({ key, label }) => ({
    key, label, pieces: [], asked: 0, arrived: 0, queue: Promise.resolve(), gain: null,
    peaks: new Float32Array(2 * COLUMNS),
  }));
  audible = Math.min(audible, tracks.length - 1);
  part.tracks.replaceChildren(...tracks.map(({ key, label }, k) => {
    const button = document.createElement("label"), radio = document.createElement("input");
    const name = document.createElement("span"), digit = document.createElement("kbd");
    Object.assign(radio, { type: "radio", name: "sound-track", value: key, checked: k === audible });
    radio.addEventListener("change", () => listenTo(k));
    name.textContent = label;
    digit.textContent = k + 1;
    digit.setAttribute("aria-hidden", "true");
    button.append(radio, name, digit);
    return button;
  }));
}

function fetchPiece(track, piece) {
  const mine = run;
  track.queue = track.queue.then(async () => {
    if (mine !== run) return;
    const samples = readWav(await fetchBytes(piece.file.url));
    if (mine !== run) return;
    tick(); // playback that has just run out must know so before there is more
    const buffer = new AudioBuffer({ length: samples.length, sampleRate: rate });
    buffer.copyToChannel(samples, 0);
    track.pieces.push({ start: piece.start, buffer });
    track.arrived = piece.start + samples.length;
    addPeaks(track, piece.start, samples);
    if (playing) schedule(track, track.pieces.at(-1));
    else if (wanted) refill();
    show();
  }).catch((error) => {
    if (mine !== run) return;
    failure = `a part of the sound could not be loaded: ${error.message}`;
    show();
  });
}

// The browser's own decoder would resample to the rate of the sound card.
function readWav(bytes) {
  const view = new DataView(bytes);
  for (let at = 12; at + 8 <= bytes.byteLength; ) {
    const name = String.fromCharCode(...new Uint8Array(bytes, at, 4));
    const size = view.getUint32(at + 4, true);
    if (name === "fmt " && (view.getUint16(at + 10, true) !== 1 || view.getUint16(at + 22, true) !== 16))
      throw new Error("mono of 16 bits expected");
    if (name === "data")
      return Float32Array.from(new Int16Array(bytes.slice(at + 8, at + 8 + size)), (x) => x / 32768);
    at += 8 + size + (size % 2);
  }
  throw new Error("no samples in the file");
}

const arrived = () => Math.min(...tracks.map((track) => track.arrived));
const over = () => ended || (complete && tracks.every((t) => t.pieces.length === t.asked));
const last = () => (over() ? arrived() : total);

// ---- the clock ----

function position() {
  if (!playing) return still;
  return Math.min(arrived(), from + Math.max(0, context.currentTime - zero) * rate);
}

function play() {
  if (!context) {
    // At the sound's own rate no sample is interpolated, and pieces join without a seam.
    try { context = new AudioContext({ sampleRate: rate }); } catch { context = new AudioContext(); }
    for (const track of tracks) track.gain = null;
  }
  context.resume();
  tracks.forEach((track, k) => {
    if (track.gain) return;
    track.gain = context.createGain();
    track.gain.gain.value = k === audible ? 1 : 0;
    track.gain.connect(context.destination);
  });
  wanted = true;
  if (still >= last()) still = 0;
  if (arrived() > still) start(still);
  show();
}

function start(at) {
  halt();
  from = Math.round(at);
  zero = Math.ceil((context.currentTime + LEAD_S) * context.sampleRate) / context.sampleRate;
  playing = true;
  for (const track of tracks) for (const piece of track.pieces) schedule(track, piece);
}

function schedule(track, { start: first, buffer }) {
  const skipped = Math.max(0, from - first);
  if (skipped >= buffer.length) return;
  const source = new AudioBufferSourceNode(context, { buffer });
  source.connect(track.gain);
  source.onended = () => { sources.delete(source); source.disconnect(); };
  sources.add(source);
  source.start(zero + (first + skipped - from) / rate, skipped / rate);
}

function halt() {
  still = position();
  playing = false;
  for (const source of sources) { source.onended = null; source.stop(); source.disconnect(); }
  sources.clear();
}

function pause() { halt(); wanted = false; show(); }

function refill() {
  if (wanted && !playing && (arrived() - still >= REFILL_S * rate || arrived() >= last())) start(still);
}

function seek(to) {
  const goOn = wanted;
  halt();
  still = Math.max(0, Math.min(to, last()));
  if (goOn && arrived() > still) start(still);
  show();
}

function listenTo(k) {
  if (k < 0 || k >= tracks.length) return;
  audible = k;
  tracks.forEach(({ gain }, other) => {
    if (!gain) return;
    const now = context.currentTime;
    gain.gain.cancelScheduledValues(now);
    gain.gain.setValueAtTime(gain.gain.value, now);
    gain.gain.linearRampToValueAtTime(other === k ? 1 : 0, now + FADE_S);
  });
  part.tracks.querySelectorAll("input")[k].checked = true;
  show();
}

function tick() {
  if (playing && position() >= arrived()) {
    const atEnd = arrived() >= last();
    if (atEnd && part.loop.checked) start(0);
    else if (atEnd) pause();
    else halt();
  } else if (!playing && wanted && over() && arrived() <= still) pause();
  if (wanted) show();
}

// ---- what is seen ----

function addPeaks(track, start, samples) {
  for (let i = 0; i < samples.length; i++) {
    const column = Math.floor(((start + i) * COLUMNS) / total);
    if (samples[i] < track.peaks[2 * column]) track.peaks[2 * column] = samples[i];
    if (samples[i] > track.peaks[2 * column + 1]) track.peaks[2 * column + 1] = samples[i];
  }
}

function inWords(samples) {
  const seconds = samples / rate;
  const whole = Math.floor(seconds / 60);
  return `${whole}:${(Math.floor((seconds - 60 * whole) * 10) / 10).toFixed(1).padStart(4, "0")}`;
}

function show() {
  const at = position(), ready = tracks.length > 0 && arrived() > 0;
  part.hint.style.display = total > 0 ? "none" : "";
  part.play.disabled = part.seek.disabled = !ready;
  if (part.play.toggleAttribute("data-playing", wanted) !== labelled) part.play.ariaLabel = (labelled = wanted) ? "Pause" : "Play";
  part.seek.max = Math.max(1, total);
  part.seek.value = at;
  part.seek.setAttribute("aria-valuetext", `${inWords(at)} of ${inWords(total)}`);
  part.time.textContent = `${inWords(at)} / ${inWords(total)}`;
  part.message.textContent = words(ready);
  draw(at);
  part.player.dispatchEvent(new Event("hyperdemo-player-shown", { bubbles: true }));
}

function words(ready) {
  if (failure) return failure;
  if (wanted && !playing) return "buffering: the models are still writing";
  if (total && ended && arrived() < total) return `stopped after ${inWords(arrived())}`;
  if (total && !ready) return "waiting for the first networks";
  return total && arrived() < total ? `ready up to ${inWords(arrived())}` : "";
}

function draw(at) {
  const canvas = part.wave, scale = window.devicePixelRatio || 1;
  const width = Math.round(canvas.clientWidth * scale), height = Math.round(canvas.clientHeight * scale);
  if (!width || !tracks.length) return;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  const pen = canvas.getContext("2d"), style = getComputedStyle(canvas);
  pen.clearRect(0, 0, width, height);
  if (!total) return;
  // One scale for all tracks, so that the louder looks louder.
  const peak = Math.max(0.01, ...tracks.map((t) => t.peaks.reduce((most, x) => Math.max(most, Math.abs(x)), 0)));
  const middle = height / 2, reach = (0.92 * middle) / peak, step = width / COLUMNS;
  const peaks = tracks[audible].peaks, until = (tracks[audible].arrived * COLUMNS) / total;
  for (let column = 0; column < until; column++) {
    pen.fillStyle = style.getPropertyValue((column + 0.5) * total <= at * COLUMNS ? "--played" : "--ahead");
    const top = middle - reach * peaks[2 * column + 1], bottom = middle - reach * peaks[2 * column];
    pen.fillRect(column * step, top, Math.max(1, 0.75 * step), Math.max(scale, bottom - top));
  }
  // What only the original has so far cannot be played yet.
  pen.fillStyle = "rgba(148, 163, 184, .18)";
  pen.fillRect((arrived() / total) * width, 0, width, height);
  pen.fillStyle = style.getPropertyValue("--played");
  pen.fillRect((at / total) * width - scale, 0, 2 * scale, height);
}

// ---- what the visitor does ----

part.play.addEventListener("click", () => (wanted ? pause() : play()));
part.seek.addEventListener("input", () => seek(Number(part.seek.value)));
part.player.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || !total) return;
  const jump = { ArrowLeft: -1, ArrowRight: 1, PageDown: -5, PageUp: 5 }[event.key];
  if (/^[1-9]$/.test(event.key)) listenTo(Number(event.key) - 1);
  else if (jump && event.target === part.seek) seek(position() + jump * rate);
  else if (event.key === " " && event.target.type !== "checkbox" && event.target !== part.play)
    part.play.click();
  else return;
  event.preventDefault();
});

const clock = setInterval(tick, TICK_MS);
const resized = new ResizeObserver(show);
resized.observe(part.wave);

// For tests, and for whoever wants to measure what was received.
const api = {
  get samples() {
    return Object.fromEntries(tracks.map(({ key, pieces, arrived: n }) => {
      const joined = new Float32Array(n);
      for (const { start: first, buffer } of pieces) joined.set(buffer.getChannelData(0), first);
      return [key, joined];
    }));
  },
  get gains() {
    return Object.fromEntries(tracks.map(({ key, gain }) => [key, gain ? gain.gain.value : null]));
  },
  get state() {
    return {
      run, rate, total, playing, wanted, failure, position: position() / rate,
      arrived: tracks.length ? arrived() / rate : 0, complete: complete && over(),
      audible: tracks[audible]?.key, contextRate: context && context.sampleRate,
    };
  },
  pause, noMore() { ended = true; show(); }, // the run was stopped, or has failed
  dispose() { clearInterval(clock); resized.disconnect(); pause(); context?.close(); },
};
document.addEventListener("hyperdemo-player", api.dispose, { once: true });
part.player.addEventListener("no-more", api.noMore);
part.player.player = api;
watch("value", update);
update();
