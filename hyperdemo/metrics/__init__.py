"""How far a rendering or a resynthesis is from the truth."""

from hyperdemo.metrics.audio import (
    log_spectral_distance,
    pesq_wb,
    si_snr,
    snr,
    stoi,
    visqol,
    waveform_psnr,
)
from hyperdemo.metrics.image import perceptual_distance, psnr, ssim
from hyperdemo.metrics.sound_scores import SoundScores, score_sound

__all__ = [
    "SoundScores",
    "log_spectral_distance",
    "perceptual_distance",
    "pesq_wb",
    "psnr",
    "score_sound",
    "si_snr",
    "snr",
    "ssim",
    "stoi",
    "visqol",
    "waveform_psnr",
]
