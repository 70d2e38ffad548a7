"""A body for each endpoint that fills, and where its reply has the text."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Spoken:
    """One endpoint."""

    path: str
    body: dict[str, Any]
    #: Of a whole reply, and of an event of a stream.
    place: str
    event_place: str
    streams_unasked: bool = field(default=False)

    def text(self, reply: Any) -> str:
        """Return the text of a whole reply."""
        return str(found(reply, self.place))

    def pieces(self, stream: str) -> list[str]:
        """Return the texts of a stream's events."""
        lines = [line.removeprefix("data: ") for line in stream.splitlines()]
        bodies = [json.loads(line) for line in lines if line.startswith("{")]
        return [str(found(body, self.event_place)) for body in bodies]


def found(body: Any, place: str) -> Any:
    """Return what stands at a place such as "choices.0.text"."""
    for key in place.split("."):
        body = body[int(key)] if isinstance(body, list) else body[key]
    return body


CODE = "Double it.\n```python\nx = 1\n```"
#: Every dialect that clients have; the texts are around a hole, or an instruction.
SPOKEN = (
    Spoken("/infill", {"input_prefix": "a", "input_suffix": "b"}, "content", "content"),
    Spoken("/completion", {"prompt": "a"}, "content", "content"),
    Spoken("/v1/completions", {"prompt": "a", "suffix": "b"}, "choices.0.text", "choices.0.text"),
    Spoken(
        "/v1/fim/completions",
        {"prompt": "a", "suffix": "b"},
        "choices.0.message.content",
        "choices.0.delta.content",
    ),
    Spoken(
        "/v1/chat/completions",
        {"messages": [{"role": "user", "content": CODE}]},
        "choices.0.message.content",
        "choices.0.delta.content",
    ),
    Spoken(
        "/api/generate",
        {"prompt": "a", "suffix": "b"},
        "response",
        "response",
        streams_unasked=True,
    ),
    Spoken(
        "/api/chat",
        {"messages": [{"role": "user", "content": CODE}]},
        "message.content",
        "message.content",
        streams_unasked=True,
    ),
)
