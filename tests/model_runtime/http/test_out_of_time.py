"""A fill whose time is up: what there is of it is the reply, where that does no harm."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from model_runtime.http.chat import ChatBody, ChatDialect, ChatMessage
from model_runtime.http.faults import NotFilled
from model_runtime.http.fill import Filled, follow
from model_runtime.http.llama import InfillBody, LlamaDialect
from model_runtime.http.native import NativeDialect
from model_runtime.protocol import InfillRequest, MaskSpan, Status, StepReport

if TYPE_CHECKING:
    from model_runtime.http.fill import Ask
    from model_runtime.http.link import OnNotice, OnStep
    from model_runtime.protocol import FailureCode, Finished


class Failing:
    """A backend that settles some text, and then fails."""

    def __init__(self, committed: str, code: FailureCode = "deadline") -> None:
        self._committed = committed
        self._code = code

    async def infill(
        self,
        request: InfillRequest,
        on_step: OnStep | None = None,
        on_notice: OnNotice | None = None,  # noqa: ARG002  # there is no news
    ) -> Finished:
        """Settle it, have it looked at, and fail."""
        if on_step is not None:
            report = StepReport(
                id=request.id,
                step_index=0,
                n_forwards=3,
                n_committed=5,
                drafts=(self._committed,),
                committed=(self._committed,),
            )
            on_step(report)
        await asyncio.sleep(0)
        raise NotFilled(self._code, "not done within 1 s")

    async def status(self) -> Status:
        """Say nothing."""
        raise NotImplementedError

    async def close(self) -> None:
        """Do nothing."""


async def filled(ask: Ask, backend: Failing) -> Filled:
    """Return the end of a fill."""
    *_, last = [event async for event in follow(backend, ask)]
    assert isinstance(last, Filled)
    return last


@pytest.mark.parametrize("stream", [False, True])
async def test_what_there_is_is_the_reply(*, stream: bool) -> None:
    """Whole or streamed, in the request's line ends, and told as cut at a limit."""
    ask = LlamaDialect().read(InfillBody(input_prefix="a\r\n", n_predict=65535, stream=stream))
    events = [event async for event in follow(Failing("one\ntwo"), ask)]
    last = events[-1]
    assert isinstance(last, Filled)

    assert last.choices[0].text == "one\r\ntwo"
    assert last.choices[0].ending == "limit"
    shown = "".join(event.text for event in events[:-1] if not isinstance(event, Filled))
    assert shown + last.choices[0].rest == "one\r\ntwo"
    assert last.usage.n_tokens == 5


@pytest.mark.parametrize(
    ("ask", "backend"),
    [
        (LlamaDialect().read(InfillBody(input_prefix="a")), Failing("")),
        (LlamaDialect().read(InfillBody(input_prefix="a")), Failing("\n  ")),
        (LlamaDialect().read(InfillBody(input_prefix="a")), Failing("one", "internal")),
        (
            ChatDialect().read(
                ChatBody(messages=(ChatMessage(content="Halve it.\n```\nx = 1\n```"),))
            ),
            Failing("x ="),
        ),
        (
            NativeDialect().read(InfillRequest(id="", prefix="", suffix="", spans=(MaskSpan(),))),
            Failing("one"),
        ),
    ],
    ids=["nothing", "blanks", "another fault", "code that would be lost", "spans that belong"],
)
async def test_what_would_do_harm_is_refused(ask: Ask, backend: Failing) -> None:
    """Half of a rewritten text would be put in the place of the whole one."""
    with pytest.raises(NotFilled, match="not done"):
        await filled(ask, backend)
