import pytest

from bench.workers import WARM_UP, bench_workers, measured_config, noise, step_s
from tests.train import scenes


def test_rows_are_of_one_worker_and_of_two(ray_runtime):
    config = scenes.train_config(
        steps=WARM_UP + 10, batch=2, eval_every=WARM_UP + 10, save_minutes=1e6, threads=1
    )
    rows = bench_workers(config, repeats=1)["rows"]
    one, both, two, workers, threads = (found["values"][0] for found in rows.values())
    assert list(rows)[2:4] == ["step of two workers", "speed-up by a second worker"]
    assert workers == pytest.approx(one / two) and threads == pytest.approx(one / both)
    assert min(one, both, two) > 0


def test_steps_before_those_that_count_do_not(tmp_path):
    lines = ['{"step": 10, "seconds": 7.0}', '{"step": 20, "seconds": 8.0}']
    (tmp_path / "metrics.jsonl").write_text("\n".join([*lines, '{"step": 30, "seconds": 10.0}']))
    assert step_s(tmp_path) == pytest.approx(0.15)


def test_what_is_measured_is_the_shipped_configuration():
    config = measured_config(20)
    assert (config.batch, config.threads, config.steps) == (8, 1, 30)
    assert config.model.backbone.image_size == 98 and config.model.init == "scratch"
    views = noise(3, input_size=28)
    assert len(views) == 3 and views.rgba.shape == (3, 8, 128, 128, 4)
