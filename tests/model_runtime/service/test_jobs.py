"""The order of work."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from support.wire import infill_request, next_edit_request

from model_runtime.errors import Busy, Cancelled, GaveWay, Superseded
from model_runtime.service.jobs import Job, JobQueue, StopToken

if TYPE_CHECKING:
    from collections.abc import Hashable

    from model_runtime.protocol import RuntimeMessage

MAX_WAITING = 3
N_AT_ONCE = 3


class Somebody:
    """A client that nothing is sent to."""

    def __init__(self, name: str) -> None:
        self.name = name

    def send(self, message: RuntimeMessage, *, conflate: Hashable = None) -> None:  # noqa: ARG002  # Client's
        """Fail: a queue sends nothing."""
        raise AssertionError(message)


CLIENTS = [Somebody("ann"), Somebody("bob"), Somebody("cat")]


def test_token_keeps_its_first_reason() -> None:
    """A job that is stopped twice says why it was stopped first."""
    token = StopToken()
    token.check()
    token.stop(Superseded("first"))
    token.stop(Cancelled("second"))

    with pytest.raises(Superseded, match="first"):
        token.check()


async def test_get_waits_for_a_job() -> None:
    """A worker that waits gets the next job that is put."""
    queue = JobQueue()
    getting = asyncio.create_task(queue.get())
    job = Job(infill_request(), CLIENTS[0])
    queue.put(job)

    assert await getting is job
    assert queue.running == (job,)


async def test_closed_queue_gives_no_job() -> None:
    """A worker that waits when the queue closes is let go, and so is one that comes later."""
    queue = JobQueue()
    getting = asyncio.create_task(queue.get())
    queue.close()

    assert await getting is None
    queue.put(Job(infill_request(), CLIENTS[0]))
    assert await queue.get() is None


async def test_clients_take_turns() -> None:
    """A client with one job does not wait for all the jobs of another."""
    queue = JobQueue(n_at_once=5)
    ann, bob, _ = CLIENTS
    jobs = [Job(infill_request(str(i)), ann) for i in range(3)] + [Job(infill_request("b"), bob)]
    for job in jobs:
        queue.put(job)

    assert [(await queue.get()).request.id for _ in jobs] == ["0", "b", "1", "2"]


async def test_edits_leave_a_place_for_ghost_text() -> None:
    """Of three places two are for edits; the third is taken at once when ghost text is wanted."""
    queue = JobQueue(n_at_once=3)
    for i in range(3):
        queue.put(Job(infill_request(str(i), lane="edit"), CLIENTS[0]))
    running = [queue.take(), queue.take()]
    waiting = asyncio.create_task(queue.get())
    assert queue.take() is None
    ghost_text = Job(infill_request("g", lane="inline"), CLIENTS[1])
    queue.put(ghost_text)
    assert await waiting is ghost_text

    assert running[0] is not None
    queue.done(running[0])
    last = await queue.get()
    assert last is not None
    assert last.request.id == "2"


async def test_unnamed_documents_do_not_supersede() -> None:
    """Requests that name no document leave each other alone."""
    queue = JobQueue()
    for i in range(2):
        assert queue.put(Job(infill_request(str(i), lane="inline"), CLIENTS[0])) == ()

    assert len(queue.waiting) == 2


async def test_next_edits_wait_for_all_others_and_give_way() -> None:
    """They run alone; whatever comes stops them, and they wait again, nothing told to anybody."""
    queue = JobQueue(n_at_once=3)
    edit, later = Job(infill_request("e"), CLIENTS[0]), Job(infill_request("l"), CLIENTS[1])
    following = Job(next_edit_request("n", "f.py"), CLIENTS[0])
    queue.put(following)
    queue.put(edit)
    assert queue.take() is edit
    assert queue.take() is None
    waiting = asyncio.create_task(queue.get())
    queue.done(edit)
    assert await waiting is following
    following.token.check()

    assert queue.put(later) == ()
    with pytest.raises(GaveWay):
        following.token.check()
    assert following.token.gave_way
    queue.done(following)
    queue.wait_again(following)
    following.token.check()
    assert queue.take() is later
    queue.done(later)
    assert queue.take() is following


async def test_the_newest_next_edit_of_a_document_supersedes() -> None:
    """Of its own lane: ghost text of the same document is none of its like."""
    queue = JobQueue(n_at_once=3)
    older = Job(next_edit_request("1", "f.py"), CLIENTS[0])
    ghost = Job(infill_request("g", lane="inline", document="f.py"), CLIENTS[0])
    queue.put(older)
    assert queue.put(ghost) == ()
    assert queue.put(Job(next_edit_request("2", "f.py"), CLIENTS[0])) == (older,)
    assert queue.put(Job(next_edit_request("3", "g.py"), CLIENTS[0])) == ()


class QueueMachine(RuleBasedStateMachine):
    """Puts, takes and removes jobs at random, beside a plain model of what should happen."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = JobQueue(MAX_WAITING, N_AT_ONCE)
        self.expected: list[Job] = []
        self.running: list[Job] = []
        self.n_jobs = 0

    @rule(
        client=st.sampled_from(CLIENTS),
        lane=st.sampled_from(["inline", "edit", "next"]),
        document=st.sampled_from(["", "f.py", "g.py"]),
    )
    def put(self, client: Somebody, lane: str, document: str) -> None:
        """Put a job; it supersedes its like, and nothing else."""
        self.n_jobs += 1
        name = str(self.n_jobs)
        if lane == "next":
            job = Job(next_edit_request(name, document), client)
        else:
            job = Job(infill_request(name, lane=lane, document=document), client)
        like = [other for other in self.expected if job.supersedes(other)]
        n_of_client = sum(other.client is client for other in self.expected)
        if n_of_client - len(like) >= MAX_WAITING:
            with pytest.raises(Busy):
                self.queue.put(job)
            return
        like += [other for other in self.running if job.supersedes(other)]
        assert set(self.queue.put(job)) == set(like)
        assert lane != "edit" or not like
        for other in self.running:
            assert other.token.gave_way or other.lane != "next" or lane == "next"
        self.expected = [other for other in self.expected if other not in like]
        self.expected.append(job)

    @precondition(lambda self: len(self.running) < N_AT_ONCE)
    @rule()
    def take(self) -> None:
        """Take a job: of the inline lane if it has any, and the client's own first."""
        job = self.queue.take()
        inline, edits, following = (
            [other for other in self.expected if other.lane == lane]
            for lane in ("inline", "edit", "next")
        )
        if job is None:
            n_edits = sum(other.lane == "edit" for other in self.running)
            assert not inline
            assert not edits or n_edits == N_AT_ONCE - 1
            assert not following or self.running
            return
        line = inline or (edits if job.lane == "edit" else following)
        assert job.lane != "next" or not self.running
        assert job in line
        assert job is next(other for other in line if other.client is job.client)
        self.expected.remove(job)
        self.running.append(job)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        """End a running job."""
        job = data.draw(st.sampled_from(self.running))
        self.queue.done(job)
        self.running.remove(job)

    @precondition(lambda self: self.expected)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        """Remove a waiting job, twice."""
        job = data.draw(st.sampled_from(self.expected))
        self.queue.remove(job)
        self.queue.remove(job)
        self.expected.remove(job)

    @invariant()
    def holds_what_it_should(self) -> None:
        """Nothing is lost, nothing is there twice, and the bounds hold."""
        assert Counter(self.queue.waiting) == Counter(self.expected)
        assert self.queue.running == tuple(self.running)
        of_client = Counter(job.client for job in self.queue.waiting)
        assert all(n <= MAX_WAITING for n in of_client.values())
        inline = [job for job in self.queue.waiting if job.lane == "inline"]
        named = [(job.client, job.request.document) for job in inline if job.request.document]
        assert len(named) == len(set(named))


TestQueue = QueueMachine.TestCase
