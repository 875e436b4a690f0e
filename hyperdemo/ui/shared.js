// What the viewer and the player share; it runs before their own scripts, in the same function.

const RETRIES_MS = [300, 1000, 3000];

const part = Object.fromEntries(
  [...element.querySelectorAll("[data-part]")].map((node) => [node.dataset.part, node]),
);

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
