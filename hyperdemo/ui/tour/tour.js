// A tour that drives the page, and the address of where one is. Gradio runs this as the body of a function of `element` and `props`.

const PATIENCE_MS = 20000, POLL_MS = 100;
const FRAME = "outline: 3px solid #6366f1; outline-offset: 4px; border-radius: 8px;";
const { steps, tabs } = props.value;
const { words } = document.documentElement;
let at = -1, framed = null, asked = 0;

const find = (selector) => document.querySelector(selector);
const viewer = () => find("#object-viewer [data-part=viewer]")?.viewer;
const inspector = () => find("#inspector [data-part=inspector]")?.inspector;

// What a step does once its tab is open, each after what it needs is there.
const ACTS = {
  front: [() => viewer()?.state.ready, () => viewer().setCamera(0, 20)],
  back: [() => viewer()?.state.ready, () => viewer().setCamera(180, 20)],
  attend: [() => inspector()?.state.models, () => inspector().show({ token: 0, rollout: true })],
  token: [() => inspector()?.state.models, () => inspector().show({ token: 10 })],
  scramble: [() => inspector()?.state.version > 0, () => inspector().edits([{ kind: "scramble", layer: 1, seed: 1 }])],
  quantise: [() => inspector()?.state.version > 0, () => inspector().edits([{ kind: "quantise", layer: -1, bits: 3 }])],
};

// On a phone the last ones are in a menu.
const tabButton = (name) =>
  [...document.querySelectorAll("#tasks > .tab-wrapper :is([role=tab], .overflow-dropdown button)")].find(
    (button) => words.english(button) === name,
  );

async function until(there) {
  for (const end = Date.now() + PATIENCE_MS; Date.now() < end; ) {
    const found = there();
    if (found) return found;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return null;
}

async function go(to) {
  const mine = ++asked;
  at = Math.max(-1, Math.min(steps.length, to));
  if (framed) framed.style.cssText = framed.before;
  framed = null;
  if (at === steps.length) at = -1;
  const here = new URL(location);
  if (at < 0) here.searchParams.delete("step");
  else here.searchParams.set("step", at + 1);
  history.replaceState(history.state, "", here);
  part.step.hidden = at < 0;
  part.begin.hidden = part.link.hidden = part.large.hidden = part.language.hidden = at >= 0;
  if (at < 0) return part.begin.focus();
  const { title, text, tab, target, act } = steps[at];
  part.count.textContent = `${at + 1} of ${steps.length}`;
  part.title.textContent = title;
  part.text.textContent = text;
  part.back.disabled = at === 0;
  part.next.textContent = at + 1 === steps.length ? "Done" : "Next";
  part.step.focus({ preventScroll: true });
  tabButton(tab)?.click();
  const [ready, run] = ACTS[act] ?? [() => true, () => {}];
  const node = await until(() => { const found = find(target); return found?.offsetParent && found; });
  if (mine !== asked || !node) return;
  framed = node;
  framed.before = framed.style.cssText;
  framed.style.cssText += FRAME;
  framed.scrollIntoView({ block: framed.clientHeight > innerHeight / 2 ? "start" : "center" });
  if ((await until(ready)) && mine === asked) run();
  part.tour.dataset.at = at; // where the page has come to
}

// The address of what is on the page: tab, example and side.
function address() {
  const wanted = new URLSearchParams(), open = find("#tasks > .tab-wrapper [role=tab][aria-selected=true]");
  const [tab] = Object.entries(tabs).find(([, name]) => open && name === words.english(open)) ?? [];
  if (tab && tab !== "object") wanted.set("tab", tab);
  const { ready, example, azimuthDeg, elevationDeg } = viewer()?.state ?? {};
  if (ready && example) {
    wanted.set("example", example);
    wanted.set("az", Math.round(azimuthDeg));
    wanted.set("el", Math.round(elevationDeg));
  }
  if (isLarge()) wanted.set("large", 1);
  const language = new URLSearchParams(location.search).get("lang");
  if (language) wanted.set("lang", language);
  return `${location.origin}${location.pathname}?${wanted}`;
}

// Names by which a machine reaches itself, so that a telephone that reads the code does too.
const ITSELF = /^(localhost|.+\.localhost|127\..+|0\.0\.0\.0|\[::1?\])$/;

// A page that came by plain http is given no clipboard.
const copied = async (link) =>
  Boolean(await navigator.clipboard?.writeText(link).then(() => true, () => false));

part.link.onclick = async () => {
  const link = address(), kept = await copied(link);
  if (kept) {
    part.link.textContent = "Link copied";
    setTimeout(() => { part.link.textContent = "Copy link"; }, 2000);
  }
  const root = location.origin + location.pathname.replace(/\/?$/, "/"); // a proxy may cut it
  part.picture.src = new URL(`address.png?of=${encodeURIComponent(link)}`, root);
  part.spelled.value = link;
  part.byHand.hidden = kept;
  part.itself.hidden = !ITSELF.test(location.hostname);
  part.code.hidden = false;
  (kept ? part.close : part.spelled).focus();
  if (!kept) part.spelled.select();
};
part.close.onclick = () => { part.code.hidden = true; part.link.focus(); };
part.code.onkeydown = ({ key }) => { if (key === "Escape") part.close.click(); };
// Large type, for a projector: what it changes stands in the page's style.
const isLarge = () => document.documentElement.classList.contains("large");
function enlarge(on) {
  document.documentElement.classList.toggle("large", on);
  part.large.setAttribute("aria-pressed", on);
}
part.large.onclick = () => enlarge(!isLarge());
enlarge(new URLSearchParams(location.search).has("large"));
part.language.replaceChildren(...Object.entries(words.languages).map(([code, name]) => new Option(name, code)));
part.language.value = words.language();
part.language.onchange = async () => {
  await words.speak(part.language.value);
  part.language.value = words.language();
  const here = new URL(location);
  here.searchParams.set("lang", part.language.value);
  history.replaceState(history.state, "", here);
};
part.begin.onclick = () => go(0);
part.back.onclick = () => go(at - 1);
part.next.onclick = () => go(at + 1);
part.end.onclick = () => go(-1);
part.step.onkeydown = ({ key }) => {
  if (key === "ArrowRight") go(at + 1);
  else if (key === "ArrowLeft" && at > 0) go(at - 1);
  else if (key === "Escape") go(-1);
};

// The step of the tour that the address asks for, or else the tab.
const asking = new URLSearchParams(location.search), wantedTab = tabs[asking.get("tab")];
if (steps[asking.get("step") - 1]) until(() => tabButton(steps[0].tab)).then(() => go(asking.get("step") - 1));
else if (wantedTab) until(() => tabButton(wantedTab)).then((button) => button?.click());
