"""What lies among the uploads, and for how long."""

import base64
import os
import time

import gradio as gr
from PIL import Image

from hyperdemo.ui.uploads import from_data_url, sweep_uploads


def test_what_came_in_a_data_url_is_swept_and_what_the_page_shows_is_not(tmp_path, monkeypatch):
    uploads = tmp_path / "uploads"
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(uploads))
    Image.new("RGB", (20, 20)).save(tmp_path / "shown.png")
    with gr.Blocks() as demo:
        gr.Image(str(tmp_path / "shown.png"))
    (shown,) = (path for path in uploads.rglob("*") if path.is_file())
    sent = from_data_url(f"data:;base64,{base64.b64encode(b'sent').decode()}")
    # As a copy has it that keeps its original's time of change.
    os.utime(sent, (time.time() - 100,) * 2)
    sweep_uploads(demo, age_s=50)
    assert shown.exists() and sent.read_bytes() == b"sent"
    now = time.time
    monkeypatch.setattr("hyperdemo.ui.uploads.time.time", lambda: now() + 100)
    sweep_uploads(demo, age_s=50)
    assert shown.exists() and not sent.parent.exists()
