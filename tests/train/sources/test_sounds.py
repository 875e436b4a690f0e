"""Folders of sound with and without a table, packed as the speech is."""

import json

import numpy as np
import pytest
import soundfile

from train.sources.packed import read_prompts
from train.sources.sounds import list_clips, main

RATE = 24_000
COLUMNS = "source kind language licence file start_s seconds speaker_or_title".split()


def tone(seconds: float, hz: float, rate: int) -> np.ndarray:
    return 0.3 * np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)


@pytest.fixture
def folder(tmp_path):
    """Three clips in a row in one file, and one of silence."""
    parts = [tone(1.0, 200.0, RATE), tone(2.0, 400.0, RATE), tone(0.3, 600.0, RATE)]
    soundfile.write(tmp_path / "a.flac", np.concatenate([*parts, np.zeros(RATE)]), RATE)
    rows = [
        ("Our Voices", "speech", "en", "CC0", "a.flac", 0.0, 1.0, "set/Ann B"),
        ("Our Voices", "speech", "en", "CC0", "a.flac", 1.0, 2.0, "set/Ann B"),
        ("Our Voices", "speech", "en", "CC0", "a.flac", 3.0, 0.3, "set/Ann B"),
        ("Our Voices", "speech", "en", "CC0", "a.flac", 3.3, 1.0, "set/Ann B"),
    ]
    lines = ["\t".join(map(str, row)) for row in (COLUMNS, *rows)]
    (tmp_path / "index.tsv").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_a_table_cuts_files_into_clips(folder, tmp_path) -> None:
    out = tmp_path / "out"
    main([str(folder), "--out", str(out)])
    prompts = read_prompts(out, "our-voices")  # too short and silent ones are left out
    assert [p.id for p in prompts] == ["our-voices/ann-b/0000", "our-voices/ann-b/0001"]
    assert [(p.start, p.length) for p in prompts] == [(0, 16_000), (16_000, 32_000)]
    index = json.loads((out / "our-voices.json").read_text())
    assert (index["kind"], index["licences"]) == ("speech", ["CC0"])
    samples = np.load(out / "our-voices.npy") / 32767
    expected = np.concatenate([tone(1.0, 200.0, 16_000), tone(2.0, 400.0, 16_000)])
    quiet = np.r_[200:15_800, 16_200:47_800]  # away from the cuts
    np.testing.assert_allclose(samples[quiet], expected[quiet], atol=2e-3)


def test_a_folder_without_a_table_is_read_by_its_names(folder, tmp_path) -> None:
    (folder / "index.tsv").unlink()
    (folder / "Ann").mkdir()
    soundfile.write(folder / "Ann" / "b.wav", tone(1.0, 300.0, 8000), 8000)
    clips = list_clips(folder)
    assert [(clip.group, clip.file.name) for clip in clips][0] == ("ann", "b.wav")
    assert len({clip.source for clip in clips}) == 1


def test_tables_and_files_of_other_kinds_are_refused(folder, tmp_path) -> None:
    (folder / "index.tsv").write_text("source\tfile\nx\ty\n")
    with pytest.raises(SystemExit, match="index.tsv is not a table of sounds"):
        main([str(folder)])
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(SystemExit, match="expected sound files"):
        main([str(empty)])
    (empty / "letter.txt").write_text("Dear Ann")
    with pytest.raises(SystemExit, match="train.sources.sounds: "):
        main([str(empty), "--out", str(tmp_path / "out")])
