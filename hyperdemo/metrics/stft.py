"""The short-time Fourier transform that losses, metrics and spectrograms share."""

import torch
from jaxtyping import Float
from torch import Tensor


def stft_power(
    wave: Float[Tensor, "*batch n"], *, n_fft: int, hop: int
) -> Float[Tensor, "*batch bins frames"]:
    """Squared magnitudes under a periodic Hann window of frames that lie whole inside the signal.

    Pad the signal for frames that reach beyond its ends. A sine at full scale has its peak at
    (n_fft / 4)².

    Args:
        wave: at least `n_fft` samples; gradients flow back to it.
        n_fft: samples of a frame; bins are `n_fft // 2 + 1`.
        hop: samples from frame to frame.

    Raises:
        ValueError: the signal is shorter than a frame.
    """
    if wave.shape[-1] < n_fft:
        raise ValueError(f"expected at least {n_fft} samples for a frame, got {wave.shape[-1]}")
    window = torch.hann_window(n_fft, device=wave.device, dtype=wave.dtype)
    flat = wave.reshape(-1, wave.shape[-1])
    spectrum = torch.stft(
        flat, n_fft, hop_length=hop, window=window, center=False, return_complex=True
    )
    power = spectrum.real.square() + spectrum.imag.square()
    return power.reshape(*wave.shape[:-1], *power.shape[-2:])
