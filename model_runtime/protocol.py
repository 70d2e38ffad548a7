"""What clients and the runtime say to each other.

The only module, with `framing`, that both processes import; so it imports nothing but the
standard library and msgspec. A client sends `Hello`, then any of `ClientMessage`; the runtime
answers `Welcome` or `Refused`, then any of `RuntimeMessage`.

Rule 1. Every `InfillRequest` gets exactly one terminal message: `Finished` or `Failed`; a
        `NextEditRequest` gets `NextEdits` or `Failed`. Cancelled, superseded, out of time and "the
        runtime died" are terminal messages too; the last one is made by the client's own side when
        the socket closes.
Rule 2. `Notice` and `StepReport` come before the terminal message of their request, never after.
Rule 3. A request carries text, never token ids.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

PROTOCOL_VERSION = 4

#: One message on the wire, packed, may not be larger. A request holds one file and its context.
MAX_MESSAGE_BYTES = 16 * 1024 * 1024

#: In the runtime's directory, the Unix socket it listens on. The version is part of the name, so
#: that an editor that was updated starts a runtime of its own and needn't wait for the old one.
SOCKET_NAME = f"runtime-{PROTOCOL_VERSION}.sock"
#: Where there are no Unix sockets: a user-only file, "port token", for a port of the loopback.
ADDRESS_NAME = f"runtime-{PROTOCOL_VERSION}.tcp"
#: Held by whoever starts a runtime there, so that two clients don't start two.
START_LOCK_NAME = "start.lock"

Mode = Literal["infill", "rewrite", "repair", "holes"]
#: What a request may ask for: an edit, or only how likely what stands there is.
Task = Literal[Mode, "score"]
#: In "next", a request waits for all others, and gives way to them.
Lane = Literal["inline", "edit", "next"]
#: "doubt": the text goes on, less sure than was wanted.
Finish = Literal["closed", "length", "unchanged", "doubt"]
#: How other files are shown: as a comment at the top of the file, in the model's own marks for the
#: files of a repository, or not at all.
ContextForm = Literal["comment", "marks", "none"]
#: How readily ghost text is shown.
Eagerness = Literal["quiet", "balanced", "eager"]
FailureCode = Literal[
    "bad_request",
    "busy",
    "cancelled",
    "canvas_too_long",
    "deadline",
    "internal",
    "model_load_failed",
    "remote_failed",
    "runtime_died",
    "shutting_down",
    "superseded",
    "unknown_name",
    "unsupported_pairing",
]


#: For each, how likely to be right a text has to be to be shown; and how much likelier once one on
#: the same line was typed against. Where nothing began surer than a share of that, what is asked
#: behind marks alone is seldom better: it is not asked before a word has begun. Chosen by
#: `remask eval keyboard`.
LEAST_CONFIDENCE: dict[Eagerness, float] = {"quiet": 0.65, "balanced": 0.48, "eager": 0.35}
AFTER_A_MISS = 0.15
HOPELESS = 0.8


class Message(msgspec.Struct, frozen=True, kw_only=True, tag=True, forbid_unknown_fields=True):
    """Base of everything on the wire: immutable, typed, unknown fields refused."""


# --- client to runtime ---------------------------------------------------------------------------


class Hello(Message, kw_only=True, frozen=True):
    """The first message of a connection."""

    protocol_version: int
    client: str
    #: Only where the socket itself does not prove the user (TCP on Windows).
    token: str = ""


class Enclosing(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The function that a span stands in; the client knows syntax, the runtime does not."""

    #: Characters from where its declaration begins up to the span, and from the span to its end.
    n_before: int
    n_behind: int
    #: Whether the span is all that its body holds, a docstring apart.
    is_body: bool = False


class MaskSpan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A stretch of the file to fill."""

    #: What stands there now; empty for a pure insertion.
    text: str = ""
    #: What stands between this span and the next one; empty for the last span.
    following: str = ""
    #: The fill stops at the first line end.
    single_line: bool = False
    #: The most tokens the fill may have; None lets the engine decide.
    max_tokens: int | None = None
    #: None where it is unknown, or there is none.
    enclosing: Enclosing | None = None
    #: From where to where in the text a diagnostic points that says what is wrong; None for none.
    told: tuple[int, int] | None = None


class ContextFile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Another file of the workspace, or what of it is shown before the one being edited."""

    path: str
    text: str


