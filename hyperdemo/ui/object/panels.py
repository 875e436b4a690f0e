"""The frames of the orbit: all models side by side in one picture, so they cannot fall out of step.

One column per model: name, colours, and depth below. The input stands between the depth panels.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw, ImageFont

Panel = UInt8[np.ndarray, "s s 3"]
Canvas = UInt8[np.ndarray, "h w 3"]

_CANVAS = (241, 243, 246)
_TEXT = (31, 41, 55)
_QUIET_TEXT = (107, 114, 128)
_DEPTH_SHARE = 0.42  # side of a depth panel, of the side of a colour panel


class OrbitSheet:
    """Composes frames from panels; what does not move is drawn once.

    Args:
        labels: the name over each column.
        size: side of a colour panel in pixels.
        framed: the picture that the models read, shown small in the bottom row; None for none.

    Raises:
        ValueError: no column, or panels too small for a label.
    """

    def __init__(self, labels: Sequence[str], *, size: int, framed: Panel | None = None):
        if not labels or size < 16:
            raise ValueError(f"a label at least and 16 pixels a side expected, got {size}")
        self.size = size
        self.gap = _even(size * 0.06)
        self.heading = _even(size * 0.13)
        self.small = _even(size * _DEPTH_SHARE)
        self.columns = [self.gap + k * (size + self.gap) for k in range(len(labels))]
        self.width = self.columns[-1] + size + self.gap
        self.colour_top = self.heading
        self.depth_top = self.colour_top + size + self.heading
        self.height = self.depth_top + self.small + self.gap
        self._still = self._draw_still(labels, framed)

    def depth_left(self, column: int) -> int:
        """Where a column's depth panel begins; it stands centred under the colours."""
        return self.columns[column] + (self.size - self.small) // 2

    def frame(self, rgb: Sequence[Panel], depth: Sequence[Panel]) -> Canvas:
        """One frame: colour and depth of each column, in the order of the labels.

        Panels of another side than `size` are resampled to it.

        Raises:
            ValueError: as many panels as labels expected, all of one square shape.
        """
        if len(rgb) != len(self.columns) or len(depth) != len(self.columns):
            raise ValueError(f"{len(self.columns)} panels expected, got {len(rgb)}, {len(depth)}")
        side = len(rgb[0])
        if any(panel.shape != (side, side, 3) for panel in (*rgb, *depth)):
            raise ValueError(f"square panels of {side} pixels a side expected, like the first")
        out = self._still.copy()
        for column, left in enumerate(self.columns):
            _paste(out, _resized(rgb[column], self.size), left, self.colour_top)
            _paste(
                out, _resized(depth[column], self.small), self.depth_left(column), self.depth_top
            )
        return out

    def _draw_still(self, labels: Sequence[str], framed: Panel | None) -> Canvas:
        canvas = Image.new("RGB", (self.width, self.height), _CANVAS)
        draw = ImageDraw.Draw(canvas)
        name_font = ImageFont.load_default(max(8.0, self.heading * 0.5))
        note_font = ImageFont.load_default(max(7.0, self.heading * 0.38))
        above_colour, above_depth = self.heading / 2, self.depth_top - self.heading / 2
        for column, (label, left) in enumerate(zip(labels, self.columns, strict=True)):
            middle = left + self.size / 2
            draw.text((middle, above_colour), label, _TEXT, name_font, anchor="mm")
            words = "depth, near is dark"
            draw.text((middle, above_depth), words, _QUIET_TEXT, note_font, anchor="mm")
            draw.rectangle(_box(left, self.colour_top, self.size), "white")
            draw.rectangle(_box(self.depth_left(column), self.depth_top, self.small), "white")
        still = np.array(canvas)
        # Between the depths there is room for the input only if there are two columns or more.
        if framed is None or len(labels) < 2:
            return still
        left = (self.width - self.small) // 2
        draw.text((self.width / 2, above_depth), "input", _QUIET_TEXT, note_font, anchor="mm")
        still = np.array(canvas)
        _paste(still, _resized(framed, self.small), left, self.depth_top)
        return still


def comparison_sheet(
    rows: Sequence[tuple[str, Sequence[Panel]]], *, size: int, first_is: str = ""
) -> Canvas:
    """Rows of pictures under each other, each row with its name, such as truth and models.

    Args:
        rows: name and pictures of each row, as many in each.
        size: side of a picture in pixels.
        first_is: what the first column shows, written over it.

    Raises:
        ValueError: no rows, or rows of different lengths.
    """
    lengths = {len(pictures) for _, pictures in rows}
    if len(lengths) != 1 or lengths == {0}:
        raise ValueError(f"rows of equal length expected, got lengths {sorted(lengths)}")
    gap, heading = _even(size * 0.05), _even(size * 0.32)
    (n,) = lengths
    canvas = Image.new("RGB", (gap + n * (size + gap), len(rows) * (heading + size) + gap), _CANVAS)
    draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(max(8.0, heading * 0.66))
    for k, (name, pictures) in enumerate(rows):
        top = k * (heading + size)
        text = f"{name}  ·  {first_is}" if first_is and k == 0 else name
        draw.text((gap, top + heading / 2), text, _TEXT, font, anchor="lm")
        for i, picture in enumerate(pictures):
            tile = Image.fromarray(_resized(picture, size))
            canvas.paste(tile, (gap + i * (size + gap), top + heading))
    return np.array(canvas)


def _even(length: float) -> int:
    # H.264 halves the colour: every edge on an even pixel stays sharp.
    return max(2, 2 * round(length / 2))


def _box(left: int, top: int, side: int) -> tuple[int, int, int, int]:
    return left, top, left + side - 1, top + side - 1


def _paste(out: Canvas, panel: Panel, left: int, top: int) -> None:
    side = len(panel)
    out[top : top + side, left : left + side] = panel


def _resized(panel: Panel, side: int) -> UInt8[np.ndarray, "t t 3"]:
    if len(panel) == side:
        return panel
    return np.array(Image.fromarray(panel).resize((side, side), Image.Resampling.BICUBIC))
