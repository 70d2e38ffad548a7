"""A team's server: the same front, with replicas of the engine on Ray Serve behind it.

The front keeps its place, its dialects and its limits; only the backend is another one. Ray Serve
starts the replicas, on any machine of its cluster, watches their health, adds some when requests
queue and removes them again. A document's name says which replica fills it, the one that holds its
encoded context; where that one is busy, the next. A fill changes nothing: one whose replica dies is
filled again by another, with the same seed; the client never learns of it. Needs the extra `ray`.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
import time
from typing import TYPE_CHECKING, Any

import msgspec
import ray
from ray import serve
from ray.exceptions import RayError
from ray.serve.config import RequestRouterConfig
from ray.serve.experimental.consistent_hash_router import ConsistentHashRouter

from model_runtime.errors import Cancelled
from model_runtime.framing import encode, runtime_message_decoder
from model_runtime.http.faults import NotFilled
from model_runtime.protocol import Failed, Finished, InfillRequest, Notice, Status, StepReport
from model_runtime.service.jobs import Job
from model_runtime.service.process import peak_memory_bytes, version
from model_runtime.service.run import make_engine
from model_runtime.service.worker import Worker
from model_runtime.settings import RuntimeSettings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Hashable, Mapping

    from model_runtime.engines.base import Engine
    from model_runtime.http.link import OnNotice, OnStep
    from model_runtime.http.replica_settings import ReplicaSettings
    from model_runtime.protocol import RuntimeMessage

log = logging.getLogger(__name__)

APPLICATION = "remask"
MAX_SEED = 2**63 - 1
#: How many replicas may die on one request before it is given up.
MAX_TRIES = 4
#: Characters of a file's beginning that tell it from others, where it has no name.
N_TELLING = 256


class Replica:
    """One engine, on its own thread, in a process of Ray's.

    Args:
        values: of `RuntimeSettings`.
    """

    name = "ray"

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._settings = RuntimeSettings(**values)
        self._worker = Worker(self.make_engine)
        self._turns = asyncio.Semaphore(self._settings.requests_at_once)
        self._started = time.monotonic()
        self._n_waiting = self._n_running = 0

    def make_engine(self) -> Engine:
        """Make the engine that the settings name; see `run.make_engine`."""
        return make_engine(self._settings)

    def send(self, message: RuntimeMessage, *, conflate: Hashable = None) -> None:
        """Drop it: `fill` yields what is to be told."""

    async def fill(self, packed: bytes) -> AsyncGenerator[bytes]:
        """Fill a request; yield its step reports and, at last, its terminal message, all packed."""
        request = msgspec.msgpack.decode(packed, type=InfillRequest)
        job = Job(request, client=self)
        news: asyncio.Queue[RuntimeMessage] = asyncio.Queue()
        self._n_waiting += 1
        async with self._turns:
            self._n_waiting -= 1
            self._n_running += 1
            filling = asyncio.create_task(self._worker.run(job, news.put_nowait))
            filling.add_done_callback(lambda done: news.put_nowait(done.result()))
            try:
                while not isinstance(message := await news.get(), Finished | Failed):
                    yield encode(message)
                yield encode(message)
            finally:
                job.token.stop(Cancelled("its client left"))
                await asyncio.wait({filling})
                self._n_running -= 1

    async def status(self) -> bytes:
        """Return this replica's `Status`, packed."""
        engine = self._worker.describe()
        return encode(
            Status(
                id="",
                runtime_version=version(),
                pid=0,
                model=self._settings.model if engine is None else engine.model,
                device="" if engine is None else engine.device,
                loaded=engine is not None and engine.loaded,
                n_waiting=self._n_waiting,
                n_running=self._n_running,
                uptime_s=time.monotonic() - self._started,
                peak_memory_bytes=peak_memory_bytes(),
                log_path="",
                problems=(self._worker.problem,) if self._worker.problem else (),
            )
        )

    async def reconfigure(self, _version: Any) -> None:
        """Make the engine before the replica is given requests: so a change of model is smooth."""
        await self._worker.warm()

    def check_health(self) -> None:
        """Have Ray replace this replica if its engine can't be made."""
        if self._worker.describe() is None and self._worker.problem:
            raise RuntimeError(self._worker.problem)


