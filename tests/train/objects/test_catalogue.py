"""A library made up on the spot, with the traps of the real ones."""

import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from train.objects.catalogue import read_all, read_catalogue, read_mesh, read_properties, slug
from train.objects.obj import FALLBACK_GREY

PROPERTIES = """# a comment
id=Library#all
id#1=Scopia#oak_Table2
name#1=Table \\u20ac
tags#1=Dining, Dinner,
category#1=Living room
model#1=/scopia/table/Table.obj
modelRotation#1=1 0 0 0 0 1 0 -1 0
creator#1=Scopia
doorOrWindow#1=false
id#2=Scopia#door
name#2=Door
tags#2=
category#2=Doors and windows
model#2=/scopia/door.obj
creator#2=Scopia
doorOrWindow#2=true
"""
OBJ = "mtllib a b.mtl\nv 0 0 0\nv 1 0 0\nv 0 2 0\n" + "".join(
    f"usemtl {name}\nf 1 2 3\n" for name in ("mapped", "moved", "dead", "deadblack")
)
MTL = """newmtl mapped
Kd 0 0 0
map_Kd Wood.PNG
newmtl moved
map_Kd C:\\Users\\me\\wood.png
newmtl dead
Kd 0.5 0 0
map_Kd gone.jpg
newmtl deadblack
Kd 0 0 0
map_Kd gone.jpg
"""


@pytest.fixture
def library(tmp_path: Path) -> Path:
    path = tmp_path / "Scopia.sh3f"
    picture = BytesIO()
    Image.new("RGB", (2, 2), (10, 20, 30)).save(picture, "PNG")
    with zipfile.ZipFile(path, "w") as files:
        files.writestr("PluginFurnitureCatalog.properties", PROPERTIES.encode("latin-1"))
        files.writestr("scopia/table/Table.obj", OBJ)
        files.writestr("scopia/table/a b.mtl", MTL)
        files.writestr("scopia/table/wood.png", picture.getvalue())
    return path


def test_entries_carry_what_the_catalogue_says(library: Path) -> None:
    table, door = read_catalogue(library)
    assert (table.object_id, table.name) == ("scopia-oak-table2", "Table €")
    assert table.tags == ("Dining", "Dinner") and table.licence == "CC BY 3.0"
    assert not table.door_or_window and door.door_or_window
    assert door.rotation == (1, 0, 0, 0, 1, 0, 0, 0, 1)


def test_a_model_is_turned_as_the_catalogue_says(library: Path) -> None:
    mesh, _ = read_mesh(read_catalogue(library)[0])
    # The rotation takes (x, y, z) to (x, z, −y).
    np.testing.assert_allclose(mesh.positions[0], [(0, 0, 0), (1, 0, 0), (0, 0, -2)], atol=1e-6)
    np.testing.assert_allclose(mesh.normals[0], [(0, 1, 0)] * 3, atol=1e-6)


def test_textures_are_found_beside_the_model_and_dead_ones_forgotten(library: Path) -> None:
    mesh, textures = read_mesh(read_catalogue(library)[0])
    by_name = {m.name: m for m in mesh.materials}
    assert set(textures) == {"Wood.PNG", "C:/Users/me/wood.png"}
    assert textures["Wood.PNG"].getpixel((0, 0)) == (10, 20, 30, 255)
    assert by_name["dead"].texture is None and by_name["dead"].diffuse == (0.5, 0, 0)
    assert by_name["deadblack"].diffuse == FALLBACK_GREY


def test_an_unknown_library_and_a_missing_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not one of the libraries"):
        read_catalogue(tmp_path / "Other.sh3f")
    with pytest.raises(ValueError, match="python -m train.sources.fetch"):
        read_all(tmp_path)


def test_one_object_listed_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "Scopia.sh3f"
    with zipfile.ZipFile(path, "w") as files:
        text = PROPERTIES.replace("Scopia#door", "Scopia#oakTable2")
        files.writestr("PluginFurnitureCatalog.properties", text)
    with pytest.raises(ValueError, match="twice.*scopia-oak-table2"):
        read_catalogue(path)


def test_slugs_are_safe_file_names() -> None:
    assert slug("Hôi An/L_shaped  sofaBig") == "h-i-an-l-shaped-sofa-big"


def test_properties_skip_comments_and_keep_later_equals_signs() -> None:
    assert read_properties("#a=b\n a = b=c \nrubbish\n") == {"a": "b=c"}
