#version 300 es
// The march of hyperdemo/render/march.py, a pixel at a time: midpoints between entry to and exit
// from the unit sphere, alpha = 1 - exp(-density * delta), `ground` behind. Axes and lengths are in
// grid units (nodes apart) where the name does not say world.
precision highp float;
precision highp int;
precision highp sampler3D;
precision highp usampler3D;

uniform sampler3D density; // 1/world unit
uniform sampler3D colour;
uniform usampler3D skip; // distance of each block to the nearest with density, in blocks
uniform float side; // nodes along an axis
uniform int block; // nodes along the side of a block
uniform float steps; // samples along a diameter
uniform mat3 pose; // columns right, up, backwards
uniform float distance_; // of the camera from the origin, in world units
uniform float reach; // tangent of half the field of view
uniform vec3 panel; // left, bottom and side in pixels
uniform vec3 ground; // colour behind; white where errors are shown
uniform int mode; // 0 colour, 1 depth, 2 surface normals, 3 error against the truth
uniform sampler2D truth; // square views in a row
uniform vec2 view; // which of them, and of how many

out vec4 seen;

const float MIN_TRANSMITTANCE = 1e-3;

// Steps until the ray leaves the slab of empty blocks around this one, for each axis.
vec3 wayOut(vec3 at, vec3 stride, ivec3 cell, int empty) {
  vec3 above = vec3((cell + empty) * block), below = vec3((cell - empty + 1) * block);
  vec3 wall = mix(below, above, greaterThan(stride, vec3(0.0)));
  return mix((wall - at) / stride, vec3(1e30), equal(stride, vec3(0.0)));
}

// The outward normal of the density in the camera's axes, at a place in grid units.
vec3 normalAt(vec3 at) {
  vec3 slope;
  for (int axis = 0; axis < 3; axis++) {
    vec3 step_ = vec3(0.0);
    step_[axis] = 1.5;
    slope[axis] = texture(density, (at + step_ + 0.5) / side).r - texture(density, (at - step_ + 0.5) / side).r;
  }
  return -normalize(slope + 1e-9) * pose;
}

// Mean absolute error of the colours: white where there is none, dark red from a half on.
vec4 errorOf(vec3 rgb) {
  vec2 at = (gl_FragCoord.xy - panel.xy) / panel.z;
  vec3 known = texture(truth, vec2((at.x + view.x) / view.y, 1.0 - at.y)).rgb;
  vec3 apart = abs(rgb - known);
  float error = clamp((apart.r + apart.g + apart.b) / 1.5, 0.0, 1.0);
  return vec4(mix(vec3(1.0), vec3(0.6, 0.05, 0.1), sqrt(error)), 1.0);
}

void main() {
  vec2 point = (2.0 * (gl_FragCoord.xy - panel.xy) / panel.z - 1.0) * reach;
  vec3 ray = normalize(pose * vec3(point, -1.0)), eye = distance_ * pose[2];
  seen = vec4(ground, 1.0);
  float middle = -dot(eye, ray), inside = 1.0 - dot(eye, eye) + middle * middle;
  if (mode == 3) seen = errorOf(ground);
  if (inside <= 0.0) return;
  float near = max(middle - sqrt(inside), 0.0), far = max(middle + sqrt(inside), 0.0);
  int count = int(ceil((far - near) * 0.5 * steps));
  if (count == 0) return;

  float delta = (far - near) / float(count), half_ = 0.5 * (side - 1.0); // delta in world units
  vec3 first = (eye + ray * (near + 0.5 * delta) + 1.0) * half_, stride = ray * delta * half_;
  ivec3 top = ivec3(int(side) - 2);
  vec3 light = vec3(0.0);
  float left = 1.0, far_ = 0.0;
  for (int n = 0; n < count && left > MIN_TRANSMITTANCE; n++) {
    vec3 at = first + float(n) * stride;
    ivec3 cell = clamp(ivec3(at), ivec3(0), top) / block;
    int empty = int(texelFetch(skip, cell, 0).r);
    if (empty > 0) {
      vec3 out_ = wayOut(at, stride, cell, empty);
      n += int(max(min(out_.x, min(out_.y, out_.z)), 0.0));
      continue;
    }
    vec3 place = (at + 0.5) / side;
    float through = exp(-delta * texture(density, place).r);
    light += left * (1.0 - through) * texture(colour, place).rgb;
    far_ += left * (1.0 - through) * (near + (float(n) + 0.5) * delta);
    left *= through;
  }
  float opacity = 1.0 - left, mean = far_ / max(opacity, 1e-6);
  if (mode == 1) light = opacity * vec3(0.92 * clamp((mean - distance_ + 1.0) * 0.5, 0.0, 1.0));
  if (mode == 2) light = opacity * (0.5 + 0.5 * normalAt((eye + mean * ray + 1.0) * half_));
  seen = vec4(light + left * ground, 1.0);
  if (mode == 3) seen = errorOf(seen.rgb);
}
