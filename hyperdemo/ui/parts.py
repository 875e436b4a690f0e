"""The parts of a form, counted while it passes by."""

from __future__ import annotations

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.formparsers import MultiPartException
from starlette.types import Message

MAX_FILES, MAX_FIELDS, MAX_FIELD_BYTES = 8, 16, 64 * 1024


class Parts:
    """Raises where a form holds more than the page ever sends.

    Args:
        content_type: of the request, which names what separates the parts.
        max_bytes: of the whole.

    Raises:
        MultiPartException: no separator; from `take`, too many parts or too large ones.
    """

    def __init__(self, content_type: str, *, max_bytes: int):
        _, options = parse_options_header(content_type)
        if b"boundary" not in options:
            raise MultiPartException("Missing boundary in multipart.")
        self._max_bytes, self.n_bytes = max_bytes, 0
        self._n_files = self._n_fields = self._n_field_bytes = 0
        self._is_file = False
        self._header = b""
        self.ended = False
        callbacks = {
            "on_part_begin": self._begin,
            "on_header_value": self._take_header,
            "on_headers_finished": self._count,
            "on_part_data": self._take_data,
        }
        self._parser = MultipartParser(options[b"boundary"], callbacks)

    def take(self, message: Message) -> None:
        """Look at the next piece of the body."""
        body = message.get("body", b"")
        self.ended = not message.get("more_body", False)
        self.n_bytes += len(body)
        if self.n_bytes > self._max_bytes:
            raise MultiPartException(f"Form exceeded maximum allowed size of {self._max_bytes}.")
        try:
            self._parser.write(body)
        except FormParserError as error:
            raise MultiPartException(f"Could not parse multipart request: {error}") from error

    def _begin(self) -> None:
        self._header = b""

    def _take_header(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _count(self) -> None:
        self._is_file = b"filename" in self._header
        self._n_files += self._is_file
        self._n_fields += not self._is_file
        if self._n_files > MAX_FILES or self._n_fields > MAX_FIELDS:
            raise MultiPartException(
                f"Too many parts, over the maximum allowed size of {MAX_FILES} files."
            )

    def _take_data(self, data: bytes, start: int, end: int) -> None:
        self._n_field_bytes += 0 if self._is_file else end - start
        if self._n_field_bytes > MAX_FIELD_BYTES:
            raise MultiPartException(
                f"Fields exceeded their maximum allowed size of {MAX_FIELD_BYTES} bytes."
            )
