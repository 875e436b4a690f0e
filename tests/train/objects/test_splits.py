"""No relative across the line, no held-out class in training, and the file in git."""

from pathlib import Path

import numpy as np
import pytest

from tests.train.objects.test_furniture import piece, tetrahedron
from train.objects.furniture import CLASSES, UNSEEN_CLASSES, normalise
from train.objects.obj import Mesh
from train.objects.splits import (
    SPLITS_PATH,
    draw,
    family_keys,
    group_families,
    load_classes,
    load_splits,
    shape_key,
    stem,
)


def test_numbers_colours_and_sizes_do_not_part_names() -> None:
    assert stem("Concept Sedan 01") == stem("concept-sedans-02") == "concept sedan"
    assert stem("Small black table 3") == "table"
    assert stem("Black") == "black"  # nothing else is left


def related(first, second) -> bool:
    return bool(family_keys(first) & family_keys(second))


def test_relatives_share_a_key_and_strangers_none() -> None:
    def made(object_id: str, name: str, creator: str = "Scopia"):
        return piece(name, object_id=f"scopia-{object_id}", creator=creator)

    assert related(made("chair1", "Chair"), made("chair4", "Chair"))
    assert not related(made("tubular-chair", "Chair"), made("chair4", "Chair"))
    assert not related(made("chair1", "Chair"), made("chair4", "Chair", "Ann"))
    assert related(made("seat", "Winchester sofa", "Ann"), made("x", "Other sofa", "Ann & eTeks"))
    assert related(made("rattan-sofa", "Rattan sofa"), made("rattan-table", "Rattan table"))


def test_a_copy_in_other_colours_or_mirrored_has_the_same_shape() -> None:
    mesh = normalise(tetrahedron())
    mirrored = Mesh(
        mesh.positions * np.float32([-1, 1, 1]), mesh.normals, mesh.uvs, mesh.material, ()
    )
    assert shape_key(mesh) == shape_key(mirrored)
    assert shape_key(mesh) != shape_key(normalise(tetrahedron(thickness=2.0)))


def test_families_are_chains_of_shared_keys() -> None:
    keys = {"a": {1}, "b": {2}, "c": {1, 3}, "d": {3}, "e": {4}}
    assert group_families(keys) == [["a", "c", "d"], ["b"], ["e"]]


def test_a_draw_keeps_families_whole_fills_quotas_and_repeats() -> None:
    families = [[f"{g}{i}a", f"{g}{i}b"] for g in "xy" for i in range(50)]
    classes = {i: i[0] for f in families for i in f}
    splits = draw(families, classes, seed=1)
    assert splits == draw(families, classes, seed=1) != draw(families, classes, seed=2)
    where = {i: name for name, ids in splits.items() for i in ids}
    assert len(where) == 200
    assert all(where[a] == where[b] for a, b in families)
    for group in "xy":
        assert sum(i[0] == group for i in splits["test"]) == 12  # 13 % of 100, in pairs
        assert sum(i[0] == group for i in splits["val"]) == 4


def test_a_family_larger_than_the_quota_trains() -> None:
    family = [f"x{i}" for i in range(20)]
    assert draw([family], dict.fromkeys(family, "x"))["train"] == sorted(family)


def test_what_must_be_held_out_is_tested_on_with_its_family() -> None:
    families = [[f"{g}{i}a", f"{g}{i}b"] for g in "xy" for i in range(50)]
    classes = {i: i[0] for f in families for i in f}
    plain = draw(families, classes)
    asked = next(i for i in plain["train"] if i.startswith("y"))
    splits = draw(families, classes, held_out=[asked])
    assert {f"{asked[:-1]}a", f"{asked[:-1]}b"} <= set(splits["test"])
    for name in splits:  # as many as before, and the other class is left alone
        assert len(splits[name]) == len(plain[name])
        assert [i for i in splits[name] if i[0] == "x"] == [i for i in plain[name] if i[0] == "x"]


WITH_VEHICLES = SPLITS_PATH.with_name("splits-with-vehicles.json")
HELD_OUT_CLASSES = {SPLITS_PATH: set(UNSEEN_CLASSES), WITH_VEHICLES: {"bed", "person", "animal"}}


@pytest.fixture(scope="module", params=HELD_OUT_CLASSES, ids=lambda path: path.stem)
def path(request) -> Path:
    return request.param


@pytest.fixture(scope="module")
def committed(path: Path) -> dict:
    import json

    return json.loads(path.read_text())


def test_splits_with_vehicles_differ_in_vehicles_alone() -> None:
    plain, other, classes = load_splits(), load_splits(WITH_VEHICLES), load_classes()
    for name in plain:
        for splits in (plain, other):
            splits[name] = [i for i in splits[name] if classes[i] != "vehicle"]
        assert plain[name] == other[name]
    assert "kator-legaz-vw-new-beetle" in load_splits(WITH_VEHICLES)["test"]


def test_committed_splits_are_disjoint_and_complete(committed: dict, path: Path) -> None:
    splits, classes = load_splits(path), load_classes(path)
    ids = [i for split in splits.values() for i in split] + committed["excluded"]
    assert len(ids) == len(set(ids)) and set(ids) == set(classes)
    assert set(classes.values()) <= set(CLASSES)
    assert 70 <= len(splits["test"]) <= 85 and 15 <= len(splits["val"]) <= 30


def test_committed_splits_hold_whole_classes_out(committed: dict, path: Path) -> None:
    classes = load_classes(path)
    for name, ids in load_splits(path).items():
        held_out = {classes[i] in HELD_OUT_CLASSES[path] for i in ids}
        assert held_out == {name == "unseen"}
    assert not {classes[i] for i in committed["excluded"]} & set(UNSEEN_CLASSES)


def test_committed_families_lie_in_one_split_each(committed: dict, path: Path) -> None:
    where = {i: name for name, ids in load_splits(path).items() for i in ids}
    for family in committed["families"]:
        assert len({where[i] for i in family}) == 1, family
