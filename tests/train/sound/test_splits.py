"""No text and no voice across the line, and the file in git."""

import json
from collections import defaultdict
from pathlib import Path

import pytest

from train.objects.splits import group_families
from train.sound.splits import (
    SPLITS_PATH,
    UNSEEN_LANGUAGE,
    add_sources,
    draw,
    expand,
    family_keys,
    load_speech_splits,
    main,
    make_splits,
    name_of,
    read_speech_split,
    stem,
    title_of,
    words_of,
)
from train.sources.packed import Prompt, read_prompts
from train.sources.speech import NOT_SPEECH, VOICES

SEEN = {voice.language for voice in VOICES} - {UNSEEN_LANGUAGE}


def prompt(prompt_id: str, text: str = "", seconds: float = 1.0) -> Prompt:
    return Prompt(prompt_id, 0, round(seconds * 16_000), text)


def families_of(*prompts: Prompt) -> list[list[str]]:
    return group_families(family_keys(prompts))


def test_texts_are_compared_by_their_bare_words() -> None:
    assert words_of("...Para salir del MENÚ! [beep]") == ("para", "salir", "del", "menu")


def test_grammatical_forms_have_one_stem() -> None:
    assert stem("digits/1F") == stem("digits/1n") == "digits/1"
    assert stem("vm-INBOXs") == stem("vm-INBOX") == "vm-inbox"
    assert stem("letters/s") == "letters/s" != stem("letters/a")
    assert stem("digits/11") != stem("digits/1")


def test_one_text_is_one_family_in_whatever_language() -> None:
    assert families_of(
        prompt("en/bye", "Goodbye."), prompt("en/vm-bye", "goodbye"), prompt("en/hello", "Hello")
    ) == [["bye", "vm-bye"], ["hello"]]
    # Two names that differ in English say the same in Italian.
    assert families_of(
        prompt("en/a", "one"), prompt("en/b", "two"), prompt("it/a", "uno"), prompt("it/b", "Uno")
    ) == [["a", "b"]]
    # Missing texts are no relation.
    assert families_of(prompt("en/c"), prompt("en/d")) == [["c"], ["d"]]


def test_texts_of_mostly_the_same_words_are_one_family() -> None:
    assert families_of(
        prompt("en/a", "press one to lock the conference"),
        prompt("en/b", "press one to unlock the conference"),
        prompt("en/c", "press two to leave a message"),
    ) == [["a", "b"], ["c"]]


def test_a_draw_fills_its_shares_of_time_and_repeats() -> None:
    families = [[f"{i}a", f"{i}b"] for i in range(300)] + [[f"x/{i}"] for i in range(100)]
    lengths = {name: 100 * (1 + len(name) % 3) for family in families for name in family}
    where = draw(families, lengths, seed=1)
    assert where == draw(families[::-1], lengths, seed=1) != draw(families, lengths, seed=2)
    assert where.keys() == lengths.keys()
    assert all(len({where[name] for name in family}) == 1 for family in families)
    for folder in (True, False):
        share = defaultdict(int)
        for name, split in where.items():
            share[split] += lengths[name] * (("/" in name) == folder)
        total = sum(share.values())
        assert share["test"] / total == pytest.approx(0.15, abs=0.01)
        assert share["val"] / total == pytest.approx(0.05, abs=0.01)
    assert set(draw([["x", "y"]], {"x": 9, "y": 1}).values()) == {"train"}  # fits no share


def test_the_held_out_voice_is_kept_apart() -> None:
    names = [f"p{'abcdefghij'[i // 10]}{'abcdefghij'[i % 10]}" for i in range(40)]
    made = [prompt(f"{lang}/{name}", f"{lang}{name}") for lang in ("en", "fr") for name in names]
    same = [prompt("en/alpha", "Alpha"), prompt("fr/alpha", "alpha")]
    splits = make_splits(made + same, unseen="fr")
    families = splits.pop("families")
    assert families == [] and set(splits["unseen"]) >= {f"fr/{name}" for name in names}
    assert sorted(sum(splits.values(), [])) == sorted(p.id for p in made + same)
    assert ("fr/alpha" in splits["excluded"]) == ("en/alpha" not in splits["test"])


