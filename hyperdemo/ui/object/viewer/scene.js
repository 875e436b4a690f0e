// What stands in the panels: volumes as textures, the program that marches through them, and the
// canvas of it all. This is one script with viewer.js, or with the inspector's; BLOCK, CAMERA and
// MARCH stand before it.

const MAX_STEPS = 128; // samples along a diameter
const REVIVE_MS = 2000; // without its graphics, after which a view takes a new canvas
const MODES = ["colour", "depth", "normals", "difference"]; // as march.frag numbers them
const TRIANGLE = `#version 300 es
void main() { gl_Position = vec4(ivec4(4 * (gl_VertexID & 1) - 1, 2 * (gl_VertexID & 2) - 1, 0, 1)); }`;

// A file of hyperdemo/render/volume.py: its density and colour at every node, x fastest.
async function readVolume(packed) {
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"));
  const data = new DataView(await new Response(stream).arrayBuffer());
  const side = data.byteLength < 12 ? 0 : data.getUint32(4, true), nodes = side ** 3;
  if (!side || data.byteLength !== 12 + 4 * nodes + (side / BLOCK) ** 3)
    throw new Error("a volume file expected");
  const planes = new Uint8Array(data.buffer, 12, 4 * nodes);
  for (let row = 0; row < 4 * side * side; row++) {
    const start = row * side, fromBelow = row % side > 0;
    for (let k = start, sum = 0; k < start + side; k++) {
      sum += planes[k];
      planes[k] = fromBelow ? sum + planes[k - side] : sum; // modulo 256, as it was written
    }
  }
  const largest = data.getFloat32(8, true), density = new Float32Array(nodes);
  const shades = Float32Array.from({ length: 256 }, (_, code) => largest * (code / 255) ** 2);
  const colour = new Uint8Array(4 * nodes);
  for (let k = 0; k < nodes; k++) {
    for (let c = 0; c < 3; c++) colour[4 * k + c] = planes[c * nodes + k];
    density[k] = shades[planes[3 * nodes + k]];
  }
  return { side, density, colour, skip: new Uint8Array(data.buffer, 12 + 4 * nodes) };
}

class Scene {
  constructor(canvas) {
    this.truth = null;
    this.volumes = new Map();
    this.open(canvas);
  }

  // All of it on a canvas, its first one or another.
  open(canvas) {
    const plain = { alpha: false, antialias: false, depth: false };
    const gl = canvas.getContext("webgl2", { ...plain, powerPreference: "high-performance" });
    if (!gl) throw new Error("this browser lacks WebGL 2");
    this.gl = gl;
    this.build();
  }

  // Once, and again after the graphics were lost.
  build() {
    const gl = this.gl, program = gl.createProgram();
    for (const [kind, source] of [[gl.VERTEX_SHADER, TRIANGLE], [gl.FRAGMENT_SHADER, MARCH]]) {
      const shader = gl.createShader(kind);
      gl.shaderSource(shader, source);
      gl.compileShader(shader);
      gl.attachShader(program, shader);
    }
    gl.linkProgram(program);
    if (!gl.getProgramParameter(program, gl.LINK_STATUS) && !gl.isContextLost())
      throw new Error(`the graphics refuse the program: ${gl.getProgramInfoLog(program)}`);
    gl.useProgram(program);
    const names = [...MARCH.matchAll(/^uniform \w+ (\w+);/gm)].map(([, name]) => name);
    this.at = Object.fromEntries(names.map((name) => [name, gl.getUniformLocation(program, name)]));
    ["density", "colour", "skip", "truth"].forEach((name, unit) => gl.uniform1i(this.at[name], unit));
    gl.uniform1i(this.at.block, BLOCK);
    gl.uniform1f(this.at.distance_, CAMERA.distance);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    const kept = [...this.volumes];
    this.volumes.clear(); // their textures are gone with the graphics that had them
    this.known = null;
    for (const [key, { volume }] of kept) this.put(key, volume);
    this.putTruth(this.truth);
  }

