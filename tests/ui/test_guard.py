"""Attacks on a running server."""

import base64
import io
import json
import time
from http.client import HTTPConnection
from pathlib import Path

import httpx
import pytest
from gradio.utils import get_upload_folder
from PIL import Image

from hyperdemo.ui import build_app, launch_options, visitors
from hyperdemo.ui.guard import MAX_JSON_BYTES, MAX_PLACES, MAX_UPLOAD_BYTES
from hyperdemo.ui.object.callbacks import SETTINGS
from hyperdemo.ui.parts import MAX_FIELD_BYTES, MAX_FILES


@pytest.fixture(scope="module")
def demo(pipeline, tmp_path_factory):
    nothing = tmp_path_factory.mktemp("nothing")
    demo = build_app(pipeline, examples=nothing, weights=nothing)
    demo.launch(prevent_thread_lock=True, quiet=True, **launch_options(pipeline))
    yield demo
    demo.close()


@pytest.fixture
def http(demo):
    with httpx.Client(base_url=demo.local_url, timeout=60) as client:
        yield client


def number_of(demo, name):
    """By which number the page calls an event."""
    found = [n for n, fn in demo.fns.items() if getattr(fn.fn, "__name__", "") == name]
    return found[0]


def call(demo, http, name, *data, session="s1"):
    """Call an event as the page does: whether it succeeded, and all that came back."""
    body = {"data": data, "fn_index": number_of(demo, name), "session_hash": session}
    answer = http.post("/gradio_api/queue/join", json=body)
    assert answer.status_code == 200, answer.text
    with http.stream("GET", f"/gradio_api/queue/data?session_hash={session}") as lines:
        for line in lines.iter_lines():
            if line.startswith("data:"):
                message = json.loads(line[5:])
                if message["msg"] == "process_completed":
                    return message["success"], line
    raise AssertionError("no answer")


def png() -> bytes:
    """A red box on white."""
    out, image = io.BytesIO(), Image.new("RGB", (40, 40), "white")
    image.paste((200, 30, 30), (10, 12, 30, 28))
    image.save(out, "PNG")
    return out.getvalue()


def data_url(content: bytes, kind="image/png") -> dict:
    url = f"data:{kind};base64,{base64.b64encode(content).decode()}"
    return {"url": url, "meta": {"_type": "gradio.FileData"}}


def test_no_path_of_the_server_is_read(demo, http, tmp_path, picture):
    uploads = Path(get_upload_folder())
    uploads.mkdir(parents=True, exist_ok=True)
    link = uploads / "link.png"
    link.unlink(missing_ok=True)
    link.symlink_to(picture)
    said = set()
    for path in (picture, str(link), str(tmp_path / "no.png"), "/etc/passwd", "../x", "a\0b"):
        for given in ({"path": path}, {"path": path, "meta": {"_type": "gradio.FileData"}}):
            success, line = call(demo, http, "find_object", given, None)
            assert not success
            if "meta" not in given:  # what is marked as a file Gradio refuses by itself
                said.add(line[line.index("error") :])
    link.unlink()
    assert len(said) == 1  # nor is told which of them there are


def test_what_comes_in_the_address_itself_is_decoded_as_any_file(demo, http):
    success, line = call(demo, http, "find_object", data_url(png()), None)
    assert success, line
    eps = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 40\nshowpage\n"
    success, line = call(demo, http, "find_object", data_url(eps), None)
    assert not success and "not one this program knows" in line
    for broken in ({"url": "data:image/png;base64,%%%"}, {"url": "http://127.0.0.1:1/x.png"}, {}):
        success, line = call(demo, http, "find_object", broken, None)
        assert not success and "/tmp" not in line


def test_bodies_are_bounded(http):
    too_long = b'{"data": "' + b"x" * MAX_JSON_BYTES + b'"}'
    for body in (too_long, (too_long[k : k + 2**20] for k in range(0, len(too_long), 2**20))):
        assert http.post("/gradio_api/queue/join", content=body).status_code == 413
    raw = HTTPConnection(http.base_url.host, http.base_url.port)
    raw.putrequest("POST", "/gradio_api/upload")
    raw.putheader("Content-Length", str(MAX_UPLOAD_BYTES + 1))
    raw.endheaders()
    assert raw.getresponse().status == 413  # before any of it has come
    raw.close()


def leftovers():
    return set(Path(get_upload_folder()).glob("tmp*"))


def test_forms_are_bounded_and_leave_nothing(http):
    before = leftovers()
    for form in (
        {"files": [("files", ("a", b"1"))] * (MAX_FILES + 1)},
        {"data": {"a": "x" * (MAX_FIELD_BYTES + 1)}, "files": {"files": ("a", b"1")}},
    ):
        assert http.post("/gradio_api/upload", **form).status_code == 413
    assert leftovers() <= before


