import numpy as np
import pytest

from hyperdemo.media.video import encode_ts
from hyperdemo.ui.object.panels import OrbitSheet, comparison_sheet

LABELS = ["Pretrained (DINOv2)", "From scratch"]


def plain(colour, side=64):
    return np.full((side, side, 3), colour, np.uint8)


@pytest.fixture(scope="module")
def sheet():
    return OrbitSheet(LABELS, size=64, framed=plain((10, 20, 30), side=28))


def colour_panel(sheet, frame, column):
    left, top = sheet.columns[column], sheet.colour_top
    return frame[top : top + sheet.size, left : left + sheet.size]


def depth_panel(sheet, frame, column):
    left, top = sheet.depth_left(column), sheet.depth_top
    return frame[top : top + sheet.small, left : left + sheet.small]


def test_panels_stand_where_they_should(sheet):
    rgb = [plain((255, 0, 0)), plain((0, 0, 255))]
    depth = [plain(40), plain(90)]
    frame = sheet.frame(rgb, depth)
    assert frame.shape == (sheet.height, sheet.width, 3)
    for column in (0, 1):
        assert np.array_equal(colour_panel(sheet, frame, column), rgb[column])
        assert (depth_panel(sheet, frame, column) == depth[column][0, 0]).all()
    middle = frame[sheet.depth_top + sheet.small // 2, sheet.width // 2]
    assert middle.tolist() == [10, 20, 30]  # the input, between the depths


@pytest.mark.parametrize("size", [16, 50, 128, 192, 256, 384])
def test_every_size_can_be_encoded(size):
    sheet = OrbitSheet(LABELS, size=size)
    panel = plain(128, side=size)
    frame = sheet.frame([panel, panel], [panel, panel])
    assert encode_ts([frame], fps=24, start_frame=0)


def test_each_column_bears_its_own_label(sheet):
    heading = sheet.frame([plain(0)] * 2, [plain(0)] * 2)[: sheet.colour_top]
    halves = heading[:, : sheet.width // 2], heading[:, sheet.width // 2 :]
    written = [int((half.min(axis=-1) < 120).sum()) for half in halves]
    assert min(written) > 20
    assert written[0] != written[1]


def test_smaller_panels_are_enlarged_and_the_next_frame_leaves_them_alone(sheet):
    frame = sheet.frame([plain(50, side=32)] * 2, [plain(90, side=32)] * 2)
    sheet.frame([plain(255)] * 2, [plain(255)] * 2)
    assert frame.shape == (sheet.height, sheet.width, 3)
    assert (colour_panel(sheet, frame, 1) == 50).all()
    assert (depth_panel(sheet, frame, 1) == 90).all()


def test_one_model_alone_has_no_room_for_the_input():
    sheet = OrbitSheet(["From scratch"], size=32, framed=plain(5, side=28))
    frame = sheet.frame([plain(7, side=32)], [plain(9, side=32)])
    assert (colour_panel(sheet, frame, 0) == 7).all()
    assert (depth_panel(sheet, frame, 0) == 9).all()


def test_wrong_panels_are_refused(sheet):
    with pytest.raises(ValueError, match="2 panels"):
        sheet.frame([plain(0)], [plain(0)])
    with pytest.raises(ValueError, match="like the first"):
        sheet.frame([plain(0, side=32), plain(0)], [plain(0, side=32)] * 2)
    with pytest.raises(ValueError, match="label"):
        OrbitSheet([], size=64)


def test_rows_of_a_comparison_keep_their_order_and_are_equally_long():
    rows = [("Ground truth", [plain(10), plain(20)]), ("From scratch", [plain(30), plain(40)])]
    picture = comparison_sheet(rows, size=64, first_is="the leftmost is the input")
    where = {v: np.argwhere((picture == v).all(-1)).mean(0) for v in (10, 20, 30, 40)}
    assert where[10][1] < where[20][1] and where[10][0] < where[30][0]
    assert where[30][1] < where[40][1] and where[20][0] < where[40][0]
    for ragged in ([("a", [plain(1)]), ("b", [])], []):
        with pytest.raises(ValueError, match="equal length"):
            comparison_sheet(ragged, size=64)