  // A picture of square views in a row, or null.
  putTruth(picture) {
    const gl = this.gl;
    gl.deleteTexture(this.known);
    this.truth = picture;
    this.known = gl.createTexture();
    gl.activeTexture(gl.TEXTURE0 + 3);
    gl.bindTexture(gl.TEXTURE_2D, this.known);
    for (const axis of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T]) gl.texParameteri(gl.TEXTURE_2D, axis, gl.CLAMP_TO_EDGE);
    for (const use of [gl.TEXTURE_MIN_FILTER, gl.TEXTURE_MAG_FILTER]) gl.texParameteri(gl.TEXTURE_2D, use, gl.LINEAR);
    if (picture) gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, picture);
    else gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, 1, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(4));
  }

  put(key, volume) {
    const gl = this.gl, { side, density, colour, skip } = volume, blocks = side / BLOCK;
    this.drop(key);
    const textures = [
      // Half floats, since no browser must be able to interpolate whole ones.
      this.texture(side, gl.LINEAR, gl.R16F, gl.RED, gl.FLOAT, density),
      this.texture(side, gl.LINEAR, gl.RGBA8, gl.RGBA, gl.UNSIGNED_BYTE, colour),
      this.texture(blocks, gl.NEAREST, gl.R8UI, gl.RED_INTEGER, gl.UNSIGNED_BYTE, skip),
    ];
    this.volumes.set(key, { volume, textures });
  }

  texture(side, filter, stored, format, type, values) {
    const gl = this.gl, texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_3D, texture);
    for (const axis of [gl.TEXTURE_WRAP_S, gl.TEXTURE_WRAP_T, gl.TEXTURE_WRAP_R])
      gl.texParameteri(gl.TEXTURE_3D, axis, gl.CLAMP_TO_EDGE);
    gl.texParameteri(gl.TEXTURE_3D, gl.TEXTURE_MIN_FILTER, filter);
    gl.texParameteri(gl.TEXTURE_3D, gl.TEXTURE_MAG_FILTER, filter);
    gl.texImage3D(gl.TEXTURE_3D, 0, stored, side, side, side, 0, format, type, values);
    return texture;
  }

  drop(key) {
    for (const texture of this.volumes.get(key)?.textures ?? []) this.gl.deleteTexture(texture);
    this.volumes.delete(key);
  }

  clear() {
    for (const key of [...this.volumes.keys()]) this.drop(key);
  }

  // One volume into a square of the drawing buffer, whose left bottom corner is (x, y). `mode` is
  // one of MODES; `view` says which of how many views is the truth, `ground` the colour behind.
  draw(key, { azimuthDeg, elevationDeg, zoom, mode = "colour", view = [0, 1], ground = [1, 1, 1] }, x, y, side) {
    const gl = this.gl, { volume, textures } = this.volumes.get(key);
    gl.uniform1i(this.at.mode, MODES.indexOf(mode));
    gl.uniform2f(this.at.view, ...view);
    gl.uniform3f(this.at.ground, ...(mode === "difference" ? [1, 1, 1] : ground));
    textures.forEach((texture, unit) => {
      gl.activeTexture(gl.TEXTURE0 + unit);
      gl.bindTexture(gl.TEXTURE_3D, texture);
    });
    const a = (azimuthDeg * Math.PI) / 180, e = (elevationDeg * Math.PI) / 180;
    const [ca, sa, ce, se] = [Math.cos(a), Math.sin(a), Math.cos(e), Math.sin(e)];
    gl.uniformMatrix3fv(this.at.pose, false, [ca, 0, -sa, -se * sa, ce, -se * ca, ce * sa, se, ce * ca]);
    gl.uniform1f(this.at.reach, Math.tan((CAMERA.fovDeg * Math.PI) / 360) / zoom);
    gl.uniform1f(this.at.side, volume.side);
    gl.uniform1f(this.at.steps, Math.min(volume.side, MAX_STEPS));
    gl.uniform3f(this.at.panel, x, y, side);
    gl.viewport(x, y, side, side);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }

  // RGBA bytes of one volume, seen in a picture of its own, row 0 at the top.
  read(key, camera, side) {
    const gl = this.gl, store = gl.createRenderbuffer(), target = gl.createFramebuffer();
    gl.bindRenderbuffer(gl.RENDERBUFFER, store);
    gl.renderbufferStorage(gl.RENDERBUFFER, gl.RGBA8, side, side);
    gl.bindFramebuffer(gl.FRAMEBUFFER, target);
    gl.framebufferRenderbuffer(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.RENDERBUFFER, store);
    this.draw(key, camera, 0, 0, side);
    const upsideDown = new Uint8Array(4 * side * side), pixels = new Uint8Array(4 * side * side);
    gl.readPixels(0, 0, side, side, gl.RGBA, gl.UNSIGNED_BYTE, upsideDown);
    for (let row = 0; row < side; row++)
      pixels.set(upsideDown.subarray(4 * side * (side - 1 - row), 4 * side * (side - row)), 4 * side * row);
    gl.bindFramebuffer(gl.FRAMEBUFFER, null);
    gl.deleteFramebuffer(target);
    gl.deleteRenderbuffer(store);
    return pixels;
  }

  // Mean squared difference of two volumes' colours in [0, 1], seen from one side.
  apart(key, other, camera, side) {
    const [one, two] = [key, other].map((name) => this.read(name, camera, side));
    let sum = 0;
    for (let k = 0; k < one.length; k++) if (k % 4 < 3) sum += ((one[k] - two[k]) / 255) ** 2;
    return sum / (side * side * 3);
  }
}

// The canvas of a view, `part.canvas`, and who listens to it, through a loss of its graphics.
// `scene` gives what is drawn there, or null; `changed` is told when the graphics go and when they
// are back, and the error where they cannot come back.
class Stage {
  constructor(part, { scene, changed }) {
    Object.assign(this, { part, scene, changed, lost: false, ended: false });
    Object.assign(this, { listeners: [], observers: [] });
    this.on("webglcontextlost", (event) => {
      event.preventDefault(); // or they would not come back
      this.lost = true;
      changed();
      setTimeout(() => this.revive(), REVIVE_MS);
    });
    this.on("webglcontextrestored", () => this.bringBack(() => scene()?.build()));
  }

  on(...wanted) {
    this.listeners.push(wanted);
    this.part.canvas.addEventListener(...wanted);
  }

  observe(observer) {
    this.observers.push(observer);
    observer.observe(this.part.canvas);
  }

  // A browser with too many views takes a context away for good: a new canvas gets a new one.
  revive() {
    if (!this.lost || this.ended) return;
    const before = this.part.canvas, canvas = before.cloneNode();
    before.replaceWith(canvas);
    this.part.canvas = canvas;
    for (const wanted of this.listeners) {
      before.removeEventListener(...wanted);
      canvas.addEventListener(...wanted);
    }
    for (const observer of this.observers) {
      observer.disconnect();
      observer.observe(canvas);
    }
    this.bringBack(() => this.scene()?.open(canvas));
  }

  bringBack(build) {
    let failed;
    try {
      build();
      this.lost = false;
    } catch (error) {
      failed = error;
    }
    this.changed(failed);
  }

  end() {
    this.ended = true;
    for (const observer of this.observers) observer.disconnect();
    this.scene()?.gl.getExtension("WEBGL_lose_context")?.loseContext();
  }
}
