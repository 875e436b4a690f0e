"""The viewer and the player: the values that they are given, and the files that they consist of."""

import re
from pathlib import Path

import numpy as np
import pytest

from hyperdemo.config import CAMERA_DISTANCE, CAMERA_FOV_DEG
from hyperdemo.render.cameras import PosedViews, look_at_origin
from hyperdemo.ui.object import viewer
from hyperdemo.ui.sound import player
from hyperdemo.ui.sound.stream import Piece, Playlist

LABELS = {"foundation": "Pretrained", "scratch": "From scratch"}
VIEWER, PLAYER = (Path(module.__file__).parent for module in (viewer, player))
MARK = {"_type": "gradio.FileData"}  # without it Gradio adds no address


def test_the_viewer_is_given_the_file_of_each_panel():
    files = {"foundation": Path("/a.volume")}
    left, right = viewer.viewer_value(files, LABELS, cached=lambda path: f"/cache{path}")["panels"]
    assert left["file"] == {"path": "/cache/a.volume", "meta": MARK}
    assert right == {"key": "scratch", "label": "From scratch", "file": None}


def test_a_known_truth_comes_with_the_side_of_each_of_its_views():
    poses = np.stack([look_at_origin(azimuth, 20.0) for azimuth in (0.0, 300.0)])
    truth = viewer.Truth(Path("/t.webp"), PosedViews(poses, 40.0, (None, None)))
    value = viewer.viewer_value({}, LABELS, cached=str, truth=truth, video=Path("/v.mp4"))
    np.testing.assert_allclose(value["truth"]["angles"], [[0, 20], [300, 20]], atol=1e-4)
    assert value["truth"]["file"] == {"path": "/t.webp", "meta": MARK}
    assert value["video"] == {"path": "/v.mp4", "meta": MARK}


def test_the_player_is_given_every_piece_and_its_place():
    tracks = {"foundation": (Piece(0, Path("/a.wav")), Piece(480, Path("/b.wav")))}
    value = player.player_value(
        Playlist(22_050, 9_000, tracks), LABELS, run="r1", cached=lambda path: f"/cache{path}"
    )
    assert (value["run"], value["rate_hz"], value["n_samples"]) == ("r1", 22_050, 9_000)
    assert value["complete"] is False
    foundation, scratch = value["tracks"]
    assert foundation["pieces"] == [
        {"start": 0, "file": {"path": "/cache/a.wav", "meta": MARK}},
        {"start": 480, "file": {"path": "/cache/b.wav", "meta": MARK}},
    ]
    assert scratch == {"key": "scratch", "label": "From scratch", "pieces": []}


def test_before_the_first_run_there_are_names_and_nothing_else():
    panels = viewer.object_viewer(LABELS).value["panels"]
    value = player.sound_player(LABELS).value
    for parts in (panels, value["tracks"]):
        assert [part["label"] for part in parts] == list(LABELS.values())
    assert not any(panel["file"] for panel in panels)
    assert value["n_samples"] == 0 and not any(track["pieces"] for track in value["tracks"])


@pytest.mark.parametrize(("folder", "name"), [(VIEWER, "viewer"), (PLAYER, "player")])
def test_templates_and_scripts_fit_together(folder, name):
    html, css = ((folder / f"{name}.{kind}").read_text() for kind in ("html", "css"))
    js = "".join(path.read_text() for path in folder.glob("*.js"))
    for template in (html, css):  # that Gradio would fill in
        assert not re.search(r"\$\{|\{\{|`|\\", template)
    used = set(re.findall(r"\bpart\.(\w+)", js)) | ({"out"} if name == "viewer" else set())
    assert used == set(re.findall(r'data-part="(\w+)"', html))
    files = [path for path in folder.iterdir() if path.is_file()]
    assert len(files) == (9 if name == "viewer" else 4)
    for path in files:
        content = path.read_text()
        assert "http" not in content and len(content.splitlines()) <= 300


def test_the_script_has_the_cameras_that_the_videos_are_taken_with():
    script = viewer.object_viewer(LABELS).js_on_load
    camera = f'const CAMERA = {{"distance": {CAMERA_DISTANCE}, "fovDeg": {CAMERA_FOV_DEG}}};'
    assert camera in script and "const BLOCK = 4;" in script
    assert script.index("const MARCH") < script.index("class Scene") < script.index("watch(")
    # WebGL takes `#version` on the very first line alone.
    assert (VIEWER / "march.frag").read_text().startswith("#version 300 es\n")
