"""A folder of GLB and OBJ models with a table that names them: whatever else is to be learnt from.

    models/objects.tsv        id, pack, kit, category, creator, licence; separated by tabs
    models/<id>.glb           or .obj, y up, in any units

An id is `<pack>/<name>`; a number at the end of the name only tells namesakes apart. Categories are
taken as they are, but for the few that `CLASS_OF` renames.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import trimesh
from PIL import Image

from train.objects.obj import FALLBACK_GREY, Material, Mesh

TABLE = "objects.tsv"
COLUMNS = ("id", "pack", "kit", "category", "creator", "licence")

CLASS_OF = {
    "kitchen/household": "household",
    "tool/weapon": "tool",
    "toy/game/music": "toy",
    "rock/mineral": "rock",
}
# Pieces of scenery: parts that nobody photographs, or shapes without a shape.
_SCENERY = (
    r"wall\w*|roof\w*|ramp\w*|poles?|floor\w*|road\w*|tiles?|path\w*|bracing|rails?|tracks?|"
    r"platform\w*|ground\w*|hills?|cliff\w*|supports?|rubble|rocks?\w*|stones?|mountains?|river|"
    r"planet|terrain|grass|fence\w*|barrier|chunks?|scene|corner\w*|pipes?|puddle|cloud|"
    r"movingplatform|slope|stairs?|beam|plank|debris|detail|fragment|projectile|bullet|lid|patch"
)
# What the unseen classes hold, filed elsewhere: to train on it would leak.
_LOOKALIKES = (
    r"bed\w*|person|people|character|man|woman|girl|boy|skeleton|zombie|ghost|vampire|knight|robot|"
    r"snowman|statue|doll|bear|suzanne|monkey|pets?|fish|shark|crab|lobster|turkey|chicken|duck|"
    r"cat|dog|horse|cow|pig|sheep|bird|dinosaur|dragon|monster|alien|enemy|bone|skull|animal|unit|"
    r"cage|mannequin|astronaut|mech|butterfly|bee|spider|snake|frog|turtle|whale|mattress|coffin"
)


@dataclass(frozen=True)
class Model:
    """One row of the table, and the file that it names."""

    object_id: str
    name: str
    category: str
    pack: str
    kit: str
    creator: str
    licence: str
    file: Path


def read_table(folder: Path) -> list[Model]:
    """All models of a folder, in the order of its table.

    Raises:
        ValueError: there is no table, a column is missing, an id is no `<pack>/<name>` or listed
            twice, or a model has no file.
    """
    path = folder / TABLE
    if not path.is_file():
        raise ValueError(f"no {TABLE} in {folder}; it has the columns {', '.join(COLUMNS)}")
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    found: dict[str, Model] = {}
    for row in rows:
        if missing := [name for name in COLUMNS if not row.get(name)]:
            raise ValueError(f"{path} has a row without {', '.join(missing)}: {row}")
        pack, _, name = row["id"].partition("/")
        if not re.fullmatch(r"[\w-]+", pack) or not re.fullmatch(r"[\w.-]+", name):
            raise ValueError(f"{path}: an id reads pack/name, got {row['id']!r}")
        if row["id"] in found:
            raise ValueError(f"{path} lists {row['id']} twice")
        files = [p for p in (folder / f"{row['id']}{end}" for end in (".glb", ".obj"))]
        existing = next((file for file in files if file.is_file()), None)
        if existing is None:
            raise ValueError(f"{path} lists {row['id']}, but there is no {files[0]} or .obj")
        found[row["id"]] = Model(
            object_id=f"{pack}.{name}",
            name=re.sub(r"-\d+$", "", name).replace("-", " "),
            category=CLASS_OF.get(row["category"], row["category"]),
            pack=row["pack"],
            kit=row["kit"],
            creator=row["creator"],
            licence=row["licence"],
            file=existing,
        )
    return list(found.values())


def why_unused(model: Model) -> str | None:
    """The reason that category and name give to leave a model out, or None."""
    if model.category == "rock" or re.search(rf"\b({_SCENERY})\b", model.name):
        return "scenery"
    return None


def is_lookalike(model: Model) -> bool:
    """Something that belongs to an unseen class by its name, whatever its category."""
    return bool(re.search(rf"\b({_LOOKALIKES})\b", model.name))


def family_keys(model: Model) -> set[Hashable]:
    """What near-duplicates share: a kit's numbered, lettered and coloured series have one name."""
    return {("model", model.kit, _series(model.name))}


