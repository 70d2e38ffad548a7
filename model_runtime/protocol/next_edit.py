"""What is asked about the places that a change concerns, and what is answered."""

from __future__ import annotations

import msgspec

from model_runtime.protocol.infill import Usage
from model_runtime.protocol.message import Message


class Change(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the user just changed: a stretch of the file as it stands now, and what stood there."""

    #: Characters before it, and what it holds now and held before.
    start: int
    old: str
    new: str


class Place(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A stretch of the file as it stands, and what may be put there."""

    start: int
    end: int
    text: str
    #: Whether the text is only how it begins: the model goes on, up to `behind`, which ends it.
    is_open: bool = False
    behind: str = ""


class Group(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Places that are changed together or not at all, in order and apart from each other."""

    places: tuple[Place, ...]
    #: Whether the change was made where the word is bound that these places mean.
    is_bound: bool = False
    #: Whether what is put there stood in the file before the change.
    is_known: bool = False
    #: Whether the places stand in comments or strings.
    is_text: bool = False
    #: Whether only some of the places may be concerned: those that became doubtful by the change.
    is_loose: bool = False


class NextEditRequest(Message, kw_only=True, frozen=True):
    """Ask which places of a file no longer fit what was just changed."""

    id: str
    #: See `InfillRequest`.
    path: str = ""
    language: str = ""
    #: The whole file, as it stands.
    text: str
    #: What was changed: one place, or several in the same way. In order, apart from each other.
    changes: tuple[Change, ...]
    #: Candidates, found by syntax.
    groups: tuple[Group, ...] = ()
    #: From which confidence on a group is wanted.
    least_confidence: float = 0.0
    deadline_s: float | None = None
    document: str = ""


class Proposal(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Places that no longer fit, and what to put there."""

    places: tuple[Place, ...]
    #: Which of the request's groups they are of.
    group: int = 0
    #: How likely it is wanted: 0 to 1.
    confidence: float
    #: Nats by which the file with them is likelier than the file as it stands; and how many of
    #: these are due to the change.
    gain: float
    due: float


class NextEdits(Message, kw_only=True, frozen=True):
    """Terminal: what to change next, the likeliest first; often nothing."""

    id: str
    proposals: tuple[Proposal, ...]
    model: str
    usage: Usage
