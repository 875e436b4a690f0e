// Volumes that arrive: one a panel, and of a fine-tuning one a step, over which a slider goes. A part of
// the script of viewer.js, whose `scene` and camera it uses.

let panels = [], truth = null, video = null, expected = []; // of props.value, the last its steps
let shown = ""; // which files they are
let run = 0, queue = Promise.resolve(); // the volumes of one run are loaded in turn
let steps = [], shownStep = 0; // those of `expected` that are here, and which of them is seen

// Where the scene holds what is seen in a panel: of the last step that is what came out.
const placeOf = (key) =>
  shownStep + 1 < expected.length || (steps.length && !scene.volumes.has(key)) ? `${key} ${steps[shownStep].step}` : key;

function update() {
  const value = props.value;
  if (!value?.panels) return;
  const urls = ({ files }) => Object.values(files).map(({ url }) => url);
  const mine = [...value.panels.map(({ file }) => file?.url ?? ""), ...(value.steps ?? []).flatMap(urls)].join("\n");
  if (mine === shown && panels.length) return;
  const goesOn = value.steps?.length && expected.length && `${urls(value.steps[0])}` === `${urls(expected[0])}`;
  ({ panels, truth = null, video = null, steps: expected = [] } = value);
  shown = mine.trim();
  failure = "";
  part.viewer.hidden = !shown; // nothing to show yet
  if (!goesOn) clear();
  tell();
  if (shown) queue = goesOn ? queue.then(() => load(run)) : load(run);
}

function clear() {
  run++;
  steps = [];
  shownStep = 0;
  ready = spinning = false;
  scene?.clear();
  scene?.putTruth(null);
  showTruth();
  showSteps();
  part.names.replaceChildren(...panels.map(({ label }) => {
    const name = document.createElement("span");
    name.textContent = label;
    return name;
  }));
}

async function load(mine) {
  const fetched = async (file) => readVolume(await fetchBytes(file.url));
  try {
    if (!window.DecompressionStream) throw new Error("this browser is too old");
    scene ??= new Scene(part.canvas);
    for (let next; mine === run && (next = expected[steps.length]); ) {
      const volumes = await Promise.all(panels.map(({ key }) => fetched(next.files[key])));
      if (mine !== run) return;
      panels.forEach(({ key }, k) => scene.put(`${key} ${next.step}`, volumes[k]));
      const newest = shownStep + 1 >= steps.length; // a visitor who went back stays there
      steps.push(next);
      if (newest) shownStep = steps.length - 1;
      if (truth && !scene.truth) scene.putTruth(await overWhite(await fetchBytes(truth.file.url)));
      if (mine !== run) return;
      begin();
    }
    const files = panels.filter(({ file }) => file);
    const volumes = await Promise.all(files.map(({ file }) => fetched(file)));
    if (mine !== run) return;
    files.forEach(({ key }, k) => scene.put(key, volumes[k]));
    if (truth && !scene.truth) scene.putTruth(await overWhite(await fetchBytes(truth.file.url)));
    if (mine !== run) return;
    begin();
  } catch (error) {
    if (mine !== run) return;
    const instead = video ? "This video shows the same." : "";
    failure = `This view cannot be turned here: ${error.message}. ${instead}`;
    tell();
  }
}

// There is something to see, or something more.
function begin() {
  if (!ready) {
    camera = front();
    ready = true;
    spinning = !matchMedia("(prefers-reduced-motion: reduce)").matches;
    lookAsAsked();
  }
  showSteps();
  lastMove = performance.now();
  tell();
  ask();
}

function showSteps() {
  part.steps.hidden = steps.length < 2;
  if (part.steps.hidden) return;
  const { step } = steps[shownStep];
  part.step.max = steps.length - 1;
  part.step.value = shownStep;
  part.told.textContent = step ? `after ${step} steps` : "as written";
  part.step.setAttribute("aria-valuetext", part.told.textContent);
}

part.step.addEventListener("input", () => {
  shownStep = Number(part.step.value);
  showSteps();
  lastMove = performance.now();
  ask();
});
