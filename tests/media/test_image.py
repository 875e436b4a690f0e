"""Every kind of picture that comes out of a camera, a phone or a paint program, good and bad."""

import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from hyperdemo.media.image import decode_image, encode_png, save_png
from tests.conftest import ROOT


def file_bytes(image, format, **options):
    buffer = io.BytesIO()
    image.save(buffer, format=format, **options)
    return buffer.getvalue()


def gradient(height=48, width=64):
    y, x = np.mgrid[:height, :width]
    return np.stack([4 * x % 256, 5 * y % 256, 255 - 4 * x % 256], axis=-1).astype(np.uint8)


def png_header_only(width, height):
    """A PNG that claims a size and holds no pixels: it must be refused by its header."""

    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IEND", b"")


@pytest.mark.parametrize("format", ["PNG", "WEBP", "BMP", "TIFF"])
def test_lossless_formats_come_back_exactly(format, tmp_path):
    pixels = gradient()
    options = {"lossless": True} if format == "WEBP" else {}
    path = tmp_path / "picture.dat"  # the name does not matter, the bytes do
    path.write_bytes(file_bytes(Image.fromarray(pixels), format, **options))
    for source in (path, str(path), path.read_bytes(), Image.fromarray(pixels), pixels):
        rgba = decode_image(source)
        assert rgba.dtype == np.uint8 and rgba.shape == (48, 64, 4)
        np.testing.assert_array_equal(rgba[..., :3], pixels)
        assert (rgba[..., 3] == 255).all()


def test_png_round_trip(tmp_path):
    rgba = np.dstack([gradient(), np.full((48, 64), 77, np.uint8)])
    np.testing.assert_array_equal(decode_image(encode_png(rgba)), rgba)
    path = save_png(rgba[..., :3], tmp_path / "x.png")
    np.testing.assert_array_equal(decode_image(path)[..., :3], rgba[..., :3])
    grey = decode_image(encode_png(rgba[..., :1]))
    np.testing.assert_array_equal(grey[..., 2], rgba[..., 0])
    with pytest.raises(ValueError, match="uint8"):
        encode_png(np.zeros((4, 4, 3), np.float32))


def test_sixteen_bits_are_scaled_and_not_clipped():
    values = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype(np.uint16)
    expected = np.rint(values / 257.0)
    for source in (
        file_bytes(Image.fromarray(values), "PNG"),
        file_bytes(Image.fromarray(values), "TIFF"),
        Image.fromarray(values),
        Image.fromarray(values.astype(np.int32)),
        Image.fromarray((values / 65535.0).astype(np.float32)),
        values,
        values / 65535.0,
    ):
        assert np.abs(decode_image(source)[..., 0] - expected).max() <= 1


def float_tiff(values):
    """A TIFF of 32-bit floats: red, green and blue [h, w, 3], which Pillow does not write."""
    (height, width, _), data = values.shape, values.astype("<f4").tobytes()
    at = 8 + 2 + 12 * 10 + 4  # where the values lie that do not fit into the directory
    entries = [
        (256, 4, 1, width), (257, 4, 1, height), (258, 3, 3, at), (259, 3, 1, 1), (262, 3, 1, 2),
        (273, 4, 1, at + 12), (277, 3, 1, 3), (278, 4, 1, height), (279, 4, 1, len(data)),
        (339, 3, 3, at + 6),
    ]  # fmt: skip
    directory = struct.pack("<H", 10) + b"".join(struct.pack("<HHII", *one) for one in entries)
    deep = struct.pack("<6H", 32, 32, 32, 3, 3, 3)
    return struct.pack("<2sHI", b"II", 42, 8) + directory + bytes(4) + deep + data


def test_floats_that_have_no_range_are_refused_for_what_they_are():
    with pytest.raises(ValueError, match="floating-point colours; save it with 8 bits"):
        decode_image(float_tiff(np.zeros((20, 20, 3))))
    grey = np.full((20, 20), 0.5, np.float32)
    grey[3, 3] = np.nan
    with pytest.raises(ValueError, match="finite pixels, got NaN"):
        decode_image(file_bytes(Image.fromarray(grey), "TIFF"))