class InfillRequest(Message, kw_only=True, frozen=True):
    """Fill, rewrite or repair spans of one file, or score what stands in one of them."""

    id: str
    #: Path as the model should see it, relative to the workspace; may be empty (untitled buffer).
    path: str = ""
    #: LSP language id, e.g. "python".
    language: str = ""
    #: The file up to the first span, and from the end of the last one.
    prefix: str
    suffix: str
    spans: tuple[MaskSpan, ...]
    mode: Task = "infill"
    #: What the user wants, in words; empty for none.
    instruction: str = ""
    #: Stands in the file, and in the other ones, where code is missing: neither shown to the model
    #: nor said by it. Empty for none.
    hole_marker: str = "___"
    #: Share of a span's own tokens to mask, 0 to 1; `rewrite` only.
    strength: float = 1.0
    #: Most relevant first: that one comes to stand last, next to the file.
    context: tuple[ContextFile, ...] = ()
    #: How these are shown; empty takes what suits the model.
    context_form: ContextForm | Literal[""] = ""
    #: Registry names; empty takes the runtime's setting.
    model: str = ""
    sampler: str = ""
    params: dict[str, Any] = {}
    #: None takes a seed of the runtime's choice, told in the reply.
    seed: int | None = None
    n_alternatives: int = 1
    #: Whether the alternatives serve but to find the best fill: then none is made where the first
    #: one is sure, nor one that has no chance; and an engine that makes others at little cost may
    #: make and return more of them than are asked for.
    best_only: bool = False
    #: From which confidence on a text is wanted: each ends where it gets less likely to be right
    #: than this, and nothing is denoised behind that. 0 wants all of it, and the confidence told;
    #: None has it told where that costs nothing. Engines that can't tell it give all of a text.
    least_confidence: float | None = None
    #: Seconds from arrival after which the request fails with "deadline"; None for no limit.
    deadline_s: float | None = None
    lane: Lane = "edit"
    #: Identity of the document. In the inline lane, the newest request supersedes older ones.
    document: str = ""
    #: Whether a part of the context will do where to read all of it takes long: who types on won't
    #: wait for it, and asks again.
    may_glance: bool = False
    #: Whether `StepReport`s are wanted.
    stream: bool = False
    #: Whether nothing is to be filled: what the model would be shown is told instead.
    explain: bool = False


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


class Cancel(Message, kw_only=True, frozen=True):
    """Give up a request. Its terminal message is then `Failed("cancelled")`, unless it is done."""

    id: str


class StatusRequest(Message, kw_only=True, frozen=True):
    """Ask for a `Status`."""

    id: str


class Shutdown(Message, kw_only=True, frozen=True):
    """Finish what runs, refuse what comes, answer `Stopping`, then leave."""

    id: str


ClientMessage = Hello | InfillRequest | NextEditRequest | Cancel | StatusRequest | Shutdown


# --- runtime to client ---------------------------------------------------------------------------


class Welcome(Message, kw_only=True, frozen=True):
    """The connection stands."""

    protocol_version: int
    runtime_version: str
    pid: int


class Refused(Message, kw_only=True, frozen=True):
    """The connection does not stand, and is closed after this."""

    reason: str


class Notice(Message, kw_only=True, frozen=True):
    """News of a request that is not a denoising step: a download, a model being loaded."""

    id: str
    #: A sentence for the user, e.g. "Downloading qwen2.5-coder-0.5b (34 %)".
    text: str
    #: 0 to 1, or None where the end is not known.
    fraction: float | None = None


class StepReport(Message, kw_only=True, frozen=True):
    """The canvas after one denoising step."""

    id: str
    #: Counts from 0.
    step_index: int
    n_forwards: int
    #: Tokens settled so far, all spans together.
    n_committed: int
    #: One text per span. A masked position is shown as `mark`; committed text stands as it is.
    drafts: tuple[str, ...]
    #: One text per span: the settled text from the span's start up to its first mask.
    committed: tuple[str, ...]
    #: The character that stands for a masked position in `drafts`.
    mark: str = "░"


