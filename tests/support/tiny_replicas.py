"""A front before replicas of the default family in small: `python -m support.tiny_replicas NUMBER`.

It says where it serves, as the real one does, and leaves by SIGTERM. Needs the extra `ray`.
"""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING

import msgspec
from support import tiny_canvas

from model_runtime.http.limits import ServeSettings
from model_runtime.http.replica_settings import ReplicaSettings
from model_runtime.http.replicas import Replica, Replicas
from model_runtime.http.serve import FrontServer
from model_runtime.settings import RuntimeSettings

if TYPE_CHECKING:
    from model_runtime.engines.base import Engine


class TinyReplica(Replica):
    """A replica of the tiny model, whose name says which replica it is."""

    def make_engine(self) -> Engine:
        """See `Replica.make_engine`."""
        local = tiny_canvas.engine()
        local._settings = msgspec.structs.replace(local._settings, model=f"tiny-{os.getpid()}")
        return local


async def main(n_replicas: int) -> None:
    """Serve until told to leave."""
    values = msgspec.structs.asdict(RuntimeSettings(engine="local", model="tiny"))
    own = ReplicaSettings(min_replicas=n_replicas, max_replicas=n_replicas, cpus=0.5)
    replicas = Replicas(own, values, TinyReplica)
    await replicas.start()
    settings = ServeSettings(port=0, requests_per_minute=0)
    await FrontServer(replicas, settings, lambda url: print(url, flush=True)).serve()  # noqa: T201  # the interface


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
