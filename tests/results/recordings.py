"""A recorded training of two objects, three steps long, whose pictures are plain colours."""

import json

import numpy as np
from PIL import Image

SIDE = 8
CONTENT = {
    "steps": [0, 1, 4],
    "objects": ["Box", "Ball"],
    "train_objects": 7,
    "arms": {
        name: {"psnr": [[1.0, 2.0], [3.0, 4.0], [5.0, 8.0 + k]], "validation": [[4, 6.0 + k]]}
        for k, name in enumerate(("scratch", "foundation"))
    },
}


def write_recording(weights):
    """`weights/learning`; each cell of a strip is grey, by its row and column."""
    folder = weights / "learning"
    folder.mkdir(parents=True)
    for name, rows in (("foundation", 6), ("scratch", 6), ("truth", 3)):
        levels = 20 * np.arange(rows)[:, None] + 100 * np.arange(2) + (name == "scratch")
        pixels = np.kron(levels, np.ones((SIDE, SIDE))).astype(np.uint8)
        Image.fromarray(pixels).convert("RGB").save(folder / f"{name}.webp", lossless=True)
    (folder / "learning.json").write_text(json.dumps(CONTENT))
    return folder
