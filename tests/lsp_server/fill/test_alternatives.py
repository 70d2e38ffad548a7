"""Another result, and another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from support.fake_runtime import FakeRuntime, finished
from support.marked import snapshot_of, unmark

from lsp_server.errors import NothingElse
from lsp_server.fill.alternatives import Alternatives
from lsp_server.fill.infill import MAX_ROUNDS, make_plan
from lsp_server.protocol_ext import InfillParams
from lsp_server.settings import Settings
from model_runtime.protocol import Alternative, Finished

if TYPE_CHECKING:
    from model_runtime.protocol import InfillRequest


class Asking:
    """Someone who asks for the same place again and again.

    Args:
        texts: what the model says, best first; a seed makes no difference to it.
    """

    def __init__(self, *texts: str) -> None:
        self.texts = texts
        self.runtime = FakeRuntime(self._reply)
        self.alternatives = Alternatives(self.runtime)  # type: ignore[arg-type]  # fakes the same methods

    def _reply(self, request: InfillRequest) -> Finished:
        texts = self.texts[: request.n_alternatives]
        alternatives = tuple(Alternative(texts=(text,)) for text in texts)
        return msgspec.structs.replace(finished(request, ""), alternatives=alternatives)

    async def __call__(self, marked: str = "x = $00$0\n", **params: object) -> str:
        """Return the document as the result makes it."""
        text, selections = unmark(marked)
        asked = msgspec.convert({"uri": "file:///w/a.py", **params}, InfillParams)
        plan = make_plan(snapshot_of(text), asked, Settings(), selections=selections)
        return (await self.alternatives.fill(plan, asked, lambda _: None)).text


async def test_each_result_is_given_once() -> None:
    """The best one first, then others, though the model says them all again; then it is told."""
    ask = Asking("1", "2", "3")

    results = [await ask(), await ask(another=True), await ask(another=True)]

    assert results == ["x = 1\n", "x = 2\n", "x = 3\n"]
    with pytest.raises(NothingElse, match="no other result"):
        await ask(another=True)


async def test_what_was_made_is_not_made_again() -> None:
    """Of several others only the first is waited for."""
    ask = Asking("1", "2", "3")
    for _ in range(3):
        await ask(another=True)

    assert len(ask.runtime.requests) == 2


async def test_no_change_is_no_other_result() -> None:
    """What stands there already is not offered instead of something."""
    ask = Asking("1", "0", "2")
    await ask()

    assert await ask(another=True) == "x = 2\n"


async def test_each_try_has_a_seed_of_its_own() -> None:
    """Or the model would draw the same others over and over; the tries have an end."""
    ask = Asking("1")
    await ask()
    with pytest.raises(NothingElse):
        await ask(another=True)

    seeds = [request.seed for request in ask.runtime.requests[1:]]
    assert len(set(seeds)) == len(seeds) == MAX_ROUNDS


async def test_what_parses_comes_first() -> None:
    """Among the others as everywhere."""
    ask = Asking("1", "(", "2")
    await ask()

    assert await ask(another=True) == "x = 2\n"


@pytest.mark.parametrize(
    "change", [{"mode": "rewrite"}, {"instruction": "be brief"}, {"uri": "file:///w/b.py"}]
)
async def test_another_request_begins_anew(change: dict[str, str]) -> None:
    """Another result is meant of the same request."""
    ask = Asking("1", "2")
    await ask()

    assert await ask(another=True, **change) == "x = 1\n"


async def test_a_closed_document_is_forgotten() -> None:
    """What comes under its name later may be anything."""
    ask = Asking("1", "2")
    await ask()
    ask.alternatives.forget("file:///w/a.py")

    assert await ask(another=True) == "x = 1\n"
