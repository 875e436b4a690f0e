// What a visitor sees and does. Gradio runs this, after network.js, field.js, scene.js and plots.js,
// as the body of a function of `element`, `props` and `watch`.
//
// props.value: {models: [{key, label, file}], other, runtime}: `other` is the name of what can be
// morphed to, `runtime` the files of TensorFlow.js.

const TURN_DEG = 180, KEY_DEG = 8, MAX_TILT_DEG = 80, COMPARED = 96;

let models = []; // {key, label, net, written, weights}
let shown = "", other = "", backend = "", failure = "", scene = null, grid = null;
let chosen = { token: 0, block: 0, head: -1 };
let edits = [], editMs = 0, comparing = 0, camera = { azimuthDeg: 0, elevationDeg: 20, zoom: 1 };

document.dispatchEvent(new Event("hyperdemo-inspector")); // ends one that stood here before

async function update() {
  const value = props.value, mine = (value?.models ?? []).map(({ file }) => file?.url ?? "").join("\n");
  if (!mine.trim() || mine === shown) return;
  [shown, failure] = [mine, ""];
  say("Fetching the networks…");
  try {
    const nets = await Promise.all(value.models.map(async ({ file }) => readNet(await fetchBytes(file.url))));
    if (mine !== shown) return;
    models = value.models.map(({ key, label }, k) => ({ key, label, net: nets[k] }));
    for (const model of models) model.weights = model.written = composed(model.net);
    other = value.other ?? "";
    edits = [];
    part.body.hidden = false;
    build();
    say("Starting the networks in your browser…");
    backend = await startRuntime(value.runtime);
    scene ??= new Scene(part.canvas);
    grid ??= new Grid(SIDES[backend], models[0].net.freqs, POINTS_AT_ONCE[backend]);
    await drawing.ask();
    say("");
  } catch (error) {
    if (mine !== shown) return;
    shown = ""; // whoever comes back tries again
    say((failure = `This cannot be shown here: ${error.message}.`));
  }
}

const say = (words) => { part.message.textContent = words; };

// Whoever comes back to this tab is given the same value, of which Gradio says nothing.
let away = false;
const visits = new ResizeObserver(([{ contentRect: { width } }]) => {
  if (width && away && failure) update();
  away = !width;
});
visits.observe(part.inspector);

// ---- stations 1 to 3: what belongs to a token ----

const spans = (texts) => texts.map((textContent) => Object.assign(document.createElement("span"), { textContent }));

function figures(parent, make) {
  parent.replaceChildren(...models.map((model) => {
    const figure = document.createElement("figure");
    make(figure, model);
    return figure;
  }));
}

function build() {
  const { net } = models[0], { attention } = net, patches = Math.sqrt(attention.sources - 1);
  part.count.textContent = `${patches} × ${patches}`;
  part.block.max = attention.blocks + 1;
  part.block.value = Math.ceil((2 / 3) * attention.blocks);
  part.head.replaceChildren(new Option("mean of all", -1), ...[...Array(attention.heads).keys()].map((h) => new Option(h + 1, h)));
  chosen = { token: 0, block: part.block.value - 1, head: -1 };
  let token = 0;
  part.tokens.replaceChildren(...net.layers.map(({ groups }, layer) => {
    const row = document.createElement("div");
    row.append(...spans([`Layer ${layer + 1}`]));
    for (let group = 0; group < groups; group++, token++) {
      const button = document.createElement("button"), mine = token;
      Object.assign(button, { type: "button", textContent: group + 1, onclick: () => choose({ token: mine }) });
      button.setAttribute("aria-label", `Layer ${layer + 1}, group ${group + 1}`);
      row.append(button);
    }
    return row;
  }));
  part.where.replaceChildren(new Option("the chosen token's columns", "token"),
    ...net.layers.map((_, k) => new Option(`layer ${k + 1}`, k)));
  part.band.max = net.freqs.length - 1;
  part.morphing.hidden = !net.layers[0].other;
  part.names.replaceChildren(...spans(models.map(({ label }) => label)));
  part.asked.hidden = true;
  figures(part.photos, (figure, model) => {
    model.photo = figure.appendChild(document.createElement("canvas"));
    model.told = figure.appendChild(document.createElement("figcaption"));
  });
  part.maps.classList.add("maps");
  figures(part.maps, (figure, model) => {
    model.maps = addMaps(figure, model.label, (...where) => hover(model, ...where));
  });
  choose({});
  tellEdits();
}

