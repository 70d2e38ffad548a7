"""How sure the model is of what it says, told of every stretch of a fill.

What decides is that a text up to some place is what belongs there, whatever follows. By the chain
rule that is the probability of its tokens one after another, the last of them aside: any token will
do there that begins with its text, for a line ends differently in one file and in another (`)`, and
`):`, and `)` with a line end are three tokens that agree so far). These numbers come from rows that
the decoding rule computed anyway; where a rule has none that mean this, the base is asked once.

They are not yet what one would bet on: see `calibration`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from model_runtime.protocol import Stretch
from model_runtime.text.chance import chance_of_token
from model_runtime.text.tokenizer import HALF

if TYPE_CHECKING:
    from collections.abc import Sequence

    from model_runtime.decoding.denoise import Step
    from model_runtime.models.base import Judgement
    from model_runtime.text.calibration import Calibration
    from model_runtime.text.chance import Chance
    from model_runtime.text.laid_out import LaidOut
    from model_runtime.text.tokenizer import CodeTokenizer


@dataclass
class Confidence:
    """Follows one span while it is settled.

    Args:
        laid_out: the span.
        tokenizer: of the model.
        calibration: of the model.
        is_one_line: the fill ends at its first line end.
    """

    laid_out: LaidOut
    tokenizer: CodeTokenizer
    calibration: Calibration
    is_one_line: bool
    #: By place in the span.
    _chances: dict[int, Chance] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Begin with what is known of the tokens that the span begins with."""
        self._chances.update(enumerate(self.laid_out.known))

    def see(self, step: Step) -> None:
        """Take note of what a step settled; of a rule that tells nothing, of nothing."""
        found, start = step.update.likeliest, self.laid_out.span_start
        if found is None or step.update.confidence is None:
            return
        said = step.canvas.token_ids[found.positions].tolist()
        own = step.update.confidence[found.positions].tolist()
        rows = zip(found.token_ids.tolist(), found.probabilities.tolist(), strict=True)
        for position, token_id, chance, row in zip(
            found.positions.tolist(), said, own, rows, strict=True
        ):
            self._chances[position - start] = self._chance(token_id, chance, *row)

    def judge(self, token_ids: Sequence[int], judged: Judgement) -> None:
        """Take the base's word for tokens of which nothing is known.

        Args:
            token_ids: the span's first ones.
            judged: of them, with a few of the likeliest beside each.
        """
        own = judged.own.exp().tolist()
        rows = zip(judged.best_ids.tolist(), judged.best.exp().tolist(), strict=True)
        for at, (token_id, chance, row) in enumerate(zip(token_ids, own, rows, strict=True)):
            self._chances.setdefault(at, self._chance(token_id, chance, *row))

    def chances(self, n_tokens: int) -> tuple[Chance, ...]:
        """Return how likely the span's first tokens are; none where that is not known of all."""
        known = all(at in self._chances for at in range(n_tokens))
        return tuple(self._chances[at] for at in range(n_tokens)) if known else ()

    def ahead(self) -> float:
        """Return how sure anything can be that the span says, before a step is taken."""
        log_p, n_chars = sum(chance.own for chance in self.laid_out.known), 1
        if self.laid_out.ahead is not None:
            token_id, chance = self.laid_out.ahead
            said = self.tokenizer.decode([token_id])
            log_p += chance.begun
            # Of half a character nobody knows what it will be.
            n_chars = 1 if HALF in said else len(said)
        return self.calibration.confidence(log_p, n_chars)

    @property
    def total(self) -> float:
        """How likely the tokens so far are, in nats, as many as are known from the first on."""
        return sum(self._chances[at].own for at in range(self._n_known))

    @property
    def _n_known(self) -> int:
        return next(n for n in range(len(self._chances) + 1) if n not in self._chances)

    def reaches(self, least: float) -> bool:
        """Say whether what is settled so far, and something behind it, may be as sure as that."""
        n_known, log_own = self._n_known, self.total
        start = self.laid_out.span_start
        said: list[int] = self.laid_out.canvas.token_ids[start : start + n_known].tolist()
        n_chars = len(self.tokenizer.decode(said)) - len(self.laid_out.half)
        return self.calibration.confidence(log_own, n_chars) >= least

    def stretches(self, token_ids: Sequence[int], text: str) -> tuple[Stretch, ...]:
        """Return how sure each stretch of a text is; none where that is not known.

        Args:
            token_ids: what the span was settled to.
            text: what of it is shown: all but a beginning that stands in the file, and an end.
        """
        chances = self.chances(len(token_ids))
        raw = self.tokenizer.decode(list(token_ids))
        start = raw.find(text, len(self.laid_out.half))
        if start < 0 or not chances or not text:
            return ()
        found: list[Stretch] = []
        at, least = start, 1.0
        for end, confidence in self._ends(token_ids, chances):
            end_here = min(end, start + len(text))
            least = min(least, confidence)
            if end_here > at:
                found.append(Stretch(n_chars=end_here - at, confidence=least))
                at = end_here
        return tuple(found)

    def _ends(self, token_ids: Sequence[int], chances: Sequence[Chance]) -> list[tuple[int, float]]:
        """Return where each token ends in the text, whole characters only, and how sure it is."""
        decode = self.tokenizer.decode
        found: list[tuple[int, float]] = []
        end, start, log_own = 0, 0, 0.0
        for n, chance in enumerate(chances, start=1):
            piece = decode(list(token_ids[start:n]))
            if not piece.endswith(HALF) or n == len(token_ids):
                end, start = end + len(piece), n
                n_chars = end - len(self.laid_out.half)
                sure = self.calibration.confidence(log_own + chance.begun, n_chars)
                found.append((end, sure))
            log_own += chance.own
        return found

    def _chance(
        self, token_id: int, own: float, others: Sequence[int], chances: Sequence[float]
    ) -> Chance:
        return chance_of_token(
            self.tokenizer, token_id, own, others, chances, is_one_line=self.is_one_line
        )
