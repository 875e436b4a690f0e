"""The catalogues of translations, and how they are served."""

import re

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from hyperdemo.ui.language import LANGUAGES, Translated, catalogue, language_route, script

OTHERS = list(LANGUAGES)[1:]
PLACE = re.compile(r"\{(\d+)[nt]?\}")


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_has_the_parts_of_its_message(language):
    for message, translation in catalogue(language).items():
        assert message == re.sub(r"\s+", " ", message).strip() and translation, message
        assert "  " not in translation and translation == translation.strip(), message
        assert message.count("|") == translation.count("|"), message
        places = PLACE.findall(message)
        assert places == [str(k) for k in range(len(places))], message
        assert set(PLACE.findall(translation)) == set(places), message
        assert "t}" in message or re.search(r"[^\W\d_]{2}", PLACE.sub("", message)), message
        assert not re.search(r"\d[nt]}", translation), message


@pytest.mark.parametrize("language", OTHERS[1:])
def test_all_languages_have_all_messages(language):
    assert list(catalogue(language)) == list(catalogue(OTHERS[0]))


def test_catalogues_are_served_and_nothing_else():
    http = TestClient(Starlette(routes=[language_route()]))
    for language in LANGUAGES:
        assert http.get(f"/language/{language}.json").json() == catalogue(language)
    for name in ("xx", "__init__"):
        assert http.get(f"/language/{name}.json").status_code == 404


def test_the_script_stands_first_in_the_head_of_pages_and_in_nothing_else():
    page = "<html><head><title>head: <head></title></head></html>"

    async def answer(request):
        kind = {"page": HTMLResponse, "text": PlainTextResponse}[request.path_params["kind"]]
        return kind(page)

    routes = [Route("/{kind}", answer)]
    http = TestClient(Starlette(routes=routes, middleware=[Middleware(Translated)]))
    assert http.get("/text").text == page
    assert http.get("/page").text == page.replace("<head>", "<head>" + script(), 1)
    assert '"de": "Deutsch"' in script() and script().count("</script>") == 1
