// What the scripts of components share; it runs before their own scripts, in the same function.

const RETRIES_MS = [300, 1000, 3000];

const part = Object.fromEntries(
  [...element.querySelectorAll("[data-part]")].map((node) => [node.dataset.part, node]),
);

// Phrases in a row, each an element of its own, so that it is translated by itself.
function sayInRow(node, phrases) {
  const spans = phrases.map((textContent) => Object.assign(document.createElement("span"), { textContent }));
  node.replaceChildren(...spans.flatMap((span, k) => (k ? [", ", span] : [span])));
}

async function fetchBytes(url) {
  for (const wait of [...RETRIES_MS, null]) {
    try {
      const response = await fetch(url);
      if (response.ok) return await response.arrayBuffer();
      throw new Error(`the server answered ${response.status}`);
    } catch (error) {
      if (wait === null) throw error;
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
}
