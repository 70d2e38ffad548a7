"""How likely the base finds a few lines of a file, in several forms.

A form is the lines with other texts at some spots of them. Forms are compared, so what they begin
alike with is context and not judged; what several have in common is computed once; and what was
judged once is known from then on.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from model_runtime.caches.causal import CausalCache
from model_runtime.models.base import CausalDenoiser
from model_runtime.models.rows import Trie
from model_runtime.modes.digest import Spot
from model_runtime.text.trim import n_shared
from model_runtime.text.window import stepped, tail

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model_runtime.caches.base import Cache
    from model_runtime.engines.base import CancelToken
    from model_runtime.modes.digest import Digest
    from model_runtime.modes.model import Model
    from model_runtime.protocol import NextEditRequest

#: Tokens before the first line that are read, too; cut in steps of as many, see `text.window`.
N_CONTEXT = 64
#: Rows of one forward: ghost text that comes meanwhile waits for so many at the most.
MAX_ROWS = 64


@dataclass
class NextEditJob:
    """One request on its way."""

    request: NextEditRequest
    model: Model
    cache: Cache
    cancel: CancelToken
    #: Rows that were read as context, and those that were judged or denoised.
    n_read: int = 0
    n_tokens: int = 0
    n_forwards: int = 0
    seconds: float = field(default=0.0)
    #: Of each text that was judged, context and all: where that began, and each token's
    #: log-probability from there on.
    judged: dict[tuple[int, ...], tuple[int, list[float]]] = field(default_factory=dict)

    @property
    def changes(self) -> list[Spot]:
        """What was changed, with what stood there before."""
        return [
            Spot(change.start, change.start + len(change.new), change.old)
            for change in self.request.changes
        ]


def likelihoods(job: NextEditJob, lines: Digest, ways: Sequence[Sequence[Spot]]) -> list[float]:
    """Return the log-probability in nats of some lines, each time with other spots changed.

    What the ways begin alike with counts for none of them: only differences mean something.
    """
    return [sum(own) for _, own in token_likelihoods(job, lines, ways)]


def token_likelihoods(
    job: NextEditJob, lines: Digest, ways: Sequence[Sequence[Spot]]
) -> list[tuple[list[int], list[float]]]:
    """Return for each way its tokens behind what all begin alike with, and their log-probabilities.

    Args:
        job: on its way.
        lines: what is judged.
        ways: the spots that are changed, each time.
    """
    encode = job.model.layout.template.tokenizer.encode
    context = context_of(job, lines)
    texts = [encode(lines.written(spots)) for spots in ways]
    n_alike = min(len(texts[0]), *(n_shared(texts[0], text) for text in texts))
    # Each has one token at least that is judged.
    n_alike = min(n_alike, min(map(len, texts)) - 1)
    head, n_head = context + texts[0][:n_alike], len(context) + n_alike
    unknown = [text for text in texts if not _is_known(job, context + text, n_head)]
    _judge(job, head, [text[n_alike:] for text in unknown])
    found = []
    for text in texts:
        start, own = job.judged[tuple(context + text)]
        found.append((text[n_alike:], own[n_head - start :]))
    return found


def _is_known(job: NextEditJob, token_ids: list[int], start: int) -> bool:
    known = job.judged.get(tuple(token_ids))
    return known is not None and known[0] <= start


def _judge(job: NextEditJob, head: list[int], texts: list[list[int]]) -> None:
    """Judge texts behind a head, together where that is one forward, else each in pieces."""
    trie = Trie()
    for text in texts:
        trie.add(text)
    if len(trie) <= MAX_ROWS:
        for text, own in zip(texts, _judged(job, head, texts), strict=True):
            job.judged[(*head, *text)] = len(head), own
        return
    for text in texts:
        found: list[float] = []
        for start in range(0, len(text), MAX_ROWS):
            piece = text[start : start + MAX_ROWS]
            found += _judged(job, head + text[:start], [piece])[0]
        job.judged[(*head, *text)] = len(head), found


def _judged(job: NextEditJob, head: list[int], texts: list[list[int]]) -> list[list[float]]:
    if not texts:
        return []
    read(job, head)
    job.cancel.check()
    before, cache = job.cache.n_forwards, job.cache
    n_head = cache.n_common(head) if isinstance(cache, CausalCache) else 0
    judged = job.model.denoiser.judge_several(head, texts, job.cache)
    job.n_forwards += job.cache.n_forwards - before
    job.n_read += len(head) - n_head
    job.n_tokens += sum(map(len, texts))
    return [one.own.tolist() for one in judged]


def context_of(job: NextEditJob, lines: Digest) -> list[int]:
    """Return the tokens before the lines [n], at least one."""
    template = job.model.layout.template
    before = template.tokenizer.encode(tail(lines.before, 2 * N_CONTEXT))
    before = before[stepped(len(before) - 2 * N_CONTEXT, N_CONTEXT) :]
    return template.before_span(template.lay_out(before, []))


def read(job: NextEditJob, context: list[int]) -> None:
    """Encode a context in pieces, so that what is more urgent need not wait for all of it."""
    denoiser, cache = job.model.denoiser, job.cache
    if not isinstance(cache, CausalCache) or not isinstance(denoiser, CausalDenoiser):
        return
    cache.drop_inexact()
    wanted = context[:-1]
    while (n_read := cache.n_common(wanted)) < len(wanted):
        job.cancel.check()
        if len(wanted) - n_read <= MAX_ROWS:
            return
        denoiser.encode(wanted[: n_read + MAX_ROWS], cache)
        job.n_read += MAX_ROWS
        job.n_forwards += 1
