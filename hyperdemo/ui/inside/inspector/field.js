// Runs a network at very many points in the browser, by TensorFlow.js: on the graphics card where
// there is one with whole floats, else by WebAssembly. Its scripts are loaded when they are needed.

const SIDES = { webgl: 64, wasm: 48 }; // nodes along an axis of the grid
const MIN_DENSITY = 0.05; // as hyperdemo/render/bake.py: less counts as empty
const POINTS_AT_ONCE = { webgl: 32768, wasm: 8192 };

let runtime = null; // promise of the backend's name

function startRuntime(files) {
  return (runtime ??= (async () => {
    // Pictures and sounds may both have asked for it.
    if (!globalThis.tf) for (const name of ["core", "webgl", "wasm"]) await addScript(await typed(files[name].url, "text/javascript"));
    const simd = await typed(files.simd.url, "application/wasm");
    // Every kind must be named; only the one with SIMD and without threads is ever asked for.
    const kinds = ["", "-simd", "-threaded-simd"];
    tf.wasm.setWasmPaths(Object.fromEntries(kinds.map((kind) => [`tfjs-backend-wasm${kind}.wasm`, simd])));
    tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false); // needs headers that isolate the page
    for (const name of hasGraphics() ? ["webgl", "wasm"] : ["wasm"]) {
      const whole = name !== "webgl" || tf.env().getBool("WEBGL_RENDER_FLOAT32_ENABLED");
      if (whole && (await tf.setBackend(name).catch(() => false))) return name;
    }
    throw new Error("it has neither WebGL nor WebAssembly with SIMD");
  })());
}

// Gradio serves all files as bytes of no kind, which no browser runs.
async function typed(url, type) {
  return URL.createObjectURL(new Blob([await fetchBytes(url)], { type }));
}

function addScript(url) {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    Object.assign(script, { src: url, onload: resolve, onerror: () => reject(new Error("a script did not load")) });
    document.head.append(script);
  });
}

// Software that stands in for a graphics card is slower than WebAssembly.
function hasGraphics() {
  const gl = document.createElement("canvas").getContext("webgl2");
  const named = gl?.getExtension("WEBGL_debug_renderer_info");
  const name = gl ? String(gl.getParameter(named ? named.UNMASKED_RENDERER_WEBGL : gl.RENDERER)) : "software";
  gl?.getExtension("WEBGL_lose_context")?.loseContext();
  return !/swiftshader|llvmpipe|software/i.test(name);
}

// The nodes of a grid over [-1, 1]³ that lie in the unit sphere or next to it, x fastest, and their
// encodings, which all networks share, as tensors of some points each.
class Grid {
  constructor(side, freqs, atOnce) {
    this.side = side;
    const place = (k) => (2 * k) / (side - 1) - 1, reach = (1 + (2 * Math.sqrt(3) * 2) / (side - 1)) ** 2;
    this.nodes = [];
    const points = [];
    for (let z = 0; z < side; z++)
      for (let y = 0; y < side; y++)
        for (let x = 0; x < side; x++) {
          const at = [place(x), place(y), place(z)];
          if (at[0] ** 2 + at[1] ** 2 + at[2] ** 2 > reach) continue;
          this.nodes.push((z * side + y) * side + x);
          points.push(...at);
        }
    this.parts = [];
    for (let start = 0; start < this.nodes.length; start += atOnce) {
      const n = Math.min(atOnce, this.nodes.length - start);
      this.parts.push(encoded(Float32Array.from(points.slice(3 * start, 3 * (start + n))), freqs));
    }
  }
}

// Coordinates, their sines, their cosines, as hyperdemo/inr/radiance.py lays them out.
function encoded(points, freqs) {
  return tf.tidy(() => {
    const n = points.length / 3, x = tf.tensor3d(points, [n, 3, 1]);
    const angles = tf.reshape(tf.mul(x, tf.tensor1d(freqs)), [n, 3 * freqs.length]);
    return tf.concat([tf.reshape(x, [n, 3]), tf.sin(angles), tf.cos(angles)], 1);
  });
}

// The last layer's four numbers at encoded points.
async function outputs(weights, part) {
  const out = tf.tidy(() => weights.reduce((x, { inputs, outputs, w, bias }, index) => {
    const gain = index ? w.map((value) => RELU_GAIN * value) : w;
    const product = tf.add(tf.matMul(x, tf.tensor2d(gain, [inputs, outputs])), tf.tensor1d(bias));
    return index + 1 < weights.length ? tf.relu(product) : product;
  }, part));
  const values = await out.data();
  out.dispose();
  return values;
}

// A volume as scene.js takes it. `still` says whether it is still wanted; null where it is not.
async function bakeInBrowser(net, weights, grid, still) {
  const { side, nodes, parts } = grid, density = new Float32Array(side ** 3), colour = new Uint8Array(4 * side ** 3);
  let done = 0;
  for (const part of parts) {
    const values = await outputs(weights, part);
    if (!still()) return null;
    for (let k = 0; k < part.shape[0]; k++) {
      const seen = seenOf(net, values, 4 * k), node = nodes[done + k];
      density[node] = Math.min(seen.density, 6e4);
      seen.colour.forEach((value, c) => { colour[4 * node + c] = Math.round(255 * value); });
    }
    done += part.shape[0];
  }
  return { side, density, colour, skip: emptyAround(density, side) };
}

// Chessboard distance of every block of nodes to the nearest whose cells hold density.
function emptyAround(density, side) {
  const blocks = side / BLOCK, at = (x, y, z) => (z * blocks + y) * blocks + x;
  let distance = new Uint8Array(blocks ** 3).fill(blocks);
  for (let k = 0; k < density.length; k++) {
    if (density[k] <= MIN_DENSITY) continue;
    const place = [k % side, Math.floor(k / side) % side, Math.floor(k / side ** 2)];
    const own = place.map((v) => Math.floor(v / BLOCK));
    const below = place.map((v, axis) => Math.max(0, own[axis] - (v % BLOCK ? 0 : 1))); // its cells begin there
    for (const z of new Set([own[2], below[2]]))
      for (const y of new Set([own[1], below[1]]))
        for (const x of new Set([own[0], below[0]])) distance[at(x, y, z)] = 0;
  }
  // One block further with each pass.
  for (let changed = true; changed; ) {
    const before = distance;
    distance = before.slice();
    for (let z = 0; z < blocks; z++)
      for (let y = 0; y < blocks; y++)
        for (let x = 0; x < blocks; x++) {
          let least = before[at(x, y, z)];
          for (let k = Math.max(0, z - 1); k <= Math.min(blocks - 1, z + 1); k++)
            for (let j = Math.max(0, y - 1); j <= Math.min(blocks - 1, y + 1); j++)
              for (let i = Math.max(0, x - 1); i <= Math.min(blocks - 1, x + 1); i++)
                least = Math.min(least, before[at(i, j, k)] + 1);
          distance[at(x, y, z)] = least;
        }
    changed = distance.some((value, k) => value !== before[k]);
  }
  return distance;
}
