"""A folder of models with a table: its rows, what is left out, and what the files hold."""

import numpy as np
import pytest
import trimesh
from PIL import Image

from train.objects.collection import (
    Model,
    family_keys,
    is_lookalike,
    read_model,
    read_table,
    why_unused,
)
from train.view.batches import FURNITURE_PACK, pack_of

ROW = {
    "id": "toys/red-car-12",
    "pack": "toys",
    "kit": "first",
    "category": "vehicle",
    "creator": "A. Maker",
    "licence": "CC0 1.0",
}


def write_table(folder, *rows):
    lines = ["\t".join(ROW), *("\t".join((ROW | row).values()) for row in rows)]
    (folder / "objects.tsv").write_text("\n".join(lines) + "\n")


def write_box(path, *, colours=((255, 0, 0), (0, 0, 255))):
    """Two boxes, one above the other, each of its own colour of a palette of two rows."""
    image = Image.new("RGB", (2, 2))
    for column, colour in enumerate(colours):
        for row in range(2):
            image.putpixel((column, row), colour)
    scene = trimesh.Scene()
    material = trimesh.visual.material.PBRMaterial(baseColorTexture=image)
    for k in range(2):
        box = trimesh.creation.box((1, 1, 1))
        uv = np.tile([0.25 + 0.5 * k, 0.5], (len(box.vertices), 1))
        box.visual = trimesh.visual.TextureVisuals(uv=uv, material=material)
        scene.add_geometry(box, transform=trimesh.transformations.translation_matrix((0, 2 * k, 0)))
    path.parent.mkdir(parents=True, exist_ok=True)
    scene.export(path)


def model(**changes):
    return Model(
        **{
            "object_id": "toys.car", "name": "car", "category": "vehicle", "pack": "toys",
            "kit": "first", "creator": "A. Maker", "licence": "CC0 1.0", "file": None,
        }
        | changes
    )  # fmt: skip


def test_a_row_names_its_file_its_makers_and_its_class(tmp_path):
    write_table(tmp_path, {}, {"id": "toys/axe", "category": "tool/weapon"})
    write_box(tmp_path / "toys" / "red-car-12.glb")
    (tmp_path / "toys" / "axe.obj").write_text("v 0 0 0\nv 1 0 0\nv 0 1 1\nf 1 2 3\n")
    car, axe = read_table(tmp_path)
    assert (car.object_id, car.name, car.category) == ("toys.red-car-12", "red car", "vehicle")
    assert (car.creator, car.licence, car.kit) == ("A. Maker", "CC0 1.0", "first")
    assert (axe.category, axe.file.name) == ("tool", "axe.obj")
    assert pack_of(car.object_id) == "toys" and pack_of("scopia-chair") == FURNITURE_PACK


@pytest.mark.parametrize(
    "rows, message",
    [
        (None, "no objects.tsv"),
        ([{}, {}], "lists toys/red-car-12 twice"),
        ([{"id": "toys/gone"}], r"there is no .*gone.glb or .obj"),
        ([{"id": "../etc/passwd"}], "an id reads pack/name"),
        ([{"id": "car"}], "an id reads pack/name"),
        ([{"licence": ""}], "a row without licence"),
    ],
)
def test_a_table_that_is_wrong_is_refused(tmp_path, rows, message):
    write_box(tmp_path / "toys" / "red-car-12.glb")
    if rows is not None:
        write_table(tmp_path, *rows)
    with pytest.raises(ValueError, match=message):
        read_table(tmp_path)


def test_scenery_and_rocks_are_left_out_and_unseen_classes_told_by_name():
    assert why_unused(model(name="wallblock half")) == why_unused(model(category="rock"))
    assert why_unused(model(name="wardrobe")) is None
    assert is_lookalike(model(name="cube pets dog")) and is_lookalike(model(name="bedroll"))
    assert not is_lookalike(model(name="hotdog stand"))


def test_a_series_of_a_kit_is_one_family():
    keys = [
        family_keys(model(name=name))
        for name in ("tree 1 a color1", "tree 2", "tree dead b", "tree pine", "b")
    ]
    assert keys[0] == keys[1] == keys[2]
    assert len({key for found in keys for key in found}) == 3
    assert family_keys(model(name="tree", kit="other")) != keys[0]


def test_a_glb_keeps_places_normals_and_colours(tmp_path):
    write_box(tmp_path / "two.glb")
    mesh, textures = read_model(model(file=tmp_path / "two.glb"))
    assert mesh.positions.shape == mesh.normals.shape == (24, 3, 3)
    assert mesh.positions.reshape(-1, 3).min(0) == pytest.approx([-0.5, -0.5, -0.5])
    assert mesh.positions.reshape(-1, 3).max(0) == pytest.approx([0.5, 2.5, 0.5])
    for low, colour in ((True, (255, 0, 0)), (False, (0, 0, 255))):
        below = mesh.positions[:, :, 1].max(1) < 1
        chosen = below if low else ~below
        [material] = {mesh.materials[k] for k in mesh.material[chosen]}
        image = textures[material.texture]
        # OpenGL's v points up, a picture's rows down.
        u, v = mesh.uvs[chosen].reshape(-1, 2).mean(0)
        assert image.getpixel((int(u * 2), int((1 - v) * 2)))[:3] == colour


def test_a_file_without_triangles_or_sense_is_refused(tmp_path):
    (tmp_path / "points.obj").write_text("v 0 0 0\nv 1 0 0\n")
    (tmp_path / "noise.glb").write_bytes(b"no model at all")
    for name in ("points.obj", "noise.glb"):
        with pytest.raises(ValueError, match="no triangles|cannot read"):
            read_model(model(file=tmp_path / name))
