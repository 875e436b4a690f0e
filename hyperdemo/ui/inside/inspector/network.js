// A generated network in the browser: read, composed of masks and base weights, edited. Nothing
// here changes what it is given; an edited network is a new one.
//
// A net is {layers: [{inputs, outputs, groups, base, mask, bias, other}], freqs, densityScale,
// unitOutput, attention, rollout, picture}; composed weights are [{inputs, outputs, w, bias}], rows
// being inputs, as in hyperdemo/inr/modulation.py.

const RELU_GAIN = Math.SQRT2;

// A file of hyperdemo/ui/inside/packed.py: its header, and its arrays and their shapes by name.
async function unpacked(packed) {
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const data = await new Response(stream).arrayBuffer();
  const length = new DataView(data).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(data, 4, length)));
  const kinds = { float32: Float32Array, uint16: Uint16Array, uint8: Uint8Array };
  const found = {}, shapes = {};
  let at = 4 + length;
  for (const [name, kind, shape] of header.arrays) {
    const count = shape.reduce((product, side) => product * side, 1);
    found[name] = new kinds[kind](data, at, count);
    shapes[name] = shape;
    at += Math.ceil((count * kinds[kind].BYTES_PER_ELEMENT) / 4) * 4;
  }
  return { header, found, shapes };
}

async function readNet(packed) {
  const { header, found, shapes } = await unpacked(packed);
  const layers = [];
  for (let k = 0; `base${k}` in found; k++) {
    const [inputs, outputs] = shapes[`base${k}`];
    layers.push({
      inputs, outputs, groups: shapes[`mask${k}`][1], base: found[`base${k}`],
      mask: found[`mask${k}`], bias: found[`bias${k}`], other: found[`other${k}`],
    });
  }
  const { freqs, densityScale, unitOutput } = header;
  const [blocks, heads, tokens, sources] = shapes.attention;
  return {
    layers, freqs, densityScale, unitOutput, side: shapes.picture[0], picture: found.picture,
    attention: { values: found.attention, blocks, heads, tokens, sources }, rollout: found.rollout,
  };
}

// The layer of a weight token, and which of its groups of outputs the token writes.
function placeOf(net, token) {
  let layer = 0;
  while (token >= net.layers[layer].groups) token -= net.layers[layer++].groups;
  return { layer, group: token };
}

// How much a token draws from each data token, 0 to 1: the mean of the heads for head -1, attention
// roll-out for block -1.
function attentionOf(net, token, block, head) {
  const { values, heads, tokens, sources } = net.attention;
  if (block < 0) return net.rollout.subarray(token * sources, (token + 1) * sources);
  const mean = new Float32Array(sources), chosen = head < 0 ? [...Array(heads).keys()] : [head];
  for (const h of chosen) {
    const start = ((block * heads + h) * tokens + token) * sources;
    for (let s = 0; s < sources; s++) mean[s] += values[start + s] / 65535 / chosen.length;
  }
  return mean;
}

// base ⊙ mask with columns of unit norm, but for the last layer where its norm is free.
function composed(net) {
  return net.layers.map((layer, index) => {
    const { inputs, outputs, groups, base, mask, bias } = layer, each = outputs / groups;
    const w = new Float32Array(inputs * outputs), unit = net.unitOutput || index + 1 < net.layers.length;
    for (let column = 0; column < outputs; column++) {
      const group = Math.floor(column / each);
      let square = 0;
      for (let row = 0; row < inputs; row++) {
        const value = base[row * outputs + column] * mask[row * groups + group];
        w[row * outputs + column] = value;
        square += value * value;
      }
      const norm = unit ? Math.max(Math.sqrt(square), 1e-12) : 1;
      for (let row = 0; row < inputs; row++) w[row * outputs + column] /= norm;
    }
    return { inputs, outputs, w, bias };
  });
}

