import io
import itertools
import json
import zipfile

import numpy as np
import pytest
import soundfile
from scipy.io import wavfile

from hyperdemo.config import SoundRequest
from hyperdemo.events import Heard
from hyperdemo.inr import synthesise
from hyperdemo.inr.export_sound import load_sound
from hyperdemo.media.audio import Clip, encode_wav
from hyperdemo.preprocess.sound import prepare_sound
from hyperdemo.ui.object.stream import Status
from hyperdemo.ui.sound.stream import Playlist, SoundResult, stream_sound, waves_at
from tests.ui.conftest import chirp

RATE_HZ = 22_050


def prepared_chirp(**options):
    samples = chirp(**options).astype(np.float32)[None]
    rate_hz = options.get("rate_hz", RATE_HZ)
    return prepare_sound(Clip(samples, rate_hz, truncated=False, channels_in_file=1))


@pytest.fixture(scope="module")
def prepared():
    return prepared_chirp()


@pytest.fixture(scope="module")
def updates(sound_pipeline, prepared, tmp_path_factory):
    return list(stream_sound(sound_pipeline, prepared, folder=tmp_path_factory.mktemp("out")))


@pytest.fixture(scope="module")
def playlists(updates):
    return [update for update in updates if isinstance(update, Playlist)]


@pytest.fixture(scope="module")
def heard(sound_pipeline, prepared):
    """What the pipeline itself says, one model at a time."""
    parts = [e for e in sound_pipeline.listen(prepared, SoundRequest()) if isinstance(e, Heard)]
    names = sound_pipeline.models
    return {name: np.concatenate([part.samples[name] for part in parts]) for name in names}


def read(path):
    rate_hz, samples = wavfile.read(path)
    assert rate_hz == RATE_HZ and samples.dtype == np.int16
    return samples


def as_int16(samples):
    return wavfile.read(io.BytesIO(encode_wav(samples, rate_hz=RATE_HZ)))[1]


def test_updates_come_in_the_order_the_page_needs(updates, playlists, prepared):
    kinds = [type(update) for update in updates]
    assert kinds[0] is Playlist and kinds[-1] is SoundResult and kinds.count(SoundResult) == 1
    fractions = [update.fraction for update in updates if isinstance(update, Status)]
    assert fractions == sorted(fractions) and fractions[-1] < 1
    (piece,) = playlists[0].tracks["original"]  # which can be heard at once
    assert piece.start == 0 and playlists[0].n_samples == len(prepared.own)
    assert np.array_equal(read(piece.path), as_int16(prepared.own))


def test_every_playlist_holds_all_before_it(playlists):
    assert len(playlists) > 3
    assert [one.complete for one in playlists] == [False] * (len(playlists) - 1) + [True]
    for earlier, later in itertools.pairwise(playlists):
        assert (later.rate_hz, later.n_samples) == (earlier.rate_hz, earlier.n_samples)
        for key, pieces in earlier.tracks.items():
            assert later.tracks[key][: len(pieces)] == pieces


def test_pieces_join_to_what_the_pipeline_says(playlists, heard):
    for name, samples in heard.items():
        parts = [read(piece.path) for piece in playlists[-1].tracks[name]]
        starts = np.cumsum([0] + [len(part) for part in parts])
        assert [piece.start for piece in playlists[-1].tracks[name]] == list(starts[:-1])
        assert starts[-1] == playlists[-1].n_samples
        assert np.array_equal(np.concatenate(parts), as_int16(samples))


def test_the_result_has_whole_waves_scores_and_numbers(updates, heard, prepared):
    result = updates[-1]
    for name, samples in heard.items():
        assert np.array_equal(read(result.waves[name]), as_int16(samples))
        assert result.resynthesised[name].shape == prepared.heard.shape
        assert np.isfinite(result.scores[name].lsd_db)
        assert result.n_written[name] > 0 < result.n_shared[name]
        assert result.seconds[f"{name}.encode"] > 0
    assert result.duration_s == pytest.approx(prepared.duration_s, abs=1 / 16_000)


def test_the_networks_can_be_evaluated_by_themselves(updates, heard):
    result = updates[-1]
    for name, samples in heard.items():
        with zipfile.ZipFile(result.networks[name]) as archive:
            written = load_sound(archive.read(f"{name}.safetensors"))
            description = json.loads(archive.read(f"{name}.json"))
        assert description["provenance"]["model"] == f"sound-{name}"
        again = synthesise(written, rate_hz=RATE_HZ).numpy()
        assert np.allclose(again, samples, atol=1e-5)


@pytest.mark.parametrize("rate_hz", [0, 8_000, 48_000])
def test_other_rates_come_from_the_same_weights(updates, prepared, rate_hz, tmp_path):
    result = updates[-1]
    waves = waves_at(result.networks, rate_hz=rate_hz, folder=tmp_path)
    assert list(waves) == list(result.networks)
    for path in waves.values():
        info = soundfile.info(path)
        assert info.samplerate == (rate_hz or RATE_HZ) and info.subtype == "PCM_16"
        assert info.duration == pytest.approx(prepared.duration_s, abs=1 / 8_000)


def test_networks_that_are_gone_and_odd_rates_are_refused(updates, tmp_path):
    with pytest.raises(ValueError, match="no longer kept"):
        waves_at({"foundation": tmp_path / "none.zip"}, rate_hz=0, folder=tmp_path)
    with pytest.raises(ValueError, match="rate_hz"):
        waves_at(updates[-1].networks, rate_hz=4_000, folder=tmp_path)


def test_at_16_khz_nothing_is_synthesised_twice(sound_pipeline, tmp_path, monkeypatch):
    monkeypatch.setattr("hyperdemo.ui.sound.stream.synthesise", None)
    clip = prepared_chirp(rate_hz=16_000, seconds=0.5)
    *_, result = stream_sound(sound_pipeline, clip, folder=tmp_path)
    assert result.scores["foundation"].psnr_db is not None


def test_closing_stops_the_work(sound_pipeline, prepared, tmp_path):
    stream = stream_sound(sound_pipeline, prepared, folder=tmp_path)
    assert isinstance(next(stream), Playlist)
    next(stream)
    stream.close()
    assert next(stream, None) is None
