"""From infill tasks to token sequences in the base's fill-in-the-middle form.

Every example follows from the seed and its number alone, so a run that resumes sees exactly the
examples it would have seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor

    from model_runtime.text.fim import FimTemplate
    from model_runtime.training.tasks import Corpus, InfillTask


#: Shorter examples hold no room for canvases at several offsets.
MIN_TOKENS = 96
#: From one attempt at an example to the next.
SEED_STRIDE = 1_000_003


@dataclass(frozen=True)
class Example:
    """One context with a span, whole.

    Args:
        token_ids: [length] int64: prefix, suffix, span, end of text, with their control tokens.
        span_start: index of the span's first token.
    """

    token_ids: Tensor
    span_start: int


class Examples:
    """An endless, reproducible stream of examples.

    Args:
        corpus: where tasks are drawn from.
        template: lays prefix and suffix out as the base knows them.
        max_tokens: of a whole example.
        seed: of the stream.
    """

    def __init__(self, corpus: Corpus, template: FimTemplate, max_tokens: int, seed: int) -> None:
        self._corpus = corpus
        self._template = template
        self._max_tokens = max_tokens
        self._seed = seed

    def __getitem__(self, index: int) -> Example:
        """Return example number `index`; tasks too short to lay canvases on are drawn again."""
        for attempt in count():
            example = self._lay_out(self._corpus.task(self._seed + attempt * SEED_STRIDE, index))
            if len(example.token_ids) >= MIN_TOKENS:
                return example
        raise AssertionError("count() never ends")

    def _lay_out(self, task: InfillTask) -> Example:
        """Cut what is farthest from the span until the whole fits."""
        encode = self._template.tokenizer.encode
        span = encode(task.middle)[: self._max_tokens // 2]
        n_context = self._max_tokens - len(span) - 4
        suffix = encode(task.suffix)[: n_context // 3]
        prefix = encode(task.prefix)[-(n_context - len(suffix)) :]
        context = self._template.lay_out(prefix, suffix)
        token_ids = [*context, *span, self._template.end_id]
        return Example(torch.tensor(token_ids), span_start=len(context))
