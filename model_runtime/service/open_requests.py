"""The requests that are open: each gets exactly one terminal message, and nothing after it."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

import msgspec

from model_runtime.errors import (
    BadRequest,
    Cancelled,
    DeadlinePassed,
    RuntimeFault,
    ShuttingDown,
    Superseded,
)
from model_runtime.protocol import Failed, Notice
from model_runtime.service.jobs import Job, check_request

if TYPE_CHECKING:
    from model_runtime.errors import Stopped
    from model_runtime.protocol import Finished, NextEdits, StepReport
    from model_runtime.service.jobs import AnyRequest, Client, JobQueue

log = logging.getLogger(__name__)


class OpenRequests:
    """Accepts requests, hands them to the queue, and tells their clients what becomes of them.

    Args:
        queue: where what is accepted waits for its turn.
    """

    def __init__(self, queue: JobQueue) -> None:
        self._queue = queue
        self.jobs: dict[tuple[Client, str], Job] = {}

    def __contains__(self, job: Job) -> bool:
        """Whether a job's request has had no terminal message yet."""
        return self.jobs.get((job.client, job.request.id)) is job

    def take(self, client: Client, request: AnyRequest, *, is_leaving: bool) -> None:
        """Accept a request, or refuse it: then that is its terminal message."""
        job = Job(request, client=client)
        try:
            if (client, request.id) in self.jobs:
                raise BadRequest(f"a request with the id {request.id!r} is still open")
            check_request(request)
            if is_leaving:
                raise ShuttingDown("the runtime is leaving; try again")
            older = self._queue.put(job)
        except RuntimeFault as fault:
            log.info("%s: refused a request: %s", client.name, fault.code)
            client.send(Failed(id=request.id, code=fault.code, text=str(fault)))
            return
        self.jobs[client, request.id] = job
        if request.deadline_s is not None:
            late = DeadlinePassed(f"not done within {request.deadline_s:g} s")
            loop = asyncio.get_running_loop()
            job.timer = loop.call_later(request.deadline_s, self.stop, job, late)
        for other in older:
            self.stop(other, Superseded("a newer request for the same document came"))

    def cancel(self, client: Client, request_id: str) -> None:
        """Stop a request that its client gave up, unless it is done."""
        if (job := self.jobs.get((client, request_id))) is not None:
            self.stop(job, Cancelled("cancelled"))

    def abandon(self, client: Client) -> None:
        """Stop all requests of a client that left."""
        for job in [job for (owner, _), job in self.jobs.items() if owner is client]:
            self.stop(job, Cancelled("its client left"))

    def stop(self, job: Job, why: Stopped) -> None:
        """Tell a job to stop, and its client at once; the worker sees it within one step."""
        job.token.stop(why)
        self._queue.remove(job)
        self.finish(job, Failed(id=job.request.id, code=why.code, text=str(why)))

    def report(self, job: Job, report: Notice | StepReport) -> None:
        """Send news of a request; what newer news of its kind overtakes is left out."""
        if job in self:
            job.client.send(report, conflate=(report.id, type(report)))

    def tell_all(self, notice: Notice) -> None:
        """Send one request's news to all that wait for the same."""
        for job in self.jobs.values():
            self.report(job, msgspec.structs.replace(notice, id=job.request.id))

    def finish(self, job: Job, terminal: Finished | NextEdits | Failed) -> None:
        """Send a request's terminal message, unless it has had one."""
        if job not in self:
            return
        del self.jobs[job.client, job.request.id]
        if job.timer is not None:
            job.timer.cancel()
        log.info(
            "%s: %s request %s after %.2f s",
            job.client.name,
            job.lane,
            terminal.code if isinstance(terminal, Failed) else "filled",
            time.monotonic() - job.arrived,
        )
        job.client.send(terminal)
