"""When the results describe an experiment of a sweep anew."""

import json

from tests.train.sound.test_task import config_of
from tests.train.test_sweep import TINY
from train import sweep as module
from train.sweep import add_row, add_words, describe


def test_a_description_gives_way_once_all_its_arms_have_run(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "load_config", lambda name: config_of())
    out = tmp_path / "r.json"
    old = {"title": "Rates, in fewer steps", "arms": []}
    out.write_text(json.dumps({"sweeps": {"sound": {"experiments": {"rate": old}}}}))

    def described():
        add_words(out, "sound", TINY, names=["rate", "seeds"], limit=3)
        return json.loads(out.read_text())["sweeps"]["sound"]["experiments"]

    new = describe(TINY, ["rate", "seeds"])
    assert described() == {"rate": old, "seeds": new["seeds"]}
    low, high = TINY.runs(("rate",))
    add_row(out, "sound", low, {})
    assert described()["rate"] == old
    add_row(out, "sound", high, {})
    assert described() == new
