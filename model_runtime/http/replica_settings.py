"""What `remask serve --ray` can be told; apart from `replicas.py`, which needs Ray to be read."""

from __future__ import annotations

import msgspec


class ReplicaSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Replicas of the engine on Ray Serve."""

    #: Of a running Ray cluster, e.g. "ray://head:10001" or "auto"; empty starts one here.
    address: str = ""
    min_replicas: int = 1
    max_replicas: int = 2
    #: Of each replica.
    cpus: float = 1.0
    gpus: float = 0.0
