import base64
import re
from pathlib import Path

import gradio as gr
import pytest

from hyperdemo.results.learning import find_recorded
from hyperdemo.ui.race import recorded
from hyperdemo.ui.race.recorded import recorded_learning, recorded_value
from tests.results.recordings import write_recording

ASSETS = Path(recorded.__file__).parent


def test_the_page_is_given_means_over_objects_and_the_pictures_themselves(tmp_path):
    folder = write_recording(tmp_path)
    value = recorded_value(find_recorded(tmp_path))
    arms = {arm["key"]: arm for arm in value["arms"]}
    assert arms["foundation"]["psnr"] == pytest.approx([1.5, 3.5, 7.0])
    assert arms["scratch"]["label"] == "From scratch" and arms["scratch"]["validation"] == ((4, 6),)
    for name, given in (("truth", value["truth"]), ("scratch", arms["scratch"]["pictures"])):
        kind, _, content = given.partition(",")
        assert kind == "data:image/webp;base64"
        assert base64.b64decode(content) == (folder / f"{name}.webp").read_bytes()


def test_the_pictures_come_with_the_tab_and_not_with_the_page(tmp_path):
    write_recording(tmp_path)
    with gr.Blocks() as demo, gr.Tab("Race") as tab:
        shown = recorded_learning(find_recorded(tmp_path), tab)
    assert shown.value == {}
    (event,) = demo.fns.values()
    assert event.targets == [(tab._id, "select")] and event.outputs == [shown]
    assert event.fn() == recorded_value(find_recorded(tmp_path))


def test_templates_and_script_fit_together():
    html, css, js = ((ASSETS / f"recorded.{kind}").read_text() for kind in ("html", "css", "js"))
    for template in (html, css):  # that Gradio would fill in
        assert not re.search(r"\$\{|\{\{|`|\\", template)
    assert set(re.findall(r"\bpart\.(\w+)", js)) == set(re.findall(r'data-part="(\w+)"', html))
