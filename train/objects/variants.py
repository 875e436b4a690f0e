"""Objects that nobody modelled: the training objects in other proportions and other colours.

A few hundred objects are soon known by heart, each of them in one shape. A chair that is taller,
wider and red is still a chair, so it is rendered too and counts as another object to learn from.
Only training objects are varied; nothing that is scored ever is.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

import numpy as np
from PIL import Image

from train.objects.obj import Mesh

MARK = "+"
"""Between an object's id and the number of its variant, which begins at 1."""

STRETCH = 1.5
"""Largest factor by which one axis is stretched or pressed beside another's."""

LIGHTNESS = (0.6, 1.25)
"""Factors between which a variant is darker or lighter than the original."""

Textures = dict[str, Image.Image]


def variant_id(object_id: str, number: int) -> str:
    """Name of an object's variant; the object itself is number 0."""
    return f"{object_id}{MARK}{number}" if number else object_id


def original_id(object_id: str) -> str:
    """The object of which this is a variant, or the object itself."""
    return object_id.partition(MARK)[0]


def vary(mesh: Mesh, textures: Textures, *, name: str) -> tuple[Mesh, Textures]:
    """Another object of the same kind, fixed by the name of the variant.

    Each axis is stretched by a factor of its own between 1/√1.5 and √1.5, log-uniform. Each
    material, with its texture, has its colour channels in a random order, and all of them
    together are made darker or lighter. Greys stay grey.

    Args:
        mesh: of the object; normals need not have unit length.
        textures: RGB or RGBA pictures by the path in the materials.

    Returns:
        New values; the arguments are left alone.
    """
    rng = np.random.default_rng(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big"))
    factors = STRETCH ** rng.uniform(-0.5, 0.5, 3).astype(np.float32)
    lightness = rng.uniform(*LIGHTNESS)
    materials, painted = [], {}
    for material in mesh.materials:
        order = rng.permutation(3)
        varied = replace(material, diffuse=_recolour(material.diffuse, order, lightness))
        if material.texture in textures:
            # Two materials may share a texture and yet be coloured differently.
            path = f"{material.texture}#{len(painted)}"
            painted[path] = _repaint(textures[material.texture], order, lightness)
            varied = replace(varied, texture=path)
        materials.append(varied)
    # Normals are covectors: they are pressed where the surface is stretched.
    normals = mesh.normals / factors
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True).clip(1e-12)
    varied_mesh = replace(
        mesh, positions=mesh.positions * factors, normals=normals, materials=tuple(materials)
    )
    return varied_mesh, painted


def _recolour(
    diffuse: tuple[float, float, float], order: np.ndarray, lightness: float
) -> tuple[float, float, float]:
    red, green, blue = (min(1.0, diffuse[k] * lightness) for k in order)
    return red, green, blue


def _repaint(image: Image.Image, order: np.ndarray, lightness: float) -> Image.Image:
    pixels = np.asarray(image.convert("RGBA")).astype(np.float32)
    pixels[..., :3] = pixels[..., order] * lightness
    return Image.fromarray(pixels.clip(0, 255).round().astype(np.uint8))
