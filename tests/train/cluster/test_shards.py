from itertools import islice

import pytest
import webdataset

from train.cluster.shards import open_shards, read_shard, write_index, write_shard

SIZES = (3, 1, 4, 2)


def samples(first, count):
    for k in range(first, first + count):
        yield {"id": f"pack.{k}+1", "webp": bytes([k]) * 700, "json": b"{}"}


@pytest.fixture(params=["folder", "memory"])
def url(request, tmp_path):
    """Ten samples in four shards, in a folder and in a store of objects."""
    where = str(tmp_path / "set") if request.param == "folder" else f"memory:/{tmp_path}"
    counts = {}
    for k, size in enumerate(SIZES):
        name = f"{k:06d}.tar"
        counts[name] = write_shard(f"{where}/{name}", samples(sum(SIZES[:k]), size))
    write_index(where, counts | {"empty.tar": 0})
    return where


def ids(shards, count, *, seed=0, start=0):
    stream = shards.stream(seed=(seed, 0), start=start)
    return [sample["id"] for sample in islice(stream, count)]


def test_what_was_written_is_read(url):
    shards = open_shards(url)
    assert len(shards) == 10 and "empty.tar" not in shards.counts
    found = list(read_shard(f"{url}/000002.tar"))
    assert found == list(samples(4, 4))


def test_every_pass_has_every_sample_once_in_another_order(url):
    shards = open_shards(url)
    passes = [ids(shards, 40)[10 * k : 10 * k + 10] for k in range(4)]
    assert all(sorted(one) == sorted(f"pack.{k}+1" for k in range(10)) for one in passes)
    assert len({tuple(one) for one in passes}) > 1
    assert ids(shards, 40, seed=1) != ids(shards, 40)


@pytest.mark.parametrize("start", [1, 3, 9, 10, 27])
def test_a_stream_that_begins_later_is_the_rest_of_it(url, start):
    shards = open_shards(url)
    assert ids(shards, 12, start=start) == ids(shards, start + 12)[start:]


def test_other_programs_of_the_format_read_them(tmp_path):
    write_shard(str(tmp_path / "0.tar"), samples(0, 2))
    found = list(webdataset.WebDataset(str(tmp_path / "0.tar"), shardshuffle=False))
    assert [sample["webp"] for sample in found] == [s["webp"] for s in samples(0, 2)]


def test_a_shard_appears_when_it_is_complete_and_is_not_made_twice(tmp_path):
    path, other = tmp_path / "a" / "0.tar", tmp_path / "a" / "1.tar"

    def cut_short():
        yield from samples(0, 2)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_shard(str(path), cut_short())
    assert not path.exists()
    assert write_shard(str(path), samples(0, 2)) == 2
    before = path.read_bytes()
    assert write_shard(str(path), cut_short()) == 2  # nothing is asked of it
    write_shard(str(other), samples(0, 2))
    assert path.read_bytes() == before == other.read_bytes()
    assert sorted(p.name for p in path.parent.iterdir()) == ["0.tar", "1.tar"]


def test_a_folder_without_shards_is_named(tmp_path):
    with pytest.raises(ValueError, match=r"no shards.json in .*; make shards with"):
        open_shards(str(tmp_path))
    write_index(str(tmp_path), {"0.tar": 0})
    with pytest.raises(ValueError, match="hold no sample"):
        open_shards(str(tmp_path))
