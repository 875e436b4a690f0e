import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hyperdemo.checkpoints import LoadedModel, load_checkpoint, save_checkpoint
from hyperdemo.known import load_known, picture_feature
from hyperdemo.known.feature import TOKEN
from hyperdemo.known.objects import FILE
from hyperdemo.model import to_pixels
from tests import tiny
from tests.known.planted import unit
from tests.train import scenes
from tests.train.objects.test_collection import model
from train.config import ViewData
from train.view.data import load_views
from train.view.known import __main__ as command
from train.view.known.calibration import calibrate, card, own_kind
from train.view.known.seen import PART, Seen, framed_views, random_pictures, see


def seen(features, kinds):
    features = torch.from_numpy(unit(np.asarray(features, np.float32)))
    return Seen(tuple(kinds), {"class": features, "patches": features.flip(-1)})


def scene(seed=0):
    """Objects of training in two directions, new ones near them, and others far away."""
    rng = np.random.default_rng(seed)
    axes = np.eye(6)

    def about(axis, n, spread):
        return axes[axis] + spread * rng.normal(size=(n, 3, 6))

    known = seen(np.concatenate([about(0, 4, 0.1), about(1, 4, 0.1)]), "aaaabbbb")
    held = {
        "test": seen(np.concatenate([about(0, 10, 0.2), about(1, 10, 0.2)]), "a" * 10 + "b" * 10),
        "unseen": seen(about(4, 5, 0.1), "c" * 5),
    }
    return known, held, seen(about(5, 5, 0.1), ["none"] * 5)


def test_calibration_is_that_of_loops():
    known, held, nothing = scene()
    means = [unit(sum(views)) for views in known.features["class"].numpy()]

    def away(one):
        return [
            min(1 - sum(a * b for a, b in zip(view, mean, strict=True)) for mean in means)
            for views in one.features["class"].numpy().astype(np.float64)
            for view in views
        ]

    facts = calibrate(known, held, nothing, token="class")
    ordered = sorted(away(held["test"]))
    place = 0.95 * (len(ordered) - 1)
    low = math.floor(place)
    threshold = ordered[low] + (place - low) * (ordered[low + 1] - ordered[low])
    assert facts["threshold"] == pytest.approx(threshold, abs=1e-4)
    for name, one in {**held, "random": nothing}.items():
        share = np.mean([distance > threshold for distance in away(one)])
        assert facts["beyond"][name] == pytest.approx(share, abs=1e-3)
    assert facts["beyond"] == {"test": 0.05, "unseen": 1.0, "random": 1.0}
    assert facts["own_kind"]["class"] == {"test": 1.0}


def test_own_kind_counts_views():
    known = seen(np.eye(3)[:, None], "abc")
    asked = seen(np.eye(3)[[[0, 1], [1, 1]]], "ab")
    assert own_kind(asked, known, "class") == 0.75


def test_views_are_encoded_as_the_app_encodes_a_picture(views):
    loaded = LoadedModel("view-foundation", tiny.model().requires_grad_(False), {})
    framed = views.framed[:, :4]
    found = see(loaded, iter([framed[:2], framed[2:]]), kinds=views.classes, token=TOKEN)
    by_hand = [[picture_feature(loaded.model, to_pixels(v[None]))[0] for v in o] for o in framed]
    expected = torch.stack([torch.stack(row) for row in by_hand])
    torch.testing.assert_close(found.features[TOKEN], expected, atol=1e-5, rtol=1e-4)
    mean = sum(expected[1]) / 4
    torch.testing.assert_close(found.means(TOKEN)[1], mean / mean.norm(), atol=1e-5, rtol=1e-4)
    likest = max(range(4), key=lambda k: float(expected[1, k] @ mean))
    np.testing.assert_array_equal(found.typical[1], framed[1, likest])


