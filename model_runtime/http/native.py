"""Remask's own endpoint, `POST /remask/infill`: the wire's request and replies, as JSON.

For another Remask, whose engine `remask` asks here, and for scripts that want all there is: several
spans, rewriting, every step. The body is an `InfillRequest`; the reply a `Finished`, or a stream
of `StepReport`s with a `Finished` at its end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import msgspec

from model_runtime.http.cut import Cut
from model_runtime.http.dialect import Dialect, next_id
from model_runtime.http.faults import BadBody
from model_runtime.http.fill import Ask
from model_runtime.protocol import Finished, InfillRequest

if TYPE_CHECKING:
    from model_runtime.http.dialect import Turn
    from model_runtime.http.faults import HttpFault
    from model_runtime.http.fill import Filled, Piece


class NativeDialect(Dialect):
    """Remask's own endpoint, for another Remask."""

    name: ClassVar[str] = "remask"
    body_type: ClassVar[type[msgspec.Struct]] = InfillRequest
    reply_type: ClassVar[type[msgspec.Struct]] = Finished

    def read(self, body: InfillRequest) -> Ask:
        """See `Dialect.read`."""
        if not body.spans:
            raise BadBody("a request needs at least one span to fill", "spans")
        request = msgspec.structs.replace(body, id=next_id())
        return Ask(
            (request,),
            cuts=(Cut(),),
            line_ends=("\n",),
            stream=body.stream,
            diffusing=True,
            chooses_confidence=True,
        )

    def whole(self, ask: Ask, filled: Filled, turn: Turn) -> Any:  # noqa: ARG002
        """See `Dialect.whole`."""
        return filled.finished

    def piece(self, ask: Ask, piece: Piece, turn: Turn) -> Any:  # noqa: ARG002
        """See `Dialect.piece`."""
        return piece.step

    def last(self, ask: Ask, filled: Filled, turn: Turn) -> list[Any]:  # noqa: ARG002
        """See `Dialect.last`."""
        return [filled.finished]

    def error(self, fault: HttpFault) -> dict[str, Any]:
        """See `Dialect.error`."""
        return {"error": {"code": fault.code, "message": str(fault)}}
