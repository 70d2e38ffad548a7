"""Families that see the whole file: forwards and rows of a fill, counted, beside a plain loop.

What a fill costs is its rows; how long a row takes is the machine's. So models are small here, and
of a shape's kind only: what is counted is the same at any size. A random model would fill in no
certain order and to no length, so it is told a line: what it says at a mask is the line's token, or
that room is missing, and it is sure of some of them at once and of the others never.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from model_runtime.bench.base import Table
from model_runtime.bench.random_models import Drawn
from model_runtime.caches import CACHES
from model_runtime.decoding.canvas import Canvas, Prediction, Region
from model_runtime.decoding.denoise import Budget, denoise
from model_runtime.decoding.lengths import choose_length
from model_runtime.engines.published import SURE, PublishedModel, layout_of
from model_runtime.evaluation.asking import Patient
from model_runtime.models.dream import Dream, DreamConfig
from model_runtime.models.llada import Llada, LladaConfig
from model_runtime.modes.infill import infill
from model_runtime.modes.job import Job
from model_runtime.modes.sizing import FIRST_LENGTH, LENGTHS
from model_runtime.protocol import InfillRequest, MaskSpan
from model_runtime.samplers.expand import Expand, ExpandParams
from model_runtime.samplers.low_confidence import LowConfidence, LowConfidenceParams
from model_runtime.settings import RuntimeSettings
from model_runtime.text.tokenizer import CodeTokenizer

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from model_runtime.bench.base import Row, Setup
    from model_runtime.caches.base import Cache
    from model_runtime.decoding.canvas import Query
    from model_runtime.modes.job import AnySampler

#: Characters are tokens here: of the file around the line, and of the line.
N_AROUND = 1000
LINE = "total += value; "
#: Every so-manieth token of the line is one that the model is never sure of; 1 is all of them.
UNSURE = (4, 1)
_SIZES: dict[str, Any] = {"vocab_size": 256, "mask_token_id": 255, "eos_token_id": 254}
_EXPAND, _MASK, _EOS = 253, 255, 254
_LENGTH = 2048
_SEARCHED = "LLaDA, length searched"


@dataclass
class Knows:
    """A line that a model is told, and what it was asked.

    Args:
        line: [n] its tokens.
        unsure: see `UNSURE`.
    """

    line: list[int]
    unsure: int
    #: Rows of each forward.
    rows: list[int] = field(default_factory=list)

    def logits(self, n_open: int, place: int, expand_id: int | None) -> Tensor:
        """Return what a mask at a place of so many open ones says [vocab]."""
        logits = torch.zeros(_SIZES["vocab_size"])
        n_short = len(self.line) - n_open
        if expand_id is not None and n_short > 0:
            if place < n_short:
                logits[expand_id] = 12.0
        else:
            is_sure = self.unsure > 1 and place % self.unsure != self.unsure - 1
            margin = (12.0 if is_sure else 5.0) / (1 + abs(n_short))
            logits[self.line[place % len(self.line)]] = margin
        return logits

    def between(self, regions: Sequence[Region]) -> list[Tensor]:
        """Return what masks between two pieces of text say, [n, vocab] of each region."""
        return [
            torch.stack([self.logits(len(one.token_ids), at, None) for at in one.places])
            for one in regions
        ]


class _Told:
    """What is asked of such a model is computed, counted, and answered by what it knows."""

    knows: Knows

    def count(self, cache: Cache, n_rows: int) -> None:
        super().count(cache, n_rows)  # type: ignore[misc]  # of the family
        self.knows.rows.append(n_rows)

    def predict(self, canvas: Canvas, query: Query, cache: Cache) -> Prediction:
        super().predict(canvas, query, cache)  # type: ignore[misc]  # of the family
        is_open = (~canvas.given).nonzero()[:, 0]
        places = torch.searchsorted(is_open, query.positions).tolist()
        expand_id = getattr(self, "expand_id", None)
        rows = [self.knows.logits(len(is_open), place, expand_id) for place in places]
        return Prediction("logits", torch.stack(rows))

    def predict_between(
        self,
        context: list[int],
        regions: Sequence[Region],
        behind: Sequence[int],
        cache: Cache,
        check: Callable[[], None] = lambda: None,
    ) -> list[Tensor]:
        super().predict_between(context, regions, behind, cache, check)  # type: ignore[misc]
        return self.knows.between(regions)


class ToldDreamOn(_Told, Dream):
    """DreamOn's shape: shifted, with a token that makes room and one that takes it."""


class ToldLlada(_Told, Llada):
    """LLaDA's shape."""