# Sizes, colours, states and positions, and letters that count.
_VARIED = (
    r"\d+|[a-z]|black|white|red|green|blue|yellow|orange|purple|pink|beige|gr[ea]y|brown|gold|"
    r"silver|color\d*|colour\d*|small|big|large|mini|high|low|long|short|wide|tall|thin|thick|half|"
    r"single|double|open|closed|empty|full|left|right|front|back|dark|light|decorated|gltf|obj|"
    r"transformed|mat|harvested|crop|cut|whole|slice|sliced|cooked|raw|burned|level\d|"
    r"firstage|secondage|snow|snowy|autumn|dead"
)


def _series(name: str) -> str:
    words = [re.sub(r"\d+$", "", word) for word in name.lower().split()]
    kept = [word for word in words if word and not re.fullmatch(_VARIED, word)]
    return " ".join(kept) or name


def read_model(model: Model) -> tuple[Mesh, dict[str, Image.Image]]:
    """Triangles with their textures, in the units of the file.

    Raises:
        ValueError: the file holds no triangles, or cannot be read.
    """
    try:
        scene = trimesh.load_scene(model.file, process=False)
        parts = [part for part in scene.dump() if isinstance(part, trimesh.Trimesh)]
    except Exception as error:  # trimesh raises what its parsers raise
        raise ValueError(f"cannot read {model.file}: {error}") from error
    parts = [part for part in parts if len(part.faces)]
    if not parts:
        raise ValueError("no triangles")
    textures: dict[str, Image.Image] = {}
    materials, positions, normals, uvs = [], [], [], []
    for part in parts:
        faces = part.faces
        uv = getattr(part.visual, "uv", None)
        material, image = _material(part, name=f"part {len(materials)}")
        if image is not None and uv is not None:
            textures[material.name] = image
            material = Material(material.name, opacity=material.opacity, texture=material.name)
        materials.append(material)
        positions.append(part.vertices[faces])
        normals.append(part.vertex_normals[faces])
        uvs.append(np.zeros((len(faces), 3, 2)) if uv is None else uv[faces])
    index = np.repeat(np.arange(len(parts)), [len(part.faces) for part in parts])
    mesh = Mesh(
        *(np.concatenate(x).astype(np.float32) for x in (positions, normals, uvs)),
        index,
        tuple(materials),
    )
    return mesh, textures


def _material(part: trimesh.Trimesh, *, name: str) -> tuple[Material, Image.Image | None]:
    """Colour and texture of a part, whichever of trimesh's materials it has."""
    visual = part.visual
    if not isinstance(visual, trimesh.visual.TextureVisuals):
        red, green, blue, alpha = (float(x) / 255 for x in visual.main_color)
        return Material(name, diffuse=(red, green, blue), opacity=alpha), None
    material = visual.material
    image = getattr(material, "baseColorTexture", None) or getattr(material, "image", None)
    rgba = getattr(material, "baseColorFactor", None)
    if rgba is None:
        rgba = getattr(material, "diffuse", None)
    if rgba is None:
        return Material(name, diffuse=FALLBACK_GREY), image
    red, green, blue, alpha = (float(x) / 255 for x in np.append(rgba, 255)[:4])
    return Material(name, diffuse=(red, green, blue), opacity=alpha), image
