"""Makes weights/known.safetensors: the objects of training, as the pretrained model sees them.

    python -m train.objects.render_views --models data/models
    python -m train.view.known --models data/models

The app tells a visitor by them how far a picture is from what the models practised on. Held-out
objects of known kinds say what is far; held-out kinds, and random pictures that show no object, say
whether that tells them apart. All of it goes into weights/known.md too. Do it again for every new
weights/view-foundation: the file belongs to one.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from hyperdemo.checkpoints import LoadedModel, fingerprint, load_checkpoint
from hyperdemo.known import KnownObjects, save_known
from hyperdemo.known.feature import TOKEN
from hyperdemo.known.objects import FILE, FREE
from hyperdemo.pipeline import choose_device
from train.config import ViewData
from train.objects.entries import Entry, read_entries
from train.provenance import git_hash
from train.view.data import held_out, split_objects
from train.view.known.calibration import calibrate, card
from train.view.known.seen import Seen, framed_views, random_pictures, see

MODEL = "view-foundation"
N_VIEWS = 4
SIDE, QUALITY = 64, 65
"""Of a thumbnail, in pixels, and WebP's: four hundred bytes each."""
MAX_BYTES = 5_000_000


def thumbnail(picture: UInt8[np.ndarray, "s s 3"]) -> bytes:
    """A small WebP of a framed view."""
    small = Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    small.save(buffer, "WEBP", quality=QUALITY, method=6)
    return buffer.getvalue()


def known_objects(
    loaded: LoadedModel, seen: Seen, entries: Sequence[Entry], *, threshold: float, token: str
) -> KnownObjects:
    """The value that the file holds; entries in the order of what was seen."""
    free = [entry.licence == FREE for entry in entries]
    return KnownObjects(
        features=seen.means(token).numpy(),
        names=tuple(entry.name.lower() for entry in entries),
        kinds=seen.kinds,
        licences=tuple(entry.licence for entry in entries),
        thumbnails=tuple(
            thumbnail(picture) if ours else None
            for ours, picture in zip(free, seen.typical, strict=True)
        ),
        threshold=threshold,
        checkpoint=fingerprint(loaded.model),
    )


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m train.view.known", description=__doc__.splitlines()[0]
    )
    parser.add_argument("--models", type=Path, help="folder of models beside the furniture")
    parser.add_argument("--sources", type=Path, default=Path("data/sources"))
    parser.add_argument("--views", default="data/views")
    parser.add_argument("--weights", type=Path, default=Path("weights"))
    parser.add_argument("--splits", help="splits file (that of the model's training)")
    parser.add_argument("--views-each", type=int, default=N_VIEWS)
    parser.add_argument("--out", type=Path, help="folder of what is made (that of the weights)")
    parser.add_argument("--device", help="cpu or cuda (cuda if there is one)")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> None:
    args = parse_arguments(argv)
    loaded = load_checkpoint(args.weights, MODEL, device=choose_device(args.device))
    splits_file = args.splits or loaded.facts["training"]["data"]["splits_file"]
    data = ViewData(views_dir=args.views, splits_file=splits_file)
    size = loaded.model.config.backbone.image_size
    ids, classes = split_objects(data, "train")
    entries = {entry.object_id: entry for entry in read_entries(args.sources, args.models)}
    if lacking := [name for name in ids if name not in entries]:
        raise ValueError(
            f"{len(lacking)} objects of {splits_file} are in no catalogue, such as {lacking[0]}; "
            "name their folder with --models"
        )

    def seen(split: str) -> Seen:
        own, _ = split_objects(data, split)
        parts = framed_views(data, own, classes=classes, size=size, n_views=args.views_each)
        return see(loaded, parts, kinds=[classes[name] for name in own], token=TOKEN)

    known, held = seen("train"), {split: seen(split) for split in held_out(data)}
    nothing = random_pictures(size)
    nothing = see(loaded, iter([nothing[:, None]]), kinds=["none"] * len(nothing), token=TOKEN)
    facts = calibrate(known, held, nothing, token=TOKEN)
    facts |= {"splits_file": splits_file, "views_each": args.views_each, "git": git_hash()}
    made = known_objects(
        loaded, known, [entries[name] for name in ids], threshold=facts["threshold"], token=TOKEN
    )
    out = args.out or args.weights
    save_known(made, out / FILE, facts=facts)
    (out / FILE).with_suffix(".md").write_text(card(made, facts))
    print(card(made, facts))
    if (n_bytes := (out / FILE).stat().st_size) > MAX_BYTES:
        raise ValueError(f"{out / FILE} has {n_bytes:,} bytes, more than {MAX_BYTES:,}")
    print(f"{n_bytes:,} bytes in {out / FILE}")


if __name__ == "__main__":
    main()
