"""Request to canvas, for models that read from left to right; `reading` is the way back.

The context is the base's own fill-in-the-middle prompt, other files of the repository before it,
or its chat prompt; see `forms`. Behind it stands the span: every position a mask, as long as the
fill may get, or first a text to start from. It ends where the canvas says so, or where its text
does: at the first line end where one line was asked for, in a chat where the code block is closed
or the function is over, else see `ending`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Self

import torch

from model_runtime.decoding.canvas import Canvas
from model_runtime.errors import CanvasTooLong, UnsupportedPairing
from model_runtime.protocol import ContextFile
from model_runtime.text.chat import BegunTask, ChatTask, ChatTemplate
from model_runtime.text.ending import Ending, ending_at, ending_in, ending_of_body, line_ending
from model_runtime.text.forms import WRITING, Forms
from model_runtime.text.healing import find_half
from model_runtime.text.indentation import block_opening
from model_runtime.text.laid_out import LaidOut
from model_runtime.text.markers import without_markers
from model_runtime.text.others import OTHER_FILES_SHARE, as_comment, in_marks
from model_runtime.text.reading import CanvasReader
from model_runtime.text.syntax import syntax_of
from model_runtime.text.window import SUFFIX_SHARE, around, head, tail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model_runtime.protocol import ContextForm, Enclosing, InfillRequest, MaskSpan
    from model_runtime.text.forms import Form
    from model_runtime.text.template import Template

#: Tokens of a span that the request sets no bound for.
MAX_TOKENS_ONE_LINE = 64
MAX_TOKENS_MANY_LINES = 192
#: Behind the longest context, room for the longest span.
SPAN_ROOM = 1024
#: Tokens of a text that can be rewritten or repaired at once.
MAX_TEXT_TOKENS = 640
#: How much longer than the text it starts from a fill may get.
MORE_TOKENS = 64
GROWTH = 1.25
#: Tokens of a chat prompt beside the code and the instruction, and more than enough.
CHAT_FRAME = 128
#: A file that has no more tokens before a span begins the answer as a whole.
SHORT = 384
#: What stands above a function's head and is about it.
_IS_COMMENT = re.compile(r"[ \t]*(//|/?\*|#|--|@)")
#: The name under which a diagnostic's message is shown.
PROBLEMS = "problems.txt"
#: Tokens behind a fill by which it is judged.
N_BEHIND = 16


@dataclass(frozen=True)
class Frame:
    """What stands before a span and behind it, and what ends it; see `LaidOut`."""

    context: list[int]
    end: list[int]
    ending: Ending
    blanks: str = ""
    half: str = ""
    opening: str = ""
    behind: list[int] = field(default_factory=list)


class CanvasLayout:
    """Lays requests out.

    Args:
        template: the base's prompt.
        max_context_tokens: what is farther from the span is cut.
        heals: whether a half token before a span is spelled anew, see `healing`, and the first line
            of a block indented, see `indentation`.
        ends_early: whether a span may end though the model goes on; see `ending`.
        forms: which prompt suits which span; a base without a chat template has one.
        span_room: positions that the model has beside them.
        takes_words: whether it was trained to be asked, if its vocabulary has the marks.
        context_form: how other files are shown, where a request does not say.
        is_glance: whether other files get only what the file itself leaves of the room.
    """

    #: Whether a span is as long as the fill; else the canvas says where it ends.
    is_sized: ClassVar[bool] = False

    def __init__(
        self,
        template: Template,
        max_context_tokens: int,
        *,
        heals: bool = True,
        ends_early: bool = True,
        forms: Forms | None = None,
        span_room: int = SPAN_ROOM,
        takes_words: bool = True,
        context_form: ContextForm = "comment",
        is_glance: bool = False,
    ) -> None:
        self.template = template
        self.reader = CanvasReader(template)
        #: None where the base was not trained to be asked in words.
        self.chat = ChatTemplate.of(template.tokenizer) if takes_words else None
        self.forms = Forms() if forms is None else forms
        self.max_context_tokens = max_context_tokens
        self._heals = heals
        self._ends_early = ends_early
        self._span_room = span_room
        self._context_form = context_form
        self._is_glance = is_glance

    def within(self, max_context_tokens: int) -> Self:
        """Return the same layout with less room."""
        return type(self)(
            self.template,
            max_context_tokens,
            heals=self._heals,
            ends_early=self._ends_early,
            forms=self.forms,
            span_room=self._span_room,
            takes_words=self.chat is not None,
            context_form=self._context_form,
            is_glance=True,
        )

    def form_of(self, request: InfillRequest, span: MaskSpan) -> Form:
        """Return which prompt a span of a request gets."""
        return self.forms.of(request, span) if self.chat else "fim"

    def lay_out(
        self,
        request: InfillRequest,
        span: MaskSpan,
        prefix: str,
        suffix: str,
        *,
        text: str | None = None,
    ) -> LaidOut:
        """Lay one span of a request out.

        Args:
            request: the files it may look at, and what the user wants.
            span: how long it may get.
            prefix: the file up to the span.
            suffix: the file behind it.
            text: what the canvas starts from; None for masks only.

        Raises:
            CanvasTooLong: more text than fits the canvas.
        """
        frame = self._framed(request, span, prefix, suffix)
        n_context, n_behind = len(frame.context), len(frame.behind)
        n_open = self.n_open(span, n_context + n_behind)
        text_ids: list[int] = []
        if text is not None:
            lead = frame.half + frame.blanks
            text_ids = [*self._encode_text(lead + text, request.mode), *frame.end]
        if request.mode in ("rewrite", "repair", "score"):
            n_wanted = max(n_open, int(len(text_ids) * GROWTH) + MORE_TOKENS)
            n_open = min(n_wanted, self._room_beside(n_context + n_behind))
        if self.is_sized and text_ids:
            n_open = len(text_ids)
        masks = [self.template.mask_id or 0] * n_open
        token_ids = torch.tensor([*frame.context, *masks, *frame.behind])
        given = torch.ones_like(token_ids, dtype=torch.bool)
        given[n_context : n_context + n_open] = False
        canvas = Canvas(token_ids, given, self.template.mask_id)
        ending = frame.ending
        if span.single_line:
            syntax = syntax_of(request.language, request.path, prefix + suffix)
            ending = line_ending(prefix, suffix, syntax)
        laid_out = LaidOut(
            canvas,
            n_context,
            ending,
            frame.blanks,
            frame.half,
            frame.opening,
            len(frame.end),
            n_behind=n_behind,
            is_sized=self.is_sized,
            is_fitted=bool(text_ids),
        )
        return laid_out.restarted(text_ids) if text_ids else laid_out

    def n_open(self, span: MaskSpan, n_around: int) -> int:
        """Return how many tokens a span may get beside so many others."""
        n_wanted = span.max_tokens or (
            MAX_TOKENS_ONE_LINE if span.single_line else MAX_TOKENS_MANY_LINES
        )
        return min(n_wanted, self._room_beside(n_around))

    def _room_beside(self, n_around: int) -> int:
        # However much is wanted, the model has no positions for more.
        return max(1, self.max_context_tokens + self._span_room - n_around)

    def _framed(self, request: InfillRequest, span: MaskSpan, prefix: str, suffix: str) -> Frame:
        """Return the prompt that suits a span."""
        if self.chat is None and request.mode in WRITING and request.instruction.strip():
            raise UnsupportedPairing(
                "this model fills, but takes no instructions in words; leave the instruction out,"
                " or take an instruct model such as the default one"
            )
        form = self.form_of(request, span)
        if form == "begun" and self.chat and span.enclosing:
            begun = self._begin(self.chat, span.enclosing, request, span, prefix, suffix)
            # What begins the answer is said twice: before it, and in it.
            if len(begun.context) <= self.max_context_tokens + CHAT_FRAME:
                return begun
        if form == "asked" and self.chat:
            return self._ask(self.chat, request, span, prefix, suffix)
        return self._frame(request, span, prefix, suffix)

    def _encode_text(self, text: str, mode: str) -> list[int]:
        text_ids = self.template.tokenizer.encode(text)
        if len(text_ids) > MAX_TEXT_TOKENS:
            raise CanvasTooLong(
                f"the selection has {len(text_ids)} tokens; {mode} takes at most "
                f"{MAX_TEXT_TOKENS} at once: select less"
            )
        return text_ids

    def _frame(self, request: InfillRequest, span: MaskSpan, prefix: str, suffix: str) -> Frame:
        """Return the fill-in-the-middle prompt around a span."""
        half, opening = self.lead(request, span, prefix, suffix)
        context, behind = self.surroundings(request, prefix.removesuffix(half), suffix)
        ending = Ending()
        if self._ends_early and not span.single_line:
            syntax = syntax_of(request.language, request.path, prefix + suffix)
            ending = ending_in(prefix, suffix, syntax, span.text)
        end = [self.template.end_id]
        return Frame(context, end, ending, half=half, opening=opening, behind=behind)

    def lead(
        self, request: InfillRequest, span: MaskSpan, prefix: str, suffix: str
    ) -> tuple[str, str]:
        """Return the half token before a span, and what the span has to begin with behind it."""
        if not self._heals or request.mode not in ("infill", "holes"):
            return "", ""
        rest = suffix.partition("\n")[0]
        return (
            find_half(prefix, self.template.tokenizer),
            block_opening(prefix, rest, request.language, single_line=span.single_line),
        )

    def _begin(
        self,
        chat: ChatTemplate,
        where: Enclosing,
        request: InfillRequest,
        span: MaskSpan,
        prefix: str,
        suffix: str,
    ) -> Frame:
        """Return the chat prompt whose answer is begun with the function's head."""
        encode = self.template.tokenizer.encode
        head_at = prefix.rfind("\n", 0, len(prefix) - where.n_before) + 1
        at = self._start_of_answer(prefix, head_at)
        closing, after = suffix[: where.n_behind], suffix[where.n_behind :]
        half, opening = self.lead(request, span, prefix, suffix)
        # The blanks before a text belong to its first token.
        blanks = "" if half else prefix[len(prefix.rstrip(" \t")) :]
        begun = prefix[at:].removesuffix(half or blanks)
        n_told = 2 * len(encode(begun)) + len(encode(request.instruction))
        before, after = self._told(prefix[:at], after, n_told)
        task = BegunTask(
            request.instruction.strip(), _label(request.language), before, after, begun=begun
        )
        ending = ending_at(f"\n{task.fence}")
        if where.is_body:
            ending = ending_of_body(prefix[head_at:], task.fence)
        end = encode(f"{closing.rstrip()}\n{task.fence}")
        return Frame(chat.begin(task), end, ending, blanks, half, opening)

    def _start_of_answer(self, prefix: str, head_at: int) -> int:
        """Return from where on the file stands in an answer that is begun with a function's head.

        From its beginning where that is not far, for the model goes on best with a file that is
        whole; else from the comments above the head.
        """
        near = tail(prefix, SHORT)
        if near == prefix and len(self.template.tokenizer.encode(near)) <= SHORT:
            return 0
        at = head_at
        while at and _IS_COMMENT.match(above := prefix[:at].splitlines()[-1]):
            at -= len(above) + 1
        return at

    def _ask(
        self,
        chat: ChatTemplate,
        request: InfillRequest,
        span: MaskSpan,
        prefix: str,
        suffix: str,
    ) -> Frame:
        """Return the chat prompt around a span."""
        encode = self.template.tokenizer.encode
        n_text = len(self._encode_text(span.text, request.mode))
        line_start = prefix.rpartition("\n")[2]
        lead = line_start.rstrip()
        shown = without_markers(span.text, request.hole_marker)
        task = self._task(request, prefix, suffix, shown, n_text)
        return Frame(
            chat.lay_out(task) + encode(lead),
            encode(f"\n{task.fence}"),
            ending_at(f"\n{task.fence}", task.fence),
            line_start[len(lead) :],
        )

    def surroundings(
        self, request: InfillRequest, prefix: str, suffix: str
    ) -> tuple[list[int], list[int]]:
        """Return what stands before a span and behind it: the prompt, and nothing."""
        return self.template.lay_out(*self._nearest(request, prefix, suffix)), []

    def _nearest(
        self, request: InfillRequest, prefix: str, suffix: str
    ) -> tuple[list[int], list[int], list[int]]:
        """Return the tokens before a span, behind it, and of other files, as much as fits."""
        budget, template = self.max_context_tokens, self.template
        prefix = template.lead + prefix
        n_others = int(budget * OTHER_FILES_SHARE)
        if self._is_glance:
            # What is nearest to the cursor comes first.
            *_, n_free = around(prefix, suffix, budget, template.tokenizer)
            n_others = min(n_others, n_free)
        form = request.context_form or self._context_form
        comment: list[int] = []
        if form == "comment":
            syntax = syntax_of(request.language, request.path, request.prefix)
            comment = as_comment(request.context, n_others, syntax, template)
        files = request.context if form == "marks" else ()
        if request.mode == "repair" and request.instruction:
            files = (ContextFile(path=PROBLEMS, text=request.instruction), *files)
        others = in_marks(files, n_others - len(comment), request.path, template)
        n_own = budget - len(comment) - len(others)
        before, after, _ = around(prefix, suffix, n_own, template.tokenizer)
        return comment + before, after, others

    def _task(
        self, request: InfillRequest, prefix: str, suffix: str, text: str, n_text: int
    ) -> ChatTask:
        """Return what to tell the model in words, as much of the file as fits."""
        lines, _, line_start = prefix.rpartition("\n")
        n_told = len(self.template.tokenizer.encode(request.instruction)) + n_text
        before, after = self._told(lines, suffix, n_told)
        return ChatTask(
            request.instruction,
            _label(request.language),
            before,
            after,
            selection=line_start + text if text.strip() else "",
        )

    def _told(self, before: str, after: str, n_told: int) -> tuple[str, str]:
        """Return as much of the file as a chat prompt has room for.

        Args:
            before: the file up to what is asked about.
            after: the file behind it.
            n_told: the tokens of all the rest.
        """
        tokenizer = self.template.tokenizer
        n_free = max(0, self.max_context_tokens - n_told - CHAT_FRAME)
        behind = tokenizer.encode(head(after, n_free))
        n_after = min(len(behind), int(n_free * SUFFIX_SHARE))
        ahead = tokenizer.encode(tail(before, n_free))
        n_before = min(len(ahead), n_free - n_after)
        shown = ahead[len(ahead) - n_before :], behind[:n_after]
        return tokenizer.decode(shown[0]), tokenizer.decode(shown[1])

    def lay_out_plain(
        self, request: InfillRequest, alternatives: Sequence[Sequence[str]]
    ) -> tuple[list[int], list[list[int]], list[int]]:
        """Lay alternatives out as parts of the file, to be judged from left to right.

        Args:
            request: filled.
            alternatives: the texts of its spans, in each.

        Returns:
            what stands before the first span [n], and for each alternative what follows [n_k]: its
            texts, what stands between them, and the first `N_BEHIND` tokens behind; and what
            stands behind those, for families that see it there.
        """
        encode, decode = self.template.tokenizer.encode, self.template.tokenizer.decode
        half = find_half(request.prefix, self.template.tokenizer)
        before = request.prefix.removesuffix(half)
        behind = decode(encode(head(request.suffix, N_BEHIND))[:N_BEHIND])
        context, _ = self.surroundings(request, before, request.suffix)
        following = [span.following for span in request.spans]
        pieces = [zip(texts, following, strict=True) for texts in alternatives]
        texts = [half + "".join(text + gap for text, gap in pairs) + behind for pairs in pieces]
        plain = self.template.before_span(context)
        return plain, [encode(text) or [self.template.end_id] for text in texts], []


def _label(language: str) -> str:
    """Return what a code block is labelled with; empty where the name is none."""
    return language if language.isidentifier() else ""
