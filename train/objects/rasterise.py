"""Triangles → RGBA views, with OpenGL on no screen (EGL): a GPU's, or Mesa's software one.

Shading is Lambert under lights that stand still with the object, so a point has one colour from
everywhere, as a field without view direction needs.
"""

from types import TracebackType

import moderngl
import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from train.objects.obj import PALETTE_ROWS, Mesh

# Transparency without sorting: each of the 4×4 samples of a pixel has a threshold, a surface
# covers those below its opacity. Two materials use different orders, so that one behind the other
# shows through.
SUPERSAMPLE = 4
MAX_TEXTURE = 1024
_NEAR, _FAR = 1.5, 4.5

_VERTEX = """
#version 330
uniform mat4 world_to_clip;
in vec3 position; in vec3 normal; in vec2 uv;
out vec3 v_position; out vec3 v_normal; out vec2 v_uv;
void main() {
    v_position = position; v_normal = normal; v_uv = uv;
    gl_Position = world_to_clip * vec4(position, 1.0);
}
"""

# The normal is turned to the side of the face that is seen: the winding of the models cannot be
# trusted. The face's own normal comes from screen derivatives.
_FRAGMENT = """
#version 330
uniform vec3 camera; uniform vec4 diffuse; uniform bool textured; uniform sampler2D map;
uniform int order_step; uniform int order_start;
in vec3 v_position; in vec3 v_normal; in vec2 v_uv;
out vec4 colour;
const int BAYER[16] = int[16](0, 8, 2, 10, 12, 4, 14, 6, 3, 11, 1, 9, 15, 7, 13, 5);
void main() {
    vec4 surface = diffuse;
    if (textured) surface = vec4(1.0, 1.0, 1.0, diffuse.a) * texture(map, v_uv);
    ivec2 cell = ivec2(gl_FragCoord.xy) & 3;
    int rank = (BAYER[cell.y * 4 + cell.x] * order_step + order_start) & 15;
    if (surface.a * 16.0 < float(rank) + 0.5) discard;
    vec3 outward = camera - v_position;
    vec3 face = cross(dFdx(v_position), dFdy(v_position));
    face *= sign(dot(face, outward));
    vec3 n = normalize(v_normal);
    if (dot(n, face) < 0.0) n = -n;
    float sky = 0.5 + 0.5 * n.y;
    float key = max(dot(n, normalize(vec3(0.35, 0.85, 0.40))), 0.0);
    float fill = max(dot(n, normalize(vec3(-0.75, 0.20, -0.35))), 0.0);
    float light = 0.40 + 0.22 * sky + 0.42 * key + 0.14 * fill;
    colour = vec4(min(surface.rgb * light, vec3(1.0)), 1.0);
}
"""

_QUAD = """
#version 330
in vec2 corner;
void main() { gl_Position = vec4(corner, 0.0, 1.0); }
"""

# Every sample is opaque or empty and an empty one is black, so the plain sum is premultiplied.
_SHRINK = """
#version 330
uniform sampler2D samples; uniform ivec2 origin; uniform int factor;
out vec4 colour;
void main() {
    ivec2 start = (ivec2(gl_FragCoord.xy) - origin) * factor;
    vec4 total = vec4(0.0);
    for (int y = 0; y < factor; y++)
        for (int x = 0; x < factor; x++)
            total += texelFetch(samples, start + ivec2(x, y), 0);
    colour = vec4(total.rgb / max(total.a, 1.0), total.a / float(factor * factor));
}
"""


