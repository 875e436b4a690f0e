import numpy as np

from train.view.scores import view_yardsticks


def scored(**psnr):
    rest = {"ssim": 0.5, "perceptual": 0.1}
    return {"rows": [{"object": name, "psnr": value, **rest} for name, value in psnr.items()]}


def test_yardsticks_are_of_the_objects_that_runs_are_scored_on():
    white = scored(**{f"o{k}": float(k) for k in range(8)})
    test = {"white": white, "ceiling": scored(o1=20.0, o7=22.0), "foundation": white}
    splits = {"test": test, "unseen": {"white": scored(u0=5.0)}}
    results = {"splits_file": "these.json", "splits": splits}
    found = view_yardsticks({"view": results}, splits_file="these.json", limit=4)
    assert set(found) == {"white", "ceiling"}
    assert found["white"]["test"]["psnr"] == np.mean([0, 2, 4, 6])
    assert found["white"]["test"]["objects"] == 4
    assert found["white"]["unseen"]["psnr"] == 5.0
    assert found["ceiling"] == {"test": found["ceiling"]["test"]}
    assert found["ceiling"]["test"]["psnr"] == 21.0 and found["ceiling"]["test"]["objects"] == 2
    assert view_yardsticks({}, splits_file="these.json", limit=4) == {}
    assert view_yardsticks({"view": results}, splits_file="others.json", limit=4) == {}