class Stretch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A piece of a text, and how sure the engine is of it."""

    #: Characters of the text; stretches follow one another and make up all of it.
    n_chars: int
    #: How likely the text is to be right up to the end of this stretch: 0 to 1, never rising.
    confidence: float


class Alternative(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One way to fill all the spans."""

    #: One text per span, in the order of the request.
    texts: tuple[str, ...]
    #: Log-probability a token of the file with this in it, by the model that filled, for comparing
    #: the alternatives of one reply; None where unknown.
    score: float | None = None
    finish: Finish = "closed"
    #: For each of the texts; empty where the engine can't tell. Of a text that is empty for doubt,
    #: one stretch of no characters: how sure its beginning was.
    confidence: tuple[tuple[Stretch, ...], ...] = ()


class TokenScore(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the model thinks of one token of a text."""

    #: Characters of the text that it stands for; the tokens follow one another.
    n_chars: int
    #: Nats by which the model would rather say another token there; 0 where it agrees.
    doubt: float
    #: That token.
    instead: str


class Usage(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a request cost."""

    n_context_tokens: int = 0
    #: Of those, how many came out of a cache.
    n_cached_tokens: int = 0
    n_tokens: int = 0
    #: Model evaluations (the papers' NFE), the context's own included.
    n_forwards: int = 0
    #: Rows that were computed in them: what a request costs, whatever computes it.
    n_rows: int = 0
    #: Tokens that stood on the canvas as drafts until a step decided on them, and those it kept.
    n_drafted: int = 0
    n_accepted: int = 0
    queue_s: float = 0.0
    #: Until the first draft, the context's encoding in it.
    context_s: float = 0.0
    #: From the first draft to the end.
    denoise_s: float = 0.0


class Finished(Message, kw_only=True, frozen=True):
    """Terminal: the request is filled. Best alternative first; never empty."""

    id: str
    alternatives: tuple[Alternative, ...]
    model: str
    sampler: str
    seed: int
    usage: Usage
    #: Of the span's text; only where a request asked to "score" it.
    scores: tuple[TokenScore, ...] = ()
    #: What the model would be shown; only where a request asked to "explain".
    shown: str = ""


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


class Failed(Message, kw_only=True, frozen=True):
    """Terminal: there is no result. `text` is for the user: what happened and what to do."""

    id: str
    code: FailureCode
    text: str


class Status(Message, kw_only=True, frozen=True):
    """What runs here."""

    id: str
    runtime_version: str
    pid: int
    model: str
    #: Empty until a model is loaded, then e.g. "cpu, int8, 2 threads".
    device: str
    loaded: bool
    n_waiting: int
    n_running: int
    uptime_s: float
    peak_memory_bytes: int
    log_path: str
    #: What is wrong, one sentence each; empty when all is well.
    problems: tuple[str, ...] = ()


class Stopping(Message, kw_only=True, frozen=True):
    """The last message of a runtime that leaves: what is open now was never begun."""

    #: Of the `Shutdown` it answers; empty for the clients that did not ask.
    id: str


RuntimeMessage = (
    Welcome | Refused | Notice | StepReport | Finished | NextEdits | Failed | Status | Stopping
)


# --- beside the wire -----------------------------------------------------------------------------


class NextEditTask(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One task of `remask eval next-edit`: what the language server asks, and what is right.

    It stands here because the server cuts tasks, for it has the grammars, and the runtime measures.
    """

    id: str
    kind: str
    #: Package, version and licence.
    source: str
    request: NextEditRequest
    #: Start, end and text of each place that is wanted.
    wanted: tuple[tuple[int, int, str], ...]


class ProjectTask(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One task of `remask eval project`: a line whose right answer stands in another file.

    It stands here for the same reason.
    """

    id: str
    kind: str
    #: Package, version and licence.
    source: str
    #: As an editor asks at the beginning of the line, and then at the gap, with what is shown then.
    before: InfillRequest
    request: InfillRequest
    #: The very definition that is needed; and whether it is among what is shown.
    given: tuple[ContextFile, ...]
    is_found: bool
    reference: str
