// Runs a network at very many points in the browser, by TensorFlow.js: on the graphics card where
// there is one with whole floats, else by WebAssembly. Its scripts are loaded when they are needed.

const SIDES = { webgl: 64, wasm: 48 }; // nodes along an axis of the grid
const MIN_DENSITY = 0.05; // as hyperdemo/render/bake.py: less counts as empty
const POINTS_AT_ONCE = { webgl: 32768, wasm: 8192 };

let runtime = null; // promise of the backend's name

function startRuntime(files) {
  runtime ??= loadRuntime(files).catch((error) => {
    runtime = null; // who comes back tries again
    throw error;
  });
  return runtime;
}

async function loadRuntime(files) {
  // Pictures and sounds may both have asked for it, and some may have come before another failed.
  const there = (name) => globalThis.tf && (name === "core" || tf.findBackendFactory(name));
  for (const name of ["core", "webgl", "wasm"])
    if (!there(name)) await addScript(await typed(files[name].url, "text/javascript"));
  const simd = await typed(files.simd.url, "application/wasm");
  // Every kind must be named; only the one with SIMD and without threads is ever asked for.
  const kinds = ["", "-simd", "-threaded-simd"];
  const paths = kinds.map((kind) => [`tfjs-backend-wasm${kind}.wasm`, simd]);
  tf.wasm.setWasmPaths(Object.fromEntries(paths));
  tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false); // needs headers that isolate the page
  for (const name of hasGraphics() ? ["webgl", "wasm"] : ["wasm"]) {
    const whole = name !== "webgl" || tf.env().getBool("WEBGL_RENDER_FLOAT32_ENABLED");
    if (whole && (await tf.setBackend(name).catch(() => false))) return name;
  }
  throw new Error("it has neither WebGL nor WebAssembly with SIMD");
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

// A job of which one runs at a time; if it is asked for meanwhile, it is done once more after that. `ask` gives the
// promise of the end of it all.
function repeated(job) {
  let asked = 0, running = null;
  const run = async () => {
    for (let done = 0; done !== asked; ) {
      done = asked;
      await job();
      await new Promise((resolve) => setTimeout(resolve)); // what a visitor did meanwhile comes first
    }
  };
  return {
    get asked() { return asked; },
    get working() { return running !== null; },
    ask() {
      asked++;
      return (running ??= run().finally(() => { running = null; }));
    },
  };
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

// The layers as tensors, the ReLUs' gain among the weights.
function asTensors(weights) {
  return weights.map(({ inputs, outputs, w, bias }, index) =>
    ({ w: tf.mul(tf.tensor2d(w, [inputs, outputs]), index ? RELU_GAIN : 1), bias: tf.tensor1d(bias) }));
}

// The last layer's four numbers at encoded points.
async function outputs(layers, part) {
  const out = tf.tidy(() => layers.reduce((x, { w, bias }, index) => {
    const product = tf.add(tf.matMul(x, w), bias);
    return index + 1 < layers.length ? tf.relu(product) : product;
  }, part));
  const values = await out.data();
  out.dispose();
  return values;
}

// A volume as scene.js takes it. `still` says whether it is still wanted; null where it is not.
async function bakeInBrowser(net, weights, grid, still) {
  const { side, nodes, parts } = grid, density = new Float32Array(side ** 3), colour = new Uint8Array(4 * side ** 3);
  const layers = tf.tidy(() => asTensors(weights));
  // All are asked for before the first is waited for: to wait for a graphics card takes its time.
  const found = await Promise.all(parts.map((part) => outputs(layers, part)));
  tf.dispose(layers);
  if (!still()) return null;
  let done = 0;
  for (const values of found) {
    const n = values.length / 4;
    for (let k = 0; k < n; k++) { // for every node, so nothing is made anew in here
      const node = nodes[done + k];
      density[node] = Math.min(net.densityScale * softplus(values[4 * k]), 6e4);
      for (let c = 0; c < 3; c++) colour[4 * node + c] = 255 * sigmoid(values[4 * k + 1 + c]) + 0.5;
    }
    done += n;
  }
  return { side, density, colour, skip: emptyAround(density, side) };
}

// Chessboard distance of every block of nodes to the nearest whose cells hold density.
function emptyAround(density, side) {
  const blocks = side / BLOCK, distance = new Uint8Array(blocks ** 3).fill(blocks);
  for (let z = 0, k = 0; z < side; z++)
    for (let y = 0; y < side; y++)
      for (let x = 0; x < side; x++, k++) {
        if (density[k] <= MIN_DENSITY) continue;
        // A node belongs to the cells on both of its sides.
        for (let c = blockBelow(z); c <= Math.floor(z / BLOCK); c++)
          for (let b = blockBelow(y); b <= Math.floor(y / BLOCK); b++)
            for (let a = blockBelow(x); a <= Math.floor(x / BLOCK); a++) distance[(c * blocks + b) * blocks + a] = 0;
      }
  // Forth from those before, and back from those after: a chessboard's distance is exact in two passes.
  for (const [start, step] of [[0, 1], [blocks - 1, -1]])
    for (let z = start; z >= 0 && z < blocks; z += step)
      for (let y = start; y >= 0 && y < blocks; y += step)
        for (let x = start; x >= 0 && x < blocks; x += step) distance[(z * blocks + y) * blocks + x] = nearest(distance, blocks, x, y, z);
  return distance;
}

function blockBelow(place) {
  return Math.max(0, Math.floor((place - 1) / BLOCK));
}

// A block's distance, or a step more than its neighbours'.
function nearest(distance, blocks, x, y, z) {
  let least = distance[(z * blocks + y) * blocks + x];
  for (let c = Math.max(0, z - 1); c <= Math.min(blocks - 1, z + 1); c++)
    for (let b = Math.max(0, y - 1); b <= Math.min(blocks - 1, y + 1); b++)
      for (let a = Math.max(0, x - 1); a <= Math.min(blocks - 1, x + 1); a++)
        least = Math.min(least, distance[(c * blocks + b) * blocks + a] + 1);
  return least;
}
