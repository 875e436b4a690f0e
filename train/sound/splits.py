"""Which prompts train, validate and test: drawn once by this command and kept in git.

    python -m train.sound.splits
    python -m train.sound.splits --with SOURCE … --out train/sound-splits.json

A prompt is held out in all languages at once, together with those that say nearly the same. One
voice is held out altogether, with its language: French, by June Wallack. She alone can go without
taking with her what training has only once. Allison Smith speaks two languages, Carlo Flora is the
only speaker named as a man, and the Russian is the only Slavic language and the highest voice.
French is surrounded instead: two female voices, two other Romance languages, and a median pitch
(205 Hz) between Carlo Flora's (182 Hz) and the Russian one (about 215 Hz). So what is tested is a
new voice and no new register.

`--with` adds sources that `train.sources.sounds` packed. Of those, what `HELD_OUT` names is tested
only, and so are some speakers or titles of the sources in which these are known; all of the others
is trained on. An entry that ends in a slash stands for all clips whose ids begin so.
"""

import argparse
import hashlib
import json
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path

from train.objects.splits import group_families
from train.sources.packed import Prompt, read_index, read_prompts
from train.sources.speech import VOICES

SPLITS_PATH = Path(__file__).resolve().parents[1] / "speech_splits.json"
SEED = 2025
TEST_SHARE, VAL_SHARE = 0.15, 0.05
UNSEEN_LANGUAGE = "fr"
HELD_OUT = {"mandarin": "test-language", "cries": "test-kind"}
"""A language and a kind of sound that no training hears."""
BY_SPEAKER = ("librispeech",)
TESTS_OF = {"speech": "test-speakers", "music": "test-music", "effects": "test-effects"}
OTHER_TEST = "test-effects"
"""Of sounds of any other kind, or of none that is known: measures of speech are not taken there."""
# Of the words of two prompts, the share that both say: "to lock the conference", "to unlock the …".
NEAR = 0.7
# Of fewer words too much is shared by chance.
MIN_WORDS = 3


def language_of(prompt_id: str) -> str:
    return prompt_id.partition("/")[0]


def name_of(prompt_id: str) -> str:
    """The prompt without its language: `digits/1` of `es/digits/1`."""
    return prompt_id.partition("/")[2]


def words_of(text: str) -> tuple[str, ...]:
    """Words without case, accents, punctuation and what stands in [square brackets]."""
    plain = unicodedata.normalize("NFKD", re.sub(r"\[.*?\]", " ", text).casefold())
    kept = "".join(c for c in plain if not unicodedata.combining(c))
    return tuple(re.findall(r"\w+", kept))


def stem(name: str) -> str:
    """One for a prompt's grammatical forms: `digits/1F` and `digits/1m`, `vm-INBOX`, `vm-INBOXs`.

    A letter's folder is left as it is: there, each more letter is another prompt.
    """
    if name.startswith("letters/"):
        return name
    return re.sub(r"(?<=\d)[a-z]$|(?<=[a-z])_?\d$|(?<=[a-z])s$", "", name.lower())


def family_keys(prompts: Iterable[Prompt]) -> dict[str, set[Hashable]]:
    """For each prompt's name, what near-duplicates share: the stem, a transcript, most words."""
    keys: dict[str, set[Hashable]] = defaultdict(set)
    said: dict[str, dict[frozenset[str], str]] = defaultdict(dict)
    for prompt in prompts:
        name, words = name_of(prompt.id), words_of(prompt.text)
        keys[name].add(("stem", stem(name)))
        if words:
            keys[name].add(("text", words))
        if len(words) >= MIN_WORDS:
            said[language_of(prompt.id)].setdefault(frozenset(words), name)
            keys[name].add(("words", frozenset(words)))
    for sets in said.values():
        for one, other in combinations(sets, 2):
            if len(one & other) >= NEAR * len(one | other):
                pair = ("near", *sorted((sets[one], sets[other])))
                keys[sets[one]].add(pair)
                keys[sets[other]].add(pair)
    return dict(keys)


def draw(
    families: Iterable[Sequence[str]], lengths: dict[str, int], *, seed: int = SEED
) -> dict[str, str]:
    """Shares families among train, val and test, folder by folder, by their length in samples.

    Args:
        families: names of prompts, near-duplicates together; a family counts for the folder
            (digits, letters, …) of its first one.
        lengths: samples of each name in all seen languages; none where no seen language has it.
        seed: of the order.

    Returns:
        Split of every name. Families come in the order of a hash of their first name and go to
        test, then val, while they fit that folder's quota.
    """
    by_folder = defaultdict(list)
    for members in families:
        by_folder[members[0].rpartition("/")[0]].append(members)
    splits = {}
    for group in by_folder.values():
        sizes = {members[0]: sum(lengths.get(name, 0) for name in members) for members in group}
        total = sum(sizes.values())
        quota = {"test": TEST_SHARE * total, "val": VAL_SHARE * total, "train": float("inf")}
        for members in sorted(group, key=lambda m: _hash(m[0], seed)):
            split = next(s for s in quota if sizes[members[0]] <= quota[s])
            quota[split] -= sizes[members[0]]
            splits |= dict.fromkeys(members, split)
    return splits


def _hash(name: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}/{name}".encode()).hexdigest()


