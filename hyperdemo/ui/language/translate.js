// The page in another language. Everything on it is written in English; here each message is replaced by
// its translation, and again whenever the page says something new. A message is the text of one block or
// one attribute; inline tags cut it into segments, joined by "|". `{0}` in a catalogue stands for what
// varies, `{0n}` for a number, `{0t}` for what must have a translation itself. What is not there as a whole
// is translated by segments, then by sentences. English has a catalogue too, for what Gradio says in words
// that are none. `LANGUAGES`, a name for each code, stands before this script.

(() => {
  const INLINE = new Set(["a", "b", "strong", "em", "i", "code", "sub", "sup", "kbd", "tspan", "br"]);
  const SILENT = new Set(["script", "style", "textarea", "pre"]);
  const ATTRIBUTES = ["aria-label", "aria-valuetext", "title", "placeholder", "alt"];
  const REMEMBERED = 4000;
  const THOUSANDS = /(?<=\d),(?=\d{3}(?!\d))/g; // commas, which other languages read as a decimal point

  const said = new WeakMap(); // text node or element: what the page says, and what stands there instead
  let asked = "", spoken = ""; // the language that is wanted, and the one that the page is in
  let messages = new Map(), templates = [], found = new Map();

  const PLACE = /\{(\d+)[nt]?\}/g;

  const hasWords = (text) => /\p{L}{2}/u.test(text);
  const tidy = (text) => text.replace(/\s+/g, " ").trim();

  function lookUp(message) {
    if (messages.has(message)) return messages.get(message);
    if (!found.has(message)) {
      if (found.size >= REMEMBERED) found.clear();
      found.set(message, fill(message));
    }
    return found.get(message);
  }

  function fill(message) {
    if (!hasWords(message)) return message;
    for (const { pattern, translation, told } of templates) {
      const match = pattern.exec(message);
      if (!match) continue;
      const parts = match.slice(1).map(lookUp);
      if (told.some((k) => parts[k] === null)) continue;
      return translation.replace(PLACE, (_, k) => parts[k] ?? match[+k + 1]);
    }
    const sentences = message.split(/(?<=[.!?]) (?=\p{Lu}|\d)/u);
    if (sentences.length === 1) return sentences[0].endsWith(".") ? withPoint(sentences[0].slice(0, -1)) : null;
    const each = sentences.map(lookUp);
    return each.includes(null) ? null : each.join(" ");
  }

  function withPoint(message) {
    const shown = lookUp(message);
    return shown === null ? null : `${shown}.`;
  }

  function compiled([message, translation]) {
    const fixed = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    const parts = message.split(/(\{\d+[nt]?\})/).map((part, k) => {
      if (k % 2 === 0) return fixed(part);
      return part.endsWith("n}") ? "([\\d.,]+)" : "([^|]+?)";
    });
    const told = [...message.matchAll(/\{(\d+)t\}/g)].map(([, k]) => +k);
    return { pattern: new RegExp(`^${parts.join("")}$`), translation, told, weight: message.length };
  }

  // What the page itself put there, also where it was translated since.
  const source = (kept, now) => (kept && kept.shown === now ? kept.source : now);

  function textsOf(block) {
    const own = [];
    const collect = (parent) => {
      for (const child of parent.childNodes) {
        if (child.nodeType === Node.TEXT_NODE) child.data.trim() && own.push(child);
        else if (INLINE.has(child.localName)) collect(child);
      }
    };
    collect(block);
    return own;
  }

  const sourcesOf = (texts) => texts.map((text) => source(said.get(text), text.data));

  // What stands in place of a block's texts: its message in translation, or else each segment in its
  // own; null where there is none.
  function inTranslation(sources) {
    let shown = translated(sources);
    if (shown && spoken !== "en") shown = shown.map((text) => text.replace(THOUSANDS, "\u202f"));
    if (shown && /^\s*\p{Lu}/u.test(sources[0])) shown[0] = shown[0].replace(/^\s*\p{Ll}/u, (first) => first.toUpperCase());
    return shown;
  }

  function translated(sources) {
    const segments = sources.length > 1 ? lookUp(sources.map(tidy).join("|"))?.split("|") : null;
    if (segments?.length === sources.length) return segments;
    const each = sources.map((own) => lookUp(tidy(own)));
    return each.includes(null) ? null : sources.map((own, k) => own.replace(/\S[^]*\S|\S/, () => each[k]));
  }

  // Gradio decides by the width of their names how many tabs go beside each other.
  let measuring = 0;
  function measureTabs() {
    cancelAnimationFrame(measuring);
    measuring = requestAnimationFrame(() => dispatchEvent(new Event("resize")));
  }

  function translateText(block) {
    const texts = textsOf(block);
    if (!texts.length) return;
    const sources = sourcesOf(texts), shown = inTranslation(sources) ?? sources;
    texts.forEach((text, k) => {
      if (text.data !== shown[k]) {
        text.data = shown[k];
        if (block.closest(".tab-wrapper")) measureTabs();
      }
      said.set(text, { source: sources[k], shown: shown[k] });
    });
  }

  function translateAttributes(element) {
    for (const name of ATTRIBUTES) {
      const now = element.getAttribute(name);
      if (!now) continue;
      const kept = said.get(element) ?? {}, own = source(kept[name], now);
      const shown = lookUp(tidy(own)) ?? own;
      if (now !== shown) element.setAttribute(name, shown);
      said.set(element, { ...kept, [name]: { source: own, shown } });
    }
  }

  function translate(element) {
    translateAttributes(element);
    if (SILENT.has(element.localName)) return;
    if (!INLINE.has(element.localName)) translateText(element);
    for (const child of element.children) translate(child);
  }

  function blockOf(node) {
    let block = node.nodeType === Node.ELEMENT_NODE ? node : node.parentElement;
    while (block && INLINE.has(block.localName)) block = block.parentElement;
    return block && !SILENT.has(block.localName) ? block : null;
  }

  const observer = new MutationObserver((changes) => {
    const blocks = new Set();
    for (const { type, target, addedNodes } of changes) {
      if (type === "attributes") translateAttributes(target);
      else {
        blocks.add(blockOf(target));
        for (const node of addedNodes) if (node.nodeType === Node.ELEMENT_NODE && node.isConnected) translate(node);
      }
    }
    if (spoken) document.documentElement.lang = spoken; // Gradio writes its own there
    blocks.delete(null);
    blocks.forEach(translateText);
    observer.takeRecords(); // of what was written here
  });

  async function fetched(wanted) {
    try {
      const root = location.origin + location.pathname.replace(/\/?$/, "/"); // a proxy may cut it
      const answer = await fetch(new URL(`language/${wanted}.json`, root));
      if (answer.ok) return await answer.json();
      console.warn(`no translation into ${wanted}: the server answered ${answer.status}`);
    } catch (error) {
      console.warn(`no translation into ${wanted}:`, error);
    }
    return null;
  }

  // Ends when the page speaks the language, or is known not to.
  async function speak(wanted) {
    asked = wanted;
    const catalogue = await fetched(wanted);
    if (asked !== wanted || !catalogue) return; // another was chosen meanwhile, or there is none
    spoken = wanted;
    const varies = ([message]) => /\{\d+[nt]?\}/.test(message), all = Object.entries(catalogue);
    messages = new Map(all.filter((entry) => !varies(entry)));
    templates = all.filter(varies).map(compiled).sort((a, b) => b.weight - a.weight);
    found = new Map();
    document.documentElement.lang = wanted;
    translate(document.documentElement);
    observer.takeRecords();
  }

  // Messages on the page that have words and no translation, for tests.
  function untranslated() {
    const left = new Set();
    const visit = (element) => {
      for (const name of ATTRIBUTES) {
        const message = tidy(source(said.get(element)?.[name], element.getAttribute(name)) ?? "");
        if (lookUp(message) === null) left.add(message);
      }
      if (SILENT.has(element.localName)) return;
      const sources = INLINE.has(element.localName) ? [] : sourcesOf(textsOf(element));
      if (!inTranslation(sources)) left.add(sources.map(tidy).join("|"));
      for (const child of element.children) visit(child);
    };
    visit(document.body);
    return [...left];
  }

  const named = new URLSearchParams(location.search).get("lang");
  const first = [named, ...navigator.languages]
    .map((tag) => tag?.split("-")[0].toLowerCase())
    .find((tag) => tag in LANGUAGES) ?? "en";
  // Gradio would choose among its own translations by these, which not all of the page has.
  Object.defineProperty(navigator, "language", { value: "en" });
  Object.defineProperty(navigator, "languages", { value: ["en"] });

  document.documentElement.words = {
    languages: LANGUAGES,
    language: () => spoken || first,
    speak,
    untranslated,
    english: (element) => sourcesOf(textsOf(element)).map(tidy).join("|"),
  };
  observer.observe(document, {
    subtree: true, childList: true, characterData: true, attributes: true, attributeFilter: [...ATTRIBUTES, "lang"],
  });
  speak(first);
})();