def test_a_wrong_split_and_absent_speech_are_refused(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "splits.json"
    path.write_text(json.dumps({"train": ["en/a"], "val": [], "test": [], "unseen": []}))
    assert read_speech_split(path, "train") == ["en/a"]
    with pytest.raises(ValueError, match="train, val, test, unseen, got 'families'"):
        read_speech_split(path, "families")
    monkeypatch.setattr("sys.argv", ["speech_splits", "--speech", str(tmp_path / "none")])
    with pytest.raises(SystemExit, match="train.sound.splits: no speech of 'en'"):
        main()


def clip(clip_id: str) -> Prompt:
    return Prompt(clip_id, 0, 16_000, "")


def test_sources_are_added_by_speaker_and_title() -> None:
    sources = {
        "librispeech": ("speech", [clip(f"librispeech/{s}/{k}") for s in range(40) for k in "ab"]),
        "mandarin": ("speech", [clip("mandarin/cmn/0")]),
        "own": ("speech", [clip("own/ann/0"), clip("own/ann/1")]),
        "band": ("music", [clip(f"band/{t}_{k}.ogg/0") for t in "abcdefghij" for k in (1, 2)]),
    }
    splits = add_sources({"train": ["en/a"], "val": [], "test": ["en/b"]}, sources)
    assert splits["test"] == ["en/b"] and splits["test-language"] == ["mandarin/"]
    assert splits["train"][0] == "en/a" and "own/" in splits["train"]
    assert len(splits["test-speakers"]) == 6 and len(splits["val"]) >= 2
    titles = [{title_of(e.rstrip("/")) for e in splits[s]} for s in ("train", "test-music")]
    assert not titles[0] & titles[1] and titles[1]
    known = [c.id for _, clips in sources.values() for c in clips]
    ids = [i for name in splits for i in expand(splits[name], known)]
    assert sorted(ids) == sorted([*known, "en/a", "en/b"])


@pytest.mark.parametrize("kind", ["", "birds"])
def test_sounds_of_another_kind_or_of_none_are_split_too(kind: str) -> None:
    sources = {"mine": (kind, [clip(f"mine/{t}/0") for t in "abcdefghijklmnop"])}
    splits = add_sources({"train": [], "val": [], "test": []}, sources)
    assert splits["test-effects"] and len(splits["train"]) > len(splits["test-effects"])


def test_committed_splits_with_sounds_keep_the_prompts_where_they_were(committed: dict) -> None:
    wider = load_speech_splits(SPLITS_PATH.with_name("sound-splits.json"))
    assert wider["test"] == committed["test"] and wider["unseen"] == committed["unseen"]
    assert set(committed["train"]) < set(wider["train"])
    entries = [entry for entries in wider.values() for entry in entries]
    assert len(entries) == len(set(entries))
    assert wider["test-language"] == ["mandarin/"] and wider["test-kind"] == ["cries/"]


@pytest.fixture(scope="module")
def committed() -> dict:
    return json.loads(SPLITS_PATH.read_text())


def test_committed_splits_are_disjoint_and_of_the_expected_size(committed: dict) -> None:
    assert set(committed) == {"train", "val", "test", "unseen", "excluded", "families"}
    ids = [i for ids in load_speech_splits().values() for i in ids] + committed["excluded"]
    assert len(ids) == len(set(ids)) > 2500
    assert not {name_of(i) for i in ids} & NOT_SPEECH
    assert not [i for i in ids if "/silence/" in i]
    seen = sum(len(committed[split]) for split in ("train", "val", "test"))
    assert 0.7 < len(committed["train"]) / seen < 0.85


def test_committed_splits_hold_one_voice_out(committed: dict) -> None:
    for split in ("train", "val", "test"):
        assert {i.split("/")[0] for i in committed[split]} == SEEN
    held_out = committed["unseen"] + committed["excluded"]
    assert {i.split("/")[0] for i in held_out} == {UNSEEN_LANGUAGE}
    speakers = {voice.language: voice.speaker for voice in VOICES}
    assert speakers[UNSEEN_LANGUAGE] not in {speakers[language] for language in SEEN}


def test_committed_texts_lie_in_one_split_each(committed: dict) -> None:
    where = defaultdict(set)
    for split in ("train", "val", "test"):
        for prompt_id in committed[split]:
            where[name_of(prompt_id)].add(split)
    for family in [[name] for name in where] + committed["families"]:
        assert len(set().union(*(where.get(name, set()) for name in family))) <= 1, family


def test_committed_splits_are_what_the_code_makes(committed: dict) -> None:
    folder = SPLITS_PATH.parent.parent / "data" / "speech"
    languages = [voice.language for voice in VOICES]
    if not all((folder / f"{language}.json").is_file() for language in languages):
        pytest.skip("needs the packed speech: python -m train.sources.speech")
    prompts = [p for language in languages for p in read_prompts(folder, language)]
    assert make_splits(prompts) == committed
    # By the transcripts themselves: nothing that is tested was said in training.
    said = {p.id: words_of(p.text) for p in prompts}
    heard = {said[i] for split in ("train", "val") for i in committed[split]} - {()}
    assert not heard & {said[i] for split in ("test", "unseen") for i in committed[split]}
