import re
from pathlib import Path

import numpy as np

import hyperdemo.ui.object.viewer as viewer
from hyperdemo.config import CAMERA_DISTANCE, CAMERA_FOV_DEG
from hyperdemo.render.cameras import PosedViews, look_at_origin

LABELS = {"foundation": "Pretrained", "scratch": "From scratch"}
ASSETS = Path(viewer.__file__).parent


def test_a_value_names_the_file_of_each_panel():
    files = {"foundation": Path("/a.volume")}
    value = viewer.viewer_value(files, LABELS, cached=lambda path: f"/cache{path}")
    assert value["truth"] is None and value["video"] is None
    left, right = value["panels"]
    assert left["file"]["path"] == "/cache/a.volume"
    assert left["file"]["meta"] == {"_type": "gradio.FileData"}  # or Gradio adds no address
    assert right == {"key": "scratch", "label": "From scratch", "file": None}


def test_a_known_truth_comes_with_the_side_of_each_of_its_views():
    poses = np.stack([look_at_origin(azimuth, 20.0) for azimuth in (0.0, 300.0)])
    truth = viewer.Truth(Path("/t.webp"), PosedViews(poses, 40.0, (None, None)))
    value = viewer.viewer_value(
        {}, LABELS, cached=lambda path: f"/cache{path}", truth=truth, video=Path("/v.mp4")
    )
    np.testing.assert_allclose(value["truth"]["angles"], [[0, 20], [300, 20]], atol=1e-4)
    assert value["truth"]["file"]["path"] == "/cache/t.webp"
    assert value["video"]["path"] == "/cache/v.mp4"


def test_before_the_first_run_there_are_names_and_no_files():
    panels = viewer.object_viewer(LABELS).value["panels"]
    assert [panel["label"] for panel in panels] == list(LABELS.values())
    assert not any(panel["file"] for panel in panels)


def test_the_templates_hold_nothing_that_gradio_would_fill_in():
    for name in ("viewer.html", "viewer.css"):
        assert not re.search(r"\$\{|\{\{|`|\\", (ASSETS / name).read_text())


def test_every_part_that_the_script_uses_stands_in_the_page():
    html = (ASSETS / "viewer.html").read_text()
    script = "".join((ASSETS / f"{name}.js").read_text() for name in ("viewer", "truth"))
    used = set(re.findall(r"\bpart\.(\w+)", script)) | {"out"}
    assert used == set(re.findall(r'data-part="(\w+)"', html)) - {"hint"}


def test_the_script_has_the_cameras_that_the_videos_are_taken_with():
    script = viewer.object_viewer(LABELS).js_on_load
    camera = f'const CAMERA = {{"distance": {CAMERA_DISTANCE}, "fovDeg": {CAMERA_FOV_DEG}}};'
    assert camera in script and "const BLOCK = 4;" in script
    assert script.index("const MARCH") < script.index("class Scene") < script.index("watch(")


def test_the_shader_begins_with_its_version():
    """WebGL takes `#version` on the very first line alone."""
    assert (ASSETS / "march.frag").read_text().startswith("#version 300 es\n")


def test_nothing_comes_from_elsewhere():
    files = [path for path in ASSETS.iterdir() if path.is_file()]
    assert len(files) == 8
    for path in files:
        assert "http" not in path.read_text()


def test_no_file_outgrows_its_one_reason_to_change():
    for path in ASSETS.iterdir():
        assert path.is_dir() or len(path.read_text().splitlines()) <= 300