function choose(changes) {
  chosen = { ...chosen, ...changes };
  const { net } = models[0], { layer } = placeOf(net, chosen.token);
  const rolled = chosen.block >= net.attention.blocks;
  part.blockName.textContent = rolled ? "all (roll-out)" : `${chosen.block + 1} of ${net.attention.blocks}`;
  part.head.disabled = rolled;
  part.layerName.textContent = `${layer + 1} of ${net.layers.length}`;
  [...part.tokens.querySelectorAll("button")].forEach((button, k) => button.setAttribute("aria-pressed", k === chosen.token));
  for (const model of models) {
    const drawn = attentionOf(model.net, chosen.token, rolled ? -1 : chosen.block, chosen.head);
    drawPhoto(model.photo, model.net, drawn.subarray(1));
    const share = drawn.reduce((sum, value) => sum + value, 0);
    model.photo.setAttribute("role", "img");
    model.photo.setAttribute("aria-label", `The photo, bright where ${model.label} attends`);
    model.told.textContent = `${model.label}: ${Math.round(100 * share)} % from the photo, the rest from weight tokens`;
    drawMaps(model, chosen.token);
  }
}

function hover(model, name, canvas, event) {
  const { layer } = placeOf(model.net, chosen.token), own = model.net.layers[layer];
  const values = name === "weights" ? model.weights[layer].w : own[name];
  const columns = name === "mask" ? own.groups : own.outputs;
  const column = Math.min(columns - 1, Math.floor((event.offsetX / canvas.clientWidth) * columns));
  const row = Math.min(own.inputs - 1, Math.floor((event.offsetY / canvas.clientHeight) * own.inputs));
  part.hover.textContent = `${model.label}, ${name}: input ${row + 1}, ${name === "mask" ? "group" : "output"} ${column + 1}: ${values[row * columns + column].toFixed(4)}`;
}

// ---- station 4: edits ----

// Draws the networks as they are now edited.
const drawing = repeated(async () => {
  const started = performance.now(), mine = models, still = () => mine === models && !stage.ended;
  for (const model of mine) if (!(await bake(model, still))) return;
  editMs = performance.now() - started;
  draw();
  for (const model of mine) drawMaps(model, chosen.token);
  tellEdits();
});

async function bake(model, still) {
  const rival = models.find((one) => one !== model) ?? model;
  if (!model.asWritten) {
    model.asWritten = await bakeInBrowser(model.net, model.written, grid, still);
    if (!model.asWritten) return false;
    scene.put(`${model.key} written`, model.asWritten);
  }
  model.weights = edited(model.net, edits, rival.written);
  model.volume = edits.length ? await bakeInBrowser(model.net, model.weights, grid, still) : model.asWritten;
  if (model.volume) scene.put(model.key, model.volume);
  return model.volume;
}

function edit(...changes) {
  edits = [...edits, ...changes];
  tellEdits();
  if (scene) drawing.ask();
}

function tellEdits() {
  part.undo.disabled = part.reset.disabled = !edits.length;
  const words = edits.map((one) => wordsOf(one, other));
  sayInRow(part.done, words.length ? words : ["as it was written"]);
  part.bandName.textContent = `${part.band.value * 1 + 1} of ${models[0].net.freqs.length}`;
  part.bits.value = edits.findLast(({ kind }) => kind === "quantise")?.bits ?? 0;
  const share = edits.findLast(({ kind }) => kind === "morph")?.share ?? 0;
  part.morph.value = 100 * share;
  part.morphName.textContent = `${Math.round(100 * share)} % ${other}`;
  part.swap.hidden = models.length < 2;
}

function target() {
  const { net } = models[0], place = placeOf(net, chosen.token);
  if (part.where.value !== "token") return { layer: Number(part.where.value) };
  return { ...place, groups: net.layers[place.layer].groups };
}

const scale = (factor) => edit({ kind: "scale", ...target(), factor });
const replacing = (kind, change) => {
  edits = edits.filter((one) => one.kind !== kind);
  edit(...(change ? [{ kind, layer: -1, ...change }] : []));
};
part.zero.onclick = () => scale(0);
part.half.onclick = () => scale(0.5);
part.double.onclick = () => scale(2);
part.scramble.onclick = () => edit({ kind: "scramble", layer: target().layer, seed: edits.length + 1 });
part.swap.onclick = () => edit({ kind: "swap", layer: target().layer });
part.mute.onclick = () => edit({ kind: "band", layer: 0, band: Number(part.band.value), bands: models[0].net.freqs.length, factor: 0 });
part.band.oninput = tellEdits;
part.bits.onchange = () => replacing("quantise", Number(part.bits.value) && { bits: Number(part.bits.value) });
part.morph.oninput = () => replacing("morph", Number(part.morph.value) && { share: part.morph.value / 100 });
part.undo.onclick = () => { edits = edits.slice(0, -1); edit(); };
part.reset.onclick = () => { edits = []; edit(); };
part.block.oninput = () => choose({ block: part.block.value - 1 });
part.head.onchange = () => choose({ head: Number(part.head.value) });

// ---- the objects ----

