"""Pictures in and out: the only place that reads or writes them.

Whatever a visitor drops on the page comes out of `decode_image` as uint8 RGBA with straight
alpha, upright, in sRGB, and no larger than the rest needs, or as a `ValueError` that says
what to do. Sizes are checked from the header, before a pixel is decoded.
"""

import io
import struct
import threading
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

MAX_PIXELS = 64_000_000  # above what phones save (50 MP); 256 MB while it is decoded
MAX_FILE_BYTES = 128 * 2**20
MIN_SIDE = 16
MAX_ASPECT = 16.0
DEFAULT_MAX_SIDE = 1024
FORMATS_IN_WORDS = "PNG, JPEG, WebP, AVIF, GIF, BMP or TIFF"

# A closed list: Pillow would otherwise also try formats that start other programs (EPS).
_PILLOW_FORMATS = ("PNG", "JPEG", "WEBP", "AVIF", "GIF", "BMP", "TIFF")
_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"hevx", b"mif1", b"msf1")
# What Pillow's decoders raise on broken bytes. ValueError is among them, so that its words
# are replaced by ours.
_BROKEN = (
    *(OSError, EOFError, SyntaxError, ValueError, RuntimeError, struct.error),
    *(IndexError, KeyError, TypeError, OverflowError),
)

# How many pictures are decoded at once, whoever asks: each may take 256 MB and more.
_DECODING = threading.BoundedSemaphore(2)

ImageSource = str | Path | bytes | Image.Image | np.ndarray


def decode_image(
    source: ImageSource | None, *, max_side: int | None = DEFAULT_MAX_SIDE
) -> UInt8[np.ndarray, "h w 4"]:
    """Decode any picture to uint8 RGBA with straight alpha.

    EXIF rotation is applied, an embedded ICC profile is converted to sRGB where that works,
    16-bit values are scaled and not clipped, and an animation gives its first frame.

    Args:
        source: a path, the bytes of a file, a PIL image, or an array: grey [h, w], or
            [h, w, c] with 1 to 4 channels, of bool, uint8, uint16 or floats in [0, 1].
        max_side: larger pictures are shrunk (antialiased, in premultiplied colour) until
            their longer side fits, in pixels; None keeps every pixel.

    Raises:
        ValueError: nothing was given, the file is missing, broken or no picture, or the
            picture is too small, too large or too long and thin.
    """
    if source is None:
        raise ValueError(f"expected a picture, got nothing; choose a {FORMATS_IN_WORDS} file")
    if max_side is not None and max_side < MIN_SIDE:
        raise ValueError(f"expected max_side of at least {MIN_SIDE} pixels, got {max_side}")
    if isinstance(source, np.ndarray):
        _check_size(source.shape[1] if source.ndim > 1 else 0, len(source) if source.ndim else 0)
        return _finish(_image_from_array(source), max_side=max_side, icc_profile=None)
    if isinstance(source, Image.Image):
        opened = source
        _check_size(*opened.size)
    else:
        opened = _open(_read_bytes(source))
        _check_size(*opened.size)
        if max_side is not None:
            # JPEG decodes at 1/2, 1/4 or 1/8 for a fraction of the time and memory; twice the
            # wanted size is kept so that the final resize still decides the sharpness.
            opened.draft(None, (2 * max_side, 2 * max_side))
    icc_profile = opened.info.get("icc_profile")
    with _DECODING:
        upright = _load_upright(opened, in_place=opened is not source)
        return _finish(upright, max_side=max_side, icc_profile=icc_profile)


def encode_png(image: UInt8[np.ndarray, "h w *c"]) -> bytes:
    """A PNG file of a uint8 grey [h, w], RGB or RGBA array (straight alpha).

    Raises:
        ValueError: the array is not uint8 of one of these shapes.
    """
    channels = image.shape[2] if image.ndim == 3 else 1
    if image.dtype != np.uint8 or image.ndim not in (2, 3) or channels not in (1, 3, 4):
        raise ValueError(
            "expected uint8 pixels of shape [h, w], [h, w, 3] or [h, w, 4] for a PNG, "
            f"got {image.dtype} of shape {list(image.shape)}"
        )
    buffer = io.BytesIO()
    pixels = image[..., 0] if image.ndim == 3 and channels == 1 else image
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, format="PNG")
    return buffer.getvalue()


