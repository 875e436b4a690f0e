import cv2
import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from hyperdemo.ui.tour.code import MAX_ADDRESS, code_route, qr_code

ADDRESS = "https://user-name.hf.space/?tab=inside&example=objects%2Fsofa&az=120&el=20&large=1"


def read(picture):
    return cv2.QRCodeDetector().detectAndDecode(picture)[0]


@pytest.mark.parametrize("address", [ADDRESS, "http://a/", ADDRESS + "&x=" + "y" * 300])
def test_a_camera_reads_the_address(address):
    code = qr_code(address)
    assert read(code) == address
    # Four modules of white all round, of which the finder pattern's first row has seven black.
    dark = np.flatnonzero((code == 0).any(1))[0]
    row = code[dark]
    module = np.flatnonzero(row[dark:] == 255)[0] // 7
    assert dark == 4 * module and (code[:dark] == 255).all() and (code[:, -dark:] == 255).all()
    smaller = cv2.resize(code, None, fx=0.7, fy=0.7, interpolation=cv2.INTER_AREA)
    assert read(smaller) == address


def test_the_route_gives_a_picture_or_says_what_it_wants():
    http = TestClient(Starlette(routes=[code_route()]))
    found = http.get("/address.png", params={"of": ADDRESS})
    assert found.headers["content-type"] == "image/png"
    assert (
        read(cv2.imdecode(np.frombuffer(found.content, np.uint8), cv2.IMREAD_GRAYSCALE)) == ADDRESS
    )
    for query in ({}, {"of": ""}, {"of": "é" * (MAX_ADDRESS // 2 + 1)}):
        refused = http.get("/address.png", params=query)
        assert refused.status_code == 400 and "1 to 500 bytes expected" in refused.text
