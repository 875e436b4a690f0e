"""Furniture of a catalogue and models of a table, in one way: what is rendered and split."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from train.objects import catalogue, collection, furniture
from train.objects.catalogue import Piece
from train.objects.collection import Model
from train.objects.obj import Mesh

Entry = Piece | Model


def read_entries(sources: Path, models: Path | None = None) -> list[Entry]:
    """The furniture libraries, then the models of a folder, if one is given.

    Raises:
        ValueError: a library or the table is missing, or the table is wrong.
    """
    return [*catalogue.read_all(sources), *(collection.read_table(models) if models else ())]


def read(entry: Entry) -> tuple[Mesh, dict[str, Image.Image]]:
    """Triangles, y up, and the textures that their materials name.

    Raises:
        ValueError: the file cannot be read, or holds no triangles.
    """
    if isinstance(entry, Piece):
        return catalogue.read_mesh(entry)
    return collection.read_model(entry)


def classify(entry: Entry) -> str:
    """The class by which objects are split and scored."""
    return furniture.classify(entry) if isinstance(entry, Piece) else entry.category


def why_unused(entry: Entry) -> str | None:
    """The reason that the entry's own words give to leave it out, or None."""
    if isinstance(entry, Piece):
        return furniture.why_unused(entry)
    return collection.why_unused(entry)


def is_lookalike(entry: Entry) -> bool:
    """Whether it looks like an unseen class but is filed elsewhere; no split uses it."""
    if isinstance(entry, Piece):
        return furniture.is_lookalike(entry)
    return collection.is_lookalike(entry)
