"""A team's server, as its command starts it: replicas on Ray Serve, one of which dies."""

from __future__ import annotations

import pytest
from support.replicas import check_none_is_lost, lose_one, replicas, require_ray
from support.serve_process import serve_process

require_ray()
pytestmark = pytest.mark.e2e

FLAGS = ("--ray", "--ray-min-replicas", "2", "--ray-max-replicas", "2", "--ray-cpus", "0.5")


async def test_no_request_is_lost_when_a_replica_dies() -> None:
    """Two replicas, one killed under load: every request is filled, streamed or not."""
    reply = {"texts": ["return w * h\n"], "n_steps": 4, "step_s": 0.01}
    with serve_process(reply, flags=FLAGS) as served:
        assert len(replicas(served.process.pid)) == 2
        check_none_is_lost(await lose_one(served.url, served.process.pid))