def measure(setup: Setup) -> list[Table]:
    """Count."""
    del setup
    rows: list[Row] = []
    for unsure in UNSURE:
        words = "none" if unsure == 1 else f"{unsure - 1} of {unsure}"
        ways = {
            ("DreamOn", "plain loop"): fill_dreamon_plainly(dreamon(unsure)),
            ("DreamOn", "here"): fill_here(dreamon(unsure)),
            (_SEARCHED, "plain loop"): fill_llada_plainly(llada(unsure)),
            (_SEARCHED, "plain search, dual cache"): fill_llada_plainly(llada(unsure), "dual"),
            (_SEARCHED, "here"): fill_here(llada(unsure)),
        }
        rows += [
            {
                "shape": shape,
                "tokens sure at once": words,
                "way": way,
                "forwards": len(counted),
                "forwards a token": len(counted) / len(LINE),
                "rows": sum(counted),
                "most rows after the first": max(counted[1:]),
                "rows, of the plain loop's": sum(counted) / sum(ways[shape, "plain loop"]),
            }
            for (shape, way), counted in ways.items()
        ]
    says = (
        f"A line of {len(LINE)} tokens between {N_AROUND}, filled by a small model that knows it. "
        "The plain loop evaluates the whole canvas at every step, as published, and each candidate "
        "of the length search. Counts, the same on any machine and at any size."
    )
    return [Table(title="Families that see the file", says=says, rows=tuple(rows))]


def dreamon(unsure: int) -> ToldDreamOn:
    """Return a small DreamOn that knows the line."""
    config = DreamConfig(
        architectures=["DreamOnModel"], hidden_size=32, intermediate_size=48, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, rms_norm_eps=1e-6, rope_theta=1e6,
        max_position_embeddings=_LENGTH, expand_token_id=_EXPAND, delete_token_id=_EOS, **_SIZES,
    )  # fmt: skip
    model = ToldDreamOn(config, Drawn())
    model.knows = Knows(tokenizer().encode(LINE), unsure)
    return model


def llada(unsure: int) -> ToldLlada:
    """Return a small LLaDA that knows the line."""
    config = LladaConfig(
        d_model=32, n_heads=4, n_layers=2, mlp_hidden_size=48, max_sequence_length=_LENGTH,
        **_SIZES,
    )  # fmt: skip
    model = ToldLlada(config, Drawn())
    model.knows = Knows(tokenizer().encode(LINE), unsure)
    return model


def fill_here(model: ToldDreamOn | ToldLlada) -> list[int]:
    """Fill the line as a request does; return the rows of each forward."""
    settings = RuntimeSettings(around_tokens=N_AROUND)
    loaded = PublishedModel(model, layout_of(model, tokenizer(), settings, Path()), "")
    half = "x = y\n" * (N_AROUND // 12)
    request = InfillRequest(
        id="", prefix=half, suffix="\n" + half[: N_AROUND - len(half) - 1], lane="inline",
        spans=(MaskSpan(single_line=True),),
    )  # fmt: skip
    sampler: AnySampler = LowConfidence(LowConfidenceParams(threshold=SURE["threshold"]))
    if isinstance(model, ToldDreamOn):
        sampler = Expand.from_mapping({**SURE, "expand_id": _EXPAND, "eos_id": _EOS})
    rng, client = torch.Generator().manual_seed(0), Patient()
    job = Job(request, client, client, loaded, model.new_cache(), rng, sampler)
    with torch.inference_mode():
        infill(job)
    return model.knows.rows


def fill_dreamon_plainly(model: ToldDreamOn) -> list[int]:
    """Fill the line as DreamOn's authors publish it: a token a step, the whole canvas each time."""
    params = ExpandParams(expand_id=_EXPAND, eos_id=_EOS)
    _denoise(model, Expand(params), FIRST_LENGTH // 2, "none")
    return model.knows.rows


def fill_llada_plainly(model: ToldLlada, cache: str = "none") -> list[int]:
    """Try all lengths on whole canvases, then fill a token a step."""

    def predict(regions: Sequence[Region]) -> list[Tensor]:
        model.knows.rows.append(sum(N_AROUND + len(one.token_ids) for one in regions))
        return model.knows.between(regions)

    lengths = [length for length in LENGTHS if length <= len(LINE) * 4]
    length = choose_length(predict, _MASK, lambda n_masks: [_MASK] * n_masks, lengths)
    _denoise(model, LowConfidence(LowConfidenceParams()), length, cache)
    return model.knows.rows


def _denoise(model: ToldDreamOn | ToldLlada, sampler: AnySampler, length: int, cache: str) -> None:
    half = [0] * (N_AROUND // 2)
    token_ids = torch.tensor([*half, *[_MASK] * length, *half])
    canvas = Canvas(token_ids, token_ids != _MASK, _MASK)
    budget = Budget(n_steps=4 * len(LINE)) if sampler.grows else Budget()
    denoise(model, sampler, CACHES.load(cache)(), canvas, budget, torch.Generator().manual_seed(0))


def tokenizer() -> CodeTokenizer:
    """Return a tokenizer whose tokens are characters of ASCII."""
    letters = [*map(chr, range(33, 127)), "Ġ", "Ċ"]
    made = Tokenizer(models.BPE(vocab={char: i for i, char in enumerate(letters)}, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    with tempfile.TemporaryDirectory() as folder:
        made.save(str(Path(folder) / "tokenizer.json"))
        return CodeTokenizer(Path(folder) / "tokenizer.json")
