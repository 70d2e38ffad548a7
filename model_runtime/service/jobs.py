"""The order of work: which waiting request the worker takes next, and how one is told to stop.

Three lanes. Jobs of the inline lane go first, and there the newest request of a document takes the
place of an older one, waiting or running. In the lane of next edits it does so, too; its jobs run
alone, and whatever else comes they give way to: they wait again. Within a lane, clients take turns.
Everything here but `StopToken` belongs to the event loop's thread.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from model_runtime.errors import BadRequest, Busy, GaveWay, ShuttingDown
from model_runtime.protocol import InfillRequest

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from model_runtime.errors import Stopped
    from model_runtime.protocol import Lane, NextEditRequest, RuntimeMessage

    AnyRequest = InfillRequest | NextEditRequest

#: One client may have this many requests waiting.
MAX_WAITING = 32
MAX_ALTERNATIVES = 16


def check_request(request: AnyRequest) -> None:
    """Refuse what no engine can do.

    Raises:
        BadRequest: a value out of its range.
    """
    if request.deadline_s is not None and not request.deadline_s > 0:
        raise BadRequest(f"deadline_s must be over 0, not {request.deadline_s}")
    if not isinstance(request, InfillRequest):
        return
    if not request.spans:
        raise BadRequest("a request needs at least one span to fill")
    if not 0 <= request.strength <= 1:
        raise BadRequest(f"strength must be from 0 to 1, not {request.strength}")
    if not 1 <= request.n_alternatives <= MAX_ALTERNATIVES:
        raise BadRequest(
            f"n_alternatives must be from 1 to {MAX_ALTERNATIVES}, not {request.n_alternatives}"
        )
    if any(span.max_tokens is not None and span.max_tokens < 1 for span in request.spans):
        raise BadRequest("max_tokens of a span must be over 0")


class StopToken:
    """Set from any thread, asked by the worker between two denoising steps."""

    def __init__(self) -> None:
        self._why: Stopped | None = None

    def stop(self, why: Stopped) -> None:
        """Tell the job to stop. The first reason stands, but for that of a runtime that leaves."""
        if self._why is None or isinstance(why, ShuttingDown):
            self._why = why

    @property
    def gave_way(self) -> bool:
        """Whether the job stopped only for something more urgent."""
        return isinstance(self._why, GaveWay)

    def check(self) -> None:
        """Raise the reason to stop, if there is one."""
        if self._why is not None:
            raise self._why


class Client(Protocol):
    """Whose a job is, and where its messages go."""

    @property
    def name(self) -> str:
        """What the log calls it."""

    def send(self, message: RuntimeMessage, *, conflate: Hashable = None) -> None:
        """Send a message when its turn comes; one of the same `conflate` key replaces it."""


@dataclass(eq=False)
class Job:
    """One accepted request, until its terminal message is sent."""

    request: AnyRequest
    #: Clients take turns.
    client: Client
    token: StopToken = field(default_factory=StopToken)
    #: Seconds of the monotonic clock.
    arrived: float = field(default_factory=time.monotonic)
    #: Fires when the request's deadline passes.
    timer: asyncio.TimerHandle | None = None

    @property
    def lane(self) -> Lane:
        """The queue it waits in."""
        return self.request.lane if isinstance(self.request, InfillRequest) else "next"

    def supersedes(self, other: Job) -> bool:
        """Whether `other` is for the same document, in the same lane of two, by the same client."""
        return (
            self.lane == other.lane != "edit"
            and self.client == other.client
            and self.request.document == other.request.document != ""
        )


class _FairLine:
    """First come, first served within a client; clients take turns."""

    def __init__(self) -> None:
        self._by_client: dict[Client, deque[Job]] = {}

    def __iter__(self) -> Iterator[Job]:
        for jobs in self._by_client.values():
            yield from jobs

    def put(self, job: Job) -> None:
        self._by_client.setdefault(job.client, deque()).append(job)

    def take(self) -> Job | None:
        """Take the first job of the client whose turn it is, and put that client last."""
        if not self._by_client:
            return None
        client = next(iter(self._by_client))
        jobs = self._by_client.pop(client)
        job = jobs.popleft()
        if jobs:
            self._by_client[client] = jobs
        return job

    def remove(self, job: Job) -> None:
        jobs = self._by_client.get(job.client)
        if jobs is not None and job in jobs:
            jobs.remove(job)
            if not jobs:
                del self._by_client[job.client]


class JobQueue:
    """All jobs that wait, and those that run.

    Args:
        max_waiting: the most jobs of one client that may wait.
        n_at_once: how many may run; where it is more than one, edits leave a place free.
    """

    def __init__(self, max_waiting: int = MAX_WAITING, n_at_once: int = 1) -> None:
        self._max_waiting = max_waiting
        self._n_edits_at_once = max(1, n_at_once - 1)
        self._lanes: dict[Lane, _FairLine] = {
            "inline": _FairLine(),
            "edit": _FairLine(),
            "next": _FairLine(),
        }
        self._running: list[Job] = []
        self._closed = False
        self._changed = asyncio.Event()

    @property
    def running(self) -> tuple[Job, ...]:
        """The jobs the worker has."""
        return tuple(self._running)

    @property
    def waiting(self) -> tuple[Job, ...]:
        """The jobs that wait, in no particular order."""
        return tuple(job for lane in self._lanes.values() for job in lane)

    def put(self, job: Job) -> tuple[Job, ...]:
        """Let a job wait for its turn.

        Returns:
            The jobs that this one supersedes. They no longer wait; those that run still do, and
            their tokens are for the caller to stop.

        Raises:
            Busy: its client has too many waiting; nothing has changed.
        """
        older = tuple(other for other in self.waiting if job.supersedes(other))
        n_waiting = sum(other.client == job.client for other in self.waiting) - len(older)
        if n_waiting >= self._max_waiting:
            raise Busy(f"{n_waiting} requests are waiting already; try again when some are done")
        for other in older:
            self.remove(other)
        self._lanes[job.lane].put(job)
        self._changed.set()
        if job.lane != "next":
            for other in self._running:
                if other.lane == "next":
                    other.token.stop(GaveWay("something more urgent came"))
        return (*(other for other in self._running if job.supersedes(other)), *older)

    def remove(self, job: Job) -> None:
        """Forget a job that waits. One that runs, or is gone, is left alone."""
        self._lanes[job.lane].remove(job)

    def take(self) -> Job | None:
        """Take the job whose turn it is; it runs until `done`. None if none waits."""
        job = self._lanes["inline"].take()
        n_edits = sum(other.lane == "edit" for other in self._running)
        if job is None and n_edits < self._n_edits_at_once:
            job = self._lanes["edit"].take()
        if job is None and not self._running:
            job = self._lanes["next"].take()
        if job is not None:
            self._running.append(job)
        return job

    async def get(self) -> Job | None:
        """Wait until there is a job and take it; None once the queue is closed."""
        while not self._closed:
            if (job := self.take()) is not None:
                return job
            self._changed.clear()
            await self._changed.wait()
        return None

    def done(self, job: Job) -> None:
        """The worker has one job less."""
        if job in self._running:
            self._running.remove(job)
        # A next edit may have waited for it.
        self._changed.set()

    def wait_again(self, job: Job) -> None:
        """Let a job that gave way wait for another turn; what it has encoded is kept."""
        job.token = StopToken()
        self._lanes[job.lane].put(job)
        self._changed.set()

    def close(self) -> None:
        """Hand out no more jobs."""
        self._closed = True
        self._changed.set()
