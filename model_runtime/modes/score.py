"""Score: nothing is changed; every token of the span is told how much the model doubts it.

It is what repair looks at first: how much likelier the model finds another token there, given all
to its left and the file behind the span, or, where its family sees that, all others on both sides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from model_runtime.protocol import Alternative, TokenScore
from model_runtime.text.tokenizer import HALF

if TYPE_CHECKING:
    from model_runtime.modes.job import Job


def unchanged(job: Job) -> list[Alternative]:
    """Return the text of the one span as it is; the scores are the job's."""
    (span,) = job.request.spans
    if span.text:
        laid_out = job.lay_out([span.text], 0, text=span.text)
        judged = job.judge_each(laid_out)
        doubts = (judged.best[:, 0] - judged.own).tolist()
        instead = judged.best_ids[:, 0].tolist()
        n_text = len(laid_out.text_ids) - laid_out.n_end
        job.scores += _scores(job, laid_out.text_ids[:n_text], doubts, instead)
    return [Alternative(texts=(span.text,), finish="unchanged")]


def _scores(
    job: Job, token_ids: list[int], doubts: list[float], instead: list[int]
) -> list[TokenScore]:
    """Return a score for each token; those that share a character make one."""
    decode = job.model.layout.template.tokenizer.decode
    found: list[TokenScore] = []
    start = 0
    for end in range(1, len(token_ids) + 1):
        text = decode(token_ids[start:end])
        if text.endswith(HALF) and end < len(token_ids):
            continue
        worst = max(range(start, end), key=doubts.__getitem__)
        found.append(
            TokenScore(n_chars=len(text), doubt=doubts[worst], instead=decode([instead[worst]]))
        )
        start = end
    return found
