"""Request to canvas, for models that read from left to right; `reading` is the way back.

The context is the base's own fill-in-the-middle prompt, other files of the repository before it,
or its chat prompt (`chat_layout`); see `forms`. Behind it stands the span: every position a mask,
as long as the fill may get, or first a text to start from. It ends where the canvas says so, or
where its text does: at the first line end where one line was asked for, in a chat where the code
block is closed or the function is over, else see `ending`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Self

import torch

from model_runtime.decoding.canvas import Canvas
from model_runtime.errors import CanvasTooLong, UnsupportedPairing
from model_runtime.protocol import WRITING, ContextFile
from model_runtime.text.chat import ChatTemplate
from model_runtime.text.chat_layout import ChatLayout
from model_runtime.text.ending import Ending, ending_in, line_ending
from model_runtime.text.forms import Forms
from model_runtime.text.healing import find_half
from model_runtime.text.indentation import block_opening, floor_of
from model_runtime.text.laid_out import Frame, LaidOut
from model_runtime.text.others import OTHER_FILES_SHARE, as_comment, in_marks
from model_runtime.text.reading import CanvasReader
from model_runtime.text.syntax import syntax_of
from model_runtime.text.window import around, head

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model_runtime.protocol import ContextForm, InfillRequest, MaskSpan
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
#: The name under which a diagnostic's message is shown.
PROBLEMS = "problems.txt"
#: Tokens behind a fill by which it is judged.
N_BEHIND = 16


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
        chat = ChatTemplate.of(template.tokenizer) if takes_words else None
        #: None where the base was not trained to be asked in words.
        self.chat = chat and ChatLayout(chat, template.tokenizer, max_context_tokens)
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
        if form == "begun" and self.chat:
            lead = self.lead(request, span, prefix, suffix)
            begun = self.chat.begin(span, request, prefix, suffix, *lead)
            if begun is not None:
                return begun
            # What was said in words is not lost.
            form = "asked" if request.instruction.strip() else "fim"
        if form == "asked" and self.chat:
            n_text = len(self._encode_text(span.text, request.mode))
            return self.chat.ask(request, span, prefix, suffix, n_text)
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
            ending = ending_in(prefix, suffix, syntax, span.text, floor=_floor(span, prefix))
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


def _floor(span: MaskSpan, prefix: str) -> int | None:
    """Return the least column of a whole body's lines; None where a span may be less or more."""
    where = span.enclosing
    if where is None or not where.is_body:
        return None
    return floor_of(prefix[prefix.rfind("\n", 0, len(prefix) - where.n_before) + 1 :])
