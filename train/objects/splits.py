"""Which objects train, validate and test: drawn once by this command and kept in git.

    python -m train.objects.splits
    python -m train.objects.splits --unseen bed person animal --held-out kator-legaz-vw-new-beetle \
        --out train/splits-with-vehicles.json
    python -m train.objects.splits --models data/models --add-to train/splits-with-vehicles.json \
        --out train/splits-with-models.json

Whole families of near-duplicates stay together, whole classes are held out. About 3 minutes: the
meshes are read, to find those of one shape. The second command shares vehicles out among training
and test as the first does any other class, and leaves the rest where it was. The third adds the
models of a folder to the training objects, and a test of their own.
"""

import argparse
import json
import re
from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from train.objects import collection
from train.objects.catalogue import Piece, read_all, slug
from train.objects.collection import Model, read_table
from train.objects.entries import Entry, classify, is_lookalike, read, why_unused
from train.objects.furniture import UNSEEN_CLASSES, normalise
from train.objects.obj import Mesh

SPLITS_PATH = Path(__file__).resolve().parents[1] / "splits.json"
SEED = 2025
SHARES = {"test": 0.13, "val": 0.035}
MODEL_TEST = "test-models"
"""Held-out models, beside the held-out furniture of "test"."""
MODEL_SHARES = {MODEL_TEST: 0.06}

# These two made hundreds of pieces: the same noun does not make two of theirs relatives.
_HOUSES = ("Scopia", "Kator Legaz")
# Their series, by the beginning of an identifier.
_SERIES = (
    r"rattan|kids|children|mid-century|medicoscopia|com-bath|kitchen-tool|coconut|pine|"
    r"concept-sedan|hanging-clothes|beige-sofa|electric-water|wooden-office|porch-column"
)
# A bare noun names a design only outside the classes that are full of them.
_CROWDED = ("chair", "sofa", "table", "storage", "lamp")
_ADJECTIVES = set(
    "black white red green blue beige grey brown small big large little mini high low lower upper "
    "round rounded square wall single double open opened closed old new modern simple textured "
    "with without and of under the a snow bended male female".split()
)


def stem(text: str) -> str:
    """Words of a name or identifier without numbers, colours, sizes and plurals."""
    words = (re.sub(r"\d+", "", w) for w in slug(text).split("-"))
    kept = [w.removesuffix("s") for w in words if w and w not in _ADJECTIVES]
    return " ".join(kept) or slug(text)


def family_keys(piece: Piece) -> set[Hashable]:
    """What near-duplicates share; pieces with one key in common are one family."""
    creator = piece.creator.replace(" & eTeks", "")
    group, name = classify(piece), stem(piece.name)
    label = piece.object_id.removeprefix(slug(piece.library) + "-")
    keys: set[Hashable] = {("id", creator, stem(label))}
    if " " in name or group not in _CROWDED:
        keys.add(("name", creator, name))
    if creator not in _HOUSES:
        keys |= {("word", creator, stem(label).split()[0]), ("noun", creator, name.split()[-1])}
    elif series := re.match(_SERIES, label):
        keys.add(("series", creator, series[0]))
    return keys


def shape_key(mesh: Mesh) -> Hashable:
    """Equal for a normalised model and its recoloured, mirrored or turned copies."""
    points = mesh.positions.reshape(-1, 3)
    sides = np.sort(points.max(axis=0) - points.min(axis=0))
    return ("shape", len(mesh.positions), *np.round(sides, 2).tolist())


def group_families(keys: dict[str, set[Hashable]]) -> list[list[str]]:
    """Connected components of objects that share a key, in a fixed order."""
    family = {object_id: object_id for object_id in keys}

    def root(object_id: str) -> str:
        while family[object_id] != object_id:
            object_id = family[object_id]
        return object_id

    first: dict[Hashable, str] = {}
    for object_id in sorted(keys):
        for key in keys[object_id]:
            one, other = sorted((root(object_id), root(first.setdefault(key, object_id))))
            family[other] = one
    members = defaultdict(list)
    for object_id in sorted(keys):
        members[root(object_id)].append(object_id)
    return [members[name] for name in sorted(members)]


def draw(
    families: Iterable[Sequence[str]],
    classes: dict[str, str],
    *,
    shares: Mapping[str, float] = SHARES,
    held_out: Collection[str] = (),
    seed: int = SEED,
) -> dict[str, list[str]]:
    """Shares families among training and the scored splits, class by class.

    Args:
        families: object ids, near-duplicates together; a family counts for its first one's class.
        classes: class of every object.
        shares: of each class that the scored splits get, the first served first.
        held_out: objects whose families are the first to be tested on.
        seed: of the shuffle.

    Returns:
        Sorted ids by split. A family goes to a scored split while it fits that class's quota.
    """
    by_class = defaultdict(list)
    for members in families:
        by_class[classes[members[0]]].append(list(members))
    rng = np.random.default_rng(seed)
    splits: dict[str, list[str]] = {"train": [], **{name: [] for name in shares}}
    for group in sorted(by_class):
        count = sum(len(f) for f in by_class[group])
        quota = {name: round(share * count) for name, share in shares.items()}
        order = [by_class[group][index] for index in rng.permutation(len(by_class[group]))]
        for members in sorted(order, key=lambda ids: set(ids).isdisjoint(held_out)):
            split = next((s for s in quota if len(members) <= quota[s]), "train")
            quota[split] = quota.get(split, 0) - len(members)
            splits[split] += members
        assert len(splits["train"]), "a quota below the whole leaves something to train on"
    return {name: sorted(ids) for name, ids in splits.items()}


