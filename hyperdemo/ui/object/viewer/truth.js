// The truth beside the models, which is known from some sides only. A part of the script of viewer.js,
// whose `truth`, `camera` and `part` it uses.

async function overWhite(bytes) {
  const image = await createImageBitmap(new Blob([bytes])), canvas = document.createElement("canvas");
  Object.assign(canvas, { width: image.width, height: image.height });
  const context = canvas.getContext("2d");
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(image, 0, 0);
  return canvas;
}

function showTruth() {
  part.truth.hidden = !truth;
  const option = part.mode.querySelector("[value=difference]");
  option.hidden = option.disabled = !truth;
  if (!truth && part.mode.value === "difference") part.mode.value = "colour";
  if (!truth) return;
  part.photo.style.backgroundImage = `url("${truth.file.url}")`;
  part.photo.style.backgroundSize = `${100 * truth.angles.length}% 100%`;
  turnTruth();
}

// The known side next to the camera's.
function nearestSide() {
  const rad = Math.PI / 180, { azimuthDeg, elevationDeg } = camera;
  const towards = ([a, e]) => Math.sin(e * rad) * Math.sin(elevationDeg * rad)
    + Math.cos(e * rad) * Math.cos(elevationDeg * rad) * Math.cos((a - azimuthDeg) * rad);
  const scores = truth.angles.map(towards);
  return scores.indexOf(Math.max(...scores));
}

function turnTruth() {
  if (!truth) return;
  const count = truth.angles.length, side = nearestSide();
  part.photo.style.backgroundPosition = `${(100 * side) / Math.max(1, count - 1)}% 0`;
  const azimuth = Math.round(truth.angles[side][0]);
  part.photo.setAttribute("aria-label", `The object itself, ${azimuth}° round from the picture's side`);
}

// Errors can be told only where the truth is known.
function seen() {
  const mode = part.mode.value;
  if (mode !== "difference") return { ...camera, mode };
  const side = nearestSide(), [azimuthDeg, elevationDeg] = truth.angles[side];
  return { azimuthDeg, elevationDeg, zoom: 1, mode, view: [side, truth.angles.length] };
}
