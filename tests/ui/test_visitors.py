"""Whose request it is, and what each has sent."""

from hyperdemo.ui import visitors
from hyperdemo.ui.visitors import Ledger, address, assistant_of, signed

MIB = 2**20


def scope(client="10.0.0.7", **headers):
    named = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"headers": named, "client": (client, 5000)}


def headers_of(scope):
    return {name.decode(): value.decode() for name, value in scope["headers"]}


def test_the_address_is_that_of_the_connection_but_for_a_space(monkeypatch):
    spoofed = scope(x_forwarded_for="1.2.3.4, 10.9.8.7")
    assert address(spoofed) == "10.0.0.7" and address({"headers": []}) == ""
    monkeypatch.setenv("SPACE_ID", "user/name")
    assert address(spoofed) == "10.9.8.7" and address(scope()) == "10.0.0.7"


def test_nobody_but_the_server_can_name_an_assistant():
    once = signed(scope("10.0.0.1"), assistant=True)
    assert assistant_of(headers_of(once)) == "10.0.0.1"
    passed_on = signed({**once, "client": ("127.0.0.1", 1)}, assistant=False)
    assert assistant_of(headers_of(passed_on)) == "10.0.0.1"
    forged = scope(x_hyperdemo_caller="10.0.0.1")
    assert assistant_of(headers_of(forged)) is None
    assert signed(forged, assistant=False)["headers"] == []
    again = signed(once | {"client": ("10.0.0.2", 1)}, assistant=True)
    assert assistant_of(headers_of(again)) == "10.0.0.2" and len(again["headers"]) == 1


def test_what_is_sent_counts_for_as_long_as_it_is_kept(monkeypatch):
    monkeypatch.setattr(visitors, "MAX_VISITOR_BYTES", 10 * MIB)
    monkeypatch.setattr(visitors, "MAX_ALL_BYTES", 15 * MIB)
    now = [0.0]
    ledger = Ledger(lambda: now[0])
    ledger.note("a", 8 * MIB)
    ledger.note("a", 100)
    assert ledger.room("a") == 2 * MIB and ledger.room("b") == 7 * MIB
    now[0] = 3600.0
    ledger.note("b", 7 * MIB)
    assert ledger.room("a") == ledger.room("c") == 0
    now[0] = visitors.KEPT_S + 1
    assert ledger.room("a") == 8 * MIB and ledger.room("b") == 3 * MIB
