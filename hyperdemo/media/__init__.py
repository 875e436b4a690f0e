"""Decode and encode pictures, video and sound, with limits on what a file may demand."""

from hyperdemo.media.image import decode_image, encode_png, save_png
from hyperdemo.media.video import encode_mp4, encode_ts, join_ts, save_ts, ts_duration_s

__all__ = [
    "decode_image",
    "encode_mp4",
    "encode_png",
    "encode_ts",
    "join_ts",
    "save_png",
    "save_ts",
    "ts_duration_s",
]
