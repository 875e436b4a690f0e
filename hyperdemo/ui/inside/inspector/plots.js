// Small pictures of numbers, each into a canvas of its own.

// The photo, dark where there is no attention; the brightest patch gets all of its light.
function drawPhoto(canvas, { side, picture }, attention) {
  Object.assign(canvas, { width: side, height: side });
  const context = canvas.getContext("2d"), image = context.createImageData(side, side);
  const patches = Math.sqrt(attention.length), most = Math.max(...attention, 1e-9);
  for (let k = 0; k < side * side; k++) {
    const row = Math.floor(Math.floor(k / side) / (side / patches)), column = Math.floor((k % side) / (side / patches));
    const light = 0.15 + 0.85 * (attention[row * patches + column] / most);
    for (let c = 0; c < 3; c++) image.data[4 * k + c] = picture[3 * k + c] * light;
    image.data[4 * k + 3] = 255;
  }
  context.putImageData(image, 0, 0);
}

// A matrix, blue below and red above zero, with its columns from `first` to `last` framed.
function drawMap(canvas, values, rows, columns, [first, last]) {
  const cell = Math.ceil(256 / Math.max(rows, columns));
  Object.assign(canvas, { width: columns * Math.max(1, Math.round(256 / columns)), height: rows * cell });
  const context = canvas.getContext("2d"), wide = canvas.width / columns;
  let most = 1e-9;
  for (const value of values) most = Math.max(most, Math.abs(value));
  for (let row = 0; row < rows; row++)
    for (let column = 0; column < columns; column++) {
      const share = values[row * columns + column] / most, pale = Math.round(255 * (1 - Math.sqrt(Math.abs(share))));
      context.fillStyle = share > 0 ? `rgb(255 ${pale} ${pale})` : `rgb(${pale} ${pale} 255)`;
      context.fillRect(column * wide, row * cell, wide, cell);
    }
  context.strokeStyle = "#111";
  context.lineWidth = Math.max(2, canvas.width / 90);
  context.strokeRect(first * wide, 0, (last - first) * wide, canvas.height);
}

// Points between entry to and exit from the unit sphere, of the ray through a place of a square
// picture, (0, 0) its left top corner; as march.frag walks.
function pointsAlong({ azimuthDeg, elevationDeg, zoom }, [right, down], n = 96) {
  const a = (azimuthDeg * Math.PI) / 180, e = (elevationDeg * Math.PI) / 180;
  const [ca, sa, ce, se] = [Math.cos(a), Math.sin(a), Math.cos(e), Math.sin(e)];
  const axes = [[ca, 0, -sa], [-se * sa, ce, -se * ca], [ce * sa, se, ce * ca]]; // right, up, backwards
  const reach = Math.tan((CAMERA.fovDeg * Math.PI) / 360) / zoom, local = [(2 * right - 1) * reach, (1 - 2 * down) * reach, -1];
  const ray = [0, 1, 2].map((c) => axes.reduce((sum, axis, k) => sum + axis[c] * local[k], 0)), length = Math.hypot(...ray);
  const unit = ray.map((value) => value / length), eye = axes[2].map((value) => CAMERA.distance * value);
  const middle = -unit.reduce((sum, value, k) => sum + value * eye[k], 0);
  const inside = 1 - eye.reduce((sum, value) => sum + value * value, 0) + middle * middle;
  if (inside <= 0) return [];
  const half = Math.sqrt(inside);
  return Array.from({ length: n }, (_, k) => {
    const at = middle - half + (2 * half * (k + 0.5)) / n;
    return eye.map((value, c) => value + at * unit[c]);
  });
}

// Index of the sample at which half of the light that the ray loses is lost.
function endOf(samples, points) {
  const step = Math.hypot(...points[1].map((value, c) => value - points[0][c]));
  let light = 1;
  const left = samples.map(({ density }) => (light *= Math.exp(-density * step)));
  const index = left.findIndex((value) => 1 - value >= (1 - light) / 2);
  return Math.max(0, index);
}

function drawRay(canvas, samples, end) {
  Object.assign(canvas, { width: 480, height: 150 });
  const context = canvas.getContext("2d"), wide = 480 / samples.length, most = Math.max(1, ...samples.map(({ density }) => density));
  context.fillStyle = "white";
  context.fillRect(0, 0, 480, 150);
  samples.forEach(({ colour, density }, k) => {
    context.fillStyle = `rgb(${colour.map((value) => Math.round(255 * value)).join(" ")})`;
    context.fillRect(k * wide, 122, wide + 1, 28);
    context.fillStyle = "#4f46e5";
    context.fillRect(k * wide, 118 - 110 * (density / most), wide + 0.5, 110 * (density / most));
  });
  context.fillStyle = "#111";
  context.fillRect((end + 0.5) * wide - 1, 0, 2, 150);
}

// A row for every hidden layer, a cell for every unit: white is silent.
function drawUnits(canvas, hidden) {
  Object.assign(canvas, { width: 480, height: 22 * hidden.length });
  const context = canvas.getContext("2d");
  hidden.forEach((units, row) => {
    const most = Math.max(...units, 1e-9), wide = 480 / units.length;
    units.forEach((value, k) => {
      const pale = Math.round(255 * (1 - value / most));
      context.fillStyle = `rgb(255 ${pale} ${pale})`;
      context.fillRect(k * wide, row * 22, wide, 20);
    });
  });
}

// Canvases for the base, mask and weights of a layer; `hover` is told where on which a pointer is.
function addMaps(figure, label, hover) {
  const caption = document.createElement("figcaption"), trio = document.createElement("div");
  caption.textContent = label;
  trio.className = "trio";
  figure.append(caption, trio);
  return ["base", "mask", "weights"].map((name) => {
    const cell = document.createElement("div"), canvas = document.createElement("canvas");
    const words = Object.assign(document.createElement("span"), { textContent: name });
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", `${name} of the layer, ${label}`);
    canvas.addEventListener("pointermove", (event) => hover(name, canvas, event));
    cell.append(words, canvas);
    trio.append(cell);
    return canvas;
  });
}

// A model's maps of the layer that a token writes into, on these canvases.
function drawMaps({ net, maps, weights }, token) {
  const { layer, group } = placeOf(net, token);
  const { inputs, outputs, groups, base, mask } = net.layers[layer];
  const frame = [group, group + 1].map((at) => (outputs / groups) * at);
  drawMap(maps[0], base, inputs, outputs, frame);
  drawMap(maps[1], mask, inputs, groups, [group, group + 1]);
  drawMap(maps[2], weights[layer].w, inputs, outputs, frame);
}

// What a network says along a ray, and its hidden units where that ends.
function addRay(figure, label, samples, end) {
  const { hidden, density, colour } = samples[end], caption = document.createElement("figcaption");
  drawRay(figure.appendChild(document.createElement("canvas")), samples, end);
  drawUnits(figure.appendChild(document.createElement("canvas")), hidden);
  const shade = colour.map((value) => Math.round(255 * value)).join(" ");
  const what = `density ${density.toFixed(1)}, colour ${shade}`;
  caption.textContent = `${label}: the ray ends about here, at ${what}`;
  figure.append(caption);
}
