"""Requests side by side: the same results as one after the other, in fewer forwards."""

from __future__ import annotations

import asyncio
from collections import deque
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from support import tiny_canvas
from support.tiny_canvas import Listener, Patience
from support.wire import Wire, infill_request

from model_runtime.errors import Cancelled
from model_runtime.models.side_by_side import SideBySide
from model_runtime.protocol import Cancel, Failed, Finished, MaskSpan
from model_runtime.service.jobs import StopToken
from model_runtime.service.server import RuntimeServer
from model_runtime.service.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from torch import Tensor

    from model_runtime.engines.local import LocalEngine
    from model_runtime.models.gated import Feed
    from model_runtime.protocol import InfillRequest

#: A request as the calls it makes: dear ones are made for all.
CALLS = st.lists(st.booleans(), max_size=6)


def taker(works: Sequence[Callable[[], None]]) -> Callable[[], Callable[[], None] | None]:
    """Return what hands out works one by one."""
    waiting = deque(works)
    return lambda: waiting.popleft() if waiting else None


class Doubling:
    """Doubles numbers, and keeps how many it doubled at a time."""

    def __init__(self) -> None:
        self.cheap: list[int] = []
        self.dear: list[int] = []

    def double(self, numbers: Sequence[int]) -> list[int]:
        """The cheap way."""
        self.cheap.append(len(numbers))
        return [2 * number for number in numbers]

    def double_dearly(self, numbers: Sequence[int]) -> list[int]:
        """The dear way."""
        self.dear.append(len(numbers))
        return [2 * number for number in numbers]


def test_the_thread_is_left_as_it_was() -> None:
    """Requests enter torch's inference mode and leave it again, but not last in, first out."""
    doubling, together = Doubling(), SideBySide()

    def work(n_calls: int) -> None:
        with torch.inference_mode():
            for _ in range(n_calls):
                together.call(doubling.double, 1)
                assert torch.is_inference_mode_enabled()

    together.run(taker([partial(work, 1), partial(work, 2)]))
    assert torch.is_grad_enabled()


@given(requests=st.lists(CALLS, min_size=1, max_size=5))
def test_each_gets_its_own_results(requests: list[list[bool]]) -> None:
    """In the order of its calls; a dear call is made as often as the one that has most of them."""
    doubling, together = Doubling(), SideBySide()
    found: list[list[int]] = [[] for _ in requests]

    def work(index: int) -> None:
        for n_before, is_dear in enumerate(requests[index]):
            function = doubling.double_dearly if is_dear else doubling.double
            argument = 100 * index + n_before
            found[index].append(together.call(function, argument, for_all=is_dear))

    together.run(taker([partial(work, index) for index in range(len(requests))]))
    for index, calls in enumerate(requests):
        assert found[index] == [2 * (100 * index + n) for n in range(len(calls))]
    assert len(doubling.dear) == max(map(sum, requests))
    assert sum(doubling.dear) == sum(map(sum, requests))
    assert sum(doubling.cheap) == sum(len(calls) - sum(calls) for calls in requests)


def test_alone_a_call_is_just_made() -> None:
    """Without a run there is nobody to wait for."""
    assert SideBySide().call(Doubling().double, 4) == 8


def test_a_request_that_comes_later_joins() -> None:
    """Between two dear calls of another one; and it may be the last to end."""
    doubling, together, order = Doubling(), SideBySide(), []

    def work(name: str, n_calls: int) -> None:
        for _ in range(n_calls):
            together.call(doubling.double_dearly, 1, for_all=True)
        order.append(name)

    def arrivals() -> Iterator[Callable[[], None] | None]:
        yield lambda: work("first", 3)
        yield None
        yield lambda: work("second", 3)
        while True:
            yield None

    coming = arrivals()
    together.run(lambda: next(coming))
    assert (doubling.dear, order) == ([1, 2, 2, 1], ["first", "second"])


def test_a_failure_is_every_waiting_requests_own() -> None:
    """Each is told where it called; one that deals with it goes on, and others are not touched."""
    together, ends = SideBySide(), []

    def fail(numbers: Sequence[int]) -> list[int]:
        raise MemoryError(str(numbers))

    def work(name: str, function: Callable[[Sequence[int]], list[int]]) -> None:
        try:
            together.call(function, 1, for_all=True)
            ends.append((name, "done"))
        except MemoryError as error:
            ends.append((name, str(error)))
            assert together.call(Doubling().double, 2) == 4

    double = Doubling().double
    together.run(
        taker([lambda: work("a", fail), lambda: work("b", double), lambda: work("c", fail)])
    )
    assert sorted(ends) == [("a", "[1, 1]"), ("b", "done"), ("c", "[1, 1]")]


@given(sizes=st.lists(st.lists(st.integers(0, 4), max_size=3), min_size=1, max_size=3))
def test_pieces_of_a_request_are_done_side_by_side(sizes: list[list[int]]) -> None:
    """Each returns its own; the dear calls of all requests' pieces are made together."""
    doubling, together = Doubling(), SideBySide()
    found: dict[int, list[int]] = {}

    def piece(n_calls: int) -> int:
        return sum(together.call(doubling.double_dearly, 1, for_all=True) for _ in range(n_calls))

    def work(index: int) -> None:
        found[index] = together.each([partial(piece, n_calls) for n_calls in sizes[index]])

    together.run(taker([partial(work, index) for index in range(len(sizes))]))
    assert found == {i: [2 * n_calls for n_calls in own] for i, own in enumerate(sizes)}
    assert len(doubling.dear) == max((n for own in sizes for n in own), default=0)
    assert together.each([partial(piece, 3), partial(piece, 1)]) == [6, 2]


