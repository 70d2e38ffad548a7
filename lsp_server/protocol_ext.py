"""What Remask says beyond LSP: custom methods, command names and their parameters.

A client needs none of it: code actions, commands and inline completions are standard. Clients that
draw the denoising or show a status use it; their `protocol.ts` and `protocol.lua` mirror this file.
All names are camelCase on the wire.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec

from lsp_server.settings import Lines, Share
from model_runtime.protocol import Mode

#: Server to client, notification: `DraftParams`. Only for clients whose experimental capability
#: `{"remask": {"drafts": true}}` asks for it.
DRAFT = "remask/draft"
#: Client to server, request `ScoresParams`: answers `ScoresResult`, or null where there is none.
SCORES = "remask/scores"
#: Client to server, request `ShownParams`: answers `ShownResult`, or null for nothing.
SHOWN = "remask/shown"
#: Client to server, request `NextEditParams`: answers `NextEditResult`, or null for none.
NEXT_EDIT = "remask/nextEdit"
#: Client to server, notification `NextEditParams`: what was offered is not wanted, now or later.
DISMISS_NEXT_EDIT = "remask/dismissNextEdit"
#: Client to server, request of clients of GitHub's server, answered where the user asks for it.
COPILOT_INLINE_EDIT = "textDocument/copilotInlineEdit"
#: Client to server, request without parameters: answers `StatusResult`.
STATUS = "remask/status"
#: Server to client, notification: `StatusResult`. Asked for by `{"remask": {"status": true}}`.
DID_CHANGE_STATUS = "remask/didChangeStatus"

#: The command of an inline completion item, run by the client when it is accepted whole: one
#: argument, the offer's id.
ACCEPTED = "remask.accepted"
#: Client to server, notifications `{item}` and `{item, acceptedLength}` (UTF-16 units of the item's
#: text): what becomes of ghost text, as other servers of it are told. For clients that see the
#: server's experimental capability `{"remask": {"ghostEvents": true}}`.
DID_SHOW = "textDocument/didShowCompletion"
DID_PARTIALLY_ACCEPT = "textDocument/didPartiallyAcceptCompletion"

#: `workspace/executeCommand`: one argument, `InfillParams`; answers `CommandResult`.
COMMANDS: dict[str, Mode] = {
    "remask.infill": "infill",
    "remask.rewrite": "rewrite",
    "remask.repair": "repair",
    "remask.holes": "holes",
}

#: Code action kinds are this, a dot and the mode; for `infill` a scope may follow.
KIND = "refactor.rewrite.remask"

#: What is to be filled. "selection" is exactly what the client selected, the empty selection
#: meaning "here"; the others ask for the syntax node around it.
Scope = Literal["selection", "expression", "statement", "body"]

RuntimeStateName = Literal["stopped", "starting", "running", "failed"]


class Position(msgspec.Struct, frozen=True):
    """A place in the document, in the client's position encoding."""

    line: Annotated[int, msgspec.Meta(ge=0)]
    character: Annotated[int, msgspec.Meta(ge=0)]


class Range(msgspec.Struct, frozen=True):
    """Two places in the document."""

    start: Position
    end: Position


class InfillParams(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, omit_defaults=True
):
    """An infill asked for by a command, and the `data` of a code action: all it takes to run it."""

    uri: str
    #: The selections, in any order. For holes, none means every marker of the document.
    ranges: tuple[Range, ...] = ()
    #: The document's version when the client asked; None to take the one the server has.
    version: int | None = None
    mode: Mode = "infill"
    scope: Scope = "selection"
    #: What the user wants, in words.
    instruction: str = ""
    lines: Lines = "auto"
    #: Where in the one range a diagnostic points that the instruction tells of; for repair.
    told: Range | None = None
    #: Another result than those that the same request got before.
    another: bool = False
    #: The rest overrides the user's settings for this one request.
    strength: Share | None = None
    model: str | None = None
    sampler: str | None = None
    params: dict[str, Any] | None = None
    seed: int | None = None


class CommandResult(msgspec.Struct, frozen=True, rename="camel"):
    """What became of a command."""

    #: Whether the client took the edit.
    applied: bool
    #: Why not, or what else is to be said; empty for nothing.
    reason: str = ""


class ScoresParams(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A heat map asked for: how much the model doubts each token of a selection."""

    uri: str
    range: Range
    #: The document's version when the client asked; None to take the one the server has.
    version: int | None = None


class ScoredToken(msgspec.Struct, frozen=True):
    """One token of a selection."""

    range: Range
    #: Nats by which the model would rather see another token there; 0 where it agrees.
    doubt: float
    #: That token; it may hold line ends, and may be empty for the selection's end.
    instead: str = ""


class ScoresResult(msgspec.Struct, frozen=True):
    """The tokens of a selection, in order."""

    #: The document they hold for.
    version: int | None
    tokens: tuple[ScoredToken, ...] = ()


class ShownParams(msgspec.Struct, frozen=True):
    """Asks what the model was shown at the last request of a document."""

    uri: str


class ShownResult(msgspec.Struct, frozen=True):
    """What the model was shown, of this file and of others."""

    text: str
    #: Which model.
    model: str = ""


class NextEditParams(msgspec.Struct, frozen=True):
    """Asks which places of a document no longer fit what was just changed in it."""

    uri: str
    #: The document's version when the client asked; None to take the one the server has.
    version: int | None = None
    #: Where the cursor is: the place nearest to it comes first, and what is typed at is left alone.
    position: Position | None = None


class NextEdit(msgspec.Struct, frozen=True):
    """One place, and what to put there."""

    range: Range
    text: str


class NextEditResult(msgspec.Struct, frozen=True):
    """Places that belong together, the one to jump to first, then on through the document."""

    #: The document they hold for; after any change of it they are to be thrown away.
    version: int | None
    edits: tuple[NextEdit, ...]
    #: What is offered and why, in a few words.
    title: str = ""
    #: How likely it is wanted: 0 to 1.
    confidence: float = 0.0
    #: Another document, where the places are in one; empty for the one that was asked about.
    uri: str = ""


class DraftSpan(msgspec.Struct, frozen=True):
    """One span of an unfinished canvas."""

    #: What the span replaces, in the document of `DraftParams.version`.
    range: Range
    #: Its text now; each masked position is one `DraftParams.mark`.
    text: str


class DraftParams(msgspec.Struct, frozen=True, rename="camel"):
    """The canvas of a request after a denoising step. The last one of a request has `done` set."""

    #: The same for all drafts of one request.
    token: str
    uri: str
    version: int | None
    spans: tuple[DraftSpan, ...] = ()
    #: The character that stands for a masked position.
    mark: str = ""
    step_index: int = 0
    n_forwards: int = 0
    n_committed: int = 0
    #: The request is over; clear what was drawn. `spans` is empty then.
    done: bool = False


class StatusResult(msgspec.Struct, frozen=True, rename="camel"):
    """What the runtime is doing, for a status item."""

    state: RuntimeStateName
    #: Whether this server waits for the runtime.
    busy: bool = False
    #: One line: what goes on, or why the last request gave nothing.
    text: str = ""
    #: Empty until a model is loaded.
    model: str = ""
    device: str = ""
    #: Of the last infill; None before the first.
    tokens_per_second: float | None = None
    problems: tuple[str, ...] = ()


def capability(experimental: Any, name: Literal["drafts", "nextEdit", "status"]) -> bool:
    """Return whether a client's experimental capabilities ask for one of the notifications."""
    wanted = experimental.get("remask") if isinstance(experimental, dict) else None
    return isinstance(wanted, dict) and wanted.get(name) is True
