"""Classes, exclusions and normalisation."""

from pathlib import Path

import numpy as np
import pytest

from train.objects.catalogue import Piece
from train.objects.furniture import (
    CLASSES,
    UNSEEN_CLASSES,
    classify,
    is_lookalike,
    normalise,
    why_unused,
)
from train.objects.obj import Material, Mesh
from train.report.credits import render_credits


def piece(name: str, category: str = "Living room", tags: str = "", **fields) -> Piece:
    values = {
        "object_id": "scopia-x",
        "name": name,
        "category": category,
        "tags": tuple(t for t in tags.split(",") if t),
        "creator": "Scopia",
        "library": "Scopia",
        "archive": Path("Scopia.sh3f"),
        "model": "x.obj",
        "rotation": (1, 0, 0, 0, 1, 0, 0, 0, 1),
        "door_or_window": False,
    }
    return Piece(**(values | fields))


@pytest.mark.parametrize(
    ("name", "category", "tags", "expected"),
    [
        ("Armchair", "Office", "Seat", "chair"),
        ("Seat Leon", "Vehicles", "Car", "vehicle"),
        ("Bedside table", "Bedroom", "Nightstand", "table"),
        ("Desk lamp", "Lights", "", "lamp"),
        ("Opened convertible sofa BZ", "Bedroom", "Bed", "bed"),
        ("Convertible sofa BZ", "Bedroom", "Bed", "sofa"),
        ("Spray bottle", "Exterior", "Plant", "other"),
        ("Acacia", "Exterior", "Tree", "plant"),
        ("Horse", "Characters", "Animal,Stable", "animal"),
        ("Boy", "Characters", "Human", "person"),
        ("Dog house", "Exterior", "Animal", "other"),
        ("Abdominal bench", "Miscellaneous", "Sport", "other"),
        ("Table tennis bat", "Miscellaneous", "Game", "other"),
        ("Radiator", "Miscellaneous", "Heating", "appliance"),
        ("Sink cabinet", "Kitchen", "Cupboard", "storage"),
    ],
)
def test_classes(name: str, category: str, tags: str, expected: str) -> None:
    assert classify(piece(name, category, tags)) == expected


def test_unseen_classes_are_classes() -> None:
    assert set(UNSEEN_CLASSES) < set(CLASSES)


def test_toys_of_unseen_classes_are_noticed() -> None:
    assert is_lookalike(piece("Toy train", "Bedroom", "Toy"))
    assert not is_lookalike(piece("Motorbike", "Vehicles"))  # one of them, not like them
    assert not is_lookalike(piece("Doll house", "Bedroom", "Toy"))


def test_flat_things_are_left_out_by_name_and_kind() -> None:
    assert why_unused(piece("Round carpet")) == "flat by name"
    assert why_unused(piece("Elevator", door_or_window=True)) == "door or window"
    assert why_unused(piece("Glass door cabinet")) is None
    assert why_unused(piece("Drawer")) is None


def tetrahedron(opacity: float = 1.0, *, thickness: float = 4.0) -> Mesh:
    vertices = np.array([(2, 0, 0), (6, 0, 0), (2, 4, 0), (2, 0, thickness)], dtype=np.float32)
    faces = np.array([(0, 1, 2), (0, 1, 3), (0, 2, 3), (1, 2, 3)])
    return Mesh(
        vertices[faces],
        np.ones((4, 3, 3), dtype=np.float32),
        np.zeros((4, 3, 2), dtype=np.float32),
        np.array([0, 0, 0, 1]),
        (Material("a", opacity=opacity), Material("b", opacity=opacity)),
    )


def test_a_model_is_centred_on_its_box_and_touches_the_unit_sphere() -> None:
    points = normalise(tetrahedron()).positions.reshape(-1, 3)
    np.testing.assert_allclose(points.min(axis=0), -points.max(axis=0), atol=1e-6)
    # Half sides 2, 2, 2: the farthest vertex of the box that exists is (2, −2, −2) of length √12.
    assert np.linalg.norm(points, axis=-1).max() == pytest.approx(1.0)
    assert points.max() == pytest.approx(2 / np.sqrt(12))


def test_invisible_faces_do_not_count() -> None:
    mesh = tetrahedron()
    ghost = Mesh(
        mesh.positions, mesh.normals, mesh.uvs, mesh.material,
        (mesh.materials[0], Material("b", opacity=0.0)),
    )  # fmt: skip
    assert len(normalise(ghost).positions) == 3


@pytest.mark.parametrize(
    ("mesh", "reason"),
    [
        (tetrahedron(thickness=0.1), "flat"),
        (tetrahedron(0.1), "faint"),
        (tetrahedron(0.0), "invisible"),
    ],
)
def test_unusable_models_are_refused_with_the_reason(mesh: Mesh, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        normalise(mesh)


def test_credits_name_model_author_library_and_licence() -> None:
    text = render_credits([piece("Table", creator="A. Maker")])
    assert "### Scopia: 1 models, [CC BY 3.0]" in text
    assert "| Table | A. Maker | `scopia-x` |" in text
    assert "Apache License 2.0" in text and "Reallusion:" not in text