class Replicas:
    """The backend: what `Runtime` is for one machine, for a cluster.

    Args:
        settings: how many, and on what.
        values: of `RuntimeSettings`, for each replica.
        replica: what each of them is.
    """

    def __init__(
        self,
        settings: ReplicaSettings,
        values: Mapping[str, Any],
        replica: type[Replica] = Replica,
    ) -> None:
        self._settings = settings
        self._values = dict(values)
        self._replica = replica
        self._handle: Any = None

    async def start(self) -> None:
        """Join the cluster, or start one here, and deploy. A running deployment is rolled over."""
        self._handle = await asyncio.to_thread(self._deploy)

    async def infill(
        self,
        request: InfillRequest,
        on_step: OnStep | None = None,
        on_notice: OnNotice | None = None,
    ) -> Finished:
        """Have a request filled by the replica that knows its document, or another.

        Raises:
            NotFilled: the engine said no, or no replica lived long enough.
        """
        seed = secrets.randbelow(MAX_SEED) if request.seed is None else request.seed
        document = _document(request)
        packed = encode(msgspec.structs.replace(request, seed=seed, document=document))
        for _ in range(MAX_TRIES):
            try:
                async with asyncio.timeout(request.deadline_s):
                    return await self._fill(packed, document, on_step, on_notice)
            except TimeoutError as error:
                text = f"not done within {request.deadline_s:g} s"
                raise NotFilled("deadline", text) from error
            except RayError as error:
                log.warning("a replica was lost: %s", type(error).__name__)
        raise NotFilled("runtime_died", "No replica lived long enough; try again.")

    async def status(self) -> Status:
        """Ask any replica what it runs.

        Raises:
            NotFilled: none answers.
        """
        try:
            return _decode(await self._handle.status.remote())  # type: ignore[no-any-return]
        except RayError as error:
            raise NotFilled("runtime_died", "No replica answers; try again.") from error

    async def close(self) -> None:
        """Take the deployment down, unless the cluster is somebody else's."""
        if not self._settings.address:
            await asyncio.to_thread(ray.shutdown)

    async def _fill(
        self, packed: bytes, document: str, on_step: OnStep | None, on_notice: OnNotice | None
    ) -> Finished:
        ask = self._handle.options(stream=True, session_id=document)
        replies = ask.fill.remote(packed)
        try:
            async for reply in replies:
                match _decode(reply):
                    case StepReport() as step if on_step is not None:
                        on_step(step)
                    case Notice() as notice if on_notice is not None:
                        on_notice(notice)
                    case Finished() as finished:
                        return finished
                    case Failed() as failed:
                        raise NotFilled(failed.code, failed.text)
        finally:
            replies.cancel()
        raise NotFilled("runtime_died", "A replica stopped in the middle; try again.")

    def _deploy(self) -> Any:
        own = self._settings
        n_at_once = RuntimeSettings(**self._values).requests_at_once
        ray.init(
            address=own.address or None,
            log_to_driver=False,
            include_dashboard=False,
            **({} if own.address else {"num_cpus": own.max_replicas * max(1, round(own.cpus))}),
        )
        # The front of this process is the only one that speaks HTTP.
        serve.start(proxy_location="Disabled")
        deployment = serve.deployment(self._replica).options(
            name="Replica",
            user_config=self._values,
            request_router_config=RequestRouterConfig(
                request_router_class=ConsistentHashRouter,
                # All the others, or a request would wait for its own few while some are idle.
                request_router_kwargs={"num_fallback_replicas": own.max_replicas - 1},
            ),
            # One waits to be next; the others wait where any replica can take them.
            max_ongoing_requests=n_at_once + 1,
            ray_actor_options={"num_cpus": own.cpus, "num_gpus": own.gpus},
            autoscaling_config={
                "min_replicas": own.min_replicas,
                "initial_replicas": own.min_replicas,
                "max_replicas": own.max_replicas,
                "target_ongoing_requests": n_at_once,
            },
            health_check_period_s=5,
            graceful_shutdown_timeout_s=30,
        )
        return serve.run(deployment.bind(self._values), name=APPLICATION, route_prefix=None)


def _document(request: InfillRequest) -> str:
    """Return what tells a request's document from others: its name, or how it begins."""
    if request.document:
        return request.document
    telling = f"{request.path}\0{request.prefix[:N_TELLING]}"
    return hashlib.sha256(telling.encode("utf-8", "replace")).hexdigest()[:16]


def _decode(packed: bytes) -> Any:
    return next(runtime_message_decoder().feed(packed))
