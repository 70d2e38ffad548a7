"""Another Remask, on a machine with more to offer: `remask serve` over there, this engine here.

It gets the request as it is, so spans, modes, samplers and steps are what they are there.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from model_runtime.engines.remote.engine import RemoteEngine
from model_runtime.errors import RemoteFailed
from model_runtime.protocol import Finished, StepReport

if TYPE_CHECKING:
    from model_runtime.engines.base import Listener
    from model_runtime.engines.remote.call import Call
    from model_runtime.protocol import InfillRequest, Mode
    from model_runtime.settings import RuntimeSettings

PATH = "/remask/infill"


class RemaskEngine(RemoteEngine):
    """Fills with another Remask.

    Args:
        settings: the `remote_` ones; `remote_url` is needed.
    """

    name: ClassVar[str] = "remask"
    title: ClassVar[str] = "The other Remask"
    key_variable: ClassVar[str] = "REMASK_SERVE_TOKEN"
    modes: ClassVar[frozenset[Mode]] = frozenset({"infill", "holes", "rewrite", "repair"})

    def __init__(self, settings: RuntimeSettings) -> None:
        super().__init__(settings)
        # Over there all of a team's documents meet, and many have the same path.
        self._owner = secrets.token_hex(8)

    async def fill(self, call: Call, request: InfillRequest, listener: Listener) -> Finished:
        """See `RemoteEngine.fill`."""
        document = request.document and f"{self._owner}:{request.document}"
        body = msgspec.structs.replace(request, document=document, deadline_s=None)
        if not request.stream:
            return _finished(await call.post(PATH, body))
        async for event in call.stream(PATH, body):
            if isinstance(event, dict) and event.get("type") == "StepReport":
                listener.step(_convert(event, StepReport))
            else:
                return _finished(event)
        raise RemoteFailed("The other Remask broke off in the middle of its answer")


def _finished(body: Any) -> Finished:
    finished: Finished = _convert(body, Finished)
    return finished


def _convert(body: Any, kind: type[Any]) -> Any:
    try:
        return msgspec.convert(body, kind)
    except msgspec.ValidationError as error:
        raise RemoteFailed(
            "The other Remask answers in another way; is it of another version?"
        ) from error
