"""A half token before the cursor: the model spells it, and the fill goes on behind that.

Which tokens may stand for it is a matter of text (`text.healing`); here the model is asked. The
same forward shows what it would say next, and so whether anything sure will follow.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from model_runtime.text.chance import chance_of_token, chances_spelled
from model_runtime.text.healing import own_tokens, spell

if TYPE_CHECKING:
    from model_runtime.modes.job import Job
    from model_runtime.text.chance import Chance
    from model_runtime.text.laid_out import LaidOut

#: The likeliest tokens among which one is looked for that spells a half token.
N_HEALING = 64
#: Masks shown behind a half token to a family that sees what follows the span.
N_AHEAD = 8


def healed(job: Job, laid_out: LaidOut, *, is_one_line: bool) -> LaidOut:
    """Return a canvas that begins with what the model spells of the half token before it.

    Args:
        job: asks the model.
        laid_out: not changed.
        is_one_line: whether a line's end ends the span.
    """
    tokenizer = job.model.layout.template.tokenizer
    has_begun = bool(laid_out.canvas.given[laid_out.span].any())
    half, head_ids = "" if has_begun else laid_out.lead, list[int]()
    if half and not job.model.denoiser.judges:
        # It can't say how a word goes on: the file's own tokens stay, and the fill begins so.
        return laid_out.resumed(tokenizer.encode(half), laid_out.n_open)
    known: list[Chance] = []
    ahead: tuple[int, Chance] | None = None
    # Where the fill's end is seen, what is not said yet stands before it as masks.
    behind = laid_out.canvas.token_ids[laid_out.span_start :].tolist()
    behind = behind[:N_AHEAD] + laid_out.behind if laid_out.is_sized else []
    while half:
        own_ids = own_tokens(tokenizer, half)
        # One more, whichever: what is said behind them comes at the price of a row.
        judged = job.judge(
            [*laid_out.context, *head_ids], [*own_ids, own_ids[-1]], N_HEALING, behind=behind
        )
        likeliest, chances = judged.best_ids.tolist(), judged.best.exp().tolist()
        is_indented = bool(laid_out.opening)
        chosen, rest = spell(tokenizer, half, likeliest[:-1], is_indented=is_indented)
        rows = list(zip(likeliest, chances, strict=True))
        known += chances_spelled(tokenizer, half, chosen, rows, is_indented=is_indented)
        head_ids, half = head_ids + chosen, rest
        if chosen == own_ids:
            (best, *_), (chance, *_) = rows[-1]
            ahead = (
                best,
                chance_of_token(tokenizer, best, chance, *rows[-1], is_one_line=is_one_line),
            )
    if not head_ids:
        return laid_out
    text_ids, n_head = laid_out.text_ids, len(head_ids)
    # A text that begins with other tokens is no draft for what follows these.
    text_ids = text_ids[n_head:] if text_ids[:n_head] == head_ids else []
    n_open = laid_out.n_open
    return replace(laid_out.resumed(head_ids, n_open, text_ids, known), ahead=ahead)
