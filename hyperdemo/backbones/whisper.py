"""Whisper's audio encoder over a window of sound and extra tokens together.

The architecture of Radford et al. 2022 (arXiv 2212.04356) with the parameter names of OpenAI's
implementation, so that its weights load as they are; beside the log-mel frames it can read the
waveform itself.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor, nn

from hyperdemo.backbones.sequence import (
    check_window,
    emphasised,
    patch_embedding,
    run_blocks,
    tie,
)
from hyperdemo.config.backbones import MEL_TOKEN, WhisperConfig
from hyperdemo.preprocess.logmel import log_mel

# Root mean square of new patches, that of the pretrained mel tokens without positions, which is
# 0.40 to 0.43 on speech and music for tiny.en, and 0.38 to 0.40 for base.
TOKEN_RMS = 0.4

# Weights that an encoder without mel frames leaves aside.
_STEM = ("conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias", "positional_embedding")


def sinusoids(
    length: int, dim: int, *, step: float = 1.0, start: float = 0.0
) -> Float[Tensor, "n d"]:
    """Sines, then cosines, of positions at dim/2 angular frequencies from 1 down to 1e-4.

    Position k is start + k·step, in mel tokens of 20 ms; dim is even and at least 4.
    """
    frequencies = 1e-4 ** torch.linspace(0, 1, dim // 2, dtype=torch.float64)
    positions = start + step * torch.arange(length, dtype=torch.float64)
    angles = positions[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=1).float()


class Attention(nn.Module):
    """Multi-head self-attention, without a bias of the keys, as Whisper has it."""

    def __init__(self, dim: int, n_heads: int):
        super().__init__()
        self.n_heads = n_heads
        self.query = nn.Linear(dim, dim)
        self.key = nn.Linear(dim, dim, bias=False)
        self.value = nn.Linear(dim, dim)
        self.out = nn.Linear(dim, dim)

    def forward(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        q, k, v = (
            part(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            for part in (self.query, self.key, self.value)
        )
        mixed = F.scaled_dot_product_attention(q, k, v)
        return self.out(mixed.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """A pre-norm Transformer block with an MLP of four times the width."""

    def __init__(self, dim: int, n_heads: int):
        super().__init__()
        self.attn = Attention(dim, n_heads)
        self.attn_ln = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))
        self.mlp_ln = nn.LayerNorm(dim)

    def forward(self, x: Float[Tensor, "b n d"]) -> Float[Tensor, "b n d"]:
        x = x + self.attn(self.attn_ln(x))
        return x + self.mlp(self.mlp_ln(x))


class WhisperEncoder(nn.Module):
    """A Whisper encoder that reads a window of sound and extra tokens in one sequence.

    All weights start at random, the position table at Whisper's fixed sinusoids; `build_whisper`
    loads pretrained ones.

    Args:
        config: sizes, and what is read of the window.

    Attributes:
        dim: width of the tokens.
    """

    def __init__(self, config: WhisperConfig):
        super().__init__()
        self.config = config
        self.dim: int = config.dim
        if config.inputs != "raw":
            self.conv1 = nn.Conv1d(config.n_mels, config.dim, kernel_size=3, padding=1)
            self.conv2 = nn.Conv1d(config.dim, config.dim, kernel_size=3, stride=2, padding=1)
            self.register_buffer("positional_embedding", sinusoids(config.max_frames, config.dim))
        self.blocks = nn.ModuleList(
            Block(config.dim, config.n_heads) for _ in range(config.n_blocks)
        )
        self.ln_post = nn.LayerNorm(config.dim)
        if config.inputs != "mel":
            self.patch_embed = patch_embedding(config.patch, config.dim, rms=TOKEN_RMS)
            if not config.tied:
                # On the clock of the mel tokens: pretrained attention, which tells time by these
                # sinusoids, finds a patch beside the mel tokens of the same moment.
                hop = float(config.patch_hop)
                positions = self.clock(config.n_patches, first=config.patch / 2, step=hop)
                self.patch_position = nn.Parameter(positions)

    def clock(self, k: int, *, first: float, step: float) -> Float[Tensor, "k d"]:
        """Whisper's own positions of the samples first, first + step, … of a window."""
        return sinusoids(k, self.dim, step=step / MEL_TOKEN, start=first / MEL_TOKEN)

    def new_parameters(self) -> list[nn.Parameter]:
        """The parameters that no pretrained file holds: those of the patches, if any."""
        if self.config.inputs == "mel":
            return []
        positions = [] if self.config.tied else [self.patch_position]
        return [*self.patch_embed.parameters(), *positions]

    def embed(self, wave: Float[Tensor, "b s"]) -> Float[Tensor, "b n d"]:
        """Mel tokens, one per 20 ms, then untied patches, all with their positions.

        Waveforms and errors are those of `forward`.
        """
        check_window(wave, self.config.window)
        tokens = [wave.new_zeros(len(wave), 0, self.dim)]
        if self.config.inputs != "raw":
            frames = F.gelu(self.conv1(log_mel(wave, n_mels=self.config.n_mels)))
            mel = F.gelu(self.conv2(frames)).transpose(1, 2)
            tokens.append(mel + self.positional_embedding[: mel.shape[1]])
        if self.config.inputs != "mel" and not self.config.tied:
            tokens.append(self.embed_patches(wave) + self.patch_position)
        return torch.cat(tokens, dim=1)

    def embed_patches(self, wave: Float[Tensor, "b s"]) -> Float[Tensor, "b p d"]:
        """Patches of the waveform as tokens without a position."""
        patches = wave.unfold(1, self.config.patch, self.config.patch_hop)
        return self.patch_embed(emphasised(patches, self.config.emphasis))

    def forward(
        self,
        wave: Float[Tensor, "b s"],
        extra: Float[Tensor, "b m d"],
        *,
        prompts: Float[Tensor, "l p d"] | None = None,
    ) -> Float[Tensor, "b m d"]:
        """Encoder outputs at the extra tokens; for these and the prompts see `run_blocks`.

        Args:
            wave: mono at 16 kHz, in [-1, 1], s the window of the configuration.
            extra: where patches are tied, in one run per patch.

        Raises:
            ValueError: a window of another length, prompts for another number of blocks, or extra
                tokens that the patches cannot be tied to.
        """
        data = self.embed(wave)
        if self.config.inputs != "mel" and self.config.tied:
            extra = tie(extra, self.embed_patches(wave))
        return self.ln_post(run_blocks(self.blocks, data, extra, prompts=prompts))