def test_cmyk_jpeg_and_tiff_have_the_right_colours():
    orange = Image.new("RGB", (64, 64), (230, 120, 30)).convert("CMYK")
    for format in ("JPEG", "TIFF"):  # Pillow writes a CMYK JPEG inverted, as Adobe does
        data = file_bytes(orange, format)
        if format == "JPEG":
            assert b"Adobe" in data
        np.testing.assert_allclose(decode_image(data)[20, 20], [230, 120, 30, 255], atol=6)


def test_palette_with_transparency():
    image = Image.new("P", (32, 32), 0)
    image.putpalette([255, 0, 0, 0, 0, 255] + [0] * 762)
    image.paste(1, (8, 8, 24, 24))
    rgba = decode_image(file_bytes(image, "PNG", transparency=0))
    assert rgba[0, 0, 3] == 0
    assert rgba[16, 16].tolist() == [0, 0, 255, 255]


@pytest.mark.parametrize("mode", ["1", "L", "LA", "RGBA", "P"])
def test_modes(mode):
    image = Image.new("RGBA", (32, 32), (255, 255, 255, 255)).convert(mode)
    rgba = decode_image(file_bytes(image, "PNG"))
    assert rgba.shape == (32, 32, 4) and (rgba == 255).all()


@pytest.mark.parametrize("format", ["GIF", "WEBP", "PNG"])
def test_animation_gives_its_first_frame(format):
    red, blue = (Image.new("RGB", (32, 32), colour) for colour in ("red", "blue"))
    data = file_bytes(red, format, save_all=True, append_images=[blue], duration=50)
    np.testing.assert_allclose(decode_image(data)[16, 16], [255, 0, 0, 255], atol=3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation_is_applied(orientation):
    upright = np.zeros((48, 64, 3), np.uint8)
    upright[:24, :32] = 255  # the upper left quarter, seen upright
    turns = {1: 0, 2: 0, 3: 2, 4: 2, 5: 1, 6: 1, 7: 3, 8: 3}
    mirrored = orientation in (2, 4, 5, 7)
    # What a camera stores so that a viewer gets `upright` back, by the EXIF table.
    stored = np.rot90(upright, turns[orientation])
    stored = np.fliplr(stored) if mirrored and orientation != 4 else stored
    if orientation == 4:
        stored = np.flipud(upright)
    if orientation in (5, 7):
        stored = np.transpose(upright, (1, 0, 2))
        stored = stored if orientation == 5 else stored[::-1, ::-1]
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = file_bytes(Image.fromarray(np.ascontiguousarray(stored)), "PNG", exif=exif)
    np.testing.assert_array_equal(decode_image(data)[..., :3], upright)


def test_damaged_exif_does_not_spoil_the_picture():
    data = file_bytes(Image.fromarray(gradient()), "JPEG", exif=b"Exif\0\0garbage", quality=95)
    assert decode_image(data).shape == (48, 64, 4)


def test_icc_profile_is_converted_to_srgb():
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    pixels = gradient()
    same = decode_image(file_bytes(Image.fromarray(pixels), "PNG", icc_profile=lab))
    np.testing.assert_array_equal(same[..., :3], pixels)
    # The same profile with red and green exchanged: a conversion that happened is plain to see.
    swapped = lab.replace(b"rXYZ", b"tmp_").replace(b"gXYZ", b"rXYZ").replace(b"tmp_", b"gXYZ")
    swapped = swapped.replace("sRGB".encode("utf-16-be"), "xxxx".encode("utf-16-be"))
    swapped = swapped.replace(b"sRGB", b"xxxx")
    red = Image.new("RGBA", (32, 32), (255, 0, 0, 90))
    turned = decode_image(file_bytes(red, "PNG", icc_profile=swapped))
    assert turned[9, 9, 1] > 200 > 60 > turned[9, 9, 0]
    assert turned[9, 9, 3] == 90
    broken = decode_image(file_bytes(red, "PNG", icc_profile=b"not a profile"))
    assert broken[9, 9].tolist() == [255, 0, 0, 90]


def test_large_pictures_are_shrunk_without_bleeding_transparent_colours():
    rgba = np.zeros((600, 900, 4), np.uint8)
    rgba[...] = (0, 255, 0, 0)  # invisible green
    rgba[100:500, 200:700] = (200, 0, 0, 255)
    small = decode_image(encode_png(rgba), max_side=90)
    assert small.shape == (60, 90, 4)
    visible = small[..., 3] > 20
    assert small[visible][:, 1].max() < 20
    assert decode_image(encode_png(rgba), max_side=None).shape == (600, 900, 4)


def test_jpeg_is_decoded_at_reduced_size():
    photo = Image.fromarray(gradient()).resize((2400, 1800), Image.Resampling.BICUBIC)
    small = decode_image(file_bytes(photo, "JPEG", quality=95), max_side=240)
    assert small.shape == (180, 240, 4)
    reference = np.asarray(photo.resize((240, 180), Image.Resampling.BOX)).astype(float)
    assert np.abs(small[..., :3] - reference).mean() < 4


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [12_000, 60_000])
def test_huge_pictures_are_refused_by_their_header(side):
    with pytest.raises(ValueError, match="million pixels"):
        decode_image(png_header_only(side, side))


