"""Which pieces of the furniture libraries are used, their class, and their place in the world."""

import re
from dataclasses import replace

import numpy as np

from train.objects.catalogue import Piece
from train.objects.obj import Mesh

CLASSES = (
    "chair", "sofa", "table", "storage", "lamp", "plant", "vehicle", "bed", "person",
    "appliance", "animal", "other",
)  # fmt: skip
UNSEEN_CLASSES = ("vehicle", "bed", "person", "animal")
# Thinner than this part of its longest side, a model is a picture, a rug or a card.
FLAT = 0.045
# Under this mean opacity over its area, a model is glass that a view hardly shows.
FAINT = 0.35
# Below half of the rasteriser's first step of 1/16 a surface is never drawn.
_INVISIBLE = 1 / 32

_FLAT_NAMES = (
    r"door|window|rug|carpet|doormat|bathmat|frame|curtain|blind|picture|railing|"
    r"plug|switch|socket|outlet"
)
# Name patterns in order: the first that matches decides.
_BY_NAME = (
    ("other", r"step ladder|table tennis bat|tablet|table fan|desktop|remote|ceiling fan|"
              r"dog house|doll house|abdominal|cardboard|letters box|medicine|bread box|mailbox|"
              r"changing|wheelchair|towel|emergency|tape"),
    ("table", r"bedside table"),
    ("lamp", r"(desk|table) lamp|lamps?\b|\blights?\b|lantern|lamppost|chandelier|spotlight"),
    ("bed", r"\bbed\b|\bcrib\b|\bfuton$|^opened convertible|mattress|hammock|sleeping bag"),
    ("sofa", r"sofa|couch"),
    ("chair", r"chair|stool|\bseat\b|^bench|\w+ bench\b|(little|wood) bank|lounge|^puff|ottoman"),
    ("storage", r"wardrobe|cabinet|cupboard|bookcase|shel(f|ves)|dresser|drawers|tv stand|locker|"
                r"^chest$|^crate$|^box$|^safe$|trunck|vanity|living room|^island( extension)?$|"
                r"^sink$"),
    ("table", r"table|\bdesk\b|workbench"),
    ("plant", r"plant|\btree\b|flowers?\b|tulip|lily|orchid|cactus|bamboo|yucca|hedge"),
)  # fmt: skip
# Models of what the unseen classes hold: to train on them would leak, to test on them is unclear.
_LOOKALIKES = (
    r"rocking horse|biplane|teddy|car model|toy train|^doll$|snowman|wheelchair|"
    r"^motorbike$|dog house|roasted chicken|wood toy|rowboat"
)


def classify(piece: Piece) -> str:
    """One of `CLASSES`, from the catalogue's category, name and tags."""
    name, tags = piece.name.lower(), {t.lower() for t in piece.tags}
    if piece.category == "Vehicles":
        return "vehicle"
    if piece.category == "Characters":
        return "animal" if "animal" in tags else "person"
    if name == "deer":
        return "animal"
    if piece.category == "Lights" and "candle" not in name:
        return "lamp"
    if tags & {"plant", "tree", "flowers"} and "bottle" not in name:
        return "plant"
    for group, pattern in _BY_NAME:
        if re.search(pattern, name):
            return group
    if tags & {"appliance", "electronics", "heating", "cooker"}:
        return "appliance"
    return "other"


def is_lookalike(piece: Piece) -> bool:
    """A toy or relative of the unseen classes that is filed elsewhere; no split uses it."""
    return classify(piece) not in UNSEEN_CLASSES and bool(
        re.search(_LOOKALIKES, piece.name.lower())
    )


def why_unused(piece: Piece) -> str | None:
    """The reason the catalogue gives to leave a piece out, or None."""
    if piece.door_or_window or piece.category == "Doors and windows":
        return "door or window"
    if re.search(rf"\b({_FLAT_NAMES})s?\b", piece.name.lower()) and "cabinet" not in piece.name:
        return "flat by name"
    return None


def normalise(mesh: Mesh) -> Mesh:
    """Visible triangles, centred on their bounding box, the farthest vertex at radius 1.

    Raises:
        ValueError: the model is flat, nearly invisible or has no surface; says which.
    """
    opacity = np.array([m.opacity for m in mesh.materials])[mesh.material]
    mesh, opacity = mesh.subset(opacity > _INVISIBLE), opacity[opacity > _INVISIBLE]
    if not len(mesh.positions):
        raise ValueError("invisible")
    points = mesh.positions.reshape(-1, 3)
    low, high = points.min(axis=0), points.max(axis=0)
    if (high - low).min() < FLAT * (high - low).max():
        raise ValueError("flat")
    edges = mesh.positions[:, 1:] - mesh.positions[:, :1]
    area = np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=-1)
    if np.average(opacity, weights=area) < FAINT:
        raise ValueError("faint")
    return fit_sphere(mesh)


def fit_sphere(mesh: Mesh) -> Mesh:
    """Centred on the bounding box, the farthest vertex at radius 1."""
    points = mesh.positions.reshape(-1, 3)
    centred = mesh.positions - (points.min(axis=0) + points.max(axis=0)) / 2
    radius = np.linalg.norm(centred, axis=-1).max()
    return replace(mesh, positions=centred / radius)