def make_splits(prompts: Sequence[Prompt], *, unseen: str = UNSEEN_LANGUAGE) -> dict[str, list]:
    """All splits of some languages' prompts.

    Args:
        prompts: of every language.
        unseen: language whose voice speaks no other one.

    Returns:
        Sorted ids by split; `excluded`, what the held-out voice says word for word as training or
        validation does in another language (Alpha, Bravo); and the families of several names.
    """
    families = group_families(family_keys(prompts))
    seen = [prompt for prompt in prompts if language_of(prompt.id) != unseen]
    lengths = Counter[str]()
    for prompt in seen:
        lengths[name_of(prompt.id)] += prompt.length
    where = draw(families, lengths)
    splits: dict[str, list] = {s: [] for s in ("train", "val", "test", "unseen", "excluded")}
    for prompt in seen:
        splits[where[name_of(prompt.id)]].append(prompt.id)
    heard = {words_of(p.text) for p in seen if where[name_of(p.id)] != "test"} - {()}
    for prompt in prompts:
        if language_of(prompt.id) == unseen:
            splits["excluded" if words_of(prompt.text) in heard else "unseen"].append(prompt.id)
    return {name: sorted(ids) for name, ids in splits.items()} | {
        "families": [list(members) for members in families if len(members) > 1]
    }


def title_of(folder: str) -> str:
    """A title without the number of the take: `male_death` of `male_death_46.ogg`."""
    return re.sub(r"([-_]?\d+[a-z]?)?(\.[a-z\d]+)?$", "", folder)


def add_sources(
    splits: Mapping[str, list], sources: Mapping[str, tuple[str, Sequence[Prompt]]]
) -> dict[str, list]:
    """Splits with whole sources, speakers and titles added.

    Args:
        splits: of the prompts, as `make_splits` gives them.
        sources: kind and clips of each source.

    Returns:
        `train` and `val` with more in them, and the tests of `HELD_OUT` and `TESTS_OF`.
    """
    added: dict[str, list[str]] = defaultdict(list)
    for source, (kind, clips) in sources.items():
        if source in HELD_OUT:
            added[HELD_OUT[source]].append(f"{source}/")
        elif kind == "speech" and source not in BY_SPEAKER:
            added["train"].append(f"{source}/")
        else:
            grouped: dict[str, set[str]] = defaultdict(set)
            lengths = Counter[str]()
            for clip in clips:
                folder = clip.id.rpartition("/")[0]
                group = folder if kind == "speech" else title_of(folder)
                grouped[group].add(f"{folder}/")
                lengths[group] += clip.length
            for group, split in draw([[group] for group in grouped], lengths).items():
                name = TESTS_OF.get(kind, OTHER_TEST) if split == "test" else split
                added[name].extend(grouped[group])
    return dict(splits) | {
        name: [*splits.get(name, []), *sorted(new)] for name, new in added.items()
    }


def expand(entries: Iterable[str], known: Iterable[str]) -> list[str]:
    """Ids of the entries of a split, those that end in a slash replaced by what begins so."""
    folders: dict[str, list[str]] = defaultdict(list)
    for clip_id in known:
        for part in {clip_id.partition("/")[0], clip_id.rpartition("/")[0]}:
            folders[f"{part}/"].append(clip_id)
    return [i for entry in entries for i in (folders[entry] if entry.endswith("/") else [entry])]


def load_speech_splits(path: Path = SPLITS_PATH) -> dict[str, list[str]]:
    """Prompt ids of `train`, `val`, `test` (seen voices), `unseen` (the held-out voice) and what
    else is tested."""
    content = json.loads(path.read_text())
    return {name: ids for name, ids in content.items() if name not in ("excluded", "families")}


def read_speech_split(splits_file: str | Path, split: str) -> list[str]:
    """Prompt ids of one split.

    Raises:
        ValueError: there is no such split.
    """
    splits = load_speech_splits(Path(splits_file))
    if split not in splits:
        raise ValueError(f"expected one of the splits {', '.join(splits)}, got {split!r}")
    return splits[split]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--speech", type=Path, default=Path("data/speech"))
    parser.add_argument("--with", dest="sources", nargs="*", default=(), metavar="SOURCE")
    parser.add_argument("--out", type=Path, default=SPLITS_PATH)
    args = parser.parse_args()
    try:
        prompts = [p for voice in VOICES for p in read_prompts(args.speech, voice.language)]
        kinds = {name: read_index(args.speech, name)["kind"] for name in args.sources}
        sources = {name: (kinds[name], read_prompts(args.speech, name)) for name in args.sources}
    except ValueError as error:
        raise SystemExit(f"train.sound.splits: {error}") from error
    splits = add_sources(make_splits(prompts), sources)
    args.out.write_text(json.dumps(splits, indent=1, ensure_ascii=False) + "\n")
    clips = [*prompts, *(clip for _, found in sources.values() for clip in found)]
    lengths = {clip.id: clip.length for clip in clips}
    for name, entries in splits.items():
        if name != "families":
            ids = expand(entries, lengths)
            minutes = sum(lengths[i] for i in ids) / 16_000 / 60
            languages = dict(Counter(map(language_of, ids)))
            print(f"{name}: {len(ids)} prompts, {minutes:.1f} minutes, {languages}")


if __name__ == "__main__":
    main()
