"""Which encoder, at which input."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from hyperdemo.config.require import at_least, one_of, require

MEL_TOKEN = 320  # samples: two mel frames, one each 10 ms at 16 kHz
MAX_BLOCKS = 64
MIN_WINDOW = 201  # samples that a mel frame of 400, reflected at its middle, takes

SoundInputs = Literal["mel", "raw", "both"]


@dataclass(frozen=True)
class BackboneConfig:
    """A ViT of timm, by name, at the input size it is used with.

    Attributes:
        name: timm model name.
        image_size: side of the square input in pixels, a multiple of the patch size.
        depth: blocks kept, counted from the input; None keeps all.
        overrides: keyword arguments for timm, for tiny models in tests.
    """

    name: str = "vit_small_patch14_dinov2"
    image_size: int = 112
    depth: int | None = None
    overrides: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require(bool(self.name), "BackboneConfig.name is empty")
        at_least(8, self, "image_size")
        require(self.depth is None or self.depth >= 1, f"depth must be ≥ 1, got {self.depth}")


def _check_heads(dim: int, n_heads: int) -> None:
    require(dim % n_heads == 0, f"dim must be a multiple of n_heads={n_heads}, got {dim}")


@dataclass(frozen=True)
class ConvNetConfig:
    """A ConvNet of timm, by name, and the small Transformer that weight tokens read it in.

    Attributes:
        name: timm model name.
        image_size: side of the square input in pixels.
        dim: width of the tokens that its feature map becomes.
        n_heads: attention heads per block.
        n_blocks: Transformer blocks behind the ConvNet.
        overrides: keyword arguments for timm, for tiny models in tests.
    """

    name: str = "convnext_tiny"
    image_size: int = 112
    dim: int = 384
    n_heads: int = 6
    n_blocks: int = 4
    overrides: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        require(bool(self.name), "ConvNetConfig.name is empty")
        at_least(32, self, "image_size")
        at_least(1, self, "dim n_heads n_blocks")
        _check_heads(self.dim, self.n_heads)


def _check_mel_window(window: int) -> None:
    require(
        window >= MIN_WINDOW,
        f"window must be at least {MIN_WINDOW} samples for mel frames, got {window}",
    )


@dataclass(frozen=True)
class WhisperConfig:
    """A Whisper encoder, by default the one of tiny.en, and the windows of sound it reads.

    Attributes:
        name: which pretrained weights fit.
        dim: width of the tokens.
        n_heads: attention heads per block.
        n_blocks: Transformer blocks.
        n_mels: bands of the log-mel spectrogram.
        max_frames: rows of the position table, one per 20 ms.
        inputs: "mel" reads log-mel frames, as Whisper does; "raw" patches of the waveform, since
            log-mel frames have no phase; "both" the two.
        tied: a patch is added to the weight tokens of its stretch of sound, instead of being a
            token of its own that attention must find first.
        window: samples of an input, at 16 kHz.
        patch, patch_hop: samples of a patch, and from one to the next, at most a patch.
        emphasis: of the high frequencies in patches, in [0, 1): see `emphasised`.
    """

    name: str = "whisper_tiny_en"
    dim: int = 384
    n_heads: int = 6
    n_blocks: int = 4
    n_mels: int = 80
    max_frames: int = 1500
    inputs: SoundInputs = "both"
    tied: bool = True
    window: int = 16_080
    patch: int = 480
    patch_hop: int = 400
    emphasis: float = 0.0

    def __post_init__(self) -> None:
        require(bool(self.name), "WhisperConfig.name is empty")
        require(0 <= self.emphasis < 1, f"emphasis must lie in [0, 1), got {self.emphasis}")
        at_least(1, self, "n_heads n_blocks n_mels max_frames patch patch_hop")
        require(
            self.n_blocks <= MAX_BLOCKS,
            f"n_blocks must be at most {MAX_BLOCKS}, got {self.n_blocks}",
        )
        require(
            self.dim >= 4 and self.dim % 2 == 0,
            f"dim must be even and at least 4 (half sines, half cosines), got {self.dim}",
        )
        _check_heads(self.dim, self.n_heads)
        one_of(self, "inputs", *get_args(SoundInputs))
        if self.inputs != "raw":
            _check_mel_window(self.window)
            require(
                self.n_mel_tokens <= self.max_frames,
                f"a window of {self.window} samples makes {self.n_mel_tokens} mel tokens, and the "
                f"position table has max_frames={self.max_frames}; shorten the window",
            )
        require(self.inputs != "mel" or not self.emphasis, "without patches, emphasis must be 0")
        if self.inputs != "mel":
            require(
                self.patch_hop <= self.patch,
                f"patch_hop must be at most patch={self.patch}, got {self.patch_hop}: samples "
                "between patches would not be read",
            )
            require(
                self.window >= self.patch and (self.window - self.patch) % self.patch_hop == 0,
                f"a window must hold whole patches: {self.patch} + k·{self.patch_hop} samples "
                f"expected, got {self.window}",
            )

    @property
    def n_mel_tokens(self) -> int:
        """Mel tokens per window: one per two frames begun; 0 where none are read."""
        return 0 if self.inputs == "raw" else (self.window + MEL_TOKEN // 2) // MEL_TOKEN

    @property
    def n_patches(self) -> int:
        """Patches of the waveform per window; 0 where none are read."""
        return 0 if self.inputs == "mel" else 1 + (self.window - self.patch) // self.patch_hop


@dataclass(frozen=True)
class SpectrogramConfig:
    """A ViT that is shown the log-mel spectrogram of a window of sound as a picture.

    Attributes:
        vit: which ViT, at which size of the picture.
        n_mels: bands of the log-mel spectrogram.
        window, patch, patch_hop: as in `WhisperConfig`; patches are tied, and so `inputs` and
            `tied` can have no other value.
    """

    vit: BackboneConfig = BackboneConfig()
    n_mels: int = 80
    window: int = 16_080
    patch: int = 480
    patch_hop: int = 400
    inputs: SoundInputs = "both"
    tied: bool = True

    def __post_init__(self) -> None:
        at_least(1, self, "n_mels patch patch_hop")
        _check_mel_window(self.window)
        require(
            self.inputs == "both" and self.tied,
            "a spectrogram as a picture takes inputs='both' and tied=True: it has no other way to "
            f"the phase, got {self.inputs!r} and {self.tied}",
        )