def _one_by_one():
    return file_bytes(Image.new("RGB", (1, 1)), "PNG")


def _truncated(format):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    data = file_bytes(Image.fromarray(noise), format)
    return data[: len(data) // 2]


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (None, "got nothing"),
        (b"", "empty file"),
        (b"just some words in a file called photo.png", "not one this program knows"),
        (b"%PDF-1.4 ...", "not one this program knows"),
        (b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"\n <svg></svg>", "SVG"),
        (b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic", "HEIC"),
        (_one_by_one(), "at least 16 x 16"),
        (_truncated("PNG"), "damaged or cut short"),
        (_truncated("JPEG"), "damaged or cut short"),
        (_truncated("WEBP"), "damaged or cut short|not one this program knows"),
        (_truncated("TIFF"), "damaged or cut short|not one this program knows"),
        (png_header_only(64, 64), "damaged or cut short"),
        (np.zeros((16, 2000, 3), np.uint8), "times as long"),
        (np.zeros((64, 64, 5), np.uint8), "1 to 4 channels"),
        (np.zeros(64, np.uint8), "at least 16 x 16"),
        (np.full((64, 64), 200.0), r"\[0, 1\]"),
        (np.full((64, 64), np.nan), r"\[0, 1\]"),
        (np.zeros((64, 64), np.int64), "int64"),
        (3, "got int"),
    ],
)
def test_bad_pictures_are_refused_in_plain_words(source, words):
    with pytest.raises(ValueError, match=words):
        decode_image(source)


def test_missing_file_and_folder_are_refused(tmp_path):
    for path in (tmp_path / "missing.png", tmp_path):
        with pytest.raises(ValueError, match="there is none"):
            decode_image(path)


def test_every_truncation_gives_a_picture_or_a_value_error():
    for format in ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF"):
        data = file_bytes(Image.fromarray(gradient()), format)
        for end in range(1, len(data), max(1, len(data) // 40)):
            try:
                assert decode_image(data[:end]).shape == (48, 64, 4)
            except ValueError:
                pass


def test_memory_is_bounded_however_many_come_at_once():
    """Six pictures of 64 megapixels in 200 kB each, in a process of its own."""
    probe = """
import io, resource, threading
from PIL import Image
from hyperdemo.media import decode_image
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
Image.new("RGB", (8000, 8000), "teal").save(data := io.BytesIO(), "PNG")
before, source = peak(), data.getvalue()  # one picture was held until here
threads = [threading.Thread(target=decode_image, args=[source]) for _ in range(6)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(peak() - before)
"""
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, cwd=ROOT)
    assert int(done.stdout) < 800e6, done.stderr