def test_some_views_of_each_object_in_order(tmp_path, monkeypatch):
    folder, _ = scenes.write_dataset(tmp_path)
    monkeypatch.setattr("train.view.known.seen.PART", 2)
    data, classes = ViewData(views_dir=str(folder)), dict.fromkeys(scenes_ids(), "a")
    options = {"classes": classes, "size": 28, "n_views": 3}
    read = torch.cat(list(framed_views(data, scenes_ids(), **options)))
    whole = load_views(data, scenes_ids(), classes=classes, input_size=28).framed
    assert torch.equal(read, whole[:, [0, 2, 5]]) and PART > 2
    packed = ViewData(views_dir=str(folder), packed=True)
    load_views(packed, scenes_ids(), classes=classes, input_size=28)
    for name in scenes_ids():  # what training has left is enough
        (folder / name / "sheet.webp").unlink()
    assert torch.equal(torch.cat(list(framed_views(data, scenes_ids(), **options))), read)


def scenes_ids():
    return [f"ball-{k}" for k in range(3)]


def test_random_pictures_are_framed_and_differ():
    pictures = random_pictures(28)
    assert pictures.shape[1:] == (28, 28, 3) and len({p.numpy().tobytes() for p in pictures}) == 60
    assert (pictures[:, 0] == 255).all() and pictures[:, 14, 14].float().std() > 20
    assert torch.equal(pictures, random_pictures(28))


@pytest.fixture
def made(tmp_path, monkeypatch):
    """The command, on three balls of which two are trained on."""
    folder, splits = scenes.write_dataset(tmp_path)
    facts = {"training": {"data": {"splits_file": str(splits)}}}
    weights = tmp_path / "weights"
    save_checkpoint(tiny.model(init="foundation"), weights, name="view-foundation", facts=facts)
    entries = [
        model(object_id=f"ball-{k}", name=f"Ball {k}", category="ab"[k % 2], licence=licence)
        for k, licence in enumerate(("CC0 1.0", "CC BY 4.0", "CC0 1.0"))
    ]
    monkeypatch.setattr(command, "read_entries", lambda sources, models: entries)
    return folder, weights


def test_the_command_makes_what_the_app_reads(made, capsys):
    folder, weights = made
    command.main(["--views", str(folder), "--weights", str(weights), "--views-each", "2"])
    known = load_known(weights / FILE)
    assert known.names == ("ball 0", "ball 1") and known.kinds == ("a", "b")
    assert known.licences == ("CC0 1.0", "CC BY 4.0")
    assert known.thumbnails[1] is None
    (weights / "first.webp").write_bytes(known.thumbnails[0])
    assert Image.open(weights / "first.webp").size == (command.SIDE, command.SIDE)
    loaded = load_checkpoint(weights, "view-foundation")
    framed = load_views(
        ViewData(views_dir=str(folder)), ["ball-1"], classes={"ball-1": "b"}, input_size=28
    ).framed[0, [0, 4]]
    own = sum(picture_feature(loaded.model, to_pixels(view[None]))[0] for view in framed)
    near = known.nearest((own / own.norm()).numpy())
    assert near.index == 1 and near.distance < 1e-3
    text = (weights / "known.md").read_text()
    assert text in capsys.readouterr().out and known.checkpoint in text
    assert "The 2 objects of training" in text and "the 1 that are in the public" in text


def test_objects_of_no_catalogue_are_named(made, monkeypatch):
    folder, weights = made
    monkeypatch.setattr(command, "read_entries", lambda sources, models: [])
    with pytest.raises(ValueError, match="2 objects of .* such as ball-0; .*--models"):
        command.main(["--views", str(folder), "--weights", str(weights)])
    assert not Path(weights / FILE).exists()


def test_the_card_names_all_shares():
    from tests.known.planted import known_objects

    known, held, nothing = scene()
    facts = calibrate(known, held, nothing, token="class")
    facts |= {"splits_file": "splits.json", "views_each": 3}
    text = card(known_objects(), json.loads(json.dumps(facts)))
    assert "new furniture of known kinds 5%" in text
    assert "held out 100%" in text and "no object 100%" in text
    assert "class 100% (test)" in text and "of `splits.json`" in text