const stage = new Stage(part, {
  scene: () => scene,
  changed(error) {
    if (error) failure = `This cannot be shown here: ${error.message}.`;
    say(failure || (stage.lost ? "The graphics were interrupted; one moment…" : ""));
    draw();
  },
});

function draw() {
  if (!scene || stage.lost || !models.every(({ volume }) => volume)) return;
  const side = Math.max(64, Math.min(512, Math.round((part.canvas.clientWidth / models.length) * Math.min(2, window.devicePixelRatio || 1))));
  const width = side * models.length;
  if (part.canvas.width !== width) Object.assign(part.canvas, { width, height: side });
  const rgb = getComputedStyle(part.canvas.closest("section")).backgroundColor.match(/[\d.]+/g) ?? [255, 255, 255];
  const ground = rgb.slice(0, 3).map((value) => value / 255);
  models.forEach(({ key }, k) => scene.draw(key, { ...camera, ground }, k * side, 0, side));
  compare();
}

function compare() {
  clearTimeout(comparing);
  comparing = setTimeout(() => {
    if (stage.lost) return;
    part.effects.replaceChildren(...spans(models.map(({ key }) => {
      const mse = scene.apart(key, `${key} written`, camera, COMPARED);
      if (mse < 1e-9) return "as written";
      return `${(-10 * Math.log10(mse)).toFixed(1)} dB to what was written`;
    })));
  }, 120);
}

function look(azimuthDeg, elevationDeg) {
  const tilt = Math.min(MAX_TILT_DEG, Math.max(-MAX_TILT_DEG, elevationDeg));
  camera = { ...camera, azimuthDeg: ((azimuthDeg % 360) + 360) % 360, elevationDeg: tilt };
  requestAnimationFrame(draw);
}

let from = null, moved = 0;
const on = (...wanted) => stage.on(...wanted);
on("pointerdown", (event) => {
  if (event.button !== 0 || !event.isPrimary) return;
  [from, moved] = [event, 0];
  part.canvas.setPointerCapture(event.pointerId);
});
on("pointermove", (event) => {
  if (event.pointerId !== from?.pointerId) return;
  const degrees = (TURN_DEG * models.length) / part.canvas.clientWidth;
  moved += Math.abs(event.clientX - from.clientX) + Math.abs(event.clientY - from.clientY);
  look(camera.azimuthDeg - (event.clientX - from.clientX) * degrees, camera.elevationDeg + (event.clientY - from.clientY) * degrees);
  from = event;
});
for (const name of ["pointerup", "pointercancel"])
  on(name, (event) => {
    if (event.pointerId !== from?.pointerId) return;
    from = null;
    const { clientWidth: wide, clientHeight: high } = part.canvas;
    if (name === "pointerup" && moved < 4) ask(event.offsetX / wide, event.offsetY / high);
  });
on("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Enter") return ask(0.5 / models.length, 0.5); // in the middle of an object
  const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
  if (!step) return;
  event.preventDefault();
  look(camera.azimuthDeg - KEY_DEG * step[0], camera.elevationDeg + KEY_DEG * step[1]);
});

// ---- station 5: a ray ----

// At a place of the canvas, each way from 0 to 1.
function ask(right, down) {
  if (!scene) return;
  const points = pointsAlong(camera, [(right * models.length) % 1, down]);
  if (!points.length) return;
  part.asked.hidden = false;
  figures(part.rays, (figure, { net, weights, label }) => {
    const samples = points.map((point) => activationsAt(net, weights, point));
    addRay(figure, label, samples, endOf(samples, points));
  });
  part.asked.scrollIntoView({ block: "nearest" });
}

stage.observe(new ResizeObserver(draw));
const named = (wanted) => models.find(({ key }) => key === wanted);
const api = {
  get state() {
    const { working, asked: version } = drawing, { lost } = stage;
    const told = { backend, working, lost, failure, edits, version, editMs, chosen, camera };
    return { ...told, models: models.length, side: grid?.side };
  },
  volume: (key) => named(key).volume,
  weights: (key) => named(key).weights,
  attention: (key, ...what) => attentionOf(named(key).net, ...what),
  show({ token = chosen.token, rollout = false }) {
    const { blocks } = models[0].net.attention;
    part.block.value = rollout ? blocks + 1 : Math.ceil((2 / 3) * blocks);
    choose({ token, block: part.block.value - 1 });
  },
  edits(wanted) { edits = wanted; edit(); },
  at: (key, point) => activationsAt(named(key).net, named(key).weights, point),
  dispose() {
    visits.disconnect();
    stage.end();
    for (const tensor of grid?.parts ?? []) tensor.dispose();
  },
};
document.addEventListener("hyperdemo-inspector", api.dispose, { once: true });
part.inspector.inspector = api;
watch("value", update);
update();
