"""Fetches studio speech of five languages, decodes it, packs each language into one array.

    python -m train.sources.speech
    python -m train.sources.speech --debs FILE FILE …    # packages downloaded elsewhere

Into data/speech/, for each language: `en.npy` (all prompts one after another, int16, mono, 16 kHz),
`en.json` (where each begins, how long it is, what it says) and `en.copyright`, the package's own
licence file. A language whose `.json` is there and of these packages is left alone. The packages,
54 MB, stay in data/sources/speech/.
"""

import argparse
import gzip
import io
import json
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import av
import numpy as np
from jaxtyping import Int16
from tqdm import tqdm

from train.sources.fetch import Package, check, download, open_deb
from train.sources.packed import MIN_SECONDS, RATE_HZ, SILENCE_RMS, Prompt

VERSION = "1.6.1-1"
# Tones and one recording of monkeys: no speech, and the same sound in every language's package.
NOT_SPEECH = frozenset(
    ("ascending-2tone", "beep", "beeperr", "confbridge-join", "confbridge-leave")
    + ("descending-2tone", "tt-monkeys")
)
# Of the recordings' and the transcripts' packages.
_SHA256 = {
    "en-g722": "38c5261820b406dcb0ecb37675720da2b0864850690690352ca52707eb623806",
    "en": "973e797d28e37fa6ca3c0a9d6fa717e77cf1268ae916bf09fd3503113cdffa50",
    "es-g722": "e4e3b4281057d3b81b779298fd6be705f57411513955c518eed1bcaabbd615b8",
    "es": "9afdab7f559f036649fb406e625899306ca1004df8ebe39c30bfbd5912d66f74",
    "fr-g722": "7add61d5e42279ecff1bbdf842a5a946ac3644fac9a0fe44384731aa7270c8e0",
    "fr": "04c82c78c570c43a7136cbc5e2488d0c470b775468dff9fbce4a131b18cf1056",
    "it-g722": "46b4cf7afc508a5fcfc051b7ea233251c0d195dd4ef83cc4b7facb4c6429b016",
    "it": "3884d9457e12f21caa018c18f0d587df5d53ebea14b673d8453a134c5941ab3b",
    "ru-g722": "673b4238a6b8269960f055d868c6a11083f7a0d00979167cb01554046b48ed9b",
    "ru": "28a61616bb0cd3345a7ea532dec4df9f071e5d0fa9f8c1a563ea9669002f39ab",
}


@dataclass(frozen=True)
class Voice:
    """One language as one speaker recorded it.

    Attributes:
        language: ISO 639-1 code, the first part of every prompt's id.
        folder: name of the recordings' folder in the package.
        speaker: who is named for the recording; the same name is the same voice.
        licence: of the recordings.
        credit: what the package's copyright file says of their making.
    """

    language: str
    folder: str
    speaker: str
    licence: str
    credit: str

    @property
    def sha256(self) -> list[str]:
        return [package.sha256 for package in self.packages]

    @property
    def packages(self) -> tuple[Package, Package]:
        """The recordings, then the transcripts."""
        return (
            _package(f"{self.language}-g722", "copyright"),
            _package(self.language, f"core-sounds-{self.language}.txt.gz"),
        )


def _package(suffix: str, document: str) -> Package:
    name = f"asterisk-core-sounds-{suffix}"
    return Package(
        file_name=f"{name}_{VERSION}_all.deb",
        sha256=_SHA256[suffix],
        command=("apt-get", "download", f"{name}={VERSION}"),
        members=(f"usr/share/doc/{name}/{document}",),
        folder="speech",
        option="--debs",
        origin=f"Debian 12 (package {name} {VERSION})",
    )


_ALLISON = (
    "Allison Smith",
    "CC BY-SA 3.0",
    "Copyright 2003–2010 Allison Smith. Financial contribution by Digium, Inc.",
)
_JUNE = (
    "June Wallack",
    "CC BY-SA 3.0",
    "Copyright 2006–2008 June Wallack. Translated by Clod Patry, Kristopher Lalletti and June "
    "Wallack. Financial contributions by Digium, Inc., Unlimitel and BGM Informatique.",
)
_CARLO = (
    "Carlo Flora",
    "CC BY 3.0",
    "Copyright 2012 Carlo Flora, http://www.segreterietelefoniche.it. Translated by Silvia Petrin.",
)
_IVRVOICE = (
    "IvrvoiceRU",  # the package names who provided the voice, not whose it is
    "CC BY 3.0",
    "Copyright 2010 Maxim Topal. Provided by Maxim Topal, http://www.ivrvoice.ru.",
)
VOICES = (
    Voice("en", "en_US_f_Allison", *_ALLISON),
    Voice("es", "es_MX_f_Allison", *_ALLISON),
    Voice("fr", "fr_CA_f_June", *_JUNE),
    Voice("it", "it_IT_m_Carlo", *_CARLO),
    Voice("ru", "ru_RU_f_IvrvoiceRU", *_IVRVOICE),
)


def speech_credits() -> list[dict[str, str]]:
    """What an attribution must say of each package of recordings."""
    return [
        {"package": voice.packages[0].file_name.partition("_")[0], "version": VERSION}
        | asdict(voice)
        for voice in VOICES
    ]


def decode_g722(content: bytes) -> Int16[np.ndarray, " n"]:
    """Samples of raw G.722 at 64 kbit/s: mono, 16 kHz, two a byte.

    Raises:
        ValueError: there is nothing to decode.
    """
    if not content:
        raise ValueError("expected raw G.722, got no bytes; leave the empty file out")
    with av.open(io.BytesIO(content), format="g722") as container:
        frames = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    return np.concatenate(frames)


