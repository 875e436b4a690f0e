// The networks of a sound in the browser: read, put into another order, edited, run. It comes after the
// inspector's network.js and field.js, and changes nothing of what it is given.
//
// A voice is {nets, freqs, stretch, overlap, rate, samples, scale}: a net for each stretch, as in network.js,
// with its `gain`.

const NETS_AT_ONCE = 8;

async function readVoice(packed) {
  const { header, found, shapes } = await unpacked(packed), { unitOutput } = header;
  const nets = [...found.gains].map((gain, at) => {
    const layers = [];
    for (let k = 0; `base${k}` in found; k++) {
      const [inputs, outputs] = shapes[`base${k}`], groups = shapes[`mask${k}`][2], size = inputs * groups;
      const mask = found[`mask${k}`].subarray(at * size, (at + 1) * size);
      layers.push({ inputs, outputs, groups, base: found[`base${k}`], mask, bias: found[`bias${k}`] });
    }
    return { layers, unitOutput, gain };
  });
  const { freqs, stretch, overlap, rate, samples, scale } = header;
  return { nets, freqs, stretch, overlap, rate, samples, scale };
}

// Frequencies from `first` on are not asked for: a row of sines, then one of cosines, after time itself.
EDITS.cut = {
  weights(layer, { first, bands }) {
    const w = layer.w.map((value, k) => {
      const row = Math.floor(k / layer.outputs);
      return row > 0 && (row - 1) % bands >= first ? 0 : value;
    });
    return { ...layer, w };
  },
};

// Which networks are heard one after another.
const ORDERS = {
  forwards: (nets) => nets,
  backwards: (nets) => nets.toReversed(),
  held: (nets) => nets.map(() => nets[Math.floor(nets.length / 2)]),
  slow: (nets) => nets.flatMap((net, k) => (k + 1 < nets.length ? [net, between(net, nets[k + 1], 0.5)] : [net])),
};

// A network whose masks lie between those of two.
function between(one, other, share) {
  const layers = one.layers.map((layer, k) => {
    const goal = other.layers[k].mask;
    return { ...layer, mask: layer.mask.map((value, j) => value + share * (goal[j] - value)) };
  });
  return { ...one, layers, gain: one.gain + share * (other.gain - one.gain) };
}

// Time in a stretch, from -1 to 1, its sines, its cosines, as hyperdemo/inr/sound.py lays them out.
function encodedTimes({ stretch, rate, freqs }) {
  return tf.tidy(() => {
    const seconds = Float32Array.from({ length: stretch }, (_, k) => k / rate - stretch / rate / 2);
    const time = tf.tensor2d(seconds, [stretch, 1]), angles = tf.mul(time, tf.tensor1d(freqs));
    return tf.concat([tf.mul(time, (2 * rate) / stretch), tf.sin(angles), tf.cos(angles)], 1);
  });
}

// Amplitudes of one network over its stretch. One at a time, since WebAssembly's product of many matrices at once is a
// slow one.
function amplitudes(voice, net, weights, times) {
  return weights.reduce((x, { inputs, outputs, w, bias }, index) => {
    const last = index + 1 === weights.length, gain = last ? net.gain * voice.scale : 1, factor = gain * (index ? RELU_GAIN : 1);
    const product = tf.add(tf.matMul(x, tf.tensor2d(w.map((value) => factor * value), [inputs, outputs])),
      tf.tensor1d(bias.map((value) => gain * value)));
    return last ? product : tf.relu(product);
  }, times);
}

// The sound of a voice whose networks are in some order and edited; null where `still` says that it is no longer
// wanted. Stretches are faded into each other as hyperdemo/inr/windows.py does it.
async function sounded(voice, rival, { order, edits }, still) {
  const nets = ORDERS[order](voice.nets), others = ORDERS[order](rival.nets);
  const { stretch, overlap, samples } = voice, hop = stretch - overlap, times = encodedTimes(voice);
  const out = new Float32Array((nets.length - 1) * hop + stretch);
  const fade = Float32Array.from({ length: overlap }, (_, k) => 0.5 - 0.5 * Math.cos((Math.PI * k) / overlap));
  const needsRival = edits.some(({ kind }) => kind === "swap");
  try {
    for (let first = 0; first < nets.length; first += NETS_AT_ONCE) {
      const some = nets.slice(first, first + NETS_AT_ONCE);
      const made = tf.tidy(() => tf.concat(some.map((net, k) =>
        amplitudes(voice, net, edited(net, edits, needsRival ? composed(others[first + k]) : null), times))));
      const values = await made.data();
      made.dispose();
      if (!still()) return null;
      for (let k = 0; k < some.length; k++)
        for (let j = 0; j < stretch; j++) {
          const at = first + k, left = at && j < overlap ? fade[j] : 1;
          const right = at + 1 < nets.length && j >= hop ? 1 - fade[j - hop] : 1;
          out[at * hop + j] += left * right * values[k * stretch + j];
        }
    }
  } finally {
    times.dispose();
  }
  return out.subarray(0, order === "slow" ? 2 * samples : samples);
}
