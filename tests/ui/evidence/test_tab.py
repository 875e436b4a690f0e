"""The evidence tab's layout and its one callback, on tiny models."""

import dataclasses

import gradio as gr
import pytest
from PIL import Image

from hyperdemo.results.measured import FILE_NAME, METRICS, to_json
from hyperdemo.results.verdicts import Verdict
from hyperdemo.ui import build_app
from hyperdemo.ui.evidence import texts
from hyperdemo.ui.evidence.tab import evidence_tab, find_contact_sheets, panels
from tests.results import measured as small
from train.report.measured import measured


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    folder = tmp_path_factory.mktemp("weights")
    (folder / "evidence").mkdir()
    (folder / FILE_NAME).write_text(to_json(measured(small.results())))
    Image.new("RGB", (8, 8)).save(folder / "evidence" / "held-out_chairs.png")
    (folder / "evidence" / "notes.txt").write_text("Mine.")
    return folder


@pytest.fixture(scope="module")
def demo(pipeline, sound_pipeline, weights):
    return build_app(pipeline, sound=sound_pipeline, examples=weights / "none", weights=weights)


def tabs(demo):
    return [block.label for block in demo.blocks.values() if isinstance(block, gr.Tab)]


def of_kind(demo, kind):
    return [block for block in demo.blocks.values() if isinstance(block, kind)]


def redraws(demo):
    return [fn for fn in demo.fns.values() if getattr(fn.fn, "__name__", "") == "redraw"]


def test_the_tab_is_the_last_with_a_section_a_task(demo):
    own = [label for label in tabs(demo) if label not in ("Picture", "Outline")]
    assert own == ["Object", "Look inside", "Sound", "Evidence", "Objects", "Sound"]
    *_, metric = [block for block in of_kind(demo, gr.Dropdown) if block.label == "Measured by"]
    assert [key for _, key in metric.choices] == ["stoi", "si_snr", "lsd"]
    assert metric.choices[2][0] == "LSD (dB) ↓"


def test_without_sound_it_is_the_third(pipeline, weights):
    demo = build_app(pipeline, examples=weights / "none", weights=weights)
    own = [label for label in tabs(demo) if label not in ("Picture", "Outline")]
    assert own[:3] == ["Object", "Look inside", "Evidence"]


@pytest.mark.parametrize("content", [None, "{}", "{"])
def test_without_anything_to_show_there_is_none(pipeline, tmp_path, content):
    if content is not None:
        (tmp_path / "evidence").mkdir()
        (tmp_path / FILE_NAME).write_text(content)
    demo = build_app(pipeline, examples=tmp_path, weights=tmp_path)
    assert "Evidence" not in tabs(demo)


def test_a_task_alone_needs_no_tab_of_its_own(pipeline, tmp_path):
    (tmp_path / "evidence").mkdir()
    (tmp_path / FILE_NAME).write_text(to_json(measured({"view": small.view()})))
    demo = build_app(pipeline, examples=tmp_path, weights=tmp_path)
    assert "Evidence" in tabs(demo) and "Objects" not in tabs(demo)


def test_panels_are_what_there_is():
    found = measured(small.results())
    assert [panel.heading for panel in panels(found["sound"])] == [
        "The two models and baselines", "Training curves",
        "Does it help?", "How much?", "How many?", "Quality against bitrate",
    ]  # fmt: skip
    assert [panel.heading for panel in panels(found["view"])] == ["The two models and baselines"]


def test_another_metric_redraws_everything(demo):
    *_, audio = redraws(demo)
    values = audio.fn("stoi", "test"), audio.fn("lsd", "test")
    assert all(len(value) == len(audio.outputs) == 2 + 3 * 6 for value in values)
    kinds = [gr.Dropdown, gr.Markdown] + [gr.Markdown, gr.Plot, gr.Markdown] * 6
    assert [type(block) for block in audio.outputs] == kinds
    values = [value[1:] for value in values]
    assert values[0][0].startswith("**STOI**") and values[1][0].startswith("**LSD**")
    main, other = (value[7:10] for value in values)
    assert main[0] == "It helps." and "40 held-out prompts" in main[2]
    assert main[1].layout.xaxis.title.text.startswith("STOI")
    assert not other[1].data and other[2] == ""  # no run measured it


def test_where_a_choice_was_not_measured_with_the_other_the_other_gives_way(demo):
    *_, by_metric, by_split = redraws(demo)
    assert by_split.fn("lsd", "unseen")[0] == "stoi"
    assert by_metric.fn("lsd", "unseen")[0] == "test"
    assert by_metric.fn("stoi", "unseen")[0] == by_split.fn("stoi", "unseen")[0] == gr.skip()


def test_the_page_comes_with_its_figures(demo):
    plots = {plot._id: plot for plot in of_kind(demo, gr.Plot)}
    drawn = [block for fn in redraws(demo)[::2] for block in fn.outputs if block._id in plots]
    assert len(drawn) == 7 and all(plot.value for plot in drawn)


def test_it_opens_on_the_task_that_one_comes_from(demo):
    tab = {block.id: block._id for block in of_kind(demo, gr.Tab)}
    opened = {}
    for fn in demo.fns.values():
        for source, event in fn.targets:
            if event == "select" and getattr(fn.fn, "func", None) is gr.Tabs:
                opened[source] = fn.fn().selected
    assert opened == {
        tab["object"]: "evidence-view", tab["inside"]: "evidence-view",
        tab["sound"]: "evidence-sound",
    }  # fmt: skip


def test_every_metric_is_explained():
    for task, metrics in METRICS.items():
        assert {metric.key for metric in metrics} == set(texts.MEANINGS[task])


def test_its_events_are_the_page_s_own(demo):
    assert {fn.api_visibility for fn in redraws(demo)} == {"private"}


def test_contact_sheets_are_shown_under_their_names(demo, weights, tmp_path):
    assert [path.name for path in find_contact_sheets(weights)] == ["held-out_chairs.png"]
    assert find_contact_sheets(tmp_path) == []
    (shown,) = [block for block in of_kind(demo, gr.Image) if block.label == "Held out chairs"]
    assert shown.value["path"]


def test_words_beside_a_contact_sheet_are_shown_under_it(tmp_path):
    (tmp_path / "evidence").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "evidence" / "chairs.webp")
    (tmp_path / "evidence" / "chairs.txt").write_text("Seen from behind.\n")
    tasks = measured(small.results())
    with gr.Blocks() as page:
        evidence_tab(tasks, sheets=find_contact_sheets(tmp_path))
    words = [block.value for block in page.blocks.values() if isinstance(block, gr.Markdown)]
    assert "Seen from behind." in words and "Chairs" not in words


def test_verdicts_on_the_paper_s_claims_have_a_table():
    verdict = Verdict("It helps.", "+1.00", "+0.90 to +1.10", "3", "holds")
    tasks = measured(small.results())
    told = dataclasses.replace(tasks["view"], verdicts=(verdict,))
    with gr.Blocks() as page:
        evidence_tab({**tasks, "view": told})
    words = [block.value for block in page.blocks.values() if isinstance(block, gr.Markdown)]
    (table,) = [text for text in words if "Which of the paper's claims" in text]
    assert "| It helps. | +1.00 | +0.90 to +1.10 | 3 | holds |" in table
    assert "seeds, and objects where" in table
