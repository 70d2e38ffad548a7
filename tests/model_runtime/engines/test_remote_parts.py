"""What remote engines share: who may leave, when to try again, how a hole is put."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.fake_remote import answer, cut, fake_remote

from lsp_server.settings import SECRET_FILES
from model_runtime.engines.remote.call import Call, Server
from model_runtime.engines.remote.keys import Key, find_key
from model_runtime.engines.remote.privacy import NEVER, Allowed
from model_runtime.engines.remote.prompts import (
    TEMPLATES,
    Hole,
    chat_messages,
    fim_prompt,
    fim_stops,
    read_chat,
    without_tokens,
)
from model_runtime.errors import BadRequest, RemoteFailed


def hole(**values: Any) -> Hole:
    """Return a hole."""
    defaults: dict[str, Any] = {
        "path": "a.py",
        "language": "python",
        "prefix": "BEFORE",
        "suffix": "BEHIND",
        "text": "",
        "instruction": "",
        "context": (),
        "max_tokens": 8,
        "single_line": False,
        "temperature": 0.0,
        "seed": 0,
    }
    return Hole(**(defaults | values))


@pytest.mark.parametrize(
    ("setting", "path", "expected"),
    [
        ("", "a.py", False),
        ("*", "a.py", True),
        ("*", "", True),
        ("*.py", "", False),
        ("src/*", "src/deep/a.py", True),
        ("src/*", "srcs/a.py", False),
        ("src/*, !src/own/*", "src/own/a.py", False),
        ("SRC/*", "src/A.py", True),
        ("src/*", "src\\a.py", True),
        ("*", "conf/.env", False),
        ("*", "ID_RSA", False),
    ],
)
def test_who_may_leave(setting: str, path: str, expected: bool) -> None:  # noqa: FBT001  # a table
    """A file leaves only where a pattern says so, and a secret never."""
    assert Allowed.parse(setting).may_leave(path) is expected


@given(path=st.text(), setting=st.text(alphabet="*!ab/., ", max_size=10))
def test_exceptions_only_take_out(path: str, setting: str) -> None:
    """Adding an exception never lets a file out."""
    if not Allowed.parse(setting).may_leave(path):
        assert not Allowed.parse(f"{setting}, !x").may_leave(path)


def test_secrets_are_known() -> None:
    """What the editor side leaves alone by default never leaves either, whoever asks."""
    assert set(NEVER) >= set(SECRET_FILES)


def test_key_comes_from_the_environment() -> None:
    """The variable is used, and an empty one is none."""
    assert find_key("nobody", "A_KEY", {"A_KEY": " k "}) == Key("k")
    assert find_key("nobody", "A_KEY", {"A_KEY": " "}) is None


def test_key_comes_from_the_key_store() -> None:
    """Without the variable the system's key store is asked, under the engine's name."""
    # An extra; CI has it.
    keyring = pytest.importorskip("keyring")
    backend = pytest.importorskip("keyring.backend")

    class Store(backend.KeyringBackend):  # type: ignore[misc, name-defined]  # an optional package
        """Knows one key."""

        priority = 1

        def get_password(self, service: str, username: str) -> str | None:
            """Return it to those who know its names."""
            return "stored" if (service, username) == ("remask", "mercury") else None

        def set_password(self, *_: str) -> None:
            """Nothing is set."""

        def delete_password(self, *_: str) -> None:
            """Nothing is deleted."""

    before = keyring.get_keyring()
    keyring.set_keyring(Store())
    try:
        assert find_key("mercury", "A_KEY", {}) == Key("stored")
        assert find_key("vllm", "A_KEY", {}) is None
    finally:
        keyring.set_keyring(before)


def test_key_does_not_print_itself() -> None:
    """Neither text nor repr of a key, or of what holds one, shows it."""
    server = Server("T", "https://box.example", Key("secret"), "A_KEY")

    assert "secret" not in f"{server} {server!r} {server.key} {server.key!r}"


@pytest.mark.parametrize("url", ["ftp://x", "nonsense", ""])
def test_address_must_be_http(url: str) -> None:
    """Anything else is refused when the engine is made."""
    with pytest.raises(BadRequest, match="http"):
        Server("T", url, None, "A_KEY")


def call(url: str, replies: int) -> Any:
    """Post once to a server and return the reply."""

    async def run() -> Any:
        made = Call(Server("T", url, None, "A_KEY", 5, replies, back_off_s=0))
        try:
            return await made.post("/x", {"a": 1})
        finally:
            await made.close()

    return asyncio.run(run())


@pytest.mark.parametrize("status", [429, 503])
def test_tried_again_where_safe(status: int) -> None:
    """A server that certainly did nothing is asked again, after the time that it names."""
    busy = answer({}, status, Retry_After="0")
    with fake_remote(busy, busy, answer({"b": 2})) as fake:
        assert call(fake.url, 3) == {"b": 2}
        assert len(fake.requests) == 3


@pytest.mark.parametrize("reply", [answer({}, 500), answer({}, 502), answer({}, 400), cut])
def test_not_tried_again_where_it_may_cost(reply: Any) -> None:
    """A server that may have done the work, or never will, is asked once."""
    with fake_remote(reply) as fake:
        with pytest.raises(RemoteFailed):
            call(fake.url, 3)
        assert len(fake.requests) == 1


def test_long_wait_is_told_instead() -> None:
    """A server that wants more patience than a user has is not waited for."""
    with fake_remote(answer({}, 429, Retry_After="3600")) as fake:
        with pytest.raises(RemoteFailed, match="3600 s"):
            call(fake.url, 3)
        assert len(fake.requests) == 1


@pytest.mark.parametrize("template", TEMPLATES)
def test_template_holds_both_sides(template: str) -> None:
    """Whatever the order, what is before and behind the hole stands in the prompt once."""
    prompt = fim_prompt(template, hole())

    assert (prompt.count("BEFORE"), prompt.count("BEHIND")) == (1, 1)


@pytest.mark.parametrize("template", TEMPLATES)
def test_tokens_are_no_text(template: str) -> None:
    """A server that says a token in spite of the stop strings has ended the fill there."""
    for token in fim_stops(template):
        assert without_tokens(template, f"a < b{token}c") == "a < b"
    assert without_tokens(template, "a <| b") == "a <| b"


def test_words_tell_what_is_wanted() -> None:
    """The chat prompt has the instruction, and the text that is to be replaced."""
    content = chat_messages(hole(text="OLD", instruction="make it NEW"))[0]["content"]

    assert "OLD" in content
    assert "make it NEW" in content


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("```python\n    x = 1\n```", "    x = 1"),
        ("Sure:\n```\na\nb\n```\nDone.", "a\nb"),
        ("plain", "plain"),
    ],
)
def test_answer_is_unwrapped(content: str, expected: str) -> None:
    """The fill is what the first code block holds, indentation kept."""
    assert read_chat(content) == expected
