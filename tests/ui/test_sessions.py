"""What the server keeps of its visitors between their requests."""

import json

from gradio.state_holder import SessionState

from hyperdemo.ui import build_app, launch_options
from tests.conftest import ROOT


def test_what_is_kept_of_all_visitors_has_a_bound(pipeline, sound_pipeline, tmp_path):
    page = build_app(
        pipeline, sound=sound_pipeline, examples=tmp_path, weights=ROOT / "weights"
    )  # with figures, which are most of it
    own = len(json.dumps(SessionState(page).config_values, default=str))
    kept = launch_options(pipeline)["state_session_capacity"]
    assert kept >= 64 and kept * own < 200e6
