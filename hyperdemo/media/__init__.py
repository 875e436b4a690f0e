"""Decode and encode pictures, video and sound, with limits on what a file may demand."""

from hyperdemo.media.image import decode_image, encode_png, save_png

__all__ = ["decode_image", "encode_png", "save_png"]
