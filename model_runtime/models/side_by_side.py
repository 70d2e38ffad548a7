"""Requests side by side: what several of them wait for is done once for all.

A request's work is straight code that calls the model wherever it needs it. Here each one runs as a
coroutine of its own, all of them on one thread; a call of the model parks it. Once nothing else can
be done, the parked calls of the same kind are made together: one forward takes one step in each
request, as a server's continuous batching does (Yu et al. 2022, Orca, section 3). So requests may
join and leave between any two forwards, and no sampler or cache knows. A request whose own work
comes in pieces that don't need each other has them done side by side as well.

Greenlets, because the work is many plain calls deep and its libraries know no `await`; and not
threads, because these would compute against each other for the same cores.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from greenlet import getcurrent, greenlet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

A = TypeVar("A")
R = TypeVar("R")


@dataclass(frozen=True)
class _Call:
    """A call that a request waits for."""

    function: Callable[[Sequence[Any]], Sequence[Any]]
    argument: Any
    #: Whether it is made only once every request waits for such a call.
    for_all: bool
    request: greenlet


class SideBySide:
    """Runs requests side by side and makes their calls together."""

    def __init__(self) -> None:
        self._hub: greenlet | None = None
        self._parked: list[_Call] = []
        #: Pieces of work that no greenlet has begun, and requests whose pieces are all done.
        self._pieces: deque[Callable[[], None]] = deque()
        self._rejoining: deque[greenlet] = deque()

    def call(
        self,
        function: Callable[[Sequence[A]], Sequence[R]],
        argument: A,
        *,
        for_all: bool = False,
    ) -> R:
        """Return `function([argument])[0]`, computed together with other requests' calls.

        Args:
            function: takes the arguments of all of them, and returns their results in that order.
            argument: of this call.
            for_all: wait until every request has such a call: what is dear is then made once, and
                requests that have come out of step fall into step again.
        """
        if self._hub is None:
            return function([argument])[0]
        self._parked.append(_Call(function, argument, for_all, getcurrent()))
        result: R = self._hub.switch()
        return result

    # Around all requests, for it belongs to the thread: one that leaves it must neither end it for
    # the others nor leave it behind.
    @torch.inference_mode()
    def run(self, take: Callable[[], Callable[[], None] | None]) -> None:
        """Run requests until none is left.

        Args:
            take: returns the next request's work, which raises nothing, or None where none waits;
                asked again before every call that is made for all.
        """
        self._hub = getcurrent()
        try:
            while True:
                while (work := self._pieces.popleft() if self._pieces else take()) is not None:
                    # Comes back when it is parked for the first time, or done.
                    greenlet(work).switch()
                if self._rejoining:
                    self._rejoining.popleft().switch()
                elif self._parked:
                    self._serve()
                else:
                    return
        finally:
            # Nothing is left but where the run itself was broken off.
            self._hub, self._parked = None, []
            self._pieces.clear()
            self._rejoining.clear()

    def each(self, works: Sequence[Callable[[], R]]) -> list[R]:
        """Do pieces of a request's work side by side, and return what each returns.

        What a piece raises is raised once all are done.
        """
        hub = self._hub
        if hub is None:
            return self._each_alone(works)
        results: dict[int, R] = {}
        failures: list[BaseException] = []
        request, n_left = getcurrent(), len(works)

        def do(index: int) -> None:
            nonlocal n_left
            try:
                results[index] = works[index]()
            except BaseException as error:  # noqa: BLE001  # raised in the request
                failures.append(error)
            n_left -= 1
            if n_left == 0:
                self._rejoining.append(request)

        if works:
            self._pieces.extend(partial(do, index) for index in range(len(works)))
            hub.switch()
        if failures:
            raise failures[0]
        return [results[index] for index in range(len(works))]

    def _each_alone(self, works: Sequence[Callable[[], R]]) -> list[R]:
        """Do pieces of work while no request runs: as the only request there is."""
        ends: list[list[R] | BaseException] = []

        def request() -> None:
            try:
                ends.append(self.each(works))
            except BaseException as error:  # noqa: BLE001  # raised below
                ends.append(error)

        waiting = deque([request])
        self.run(lambda: waiting.popleft() if waiting else None)
        (end,) = ends
        if isinstance(end, BaseException):
            raise end
        return end

    def _serve(self) -> None:
        """Make the calls of one kind, and let their requests go on to their next ones."""
        first = next((call for call in self._parked if not call.for_all), self._parked[0])
        together = [call for call in self._parked if call.function == first.function]
        self._parked = [call for call in self._parked if call.function != first.function]
        try:
            results = first.function([call.argument for call in together])
        except Exception as error:  # noqa: BLE001  # each request's to deal with
            for call in together:
                call.request.throw(error)
            return
        for call, result in zip(together, results, strict=True):
            call.request.switch(result)
