import os
import signal
import zipfile
from itertools import islice

import numpy as np
import pytest
import soundfile

from tests.train.objects.test_furniture import piece
from tests.train.objects.test_render_views import CUBE, Painter
from train.cluster import make as module
from train.cluster.make import decoded, divide, divide_clips, divide_objects, main, make, rendered
from train.cluster.shards import open_shards
from train.cluster.streaming import decode_clip
from train.objects import render_views
from train.objects.render_views import render_all
from train.sources.sounds import list_clips


@pytest.fixture
def in_turn(monkeypatch):
    """Tasks of this process, in place of Ray's."""

    def spread(work, items):
        for item in items:
            try:
                yield item, work(item)
            except Exception as error:
                yield item, error

    monkeypatch.setattr(module, "spread", spread)


@pytest.fixture
def painter(monkeypatch):
    painter = Painter()
    monkeypatch.setattr(render_views, "_rasteriser", painter)
    return painter


@pytest.fixture
def pieces(tmp_path):
    """Three cubes, a rug that is never used, and a model that is flat."""
    path = tmp_path / "Scopia.sh3f"
    with zipfile.ZipFile(path, "w") as files:
        files.writestr("cube.obj", CUBE)
        files.writestr("flat.obj", "v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n")
    named = [("Cube", x, "cube.obj") for x in "abc"]
    named += [("Oriental rug", "d", "cube.obj"), ("Card", "e", "flat.obj")]
    return [
        piece(name, object_id=f"scopia-{end}", archive=path, model=model)
        for name, end, model in named
    ]


def noises(folder, *names, seconds=1.0):
    rng = np.random.default_rng(0)
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        samples = 0.1 * rng.standard_normal(round(16_000 * seconds))
        soundfile.write(folder / name, samples, 16_000, subtype="PCM_16")


SPLITS = {"train": ["scopia-a", "scopia-d", "scopia-b", "scopia-e"], "val": ["scopia-c"]}


def test_objects_and_their_variants_become_shards(tmp_path, painter, pieces, in_turn):
    shards = divide_objects(pieces, SPLITS, variants=1, per_shard=2)
    assert [shard.path for shard in shards] == [
        "train/000000.tar", "train/000001.tar", "train/000002.tar", "val/000000.tar",
    ]  # fmt: skip
    out = str(tmp_path / "set")
    assert make(shards, out, rendered) == 5 and painter.calls == 5
    train = open_shards(f"{out}/train")
    names = [sample["id"] for sample in islice(train.stream(seed=(0,)), len(train))]
    assert sorted(names) == ["scopia-a", "scopia-a+1", "scopia-b", "scopia-b+1"]
    assert train.counts == {"000000.tar": 2, "000001.tar": 2}
    assert make(shards, out, rendered) == 5 and painter.calls == 5  # nothing is made again
    (tmp_path / "set" / "train" / "000001.tar").unlink()
    assert make(shards, out, rendered) == 5 and painter.calls == 7
    # The same as in folders of their own.
    render_all(pieces[:1], tmp_path / "views", workers=1)
    calls = painter.calls
    packed = list(rendered(shards[0], views=tmp_path / "views"))
    assert painter.calls == calls + 1  # the variant alone
    assert packed[0]["webp"] == (tmp_path / "views" / "scopia-a" / "sheet.webp").read_bytes()


def test_a_shard_that_fails_leaves_the_others_and_no_data_set(tmp_path, in_turn):
    def samples(shard):
        if shard.items == (2, 3) and not (tmp_path / "repaired").exists():
            raise ValueError("a broken file")
        return ({"id": str(item), "raw": b"x"} for item in shard.items)

    shards = list(divide("train", range(5), per_shard=2))
    with pytest.raises(RuntimeError, match="1 of 3 shards .* such as train/000001.tar: a broken"):
        make(shards, str(tmp_path), samples)
    assert [p.name for p in (tmp_path / "train").iterdir()] == ["000000.tar", "000002.tar"]
    (tmp_path / "repaired").touch()
    assert make(shards, str(tmp_path), samples) == 5
    assert len(open_shards(f"{tmp_path}/train")) == 5
    with pytest.raises(ValueError, match="at least one sample per shard, got 0"):
        next(divide("train", [1], per_shard=0))


class Raw:
    """A byte per item; the process of the second shard ends once, in the middle of it."""

    def __init__(self, mark):
        self.mark = mark

    def __call__(self, shard):
        for item in shard.items:
            if item == 3 and not self.mark.exists():
                self.mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            yield {"id": str(item), "raw": bytes([item])}


def test_on_ray_a_shard_whose_process_ends_is_made_whole(tmp_path, ray_runtime):
    shards = list(divide("train", range(5), per_shard=2))
    assert make(shards, str(tmp_path / "set"), Raw(tmp_path / "dead")) == 5
    assert (tmp_path / "dead").exists()
    train = open_shards(f"{tmp_path}/set/train")
    found = {int(s["id"]): s["raw"] for s in islice(train.stream(seed=(0,)), 5)}
    assert found == {item: bytes([item]) for item in range(5)}
    files = sorted(path.name for path in (tmp_path / "set" / "train").iterdir())
    assert files == ["000000.tar", "000001.tar", "000002.tar", "shards.json"]


def never(shard):
    raise AssertionError(f"{shard.path} is made again")
    yield


def test_shards_are_made_in_a_store_of_objects(tmp_path, in_turn):
    """And nothing is made again there."""
    shards, url = list(divide("train", range(5), per_shard=2)), f"memory:/{tmp_path}"
    (tmp_path / "dead").touch()
    assert make(shards, url, Raw(tmp_path / "dead")) == 5
    assert make(shards, f"{url}/", never) == 5 == len(open_shards(f"{url}/train"))


def test_sounds_are_decoded_and_divided_by_speaker(tmp_path, in_turn, capsys):
    speakers = [f"speaker-{k}" for k in range(40)]
    noises(tmp_path / "Voices", *(f"{name}/{k}.flac" for name in speakers for k in range(2)))
    noises(tmp_path / "Voices", "speaker-0/short.flac", seconds=0.2)
    clips = list_clips(tmp_path / "Voices")
    shards = divide_clips(clips, split=None, per_shard=7)
    groups = {
        split: {clip.group for s in shards if s.split == split for _, clip in s.items}
        for split in ("train", "val", "test")
    }
    assert set.union(*groups.values()) == set(speakers)
    assert sum(map(len, groups.values())) == 40 and len(groups["train"]) > 33
    main(["sounds", str(tmp_path / "Voices"), "--split", "train", "--out", f"{tmp_path}/set",
          "--per-shard", "50"])  # fmt: skip
    assert '{"shards": 2, "samples": 80,' in capsys.readouterr().out
    stream = open_shards(f"{tmp_path}/set/train").stream(seed=(0,))
    name, samples, text = decode_clip(next(stream))
    assert name.startswith("voices/speaker-") and text == ""
    number = int(name.rpartition("/")[2])
    expected, _ = soundfile.read(clips[number].file, dtype="int16")
    assert np.abs(samples.astype(int) - expected).max() <= 1
    (found,) = decoded(next(divide("train", [("x", clips[0])], per_shard=1)))
    assert set(found) == {"id", "flac", "txt"}