def make_splits(
    pieces: Sequence[Piece],
    *,
    unseen_classes: Collection[str] = UNSEEN_CLASSES,
    held_out: Collection[str] = (),
) -> dict[str, object]:
    """All splits of the usable pieces, with the class of each object; see `draw`."""
    classes: dict[str, str] = {}
    keys: dict[str, set[Hashable]] = {}
    unseen, excluded = [], []
    for piece, shape in _shapes(pieces):
        classes[piece.object_id] = classify(piece)
        if classes[piece.object_id] in unseen_classes:
            unseen.append(piece.object_id)
        elif is_lookalike(piece):
            excluded.append(piece.object_id)
        else:
            keys[piece.object_id] = family_keys(piece) | {shape}
    families = group_families(keys)
    return {
        **draw(families, classes, held_out=held_out),
        "unseen": sorted(unseen),
        "excluded": sorted(excluded),
        "classes": dict(sorted(classes.items())),
        "families": [f for f in families if len(f) > 1],
    }


def _shapes(entries: Iterable[Entry]) -> Iterator[tuple[Entry, Hashable]]:
    """The usable ones with the key of their shape."""
    for entry in tqdm([e for e in entries if not why_unused(e)], unit="object"):
        try:
            yield entry, shape_key(normalise(read(entry)[0]))
        except ValueError:
            continue


def add_models(
    splits: Mapping[str, Any],
    pieces: Sequence[Piece],
    models: Sequence[Model],
    *,
    unseen_classes: Collection[str],
) -> dict[str, Any]:
    """Splits of furniture with models beside it: more to train on, and a test of their own.

    Args:
        splits: as `make_splits` gives them; nothing in them moves.
        pieces: the furniture of those splits.
        models: what is added.
        unseen_classes: whose models, and what looks like them, are left out.

    Returns:
        The splits with models in "train", "test-models" and "excluded". A model in the shape of a
        piece of furniture goes where that piece is, if it trains, else it is left out.
    """
    trained = set(splits["train"])
    twins = {shape: piece.object_id in trained for piece, shape in _shapes(pieces)}
    classes, keys = {}, {}
    train, excluded = [], []
    for model, shape in _shapes(models):
        classes[model.object_id] = classify(model)
        if classify(model) in unseen_classes or is_lookalike(model):
            excluded.append(model.object_id)
        elif shape in twins:
            (train if twins[shape] else excluded).append(model.object_id)
        else:
            keys[model.object_id] = collection.family_keys(model) | {shape}
    families = group_families(keys)
    drawn = draw(families, classes, shares=MODEL_SHARES)
    return {
        **splits,
        "train": sorted([*splits["train"], *drawn["train"], *train]),
        MODEL_TEST: drawn[MODEL_TEST],
        "excluded": sorted([*splits["excluded"], *excluded]),
        "classes": dict(sorted((splits["classes"] | classes).items())),
        "families": splits["families"] + [f for f in families if len(f) > 1],
    }


def load_splits(path: Path = SPLITS_PATH) -> dict[str, list[str]]:
    """Object ids of `train`, `val`, `test` (seen classes) and `unseen` (held-out classes)."""
    content = json.loads(path.read_text())
    return {name: content[name] for name in ("train", "val", "test", "unseen")}


def load_classes(path: Path = SPLITS_PATH) -> dict[str, str]:
    """Class of every usable object."""
    return json.loads(path.read_text())["classes"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sources", type=Path, default=Path("data/sources"))
    parser.add_argument("--out", type=Path, default=SPLITS_PATH)
    parser.add_argument("--unseen", nargs="+", default=UNSEEN_CLASSES, help="classes held out")
    parser.add_argument("--held-out", nargs="*", default=(), help="objects to be tested on")
    parser.add_argument("--models", type=Path, help="folder of models with a table")
    parser.add_argument("--add-to", type=Path, help="splits to which the models are added")
    args = parser.parse_args()
    if (args.models is None) != (args.add_to is None):
        parser.error("--models and --add-to go together")
    pieces = read_all(args.sources)
    if args.models:
        base = json.loads(args.add_to.read_text())
        unseen = {base["classes"][object_id] for object_id in base["unseen"]}
        splits = add_models(base, pieces, read_table(args.models), unseen_classes=unseen)
    else:
        splits = make_splits(pieces, unseen_classes=args.unseen, held_out=args.held_out)
    args.out.write_text(json.dumps(splits, indent=1, ensure_ascii=False) + "\n")
    print({name: len(splits[name]) for name in splits})  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
