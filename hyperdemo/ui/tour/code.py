"""A QR code of the page's address, for a class."""

from __future__ import annotations

import cv2
import numpy as np
from jaxtyping import UInt8
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

MAX_ADDRESS = 500
"""Bytes of an address, which make a code that a telephone's camera still reads from a seat."""
_MODULE_PX = 8
_QUIET = 4  # modules of white around a code, as ISO/IEC 18004 asks for


def qr_code(address: str) -> UInt8[np.ndarray, "h w"]:
    """The code as a picture, black on white, with its quiet zone.

    Raises:
        ValueError: an address that is empty or too long.
    """
    if not 0 < len(address.encode()) <= MAX_ADDRESS:
        raise ValueError(f"an address of 1 to {MAX_ADDRESS} bytes expected")
    settings = cv2.QRCodeEncoder_Params()
    settings.correction_level = cv2.QRCodeEncoder_CORRECT_LEVEL_M
    code = cv2.QRCodeEncoder.create(settings).encode(address)
    rows, columns = (np.flatnonzero((code == 0).any(axis)) for axis in (1, 0))
    own = code[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return np.pad(own, _QUIET, constant_values=255).repeat(_MODULE_PX, 0).repeat(_MODULE_PX, 1)


def code_route() -> Route:
    """`/address.png?of=…`: the code of an address."""

    async def code(request: Request) -> Response:
        try:
            picture = qr_code(request.query_params.get("of", ""))
        except ValueError as error:
            return PlainTextResponse(str(error), 400)
        return Response(cv2.imencode(".png", picture)[1].tobytes(), media_type="image/png")

    return Route("/address.png", code)
