"""The best of a few fills of a line: the others end as soon as they can't win.

Fills and what judges them go through the same forwards: while branches take their first step, the
file is judged with the first fill in it, and with each branch once that is settled. Two bounds end
a branch. A text's log-probability only falls from token to token, and with what follows it: one
that is less likely by itself than the best so far with all that follows can't become the best. And
where the file already reads on well from one fill, no other would make it read on much better.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from model_runtime.modes.ranking import can_judge, judge

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from model_runtime.modes.job import Job
    from model_runtime.text.laid_out import Fill, LaidOut

#: From how many nats on a file reads on well: of a line and what is judged of the text behind it.
WELL = -8.0


def total_of(fill: Fill) -> float:
    """Return how likely a fill's tokens are, in nats."""
    return sum(chance.own for chance in fill.chances)


@dataclass
class BestOf:
    """Settles other fills of a request's one span, those that may be better than the first.

    Args:
        job: of the request.
        first: the fill there is, its chances known.
    """

    job: Job
    first: Fill
    #: How likely the file is with the best fill that was judged, in nats.
    best: float = -math.inf

    def settle(self, canvases: Sequence[LaidOut]) -> list[Fill]:
        """Settle canvases side by side; of those that can't win, the text is empty.

        Args:
            canvases: each is changed in place.
        """
        works: list[Callable[[Job], Fill]] = [self._first]
        works += [partial(self._settle, laid_out=laid_out) for laid_out in canvases]
        _, *fills = self.job.each(works)
        return fills

    def can_win(self, nats: float) -> bool:
        """Whether a text may be the best whose tokens so far are so likely."""
        return self.best <= nats and self.best < WELL

    def _first(self, job: Job) -> Fill:
        self._judge(job, self.first)
        return self.first

    def _settle(self, job: Job, laid_out: LaidOut) -> Fill:
        job = replace(job, goes_on=self.can_win)
        fill = job.settle(job.sampler, laid_out, [""], 0)
        if fill.text.strip():
            self._judge(job, fill)
        return fill

    def _judge(self, job: Job, fill: Fill) -> None:
        texts = (fill.text,)
        if not can_judge(job):
            return
        if texts not in job.judged:
            judge(job, [texts])
        self.best = max(self.best, job.judged[texts].nats)