def build_whisper(
    config: WhisperConfig, *, pretrained: str | Path | bool = False
) -> WhisperEncoder:
    """A Whisper encoder with random or pretrained weights.

    Args:
        config: which encoder, and what it reads.
        pretrained: False for random weights; otherwise a safetensors file in OpenAI's naming,
            which must match exactly. The embedding of the waveform is new in any case. An encoder
            that reads nothing else leaves the file's convolutions and position table aside.

    Raises:
        ValueError: weights that do not fit, no such file, or True: no hub has these weights.
    """
    encoder = WhisperEncoder(config)
    if pretrained is True:
        raise ValueError(
            "no hub is known for Whisper's encoder, so pretrained=True finds nothing; run "
            "`python -m train.sources.whisper` and give the file it writes"
        )
    if pretrained is False:
        _open_stem(encoder)
    else:
        _load_strict(encoder, Path(pretrained))
    return encoder


def _open_stem(encoder: WhisperEncoder) -> None:
    """Let the random convolutions keep the scale of their input.

    A GELU passes half the amplitude of inputs this small, hence the gain of 2. At torch's default
    the mel tokens have a tenth of the pretrained stem's scale, under positions of full scale; a
    short comparison would then flatter the pretrained weights.
    """
    if encoder.config.inputs != "raw":
        for conv in (encoder.conv1, encoder.conv2):
            nn.init.normal_(conv.weight, std=2 / math.sqrt(conv.weight[0].numel()))
            nn.init.zeros_(conv.bias)


def _load_strict(encoder: WhisperEncoder, path: Path) -> None:
    if not path.is_file():
        raise ValueError(
            f"there is no backbone file {path}; `python -m train.sources.whisper` makes it"
        )
    state = load_file(path)
    if encoder.config.inputs == "raw":
        state = {name: value for name, value in state.items() if name not in _STEM}
    new = set(map(id, encoder.new_parameters()))
    named = dict(encoder.named_parameters())
    expected = {name for name in encoder.state_dict() if id(named.get(name)) not in new}
    problems = {"Missing": expected - set(state), "Unexpected": set(state) - expected}
    found = "; ".join(f"{kind}: {', '.join(sorted(n))}" for kind, n in problems.items() if n)
    try:
        encoder.load_state_dict(state, strict=False)  # of another shape is an error here too
    except RuntimeError as error:
        found = found or str(error)
    if found:
        raise ValueError(f"{path} does not hold the weights of this encoder: {found}")