def parse_transcripts(text: str) -> dict[str, str]:
    """Transcripts by prompt, from lines `prompt: what it says`; `;` begins a comment."""
    found = re.findall(r"^([\w./-]+):[ \t]*(\S.*?)?[ \t\r]*$", text.lstrip("\ufeff"), re.MULTILINE)
    return dict(found)


def why_dropped(name: str, samples: Int16[np.ndarray, " n"]) -> str | None:
    """The reason for which a prompt is of no use, or None."""
    if name in NOT_SPEECH:
        return "no speech"
    if len(samples) < MIN_SECONDS * RATE_HZ:
        return "too short"
    if np.sqrt(np.square(samples / 32768).mean()) < SILENCE_RMS:
        return "silence"
    return None


def get_deb(package: Package, folder: Path, local: Path | None = None) -> Path:
    """A checked package file in a folder: the one there, a local one's copy or a download.

    Raises:
        ValueError: no download, or the wrong file; says what to do.
    """
    path = folder / package.file_name
    if path.is_file() or local is not None:
        check(package, local or path)
    if not path.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            new = Path(shutil.copy(local, scratch)) if local else download(package, Path(scratch))
            check(package, new)
            new.rename(path)
    return path


def read_deb(path: Path, prefix: str) -> dict[str, bytes]:
    """The plain files of a Debian package below a folder, by their path in it, sorted.

    Raises:
        ValueError: there are none.
    """
    files = {}
    with open_deb(path) as archive:
        for member in archive:
            name = member.name.removeprefix("./")
            if member.isfile() and name.startswith(prefix):
                files[name.removeprefix(prefix)] = archive.extractfile(member).read()
    if not files:
        raise ValueError(f"{path} holds no {prefix}…; expected a package of Asterisk's core sounds")
    return dict(sorted(files.items()))


def pack(
    language: str, sounds: Mapping[str, bytes], texts: Mapping[str, str], *, progress: bool = False
) -> tuple[Int16[np.ndarray, " n"], list[Prompt], dict[str, list[str]]]:
    """Decode a language's prompts and put them one after another.

    Args:
        language: its code.
        sounds: raw G.722 by file name.
        texts: transcripts by prompt; not every prompt has one.
        progress: show a bar.

    Returns:
        All samples, the prompts in the order of their names, and the names dropped by reason.
    """
    kept, prompts, start = [], [], 0
    dropped: dict[str, list[str]] = {"no speech": [], "too short": [], "silence": []}
    for file_name, content in tqdm(sorted(sounds.items()), desc=language, disable=not progress):
        name = file_name.removesuffix(".g722")
        samples = decode_g722(content) if content else np.empty(0, np.int16)
        if reason := why_dropped(name, samples):
            dropped[reason].append(name)
            continue
        prompts.append(Prompt(f"{language}/{name}", start, len(samples), texts.get(name, "")))
        kept.append(samples)
        start += len(samples)
    if not kept:
        raise ValueError(f"none of the {len(sounds)} prompts of {language!r} is usable speech")
    return np.concatenate(kept), prompts, dropped


def is_packed(voice: Voice, speech_dir: Path) -> bool:
    """Whether a language lies there, made of the very packages named here."""
    path = speech_dir / f"{voice.language}.json"
    return path.is_file() and json.loads(path.read_text())["sha256"] == voice.sha256


def make(voice: Voice, sources: Path, speech_dir: Path, local: Mapping[str, Path]) -> dict:
    """Pack one language, its index last, so that an index stands for a whole one; returns that."""
    sounds_deb, texts_deb = (
        get_deb(package, sources / package.folder, local.get(package.file_name))
        for package in voice.packages
    )
    (copyright_path,), (texts_path,) = (package.members for package in voice.packages)
    (texts,) = read_deb(texts_deb, texts_path).values()
    samples, prompts, dropped = pack(
        voice.language,
        read_deb(sounds_deb, f"usr/share/asterisk/sounds/{voice.folder}/"),
        parse_transcripts(gzip.decompress(texts).decode()),
        progress=True,
    )
    speech_dir.mkdir(parents=True, exist_ok=True)
    np.save(speech_dir / f"{voice.language}.npy", samples)
    (notice,) = read_deb(sounds_deb, copyright_path).values()
    (speech_dir / f"{voice.language}.copyright").write_bytes(notice)
    index = {
        "language": voice.language,
        "voice": voice.speaker,
        "rate_hz": RATE_HZ,
        "sha256": voice.sha256,
        "dropped": dropped,
        "prompts": [asdict(prompt) for prompt in prompts],
    }
    partial = speech_dir / f".{voice.language}.json.part"
    partial.write_text(json.dumps(index, indent=1, ensure_ascii=False) + "\n")
    partial.rename(speech_dir / f"{voice.language}.json")
    return index


def describe(index: Mapping) -> str:
    """Counts and minutes of a packed language in one line."""
    seconds = sum(prompt["length"] for prompt in index["prompts"]) / index["rate_hz"]
    lost = ", ".join(f"{len(names)} {reason}" for reason, names in index["dropped"].items())
    return f"{len(index['prompts'])} prompts, {seconds / 60:.1f} minutes (dropped: {lost})"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--debs", type=Path, nargs="*", default=(), help="downloaded by hand")
    parser.add_argument("--sources", type=Path, default=Path("data/sources"))
    parser.add_argument("--out", type=Path, default=Path("data/speech"))
    args = parser.parse_args(arguments)
    local = {path.name: path for path in args.debs}
    for voice in VOICES:
        try:
            if not is_packed(voice, args.out):
                make(voice, args.sources, args.out, local)
        except ValueError as error:
            raise SystemExit(f"train.sources.speech: {error}") from error
        index = json.loads((args.out / f"{voice.language}.json").read_text())
        print(f"{args.out / voice.language}: {describe(index)}")


if __name__ == "__main__":
    main()
