"""Where the cameras stand, and what a rendered object leaves on disk."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from tests.train.objects.test_furniture import piece
from train.objects import render_views
from train.objects.render_views import N_VIEWS, render_all, render_piece, view_angles
from train.objects.sheets import load_sheet, load_transforms

CUBE = "".join(f"v {x} {y} {z}\n" for x in (0, 1) for y in (0, 1) for z in (0, 1)) + (
    "f 1 2 4 3\nf 5 6 8 7\nf 1 2 6 5\nf 3 4 8 7\nf 1 3 7 5\nf 2 4 8 6\n"
)


class Painter:
    """Stands in for the rasteriser: view i is filled with i."""

    calls = 0

    def render(self, mesh, poses, textures):
        self.calls += 1
        return np.arange(len(poses), dtype=np.uint8)[:, None, None, None] + np.zeros(
            (1, 128, 128, 4), dtype=np.uint8
        )


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "Scopia.sh3f"
    with zipfile.ZipFile(path, "w") as files:
        files.writestr("cube.obj", CUBE)
        files.writestr("flat.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    return path


def test_azimuths_are_stratified_elevations_bounded_and_both_fixed_by_the_id() -> None:
    azimuth, elevation = view_angles("scopia-chair").T
    np.testing.assert_array_equal(np.floor(azimuth / (360 / N_VIEWS)), np.arange(N_VIEWS))
    assert elevation.min() >= 0 and elevation.max() <= 50 and elevation.std() > 8
    np.testing.assert_array_equal(view_angles("scopia-chair")[:, 0], azimuth)
    assert not np.array_equal(view_angles("scopia-table")[:, 0], azimuth)


def test_an_object_s_folder_is_complete_and_not_rendered_twice(tmp_path, archive) -> None:
    painter, cube = Painter(), piece("Cube", archive=archive, model="cube.obj")
    for _ in range(2):
        assert render_piece(cube, tmp_path, painter) is None
    assert painter.calls == 1
    folder = tmp_path / cube.object_id
    assert sorted(p.name for p in folder.iterdir()) == ["sheet.webp", "transforms.json"]
    assert load_sheet(folder / "sheet.webp")[:, 0, 0, 0].tolist() == list(range(N_VIEWS))
    poses, _ = load_transforms(folder / "transforms.json")
    np.testing.assert_allclose(np.linalg.norm(poses[:, :3, 3], axis=-1), 3.0, atol=1e-5)
    azimuth = np.degrees(np.arctan2(poses[:, 0, 3], poses[:, 2, 3])) % 360
    np.testing.assert_allclose(azimuth, view_angles(cube.object_id)[:, 0], atol=1e-3)


def test_a_variant_is_another_object_seen_from_elsewhere(tmp_path, archive, monkeypatch) -> None:
    shapes = []

    class Watching(Painter):
        def render(self, mesh, poses, textures):
            shapes.append(np.ptp(mesh.positions.reshape(-1, 3), axis=0))
            return super().render(mesh, poses, textures)

    monkeypatch.setattr(render_views, "_rasteriser", Watching())
    cube = piece("Cube", archive=archive, model="cube.obj")
    assert render_all([cube], tmp_path, workers=1) == {}
    assert render_all([cube], tmp_path, workers=1, variants=(1, 2)) == {}
    names = [cube.object_id + end for end in ("", "+1", "+2")]
    assert sorted(p.name for p in tmp_path.iterdir() if p.is_dir()) == names
    assert np.ptp(shapes[0]) < 1e-6 and np.ptp(shapes[1]) > 0.02
    assert not np.allclose(shapes[1], shapes[2], atol=0.01)
    # A variant, too, fits the unit sphere.
    np.testing.assert_allclose([np.linalg.norm(s / 2) for s in shapes], 1.0, rtol=1e-5)
    cameras = [load_transforms(tmp_path / name / "transforms.json")[0] for name in names]
    assert not np.allclose(cameras[0], cameras[1], atol=0.01)


def test_reasons_for_leaving_out_come_back(tmp_path, archive, monkeypatch) -> None:
    monkeypatch.setattr(render_views, "_rasteriser", Painter())
    pieces = [
        piece("Cube", object_id="scopia-a", archive=archive, model="cube.obj"),
        piece("Card", object_id="scopia-b", archive=archive, model="flat.obj"),
        piece("Oriental rug", object_id="scopia-c", archive=archive, model="cube.obj"),
    ]
    skipped = render_all(pieces, tmp_path / "out", workers=1)
    assert skipped == {"scopia-b": "flat", "scopia-c": "flat by name"}
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["scopia-a"]


def test_a_broken_model_is_named(tmp_path, archive, monkeypatch) -> None:
    monkeypatch.setattr(render_views, "_rasteriser", Painter())
    broken = piece("Lost", archive=archive, model="missing.obj")
    with pytest.raises(RuntimeError, match="scopia-x"):
        render_all([broken], tmp_path / "out", workers=1)
