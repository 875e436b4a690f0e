import numpy as np
import pytest

from tests.train import scenes
from train.view.answers import choose_cases
from train.view.contact_sheet import TARGETS, Row, choose, draw_sheet, make_row, target_views


def test_the_object_in_the_middle_of_its_class_is_chosen_or_all():
    rows = [
        {"object": name, "class": kind, "psnr": value}
        for name, kind, value in (
            ("a", "lamp", 9.0), ("b", "chair", 11.0), ("c", "chair", 15.0), ("d", "chair", 12.0),
            ("e", "chair", 30.0), ("f", "lamp", 3.0), ("g", "lamp", 20.0),
        )
    ]  # fmt: skip
    bed = {"object": "h", "class": "bed", "psnr": 1.0}
    scored = {"test": {"foundation": {"rows": rows}}, "unseen": {"foundation": {"rows": [bed]}}}
    assert choose("chair", scored) == ("test", ["d"]) and choose("lamp", scored)[1] == ["a"]
    assert choose("lamp", scored, every=True) == ("test", ["a", "f", "g"])
    assert choose("bed", scored) == ("unseen", ["h"])
    with pytest.raises(ValueError, match="no object of class 'car'"):
        choose("car", scored)


def test_target_views_lie_beside_and_behind_the_given_one(views):
    for obj in range(len(views)):
        for source in range(12):
            beside, behind = target_views(views, obj, source=source)
            assert len({source, beside, behind}) == 3
            azimuth = scenes.angles(12, 31.0 * obj)[:, 0]
            for view, angle in zip((beside, behind), TARGETS.values(), strict=True):
                apart = abs((azimuth[view] - azimuth[source] + 180) % 360 - 180)
                # Views are up to 39 degrees apart.
                assert abs(apart - angle) < 25


def test_a_row_asks_for_what_it_shows(views):
    cases = []

    def answer(views, case):
        cases.append(case)
        return np.full((2, views.size, views.size, 3), [[[[0.25]]], [[[2.0]]]])

    row = make_row(views, 1, {"x": answer}, name="ball")
    [case] = cases
    assert case.source == choose_cases(views)[1].source and row.name == "ball"
    for k, (truth, answered) in enumerate(row.targets):
        expected = scenes.on_white(views.rgba[1, case.targets[k]])
        assert np.abs(truth / 255.0 - expected).max() < 0.6 / 255
        assert (answered == (64, 255)[k]).all()


def test_every_picture_has_its_place_on_the_sheet():
    def picture(value):
        return np.full((32, 32, 3), value, np.uint8)

    rows = [
        Row(f"row {k}", picture(10 + k), tuple((picture(50 + 10 * d + k), picture(90 + 10 * d + k))
            for d in range(2)))
        for k in range(3)
    ]  # fmt: skip
    sheet = np.asarray(draw_sheet(rows, ["truth", "x"]))
    values = [10, 50, 60, 90, 100]
    for value in (v + k for v in values for k in range(3)):
        inside = (sheet == value).all(-1)
        # A line of one pixel frames it.
        assert inside.sum() == 30 * 30, value
        assert np.ptp(np.nonzero(inside)[0]) == np.ptp(np.nonzero(inside)[1]) == 29