def test_an_upload_cut_short_leaves_nothing(http):
    before = leftovers()
    raw = HTTPConnection(http.base_url.host, http.base_url.port)
    raw.putrequest("POST", "/gradio_api/upload")
    raw.putheader("Content-Length", str(2**20))
    raw.putheader("Content-Type", "multipart/form-data; boundary=b")
    raw.endheaders()
    part = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n'
    raw.send(part + bytes(2**18))
    assert until(lambda: leftovers() - before)
    raw.close()
    assert until(lambda: leftovers() <= before)


def until(condition, *, seconds=60.0):
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.02)
    return condition()


def test_nothing_is_computed_past_the_queue(http):
    for route in ("run", "api"):
        body = {"data": [data_url(png()), None]}
        assert http.post(f"/gradio_api/{route}/find_object", json=body).status_code == 404


def test_a_host_that_anybody_can_claim_is_not_believed(http, monkeypatch):
    for path in ("/", "/config", "/gradio_api/info", "/health"):
        for name in ("x-forwarded-host", "host"):
            assert "evil.example" not in http.get(path, headers={name: "evil.example"}).text
    claimed = {
        name: http.get("/health", headers={"host": name}).status_code
        for name in (
            "evil.example",
            "127.0.0.1.evil.example:80",
            "LocalHost:7",
            "[::1]:7",
            "10.1.2.3",
        )
    }
    assert list(claimed.values()) == [421, 421, 200, 200, 200]
    monkeypatch.setenv("HYPERDEMO_HOSTS", "demo.example,evil.example")
    assert http.get("/health", headers={"host": "evil.example:443"}).status_code == 200


def test_what_a_visitor_sends_in_all_is_bounded(http, monkeypatch):
    part = {"files": ("a", bytes(2**18))}
    assert http.post("/gradio_api/upload", files=part).status_code == 200
    monkeypatch.setattr(visitors, "MAX_VISITOR_BYTES", 2**18)
    before = leftovers()
    assert http.post("/gradio_api/upload", files=part).status_code == 429
    assert leftovers() <= before


def test_a_session_has_few_places(demo, http):
    fn = number_of(demo, "generate")
    data = [data_url(png()), None, *SETTINGS.values(), None, False]
    body = {"data": data, "fn_index": fn, "session_hash": "greedy"}
    codes = [http.post("/gradio_api/queue/join", json=body).status_code for _ in range(20)]
    assert codes[:MAX_PLACES] == [200] * MAX_PLACES and 429 in codes
    other = http.post("/gradio_api/queue/join", json=body | {"session_hash": "other"})
    assert other.status_code == 200


def test_an_assistant_has_places_of_its_own(demo, http):
    """Gradio passes all of them on in one session, with the headers that they came with."""
    body = {
        "data": [data_url(png()), None, *SETTINGS.values(), None, False],
        "fn_index": number_of(demo, "generate"), "session_hash": "assistants",
    }  # fmt: skip

    def joined(host, n):
        scope = visitors.signed({"headers": [], "client": (host, 1)}, assistant=True)
        headers = [(name.decode(), value.decode()) for name, value in scope["headers"]]
        posts = [http.post("/gradio_api/queue/join", json=body, headers=headers) for _ in range(n)]
        return [post.status_code for post in posts]

    assert 429 in joined("10.0.0.1", 20)
    assert joined("10.0.0.2", 1) == [200]


@pytest.mark.parametrize(
    "path",
    "/monitoring /gradio_api/monitoring /gradio_api/dev/reload /gradio_api/proxy=http://x.y "
    "/gradio_api/file/etc/passwd /gradio_api/run-history/records /docs".split(),
)
def test_routes_that_nobody_uses_are_closed(http, path):
    assert http.get(path).status_code == 404


def test_recordings_are_not_processed(http):
    answer = http.post("/gradio_api/process_recording", files={"video": b"x"})
    assert answer.status_code == 404


def test_the_page_says_what_it_is_to_whoever_links_to_it(http):
    page = http.get("/").text
    assert 'property="og:title" content="hyperdemo: what is a hypernetwork?"' in page
    icon = http.get("/favicon.ico")
    assert icon.headers["content-type"].startswith("image/svg") and b"#4f46e5" in icon.content


def test_headers_say_what_the_page_may_do(http):
    for path in ("/", "/config", "/nowhere"):
        headers = http.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "object-src 'none'" in headers["content-security-policy"]
        assert "frame-ancestors" not in headers["content-security-policy"]
        assert "x-frame-options" not in headers
