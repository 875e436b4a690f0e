"""The page's address, handed on: by the clipboard, by hand, and by its code."""

import pytest

from hyperdemo.ui.language import catalogue
from tests.browser.viewing import PHONE, check_access, new_page

LOCAL = (
    "This address works on this computer alone; telephones need the one that it has on the local "
    "network."
)
FOCUSED = "document.activeElement.dataset.part"
CHOSEN = """(field) => document.activeElement === field
    && field.value.slice(field.selectionStart, field.selectionEnd)"""


@pytest.fixture
def page(context):
    """A phone's page, before it is opened."""
    with new_page(context, PHONE, still=True) as page:
        yield page


@pytest.mark.parametrize(
    "clipboard", ["undefined", "{ writeText: async () => { throw new Error('refused'); } }"]
)
def test_what_was_not_copied_can_be_copied_by_hand(page, tiny_url, clipboard):
    page.add_init_script(f"Object.defineProperty(navigator, 'clipboard', {{ value: {clipboard} }})")
    page.goto(f"{tiny_url}?lang=de")
    german = catalogue("de")
    link = page.get_by_role("button", name=german["Copy link"], exact=True)
    link.click()
    dialog = page.get_by_role("dialog", name=german["Address of this page"])
    dialog.get_by_text(german["Copy this address:"], exact=True).wait_for()
    field = dialog.get_by_role("textbox")
    address = field.input_value()
    assert address.startswith(tiny_url) and address.endswith("lang=de")
    assert field.evaluate(CHOSEN) == address  # one press of keys away from being copied
    assert link.inner_text() == german["Copy link"]  # nothing else is said
    check_access(page, "#tour")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    assert page.evaluate(FOCUSED) == "link"


def test_the_code_takes_the_keyboard_and_gives_it_back(page, context, tiny_url):
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(tiny_url)
    page.get_by_role("button", name="Copy link", exact=True).press("Enter")
    dialog = page.get_by_role("dialog", name="Address of this page")
    dialog.wait_for()
    page.wait_for_function(f"{FOCUSED} === 'close'")
    address = dialog.get_by_role("textbox").input_value()
    assert page.evaluate("navigator.clipboard.readText()") == address
    assert not dialog.get_by_text("Copy this address:").is_visible()
    dialog.get_by_text(LOCAL).wait_for()  # the server of this test is this machine
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    assert page.evaluate(FOCUSED) == "link"
    page.keyboard.press("Enter")
    page.wait_for_function(f"{FOCUSED} === 'close'")
    page.keyboard.press("Enter")
    dialog.wait_for(state="hidden")
    assert page.evaluate(FOCUSED) == "link"
    context.clear_permissions()
