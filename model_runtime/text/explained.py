"""What a model would be shown, told instead of filled.

An engine that lays out a prompt itself tells it to the token; one that sends text elsewhere tells
what it would send. Nothing is computed or sent for it.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from model_runtime.protocol import Alternative, Finished, Usage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model_runtime.protocol import InfillRequest
    from model_runtime.text.tokenizer import CodeTokenizer

#: Stands where the model is to write.
HERE = "⟦…⟧"


def explained(request: InfillRequest, model: str, shown: str) -> Finished:
    """Answer a request that asks what would be shown.

    Args:
        request: its spans stay as they are.
        model: that would be shown it.
        shown: what that is.
    """
    texts = tuple(span.text for span in request.spans)
    return Finished(
        id=request.id,
        alternatives=(Alternative(texts=texts, finish="unchanged"),),
        model=model,
        sampler="",
        seed=0,
        usage=Usage(),
        shown=shown,
    )


def as_sent(request: InfillRequest) -> str:
    """Return what of a request goes to an engine elsewhere, in words."""
    files = [f"File {file.path}:\n{file.text}\n" for file in request.context]
    between = "".join(HERE + span.following for span in request.spans)
    here = f"File {request.path or 'untitled'}:\n{request.prefix}{between}{request.suffix}"
    said = [f"Instruction: {request.instruction}\n"] if request.instruction else []
    return "\n".join([*files, *said, here])


def as_laid_out(token_ids: Sequence[int], tokenizer: CodeTokenizer) -> str:
    """Return a prompt [n] as text, its control tokens by their names."""
    parts = []
    for is_control, run in groupby(token_ids, tokenizer.control_ids.__contains__):
        ids = list(run)
        parts.append("".join(map(tokenizer.name, ids)) if is_control else tokenizer.decode(ids))
    return "".join(parts)
