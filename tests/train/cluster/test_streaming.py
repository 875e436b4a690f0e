import tracemalloc
from collections import Counter
from io import BytesIO
from itertools import islice

import numpy as np
import pytest
import scipy.stats
import soundfile
import torch

from tests.train import scenes
from tests.train.sound.test_task import config_of, tones
from tests.train.test_state import assert_equal_states
from train.cluster.shards import Shards, open_shards, write_index, write_shard
from train.cluster.streaming import Pool, StreamedSoundTask, load_views_of_shards
from train.config import SoundData, ViewData
from train.loop import train
from train.sound.task import SoundTask
from train.view.data import load_split, load_views
from train.view.task import ViewTask

CPU = torch.device("cpu")


def write(url, samples, *, per_shard):
    counts, url = {}, str(url)
    for k in range(0, len(samples), per_shard):
        counts[f"{k:04d}.tar"] = write_shard(f"{url}/{k:04d}.tar", samples[k : k + per_shard])
    write_index(url, counts)
    return url


@pytest.fixture(scope="module")
def rendered(tmp_path_factory):
    """Three balls as rendered views, and as samples of a stream."""
    views_dir, splits = scenes.write_dataset(tmp_path_factory.mktemp("balls"))
    samples = [
        {
            "id": folder.name, "webp": (folder / "sheet.webp").read_bytes(),
            "json": (folder / "transforms.json").read_bytes(), "txt": b"a",
        }
        for folder in sorted(views_dir.iterdir())
    ]  # fmt: skip
    return views_dir, splits, samples


@pytest.fixture
def view_config(rendered, tmp_path):
    _, _, samples = rendered
    for split in ("train", "val"):
        write(tmp_path / "set" / split, samples, per_shard=2)
    data = ViewData(
        format="shards", views_dir=str(tmp_path / "set"), target_views=2, rays=16, samples=8,
        pool=2, fresh=1,
    )  # fmt: skip
    return scenes.train_config(data=data, eval_every=2, lr_heads=1e-2)


@pytest.fixture
def sound_config(tmp_path):
    sounds, samples = tones(300, 500, 700, 900), []
    for k, name in enumerate(sounds.ids):
        flac = BytesIO()
        own = sounds.samples[16_000 * k : 16_000 * (k + 1)].numpy()
        soundfile.write(flac, own, 16_000, format="FLAC", subtype="PCM_16")
        samples.append({"id": name, "flac": flac.getvalue(), "txt": b""})
    for split in ("train", "val"):
        write(tmp_path / "set" / split, samples, per_shard=3)
    data = SoundData(
        format="shards", speech_dir=str(tmp_path / "set"), stretches=3, pool=3, fresh=2
    )
    return config_of(data=data, steps=6, lr_heads=1e-2)


def test_objects_are_those_of_the_folder(rendered, tmp_path):
    views_dir, splits, samples = rendered
    url = write(tmp_path / "test", samples, per_shard=2)
    found = load_views_of_shards(url, input_size=28)
    data = ViewData(views_dir=str(views_dir), splits_file=str(splits))
    expected = load_views(data, found.ids, classes=dict.fromkeys(found.ids, "a"), input_size=28)
    assert found.ids == ("ball-0", "ball-1", "ball-2") and found.classes == ("a",) * 3
    assert found.fov_deg == pytest.approx(expected.fov_deg)
    for name in ("rgba", "framed", "poses", "turns"):
        torch.testing.assert_close(getattr(found, name), getattr(expected, name))
    streamed = ViewData(format="shards", views_dir=str(tmp_path))
    assert load_split(streamed, "test", input_size=28).ids == found.ids


@pytest.mark.parametrize(("kind", "config"), [("view", "view_config"), ("sound", "sound_config")])
def test_a_run_on_a_stream_goes_on_exactly(kind, config, tmp_path, request):
    config = request.getfixturevalue(config)
    load = {"view": ViewTask, "sound": SoundTask}[kind].load
    straight = train(config, load(config, device=CPU), out=tmp_path / "a", device=CPU)
    held = []
    for stop_at in (2, 5, None):
        task = load(config, device=CPU)
        state = train(config, task, out=tmp_path / "b", device=CPU, stop_at=stop_at)
        held.append(task.pool.shards)
    assert_equal_states(straight, state)
    assert set(task.facts.values()) == {len(held[0])} != {config.data.pool}


def test_a_pool_moves_over_the_stream(sound_config):
    task = StreamedSoundTask.load(sound_config, device=CPU)
    ids = [s["id"] for s, _ in zip(task.pool.shards.stream(seed=(0, 0)), range(11), strict=False)]
    model = torch.nn.Module()
    model.encode = lambda *_, **__: (_ for _ in ()).throw(StopIteration)
    for step in range(5):
        task.go_to(step) if step == 3 else None
        with pytest.raises((StopIteration, RuntimeError)):
            task.loss(model, generator=torch.Generator().manual_seed(0))
        assert sorted(task.train_sounds.ids) == sorted(ids[2 * step : 2 * step + 3]), step


def test_every_object_is_drawn_as_often():
    """Chi-square over objects in shards of very different sizes."""
    sizes = {f"{k}.tar": size for k, size in enumerate((1, 2, 3, 5, 8, 13, 21, 7))}
    shards, generator = Fake("", sizes), np.random.default_rng(0)
    drawn = Counter()
    pool = Pool(shards, lambda sample: sample["id"], size=15, fresh=2, seed=(0, 0))
    held = dict(pool.fill(0))
    for _ in range(40 * len(shards) // 2):
        drawn.update(held[place] for place in generator.integers(15, size=6))
        held.update(pool.advance())
    assert len(drawn) == 60
    assert scipy.stats.chisquare(list(drawn.values())).pvalue > 0.01


class Fake(Shards):
    """Samples by their shard and number, without files."""

    def stream(self, *, seed, start=0):
        from train.cluster import shards

        def read(url):
            name = url.rpartition("/")[2]
            return ({"id": f"{name}-{k}"} for k in range(self.counts[name]))

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(shards, "read_shard", read)
            yield from super().stream(seed=seed, start=start)


@pytest.fixture
def held_mb():
    """What Python and NumPy hold that was taken since: a process keeps what others have freed."""
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[0] / 1e6
    tracemalloc.stop()


def test_ten_times_the_samples_take_no_more_memory(tmp_path, held_mb):
    """While a whole pass moves through the pool; and the measure sees what all of them take."""

    def decode(sample):
        return np.frombuffer(sample["raw"], np.uint8).copy()

    def most(count):
        shards = f"{tmp_path}/{count}"
        write(shards, [{"id": str(k), "raw": bytes(500_000)} for k in range(count)], per_shard=10)
        pool = Pool(open_shards(shards), decode, size=8, fresh=2, seed=(0,))
        held, most = dict(pool.fill(0)), 0.0
        for _ in range(count // 2):
            held.update(pool.advance())
            most = max(most, held_mb())
        return most

    few, many = most(20), most(200)
    held = [
        decode(sample) for sample in islice(open_shards(f"{tmp_path}/200").stream(seed=(0,)), 200)
    ]
    assert many - few < 20 and len(held) == 200
    assert held_mb() - many > 60


def test_what_a_stream_cannot_do_is_refused():
    with pytest.raises(ValueError, match="a stream is read whole"):
        scenes.train_config(data=ViewData(format="shards"), train_share=0.5)
    for changes, message in (
        ({"variants": 1}, "set variants = 0"),
        ({"weights": {"a": 2.0}}, "no"),
    ):
        with pytest.raises(ValueError, match=message):
            ViewData(format="shards", **changes)
