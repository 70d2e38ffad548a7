"""What is asked about an infill, and what is answered: text, never token ids."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from model_runtime.protocol.message import Message

Mode = Literal["infill", "rewrite", "repair", "holes"]
#: What a request may ask for: an edit, or only how likely what stands there is.
Task = Literal[Mode, "score"]
#: Modes in which something is to be written, and words may say what.
WRITING: tuple[Task, ...] = ("infill", "rewrite", "holes")
#: In "next", a request waits for all others, and gives way to them.
Lane = Literal["inline", "edit", "next"]
#: "doubt": the text goes on, less sure than was wanted.
Finish = Literal["closed", "length", "unchanged", "doubt"]
#: How other files are shown: as a comment at the top of the file, in the model's own marks for the
#: files of a repository, or not at all.
ContextForm = Literal["comment", "marks", "none"]
#: How readily ghost text is shown.
Eagerness = Literal["quiet", "balanced", "eager"]

#: For each, how likely to be right a text has to be to be shown; and how much likelier once one on
#: the same line was typed against. Where nothing began surer than a share of that, what is asked
#: behind marks alone is seldom better: it is not asked before a word has begun. Chosen by
#: `remask eval keyboard`.
LEAST_CONFIDENCE: dict[Eagerness, float] = {"quiet": 0.65, "balanced": 0.5, "eager": 0.35}
AFTER_A_MISS = 0.15
HOPELESS = 0.8


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

    @property
    def is_body(self) -> bool:
        """Whether the span is all that a function's body holds."""
        return self.enclosing is not None and self.enclosing.is_body


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
    params: dict[str, Any] = {}  # noqa: RUF012  # msgspec makes one for each
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
