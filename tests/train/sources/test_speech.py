"""Speech from packages made up on the spot: nothing is downloaded."""

import dataclasses
import gzip
import hashlib
import io
import json
import sys
import tarfile
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from train.sources import speech
from train.sources.packed import RATE_HZ, read_prompts
from train.sources.speech import (
    VOICES,
    decode_g722,
    get_deb,
    is_packed,
    main,
    make,
    pack,
    parse_transcripts,
    read_deb,
    speech_credits,
    why_dropped,
)

CODEC_DELAY = 22  # samples, of the filters that split and join G.722's two bands


def sine(seconds: float, *, hz: float = 440.0, peak: float = 0.3) -> np.ndarray:
    time_s = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return np.rint(32767 * peak * np.sin(2 * np.pi * hz * time_s)).astype(np.int16)


def encode_g722(samples: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="g722") as container:
        stream = container.add_stream("g722", rate=RATE_HZ, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate, frame.time_base = RATE_HZ, Fraction(1, RATE_HZ)
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            container.mux(packet)
    return buffer.getvalue()


def make_deb(path: Path, files: dict[str, bytes]) -> str:
    """Writes a Debian package of some files and returns its sha256."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:xz") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(f"./{name}")
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    body = packed.getvalue()
    header = f"{'data.tar.xz':<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(body):<10}`\n"
    path.write_bytes(b"!<arch>\n" + header.encode() + body)
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def local(tmp_path: Path, monkeypatch) -> tuple[speech.Voice, dict[str, Path]]:
    """A voice of two usable prompts and its two packages, as if downloaded by hand."""
    voice, folder = VOICES[0], tmp_path / "debs"
    folder.mkdir()
    sounds, texts = voice.packages
    under = f"usr/share/asterisk/sounds/{voice.folder}"
    contents = {
        f"{under}/hello.g722": encode_g722(sine(0.6)),
        f"{under}/digits/1.g722": encode_g722(sine(0.8, hz=600)),
        f"{under}/vm-and.g722": encode_g722(sine(0.4)),
        f"{under}/silence/1.g722": encode_g722(sine(1.0, peak=0.0)),
        f"{under}/beep.g722": encode_g722(sine(1.0)),
        f"{under}/is.g722": b"",
        sounds.members[0]: b"Files: *\nLicense: CC-BY-SA-3.0\n",
    }
    transcripts = gzip.compress(b"; a comment\nhello: Hello there.\nbeep: (a beep)\n")
    for suffix, package, files in (
        ("en-g722", sounds, contents),
        ("en", texts, {texts.members[0]: transcripts}),
    ):
        sha256 = make_deb(folder / package.file_name, files)
        monkeypatch.setitem(speech._SHA256, suffix, sha256)
    return voice, {path.name: path for path in folder.iterdir()}


@pytest.mark.parametrize(("hz", "least_db"), [(440.0, 35.0), (5000.0, 12.0)])
def test_a_sine_survives_the_codec(hz: float, least_db: float) -> None:
    """The upper band, above 4 kHz, has 2 bits a sample instead of 6."""
    original = sine(0.5, hz=hz)
    content = encode_g722(original)
    decoded = decode_g722(content)
    assert decoded.dtype == np.int16 and len(decoded) == 2 * len(content) == len(original)
    settled = slice(1000, -CODEC_DELAY)
    came = decoded[CODEC_DELAY:].astype(float)[1000:]
    truth = original[settled].astype(float)
    ratio_db = 10 * np.log10(np.square(truth).sum() / np.square(came - truth).sum())
    assert ratio_db > least_db


def test_nothing_cannot_be_decoded() -> None:
    with pytest.raises(ValueError, match="expected raw G.722, got no bytes"):
        decode_g722(b"")


def test_transcripts_are_read_line_by_line() -> None:
    text = "\ufeff; Core sounds\r\n\nhello: Hello: you.  \ndigits/1: one\nvm-x:\n;no: comment\n"
    found = parse_transcripts(text)
    assert found == {"hello": "Hello: you.", "digits/1": "one", "vm-x": ""}


def test_short_silent_and_speechless_prompts_are_dropped() -> None:
    assert why_dropped("hello", sine(0.5)) is None
    assert why_dropped("hello", sine(0.5)[1:]) == "too short"
    assert why_dropped("hello", sine(1.0, peak=0.001)) == "silence"
    assert why_dropped("beep", sine(1.0)) == "no speech"


def test_a_language_is_packed_in_the_order_of_names() -> None:
    sounds = {"b.g722": encode_g722(sine(0.6)), "a/1.g722": encode_g722(sine(0.5, hz=300))}
    samples, prompts, dropped = pack("xx", sounds, {"b": "Bee"})
    assert [(p.id, p.start, p.length, p.text) for p in prompts] == [
        ("xx/a/1", 0, 8000, ""),
        ("xx/b", 8000, 9600, "Bee"),
    ]
    assert np.array_equal(samples[8000:], decode_g722(sounds["b.g722"]))
    assert not any(dropped.values())
    with pytest.raises(ValueError, match="none of the 1 prompts of 'xx' is usable"):
        pack("xx", {"a.g722": b""}, {})


def test_packages_become_samples_index_and_licence(local, tmp_path: Path, monkeypatch) -> None:
    voice, debs = local
    sources, out = tmp_path / "sources", tmp_path / "speech"
    assert not is_packed(voice, out)
    make(voice, sources, out, debs)
    assert is_packed(voice, out)
    prompts = read_prompts(out, "en")
    assert [(p.id, p.text) for p in prompts] == [("en/digits/1", ""), ("en/hello", "Hello there.")]
    dropped = json.loads((out / "en.json").read_text())["dropped"]
    assert sorted(sum(dropped.values(), [])) == ["beep", "is", "silence/1", "vm-and"]
    samples = np.load(out / "en.npy")
    assert samples.dtype == np.int16 and len(samples) == prompts[-1].start + prompts[-1].length
    assert b"CC-BY-SA-3.0" in (out / "en.copyright").read_bytes()
    # What lies under sources is enough to make it again, to the byte.
    before = (out / "en.json").read_bytes(), (out / "en.npy").read_bytes()
    make(voice, sources, out, {})
    assert before == ((out / "en.json").read_bytes(), (out / "en.npy").read_bytes())
    monkeypatch.setitem(speech._SHA256, "en", "0" * 64)
    assert not is_packed(voice, out)


def test_the_command_packs_once(local, tmp_path: Path, monkeypatch, capsys) -> None:
    voice, debs = local
    monkeypatch.setattr(speech, "VOICES", (voice,))
    command = ["--sources", str(tmp_path / "sources"), "--out", str(tmp_path / "speech")]
    main([*command, "--debs", *map(str, debs.values())])
    assert "2 prompts, 0.0 minutes (dropped: 1 no speech, 2 too short, 1 silence)" in (
        capsys.readouterr().out
    )
    monkeypatch.setattr(speech, "make", lambda *_: pytest.fail("packed twice"))
    main(command)


def test_wrong_and_absent_packages_are_refused(local, tmp_path: Path) -> None:
    voice, debs = local
    package = voice.packages[0]
    path = debs[package.file_name]
    broken = dataclasses.replace(package, sha256="0" * 64)
    with pytest.raises(ValueError, match=f"expected sha256 {'0' * 64}, found {package.sha256}"):
        get_deb(broken, tmp_path / "sources", path)
    with pytest.raises(ValueError, match="there is no file"):
        get_deb(package, tmp_path / "sources", tmp_path / "missing.deb")
    stuck = dataclasses.replace(package, command=(sys.executable, "-c", "raise SystemExit(1)"))
    with pytest.raises(ValueError, match=f"(?s){package.file_name}.*--debs FILE"):
        get_deb(stuck, tmp_path / "sources")
    assert not (tmp_path / "sources" / package.file_name).exists()
    with pytest.raises(ValueError, match="holds no usr/other"):
        read_deb(path, "usr/other")
    with pytest.raises(ValueError, match="no speech of 'en'.*run python -m train.sources.speech"):
        read_prompts(tmp_path, "en")
    with pytest.raises(SystemExit, match="train.sources.speech: there is no file"):
        missing = tmp_path / VOICES[0].packages[0].file_name
        main(["--debs", str(missing), "--sources", str(tmp_path / "s"), "--out", str(tmp_path)])


def test_credits_name_every_package_its_maker_and_licence() -> None:
    records = {record["language"]: record for record in speech_credits()}
    assert list(records) == ["en", "es", "fr", "it", "ru"]
    for language, record in records.items():
        assert record["package"] == f"asterisk-core-sounds-{language}-g722"
        assert record["credit"].startswith("Copyright")
    licences = [record["licence"] for record in records.values()]
    assert licences == ["CC BY-SA 3.0"] * 3 + ["CC BY 3.0"] * 2
    assert records["en"]["speaker"] == records["es"]["speaker"] == "Allison Smith"
