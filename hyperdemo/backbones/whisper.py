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

from hyperdemo.config.backbones import MEL_TOKEN, WhisperConfig
from hyperdemo.preprocess.logmel import log_mel

# New patches start as loud to the blocks as the mel tokens of the pretrained tiny.en are, whose
# root mean square without positions is 0.40 to 0.43 on speech and music. The waveform of such
# sound has about 0.1 (-20 dBFS).
TOKEN_RMS = 0.4
WAVE_RMS = 0.1

# What a pretrained file holds in vain for an encoder that reads no mel frames.
_STEM = ("conv1.weight", "conv1.bias", "conv2.weight", "conv2.bias", "positional_embedding")


def sinusoids(
    length: int, dim: int, *, step: float = 1.0, start: float = 0.0
) -> Float[Tensor, "n d"]:
    """Sines, then cosines, of positions at dim/2 angular frequencies from 1 down to 1e-4.

    Args:
        length: positions n.
        dim: width d of a row, even and at least 4.
        step, start: position k is start + k·step, in mel tokens of 20 ms.
    """
    frequencies = 1e-4 ** torch.linspace(0, 1, dim // 2, dtype=torch.float64)
    positions = start + step * torch.arange(length, dtype=torch.float64)
    angles = positions[:, None] * frequencies
    return torch.cat([angles.sin(), angles.cos()], dim=1).float()


class Attention(nn.Module):
    """Multi-head self-attention of all tokens, without a bias of the keys, as Whisper has it."""

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

    The extra tokens have no position embedding of their own: they are learned, and may learn it.
    All weights start at random, the position table at Whisper's fixed sinusoids; `build_whisper`
    loads pretrained ones.

    Args:
        config: sizes, and what is read of the window.

    Attributes:
        config: the same.
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
            self._add_patches()

    def _add_patches(self) -> None:
        """Patch embedding and positions, which start on the clock of the mel tokens.

        So pretrained attention, which tells time by these sinusoids, finds a patch beside the mel
        tokens of the same moment.
        """
        patch, n = self.config.patch, self.config.n_patches
        self.patch_embed = nn.Linear(patch, self.dim)
        nn.init.normal_(self.patch_embed.weight, std=TOKEN_RMS / (WAVE_RMS * math.sqrt(patch)))
        nn.init.zeros_(self.patch_embed.bias)
        if not self.config.tied:
            self.patch_position = nn.Parameter(
                self.clock(n, first=patch / 2, step=float(self.config.patch_hop))
            )

    @property
    def n_blocks(self) -> int:
        return len(self.blocks)

    def clock(self, k: int, *, first: float, step: float) -> Float[Tensor, "k d"]:
        """Whisper's own positions of the samples first, first + step, … of a window."""
        return sinusoids(k, self.dim, step=step / MEL_TOKEN, start=first / MEL_TOKEN)

    def new_parameters(self) -> list[nn.Parameter]:
        """The parameters that no pretrained file holds: those of the raw tokens, if any."""
        if self.config.inputs == "mel":
            return []
        positions = [] if self.config.tied else [self.patch_position]
        return [*self.patch_embed.parameters(), *positions]

    def embed(self, wave: Float[Tensor, "b s"]) -> Float[Tensor, "b n d"]:
        """Mel tokens, one each 20 ms, then untied patches, all with their positions.

        Args:
            wave: mono at 16 kHz, in [-1, 1], s the window of the configuration.

        Raises:
            ValueError: a window of another length.
        """
        if wave.shape[-1] != self.config.window:
            raise ValueError(
                f"windows of {self.config.window} samples expected, got {wave.shape[-1]}; "
                "cut or pad the sound"
            )
        tokens = [wave.new_zeros(len(wave), 0, self.dim)]
        if self.config.inputs != "raw":
            frames = F.gelu(self.conv1(log_mel(wave, n_mels=self.config.n_mels)))
            mel = F.gelu(self.conv2(frames)).transpose(1, 2)
            tokens.append(mel + self.positional_embedding[: mel.shape[1]])
        if self.config.inputs != "mel" and not self.config.tied:
            tokens.append(self.embed_patches(wave) + self.patch_position)
        return torch.cat(tokens, dim=1)

    def embed_patches(self, wave: Float[Tensor, "b s"]) -> Float[Tensor, "b p d"]:
        """A linear view of each patch of the waveform, without a position."""
        return self.patch_embed(wave.unfold(1, self.config.patch, self.config.patch_hop))

    def tie(
        self, wave: Float[Tensor, "b s"], extra: Float[Tensor, "b m d"]
    ) -> Float[Tensor, "b m d"]:
        """Patches added to the extra tokens, which come in as many equal runs as there are."""
        if self.config.inputs == "mel" or not self.config.tied:
            return extra
        patches = self.embed_patches(wave)
        if extra.shape[1] % patches.shape[1]:
            raise ValueError(
                f"extra tokens in {patches.shape[1]} equal runs expected, one a patch, got "
                f"{extra.shape[1]}"
            )
        return (extra.unflatten(1, (patches.shape[1], -1)) + patches[:, :, None]).flatten(1, 2)

    def forward(
        self,
        wave: Float[Tensor, "b s"],
        extra: Float[Tensor, "b m d"],
        *,
        prompts: Float[Tensor, "l p d"] | None = None,
    ) -> Float[Tensor, "b m d"]:
        """Encoder outputs at the extra tokens.

        Args:
            wave: mono at 16 kHz, in [-1, 1], s the window of the configuration.
            extra: tokens appended to the sound's; where patches are tied, in one run a patch.
            prompts: learned tokens that stand in the sequence of each of the l blocks and are
                replaced at the next (deep visual prompt tuning, Jia et al. 2022).

        Raises:
            ValueError: a window of another length, prompts for another number of blocks, or extra
                tokens that the patches cannot be tied to.
        """
        if prompts is not None and len(prompts) != self.n_blocks:
            raise ValueError(f"prompts for {self.n_blocks} blocks expected, got {len(prompts)}")
        x = torch.cat([self.embed(wave), self.tie(wave, extra)], dim=1)
        length = x.shape[1]
        for index, block in enumerate(self.blocks):
            if prompts is not None:
                prompt = prompts[index].expand(len(x), -1, -1)
                x = torch.cat([x[:, :length], prompt], dim=1)
            x = block(x)
        return self.ln_post(x[:, length - extra.shape[1] : length])


def build_whisper(
    config: WhisperConfig, *, pretrained: str | Path | bool = False
) -> WhisperEncoder:
    """A Whisper encoder with random or pretrained weights.

    Args:
        config: which encoder, and what it reads.
        pretrained: False for random weights; otherwise a safetensors file in OpenAI's naming,
            which must match exactly. What reads the waveform is new in any case. An encoder that
            reads nothing else leaves the file's convolutions and position table aside.

    Raises:
        ValueError: weights that do not fit, no such file, or True: there is no hub to ask.
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
    """Let the random convolutions keep the loudness of what they read.

    Of inputs as small as these a GELU passes half the amplitude, hence the gain of 2.

    At torch's default the mel tokens are a tenth as loud as the pretrained stem makes them, under
    positions as loud as ever; a short comparison would then flatter the pretrained weights.
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
    new_names = {name for name, parameter in encoder.named_parameters() if id(parameter) in new}
    expected = set(encoder.state_dict()) - new_names
    problems = {
        "Missing": sorted(expected - set(state)),
        "Unexpected": sorted(set(state) - expected),
    }
    found = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in problems.items() if names)
    try:
        encoder.load_state_dict(state, strict=False)  # of another shape is an error here too
    except RuntimeError as error:
        found = found or str(error)
    if found:
        raise ValueError(f"{path} does not hold the weights of this encoder: {found}")
