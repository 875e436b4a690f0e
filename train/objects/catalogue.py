"""The Sweet Home 3D furniture libraries: catalogue entries, our classes, reading a model.

A library is a zip (`.sh3f`) of OBJ models and a properties file that lists them.
"""

import re
import zipfile
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path, PurePosixPath

import numpy as np
from PIL import Image

from train.objects.obj import FALLBACK_GREY, Material, Mesh, parse_obj

LICENCES = {
    "KatorLegaz": "CC BY 3.0 US",
    "Reallusion": "CC BY 3.0 US",
    "Scopia": "CC BY 3.0",
    "BlendSwap-CC-BY": "CC BY 3.0",
    "BlendSwap-CC-0": "CC0 1.0",
}
CATALOGUE = "PluginFurnitureCatalog.properties"


@dataclass(frozen=True)
class Piece:
    """One catalogue entry. `rotation` turns the model into the room's axes: y up, front to +z."""

    object_id: str
    name: str
    category: str
    tags: tuple[str, ...]
    creator: str
    library: str
    archive: Path
    model: str
    rotation: tuple[float, ...]
    door_or_window: bool

    @property
    def licence(self) -> str:
        return LICENCES[self.library]


def slug(text: str) -> str:
    """Lower-case letters, digits and single hyphens only: safe in a file name."""
    words = re.sub(r"([a-z])([A-Z])", r"\1-\2", text).lower()
    return re.sub(r"[^a-z0-9]+", "-", words).strip("-")


def read_properties(text: str) -> dict[str, str]:
    """Java properties, as far as catalogues use them: `key=value` lines and `\\uXXXX` escapes."""
    found = {}
    for line in text.splitlines():
        key, separator, value = line.strip().partition("=")
        if separator and not key.startswith("#"):
            unescape = re.sub(r"\\u([0-9a-fA-F]{4})", lambda m: chr(int(m[1], 16)), value)
            found[key.strip()] = unescape.strip()
    return found


def read_catalogue(archive: Path) -> list[Piece]:
    """Entries of one library in the order of its catalogue.

    Raises:
        ValueError: the archive is no known library, or two entries share an identifier.
    """
    library = archive.stem
    if library not in LICENCES:
        raise ValueError(f"{archive} is not one of the libraries {', '.join(LICENCES)}")
    with zipfile.ZipFile(archive) as files:
        entries = read_properties(files.read(CATALOGUE).decode("latin-1"))
    pieces = []
    for number in (key.removeprefix("id#") for key in entries if key.startswith("id#")):
        field = {k: entries.get(f"{k}#{number}", "") for k in _FIELDS}
        rotation = [float(x) for x in field["modelRotation"].split()] or list(np.eye(3).flat)
        pieces.append(
            Piece(
                object_id=f"{slug(library)}-{slug(field['id'].partition('#')[2])}",
                name=field["name"],
                category=field["category"],
                tags=tuple(t.strip() for t in field["tags"].split(",") if t.strip()),
                creator=field["creator"],
                library=library,
                archive=archive,
                model=field["model"].lstrip("/"),
                rotation=tuple(rotation),
                door_or_window=field["doorOrWindow"] == "true",
            )
        )
    ids = [p.object_id for p in pieces]
    if len(set(ids)) != len(ids):
        raise ValueError(f"{archive} lists the same object twice: {_repeated(ids)}")
    return pieces


_FIELDS = "id name category tags creator model modelRotation doorOrWindow".split()


def _repeated(ids: list[str]) -> list[str]:
    return sorted({i for i in ids if ids.count(i) > 1})


def read_all(sources: Path) -> list[Piece]:
    """Entries of all five libraries under the folder that `train.sources.fetch` fills.

    Raises:
        ValueError: a library is missing.
    """
    folder = sources / "furniture"
    missing = [name for name in LICENCES if not (folder / f"{name}.sh3f").is_file()]
    if missing:
        raise ValueError(f"no {missing[0]}.sh3f in {folder}; run: python -m train.sources.fetch")
    return [piece for name in LICENCES for piece in read_catalogue(folder / f"{name}.sh3f")]


def read_mesh(piece: Piece) -> tuple[Mesh, dict[str, Image.Image]]:
    """The model in the room's axes (y up, front to +z), in the units of its file.

    Returns:
        The mesh, whose materials name only textures that exist, and those textures (RGBA).
    """
    with zipfile.ZipFile(piece.archive) as files:
        names = {name.lower(): name for name in files.namelist()}
        folder = PurePosixPath(piece.model).parent

        def find(path: str) -> str | None:
            """By its path beside the model, else by its bare name there: some materials name
            the author's own disk."""
            tries = (folder / path, folder / PurePosixPath(path).name)
            return next((names[str(t).lower()] for t in tries if str(t).lower() in names), None)

        def load_mtl(name: str) -> str | None:
            found = find(name)
            return files.read(found).decode("latin-1") if found else None

        mesh = parse_obj(files.read(piece.model).decode("latin-1").splitlines(), load_mtl)
        textures = {}
        for material in mesh.materials:
            found = find(material.texture) if material.texture else None
            if material.texture and found:
                with Image.open(BytesIO(files.read(found))) as image:
                    textures[material.texture] = image.convert("RGBA")
    return _turn(_without_dead_textures(mesh, textures), piece.rotation), textures


def _without_dead_textures(mesh: Mesh, textures: dict[str, Image.Image]) -> Mesh:
    def alive(material: Material) -> Material:
        if material.texture is None or material.texture in textures:
            return material
        black = max(material.diffuse) < 0.05
        colour = FALLBACK_GREY if black else material.diffuse
        return replace(material, diffuse=colour, texture=None)

    return replace(mesh, materials=tuple(alive(m) for m in mesh.materials))


def _turn(mesh: Mesh, rotation: tuple[float, ...]) -> Mesh:
    matrix = np.array(rotation, dtype=np.float32).reshape(3, 3)
    return replace(mesh, positions=mesh.positions @ matrix.T, normals=mesh.normals @ matrix.T)
