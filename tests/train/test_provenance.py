import subprocess

import torch

from train.provenance import git_hash, provenance


def test_a_changed_checkout_is_told_from_its_commit(tmp_path):
    def git(*words):
        identity = ["-c", "user.name=x", "-c", "user.email=x@y"]
        done = subprocess.run(
            ["git", *identity, *words], cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    assert git_hash(tmp_path) == "unknown"
    git("init", "-q")
    (tmp_path / "a").write_text("1")
    git("add", "a")
    git("commit", "-qm", "a")
    commit = git("rev-parse", "HEAD")
    assert git_hash(tmp_path) == commit
    (tmp_path / "a").write_text("2")
    assert git_hash(tmp_path) == f"{commit}-dirty"


def test_facts_name_code_hardware_and_torch():
    found = provenance(torch.device("cpu"))
    assert list(found) == ["git", "hardware", "torch"] and "CPU cores" in found["hardware"]
    assert found["torch"] == torch.__version__
