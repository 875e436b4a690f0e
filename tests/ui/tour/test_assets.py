"""The files that the tour consists of, and its words."""

import re
from pathlib import Path

import pytest

from hyperdemo.ui import tour
from hyperdemo.ui.language import LANGUAGES, catalogue

FOLDER = Path(tour.__file__).parent
HTML, CSS, JS = ((FOLDER / f"tour.{kind}").read_text() for kind in ("html", "css", "js"))


def test_templates_and_script_fit_together():
    for template in (HTML, CSS):  # that Gradio would fill in
        assert not re.search(r"\$\{|\{\{|`|\\", template)
    assert set(re.findall(r"\bpart\.(\w+)", JS)) == set(re.findall(r'data-part="(\w+)"', HTML))


@pytest.mark.parametrize("language", list(LANGUAGES)[1:])
def test_all_words_have_a_translation(language):
    words = {text.strip() for text in re.findall(r">([^<>]+)<", HTML)} - {""}
    words |= set(re.findall(r'(?:aria-label|alt|title)="([^"]+)"', HTML)) | {"Link copied"}
    words |= {text for step in tour.STEPS for text in (step.title, step.text)}
    assert words <= set(catalogue(language))
