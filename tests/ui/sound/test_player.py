import re
from pathlib import Path

import hyperdemo.ui.sound.player as player
from hyperdemo.ui.sound.stream import Piece, Playlist

LABELS = {"original": "Original", "foundation": "Pretrained"}
ASSETS = Path(player.__file__).parent


def test_a_value_names_every_piece_and_its_place():
    tracks = {"original": (Piece(0, Path("/a.wav")),)}
    value = player.player_value(
        Playlist(22_050, 9_000, tracks), LABELS, run="r1", cached=lambda path: f"/cache{path}"
    )
    assert (value["run"], value["rate_hz"], value["n_samples"]) == ("r1", 22_050, 9_000)
    assert value["complete"] is False
    original, foundation = value["tracks"]
    (piece,) = original["pieces"]
    assert piece["start"] == 0 and piece["file"]["path"] == "/cache/a.wav"
    assert piece["file"]["meta"] == {"_type": "gradio.FileData"}  # or Gradio adds no address
    assert foundation == {"key": "foundation", "label": "Pretrained", "pieces": []}


def test_before_the_first_run_there_are_names_and_no_sound():
    value = player.sound_player(LABELS).value
    assert [track["label"] for track in value["tracks"]] == ["Original", "Pretrained"]
    assert value["n_samples"] == 0 and not any(track["pieces"] for track in value["tracks"])


def test_the_templates_hold_nothing_that_gradio_would_fill_in():
    for name in ("player.html", "player.css"):
        assert not re.search(r"\$\{|\{\{|`|\\", (ASSETS / name).read_text())


def test_every_part_that_the_script_uses_stands_in_the_page():
    html, script = ((ASSETS / f"player.{kind}").read_text() for kind in ("html", "js"))
    used = set(re.findall(r"\bpart\.(\w+)", script))
    assert used <= set(re.findall(r'data-part="(\w+)"', html)) and len(used) > 6


def test_nothing_comes_from_elsewhere():
    for path in ASSETS.glob("player.*"):
        assert "http" not in path.read_text()
