"""Next edits by Mercury's edit endpoint."""

from __future__ import annotations

from typing import Any

import pytest
from support.fake_remote import FakeRemote, answer, fake_remote
from support.tiny_canvas import Listener, Patience

from model_runtime.engines.mercury import MercuryEngine
from model_runtime.engines.remote.next_edit import region_of
from model_runtime.errors import RemoteFailed
from model_runtime.protocol import Change, NextEditRequest
from model_runtime.settings import RuntimeSettings

TEXT = "def area(breadth, h):\n    size = width * h\n    return size + width\n"


def request(text: str = TEXT, path: str = "a.py", **values: Any) -> NextEditRequest:
    """Return what is asked after a parameter was renamed."""
    start = text.index("breadth")
    return NextEditRequest(
        id="r",
        path=path,
        text=text,
        changes=(Change(start=start, old="width", new="breadth"),),
        **values,
    )


def asked(remote: FakeRemote, what: NextEditRequest, files: str = "*.py") -> list[tuple[str, str]]:
    """Return the places as what stands there and what is put there."""
    settings = RuntimeSettings(remote_url=remote.url, remote_files=files, remote_tries=1)
    engine = MercuryEngine(settings)
    try:
        found = engine.next_edits(what, Listener(), Patience())
    finally:
        engine.close()
    return [
        (what.text[place.start : place.end], place.text)
        for proposal in found.proposals
        for place in proposal.places
    ]


def edited(text: str) -> Any:
    """Return a reply that has the code edited."""
    content = f"<|code_to_edit|>\n{text}\n<|/code_to_edit|>"
    return answer({"choices": [{"message": {"content": content}, "finish_reason": "stop"}]})


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INCEPTION_API_KEY", "k")


def test_it_is_told_what_was_changed_and_read_as_places() -> None:
    """The diff goes along; what comes back is the uses, and not the user's own change."""
    with fake_remote(edited(TEXT.replace("width", "breadth"))) as remote:
        assert asked(remote, request()) == [("width", "breadth"), ("width", "breadth")]
        path, _, body = remote.requests[0]
    content = body["messages"][0]["content"]
    assert path == "/v1/edit/completions"
    assert "-def area(width, h):\n+def area(breadth, h):" in content
    assert f"<|code_to_edit|>\n{TEXT}" in content


@pytest.mark.parametrize("reply", [TEXT, TEXT.rstrip("\n"), TEXT.replace("breadth", "width")])
def test_nothing_is_offered_that_is_nothing(reply: str) -> None:
    """The same again, a lost line end, or the user's change taken back."""
    with fake_remote(edited(reply)) as remote:
        assert asked(remote, request()) == []


def test_it_is_quiet_where_the_user_wants_quiet() -> None:
    """It can't tell how sure it is."""
    with fake_remote(edited(TEXT.replace("width", "breadth"))) as remote:
        assert asked(remote, request(least_confidence=0.8)) == []


def test_a_file_that_may_not_leave_does_not() -> None:
    """By the same rule as every other request."""
    with fake_remote(edited(TEXT)) as remote:
        with pytest.raises(RemoteFailed, match="may not leave"):
            asked(remote, request(path="secret.txt"))
        assert not remote.requests


def test_of_a_long_file_the_lines_around_the_change_may_be_edited() -> None:
    """Whole lines, the change in them."""
    text = "a = 1\n" * 100 + TEXT + "b = 2\n" * 100
    start, end = region_of(request(text))
    assert text[:start].endswith("\n")
    assert text[start:end].count("\n") == 81
    assert TEXT in text[start:end]
