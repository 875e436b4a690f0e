import pytest
import torch

from hyperdemo.learn.race_data import load_race, save_race
from tests.learn import races


def test_what_was_saved_is_read(tmp_path):
    data = races.race_data(n_objects=3)
    save_race(data, tmp_path / "race")
    read = load_race(tmp_path / "race")
    assert read.config == data.config
    assert (read.views.ids, read.views.classes) == (data.views.ids, data.views.classes)
    assert read.views.fov_deg == data.views.fov_deg
    assert torch.equal(read.views.rgba, data.views.rgba)
    error = read.inputs.double() - data.inputs.double()
    assert error.square().mean().sqrt() < 0.05 * 255  # lossy, for people
    torch.testing.assert_close(read.views.poses.double(), data.views.poses.double())
    torch.testing.assert_close(
        read.views.turns.double(), data.views.turns.double(), atol=1e-6, rtol=0
    )
    for arm, tokens in data.tokens.items():
        # A byte about the mean: half a 127th of the largest distance from it.
        away = (tokens - tokens.mean((0, 1))).abs().amax(-1, keepdim=True)
        assert ((read.tokens[arm] - tokens).abs() <= 0.51 * away / 127 + 1e-6).all()


def test_more_objects_than_a_picture_holds_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("hyperdemo.learn.race_data.WEBP_MAX_DIMENSION", 100)
    with pytest.raises(ValueError, match="at most 3 objects expected, got 4"):
        save_race(races.race_data(n_objects=4), tmp_path / "race")
    assert not (tmp_path / "race").exists()


def test_a_folder_without_a_race_is_refused(tmp_path):
    with pytest.raises(ValueError, match="does not hold the data of a race"):
        load_race(tmp_path)