def save_png(image: UInt8[np.ndarray, "h w *c"], path: str | Path) -> Path:
    """Write `encode_png(image)` to `path` and return the path. The folder must exist."""
    path = Path(path)
    path.write_bytes(encode_png(image))
    return path


def _read_bytes(source: str | Path | bytes) -> bytes:
    if not isinstance(source, (str, Path)):
        if not isinstance(source, (bytes, bytearray, memoryview)):
            raise ValueError(
                "expected a picture as a path, bytes, PIL image or NumPy array, "
                f"got {type(source).__name__}"
            )
        data = bytes(source)
    else:
        path = Path(source)
        if not path.is_file():
            raise ValueError(f"expected a picture file, but there is none at {path.name!r}")
        _check_bytes(path.stat().st_size)
        data = path.read_bytes()
    _check_bytes(len(data))
    return data


def _check_bytes(n_bytes: int) -> None:
    if n_bytes == 0:
        raise ValueError("expected a picture, got an empty file; choose another one")
    if n_bytes > MAX_FILE_BYTES:
        raise ValueError(
            f"expected a picture file of at most {MAX_FILE_BYTES // 2**20} MiB, "
            f"got {n_bytes / 2**20:.0f} MiB; save it smaller, as a JPEG for instance"
        )


def _open(data: bytes) -> Image.Image:
    """Read the header only."""
    head = data[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith(b"<svg") or (head.startswith((b"<?xml", b"<!")) and b"<svg" in head):
        raise ValueError(
            "expected a picture made of pixels, got an SVG drawing; "
            f"export it as one of {FORMATS_IN_WORDS}"
        )
    if data[4:8] == b"ftyp" and data[8:12] in _HEIC_BRANDS and b"avif" not in data[:64]:
        raise ValueError(
            "expected a picture in a format this program reads, got HEIC/HEIF (iPhone photos); "
            f"save it as one of {FORMATS_IN_WORDS}"
        )
    try:
        return Image.open(io.BytesIO(data), formats=_PILLOW_FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ValueError(
            f"expected at most {MAX_PIXELS / 1e6:.0f} million pixels, got far more; "
            "make the picture smaller and try again"
        ) from error
    except UnidentifiedImageError as error:
        if data[:4] in (b"II*\0", b"MM\0*"):
            raise ValueError(
                "expected a TIFF of 8 or 16 bits per channel, got one of another kind, perhaps "
                "with floating-point colours; save it with 8 bits per channel, or as a PNG"
            ) from error
        raise ValueError(
            "expected a picture, but these bytes are not one this program knows, whatever "
            f"the file is called; choose a {FORMATS_IN_WORDS} file"
        ) from error
    except _BROKEN as error:
        raise _broken(error) from error


def _check_size(width: int, height: int) -> None:
    if width < MIN_SIDE or height < MIN_SIDE:
        raise ValueError(
            f"expected a picture of at least {MIN_SIDE} x {MIN_SIDE} pixels, "
            f"got {width} x {height}; choose a larger one"
        )
    if width * height > MAX_PIXELS:
        raise ValueError(
            f"expected at most {MAX_PIXELS / 1e6:.0f} million pixels, got {width} x {height} "
            f"({width * height / 1e6:.0f} million); make the picture smaller and try again"
        )
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise ValueError(
            f"expected a picture at most {MAX_ASPECT:.0f} times as long as it is wide, "
            f"got {width} x {height}; crop it to the object"
        )


def _load_upright(opened: Image.Image, *, in_place: bool) -> Image.Image:
    """Decode the first frame and apply the EXIF rotation, to a copy of what is a caller's."""
    try:
        opened.load()
    except (Image.DecompressionBombError, *_BROKEN) as error:
        raise _broken(error) from error
    try:
        return ImageOps.exif_transpose(opened, in_place=in_place) or opened
    except _BROKEN:
        return opened  # a damaged EXIF block is no reason to refuse a good picture


def _broken(error: BaseException) -> ValueError:
    return ValueError(
        "expected a whole picture, but the file is damaged or cut short "
        f"({str(error) or type(error).__name__}); save or download it again"
    )


def _image_from_array(array: np.ndarray) -> Image.Image:
    if array.ndim not in (2, 3) or (array.ndim == 3 and array.shape[2] not in (1, 2, 3, 4)):
        raise ValueError(
            "expected a picture array of shape [h, w] or [h, w, 1 to 4 channels], "
            f"got {list(array.shape)}"
        )
    pixels = _to_uint8(array)
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    return Image.fromarray(np.ascontiguousarray(pixels))


def _to_uint8(array: np.ndarray) -> np.ndarray:
    """Pixel values of any depth as uint8."""
    if array.dtype == np.uint8:
        return array
    if array.dtype == np.bool_:
        return array.astype(np.uint8) * np.uint8(255)
    if array.dtype == np.uint16:
        return ((array.astype(np.uint32) + 128) // 257).astype(np.uint8)
    if np.issubdtype(array.dtype, np.floating):
        low, high = float(array.min()), float(array.max())
        if not (low >= -1e-3 and high <= 1.0 + 1e-3):  # NaN fails this too
            raise ValueError(
                f"expected floating-point pixels in [0, 1], got values from {low:g} to {high:g}; "
                "divide by 255, or pass uint8"
            )
        return np.rint(np.clip(array, 0.0, 1.0) * 255.0).astype(np.uint8)
    raise ValueError(
        f"expected pixels of bool, uint8, uint16 or floats in [0, 1], got {array.dtype}"
    )


def _from_deep_grey(image: Image.Image) -> Image.Image:
    """Grey of 16 or 32 bits (modes I;16*, I, F) to 8 bits, scaled by its nominal range.

    Pillow's own conversion clips at 255. Modes I and F do not tell their range, so the
    largest value decides between [0, 1] (F only), 8 bits, 16 bits and "as large as it gets".
    """
    values = np.asarray(image).astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError(
            "expected finite pixels, got NaN or infinity; save the picture with 8 bits per channel"
        )
    high = values.max()
    if image.mode.startswith("I;16"):
        full_scale = 65535.0
    elif image.mode == "F" and high <= 1.0:
        full_scale = 1.0
    else:
        full_scale = next((scale for scale in (255.0, 65535.0) if high <= scale), high)
    return Image.fromarray(np.rint(np.clip(values / full_scale, 0, 1) * 255).astype(np.uint8))


def _finish(
    image: Image.Image, *, max_side: int | None, icc_profile: bytes | None
) -> UInt8[np.ndarray, "h w 4"]:
    """Any mode to RGBA, no larger than `max_side`, in sRGB."""
    if image.mode.startswith(("I", "F")):
        image = _from_deep_grey(image)
    if image.mode == "CMYK":
        image, icc_profile = _cmyk_to_rgb(image, icc_profile), None
    if image.mode in ("L", "RGB") and "transparency" not in image.info:
        _shrink(image, max_side)  # before a channel more is made of every pixel
    try:
        rgba = image.convert("RGBA")
    except ValueError as error:  # LAB, of all that TIFF can hold
        raise ValueError(
            f"expected a grey, palette, RGB or CMYK picture, got colour mode {image.mode}; "
            "save it as RGB"
        ) from error
    _shrink(rgba, max_side)
    if icc_profile:
        rgba = _to_srgb(rgba, icc_profile)
    return np.array(rgba)


def _shrink(image: Image.Image, max_side: int | None) -> None:
    """In place."""
    if max_side is not None and max(image.size) > max_side:
        image.thumbnail((max_side, max_side), Image.Resampling.BICUBIC, reducing_gap=2.0)


def _cmyk_to_rgb(image: Image.Image, icc_profile: bytes | None) -> Image.Image:
    # Pillow has already undone the inversion that Adobe writes into CMYK JPEGs.
    if icc_profile:
        try:
            return _through_profile(image, icc_profile)
        except (ImageCms.PyCMSError, OSError, ValueError):
            pass  # the profile is broken or of another colour space: convert without it
    return image.convert("RGB")


def _to_srgb(rgba: Image.Image, icc_profile: bytes) -> Image.Image:
    alpha = rgba.getchannel("A")
    try:
        converted = _through_profile(rgba.convert("RGB"), icc_profile)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return rgba  # a wrong profile is no reason to refuse the picture
    converted.putalpha(alpha)
    return converted


def _through_profile(image: Image.Image, icc_profile: bytes) -> Image.Image:
    profile = ImageCms.ImageCmsProfile(io.BytesIO(icc_profile))
    if image.mode == "RGB" and "srgb" in ImageCms.getProfileDescription(profile).lower():
        return image  # through lcms it would come back off by one here and there
    return ImageCms.profileToProfile(
        image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB"
    )