def test_what_a_piece_raises_is_raised_when_all_are_done() -> None:
    """In the request, wherever it runs; and the next one runs as ever."""
    together, done = SideBySide(), []

    def fail() -> None:
        raise Cancelled("enough")

    def go_on() -> None:
        together.call(Doubling().double, 1)
        done.append("piece")

    def work() -> None:
        with pytest.raises(Cancelled, match="enough"):
            together.each([fail, go_on])
        done.append("request")

    together.run(taker([work]))
    work()
    assert done == ["piece", "request"] * 2
    assert together.each([]) == []


def requests() -> list[InfillRequest]:
    """Return requests of several modes, lengths and documents, two of them for the same one."""
    common = {"suffix": "\nend", "seed": 3}
    span = (MaskSpan(max_tokens=12),)
    rewritten = (MaskSpan(text="a + b", max_tokens=9),)
    return [
        infill_request("a", "x = ", document="f.py", spans=span, **common),
        infill_request("b", "def f(n):\n" * 5, document="g.py", spans=span, **common),
        infill_request("c", "x = y", document="f.py", spans=span, n_alternatives=3, **common),
        infill_request("d", "z = ", mode="rewrite", spans=rewritten, strength=0.5, **common),
        infill_request("e", "q", spans=span, sampler="low_confidence", **common),
    ]


def fill_side_by_side(engine: LocalEngine, asked: list[InfillRequest]) -> dict[str, Finished]:
    """Run requests side by side."""
    found: dict[str, Finished] = {}

    def work(request: InfillRequest) -> None:
        found[request.id] = engine.infill(request, Listener(), Patience())

    engine.run_side_by_side(taker([partial(work, one) for one in asked]))
    return found


def test_requests_are_filled_as_they_are_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same texts for the same forwards each; and together far fewer than their sum."""
    alone = {one.id: tiny_canvas.engine().infill(one, Listener(), Patience()) for one in requests()}
    engine = tiny_canvas.engine()
    model = engine._model.denoiser.model  # type: ignore[union-attr]  # a tiny engine has one
    n_together, forward = [], model.forward

    def counting(feeds: Sequence[Feed]) -> list[Tensor]:
        n_together.append(len(feeds))
        return forward(feeds)

    monkeypatch.setattr(model, "forward", counting)
    found = fill_side_by_side(engine, requests())
    for request_id, finished in alone.items():
        texts = [one.texts for one in found[request_id].alternatives]
        assert texts == [one.texts for one in finished.alternatives]
        assert found[request_id].usage.n_forwards == finished.usage.n_forwards
    n_apart = sum(finished.usage.n_forwards for finished in alone.values())
    assert sum(n_together) == n_apart
    assert len(n_together) < n_apart / 2
    assert max(n_together) == len(alone)


def test_a_document_in_use_lends_a_copy_of_its_context() -> None:
    """What the first request had encoded, the second one does not encode again."""
    engine = tiny_canvas.engine()
    first, second = (
        infill_request(name, "x = 1\n" * 20, document="f.py", suffix="\n", seed=1) for name in "ab"
    )
    engine.infill(first, Listener(), Patience())
    found = fill_side_by_side(engine, [first, second])
    assert found["a"].alternatives == found["b"].alternatives
    assert all(one.usage.n_cached_tokens > 100 for one in found.values())


def texts_of(finished: Finished) -> list[tuple[str, ...]]:
    """Return what was said: how sure of it differs in the last bits where rows share a forward."""
    return [one.texts for one in finished.alternatives]


def test_a_cancelled_request_leaves_the_others() -> None:
    """It ends where it stands; the others get what they get anyway."""
    engine, token = tiny_canvas.engine(), StopToken()
    (asked, *_), ends = requests(), []

    class Stopping(Listener):
        def step(self, report: object) -> None:
            del report
            token.stop(Cancelled("enough"))

    def cancelled() -> None:
        with pytest.raises(Cancelled):
            engine.infill(infill_request("z", "a = ", stream=True), Stopping(), token)
        ends.append("cancelled")

    def filled() -> None:
        ends.append(texts_of(engine.infill(asked, Listener(), Patience())))

    engine.run_side_by_side(taker([cancelled, filled]))
    alone = tiny_canvas.engine().infill(asked, Listener(), Patience())
    assert ends == ["cancelled", texts_of(alone)]


async def test_a_runtime_fills_several_at_once(short_path: Path) -> None:
    """Every request of several clients has one end; one that is cancelled disturbs none."""
    server = RuntimeServer(
        Worker(tiny_canvas.engine), model="tiny", idle_exit_s=0, log_path=Path("log"), n_at_once=3
    )
    ready = asyncio.Event()
    task = asyncio.create_task(server.serve(short_path, "unix", ready.set))
    await ready.wait()
    alone = {one.id: tiny_canvas.engine().infill(one, Listener(), Patience()) for one in requests()}
    wires = [await Wire.greet(short_path) for _ in range(4)]
    for wire in wires:
        wire.send(*requests())
    wires[0].send(Cancel(id="b"))
    for wire in wires:
        ends: list[Finished | Failed] = []
        while len(ends) < len(alone):
            message = await wire.receive()
            assert message is not None
            ends += [message] if isinstance(message, Finished | Failed) else []
        assert {end.id for end in ends} == set(alone)
        for end in ends:
            if isinstance(end, Failed):
                assert (wire, end.id, end.code) == (wires[0], "b", "cancelled")
            else:
                texts = [one.texts for one in end.alternatives]
                assert texts == [one.texts for one in alone[end.id].alternatives]
        await wire.close()
    server.leave(now=False)
    assert await task