// What a visitor may do. `mask` edits change what was written, before it is composed; `weights`
// edits change what comes out of that. `rival` is the other model's composed network.
const EDITS = {
  quantise: { mask: (layer, { bits }) => quantised(layer.mask, bits) },
  scramble: { mask: (layer, { seed }) => shuffled(layer.mask, seed) },
  morph: { mask: (layer, { share }) => layer.mask.map((value, k) => value + share * (layer.other[k] - value)) },
  scale: {
    weights(layer, { factor, groups, group }) {
      const each = layer.outputs / groups;
      const w = layer.w.map((value, k) =>
        group === undefined || Math.floor((k % layer.outputs) / each) === group ? factor * value : value);
      return { ...layer, w };
    },
  },
  // The rows of one frequency's sines and cosines, of all three coordinates.
  band: {
    weights(layer, { factor, band, bands }) {
      const w = layer.w.map((value, k) => {
        const row = Math.floor(k / layer.outputs);
        return row >= 3 && (row - 3) % bands === band ? factor * value : value;
      });
      return { ...layer, w };
    },
  },
  swap: { weights: (layer, edit, rival, index) => rival[index] },
};

// An edit in words; `other` is the name of what is morphed to.
function wordsOf({ kind, layer, group, factor, bits, share, band }, other) {
  const whole = `layer ${layer + 1}`;
  const where = group === undefined ? whole : `${whole}, group ${group + 1}`;
  return {
    scale: () => (factor ? `${where} × ${factor}` : `${where} zeroed`),
    band: () => `frequency ${band + 1} muted`,
    quantise: () => `masks in ${bits} bits`,
    scramble: () => `mask of ${whole} scrambled`,
    swap: () => `${whole} swapped`,
    morph: () => `${Math.round(100 * share)} % ${other}`,
  }[kind]();
}

// The network after edits, in their order; an edit of layer -1 is one of all layers.
function edited(net, edits, rival) {
  const touched = (edit, index) => edit.layer < 0 || edit.layer === index;
  const layers = net.layers.map((layer, index) => {
    for (const edit of edits)
      if (EDITS[edit.kind].mask && touched(edit, index)) layer = { ...layer, mask: EDITS[edit.kind].mask(layer, edit) };
    return layer;
  });
  return composed({ ...net, layers }).map((layer, index) => {
    for (const edit of edits)
      if (EDITS[edit.kind].weights && touched(edit, index)) layer = EDITS[edit.kind].weights(layer, edit, rival, index);
    return layer;
  });
}

// Rounded to 2^bits values, evenly between the smallest and the largest.
function quantised(values, bits) {
  let low = Infinity, high = -Infinity;
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  const step = (high - low) / (2 ** bits - 1);
  return step ? values.map((value) => low + step * Math.round((value - low) / step)) : values;
}

// The same values in another order, the same for the same seed (mulberry32, Fisher-Yates).
function shuffled(values, seed) {
  const out = values.slice();
  let state = seed >>> 0;
  const random = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  for (let k = out.length - 1; k > 0; k--) {
    const j = Math.floor(random() * (k + 1));
    [out[k], out[j]] = [out[j], out[k]];
  }
  return out;
}

// One point through the network: its encoding, what every hidden layer gives (after the ReLU), and
// density and colour.
function activationsAt(net, weights, point) {
  const angles = point.flatMap((x) => net.freqs.map((freq) => x * freq));
  let x = Float32Array.from([...point, ...angles.map(Math.sin), ...angles.map(Math.cos)]);
  const encoding = x, hidden = [];
  weights.forEach(({ inputs, outputs, w, bias }, index) => {
    const out = Float32Array.from(bias);
    for (let row = 0; row < inputs; row++)
      for (let column = 0; column < outputs; column++) out[column] += x[row] * w[row * outputs + column];
    if (index + 1 < weights.length) {
      x = out.map((value) => RELU_GAIN * Math.max(0, value));
      hidden.push(x);
    } else x = out;
  });
  return { encoding, hidden, ...seenOf(net, x) };
}

// Density in 1/world unit and colour from the last layer's four numbers.
function seenOf(net, [a, ...rgb]) {
  return { density: net.densityScale * softplus(a), colour: rgb.map(sigmoid) };
}

function softplus(x) {
  return x > 20 ? x : Math.log1p(Math.exp(x));
}

function sigmoid(x) {
  return 1 / (1 + Math.exp(-x));
}
