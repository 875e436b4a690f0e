"""A clip as the models and the listener hear it: mono, at 16 kHz and at its own rate."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from hyperdemo.config import SAMPLE_RATE_HZ
from hyperdemo.media.audio import Clip, mix_to_mono, resample

MIN_SECONDS = 0.05
MIN_PEAK = 10 ** (-80 / 20)


@dataclass(frozen=True)
class PreparedSound:
    """A clip as the models hear it.

    Attributes:
        heard: mono at 16 kHz.
        own: mono at the clip's own rate, to be played beside the resyntheses.
        rate_hz: the clip's own rate.
        channels_in_file: channels before they were mixed.
        truncated: the file went on, but was cut.
        quieter_db: by how much it is quieter than the file, which went beyond full scale.
    """

    heard: Float[np.ndarray, " n"]
    own: Float[np.ndarray, " m"]
    rate_hz: int
    channels_in_file: int
    truncated: bool
    quieter_db: float = 0.0

    @property
    def duration_s(self) -> float:
        return len(self.own) / self.rate_hz


def prepare_sound(clip: Clip) -> PreparedSound:
    """Mix a clip to mono, at its own rate and at 16 kHz; its loudness stays.

    Raises:
        ValueError: there is less than 0.05 s, or nothing but silence.
    """
    own = mix_to_mono(clip)
    if clip.duration_s < MIN_SECONDS:
        raise ValueError(
            f"expected at least {MIN_SECONDS} s of sound, got {clip.duration_s:.4f} s "
            f"({len(own)} samples); choose a longer clip"
        )
    if np.abs(own).max() < MIN_PEAK:
        if clip.channels_in_file > 1 and np.abs(clip.samples).max() >= MIN_PEAK:
            raise ValueError(
                "expected sound, got channels that cancel each other when mixed to mono; choose a "
                "clip whose channels are not in opposite phase"
            )
        raise ValueError(
            "expected sound, got silence; choose another clip, or check the microphone"
        )
    heard = resample(own, from_hz=clip.rate_hz, to_hz=SAMPLE_RATE_HZ)
    return PreparedSound(
        heard, own, clip.rate_hz, clip.channels_in_file, clip.truncated, clip.quieter_db
    )
