"""How far a rendering or a resynthesis is from the truth."""

from hyperdemo.metrics.audio import (
    log_spectral_distance,
    pesq_wb,
    si_snr,
    snr,
    stoi,
    waveform_psnr,
)
from hyperdemo.metrics.image import perceptual_distance, psnr, ssim

__all__ = [
    "log_spectral_distance",
    "perceptual_distance",
    "pesq_wb",
    "psnr",
    "si_snr",
    "snr",
    "ssim",
    "stoi",
    "waveform_psnr",
]