class Rasteriser:
    """Renders meshes into square RGBA views. A context manager: it owns an OpenGL context.

    Args:
        size: pixels a side.
        fov_deg: horizontal and vertical field of view.

    Raises:
        RuntimeError: this machine has no EGL.
    """

    def __init__(self, size: int = 128, fov_deg: float = 40.0) -> None:
        try:
            self._gl = moderngl.create_context(standalone=True, backend="egl")
        except Exception as error:  # moderngl raises bare Exception
            raise RuntimeError(
                f"no OpenGL without a screen on this machine ({error}); "
                "on Debian: apt-get install libegl1 libegl-mesa0 libgl1-mesa-dri"
            ) from error
        self.size = size
        self._projection = perspective(fov_deg)
        self._scene = self._gl.program(vertex_shader=_VERTEX, fragment_shader=_FRAGMENT)
        self._shrink = self._gl.program(vertex_shader=_QUAD, fragment_shader=_SHRINK)
        fine = (size * SUPERSAMPLE, size * SUPERSAMPLE)
        self._samples = self._gl.texture(fine, 4)
        self._target = self._gl.framebuffer([self._samples], self._gl.depth_renderbuffer(fine))
        quad = self._gl.buffer(np.array([-1, -1, 1, -1, -1, 1, 1, 1], dtype="f4").tobytes())
        self._quad = self._gl.vertex_array(self._shrink, [(quad, "2f", "corner")])

    def __enter__(self) -> "Rasteriser":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._gl.release()

    def render(
        self,
        mesh: Mesh,
        poses: Float[np.ndarray, "n 4 4"],
        textures: dict[str, Image.Image] | None = None,
    ) -> UInt8[np.ndarray, "n size size 4"]:
        """Views of a mesh that fits the unit sphere, from cameras about 3 from the origin.

        Args:
            mesh: triangles; winding and the sign of normals do not matter.
            poses: camera to world, OpenGL axes (x right, y up, looking along −z).
            textures: RGBA pictures by the path in the materials.

        Returns:
            Views with straight alpha, row 0 at the top; colour is 0 where alpha is 0.
        """
        order = np.argsort(mesh.material, kind="stable")
        data = np.concatenate([mesh.positions, mesh.normals, mesh.uvs], axis=-1)[order]
        buffer = self._gl.buffer(np.ascontiguousarray(data, dtype="f4").tobytes())
        layout = [(buffer, "3f 3f 2f", "position", "normal", "uv")]
        array = self._gl.vertex_array(self._scene, layout)
        maps = {path: self._upload(image) for path, image in (textures or {}).items()}
        sheet = self._gl.texture((self.size, self.size * len(poses)), 4)
        output = self._gl.framebuffer([sheet])
        try:
            for index, pose in enumerate(poses):
                self._draw(array, mesh, pose, maps)
                self._reduce(output, index)
            pixels = np.frombuffer(output.read(components=4), dtype=np.uint8)
        finally:
            for thing in (array, buffer, output, sheet, *maps.values()):
                thing.release()
        # OpenGL's row 0 is the bottom one.
        return pixels.reshape(len(poses), self.size, self.size, 4)[:, ::-1].copy()

    def _upload(self, image: Image.Image) -> moderngl.Texture:
        image = image.convert("RGBA").transpose(Image.Transpose.FLIP_TOP_BOTTOM)
        palette = min(image.size) <= PALETTE_ROWS
        if not palette:
            image.thumbnail((MAX_TEXTURE, MAX_TEXTURE))
        texture = self._gl.texture(image.size, 4, image.tobytes())
        if palette:
            texture.filter = (moderngl.NEAREST, moderngl.NEAREST)
            return texture
        texture.build_mipmaps()
        texture.filter = (moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR)
        return texture

    def _draw(
        self,
        array: moderngl.VertexArray,
        mesh: Mesh,
        pose: Float[np.ndarray, "4 4"],
        maps: dict[str, moderngl.Texture],
    ) -> None:
        self._target.use()
        self._target.clear()
        self._gl.enable_only(moderngl.DEPTH_TEST)
        clip = self._projection @ np.linalg.inv(pose.astype(np.float64))
        self._scene["world_to_clip"].write(clip.T.astype("f4").tobytes())
        self._scene["camera"].value = tuple(pose[:3, 3])
        counts = np.bincount(mesh.material, minlength=len(mesh.materials))
        first = 0
        for index, material in enumerate(mesh.materials):
            texture = maps.get(material.texture or "")
            if texture:
                texture.use(0)
            self._scene["textured"].value = texture is not None
            self._scene["diffuse"].value = (*material.diffuse, material.opacity)
            self._scene["order_step"].value = 1 + 2 * (index % 8)  # odd: a permutation of 0…15
            self._scene["order_start"].value = 7 * index % 16
            array.render(moderngl.TRIANGLES, int(counts[index]) * 3, first=first)
            first += int(counts[index]) * 3

    def _reduce(self, output: moderngl.Framebuffer, index: int) -> None:
        output.use()
        origin = (0, index * self.size)
        output.viewport = (*origin, self.size, self.size)
        self._gl.disable(moderngl.DEPTH_TEST)
        self._samples.use(0)
        self._shrink["origin"].value = origin
        self._shrink["factor"].value = SUPERSAMPLE
        self._quad.render(moderngl.TRIANGLE_STRIP)


def perspective(fov_deg: float) -> Float[np.ndarray, "4 4"]:
    """OpenGL projection of a square view, depths around the fixed camera distance."""
    focal = 1.0 / np.tan(np.radians(fov_deg) / 2)
    depth = _NEAR - _FAR
    return np.array(
        [
            [focal, 0, 0, 0],
            [0, focal, 0, 0],
            [0, 0, (_FAR + _NEAR) / depth, 2 * _FAR * _NEAR / depth],
            [0, 0, -1, 0],
        ]
    )
