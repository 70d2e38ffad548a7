"""The default family in small: a tokenizer of characters and random weights, ready at once.

It knows ASCII only, and what it says means nothing; what a mode promises holds all the same.
"""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from model_runtime.engines.loading import LoadedModel
from model_runtime.engines.local import LocalEngine
from model_runtime.errors import Cancelled
from model_runtime.models.canvas import CanvasDenoiser
from model_runtime.models.gated import BaseConfig, GatedModel, Layer
from model_runtime.models.layers import DenseLinear, Embedding
from model_runtime.modes.job import Job
from model_runtime.protocol import InfillRequest, MaskSpan
from model_runtime.samplers.hybrid import Hybrid, HybridParams
from model_runtime.settings import RuntimeSettings
from model_runtime.text.fim import FimTemplate
from model_runtime.text.layout import CanvasLayout
from model_runtime.text.tokenizer import CodeTokenizer

if TYPE_CHECKING:
    from model_runtime.protocol import Finished, StepReport

CONTROL = [
    "<|fim_prefix|>",
    "<|fim_suffix|>",
    "<|fim_middle|>",
    "<|file_sep|>",
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "[PAD151665]",
]
#: Printable ASCII, the blank and the line end, as byte-level tokenizers write them.
ALPHABET = [*map(chr, range(33, 127)), "Ġ", "Ċ"]
#: Enough for the longest test, and quick.
MAX_CONTEXT = 1024


class Listener:
    """Keeps what the engine tells."""

    def __init__(self) -> None:
        self.steps: list[StepReport] = []

    def notice(self, text: str, fraction: float | None = None) -> None:
        """Nothing is downloaded here."""

    def step(self, report: StepReport) -> None:
        """Keep it."""
        self.steps.append(report)


class Patience:
    """Never cancels."""

    def check(self) -> None:
        """Go on."""


class Impatience:
    """Stops a job at its n-th question."""

    def __init__(self, n_questions: int) -> None:
        self.n_left = n_questions

    def check(self) -> None:
        """Count down."""
        self.n_left -= 1
        if self.n_left < 0:
            raise Cancelled("enough")


def tokenizer() -> CodeTokenizer:
    """Return a tokenizer of ASCII characters, with the control tokens of the base."""
    made = Tokenizer(models.BPE(vocab={char: i for i, char in enumerate(ALPHABET)}, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens(CONTROL)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tokenizer.json"
        made.save(str(path))
        return CodeTokenizer(path)


def engine(seed: int = 0, glance_tokens: int = 0) -> LocalEngine:
    """Return the local engine with a tiny model in it; its token is a character."""
    local = LocalEngine(
        RuntimeSettings(max_context_tokens=MAX_CONTEXT, glance_tokens=glance_tokens)
    )
    local._model = _loaded(seed)
    return local


def ask(
    *texts: str, prefix: str = "x = ", suffix: str = "\n", weights: int = 0, **fields: Any
) -> Finished:
    """Send one request with a span for each text, parted by line ends, to a tiny engine."""
    spans = tuple(
        MaskSpan(text=text, following="\n" if i + 1 < len(texts) else "", max_tokens=12)
        for i, text in enumerate(texts)
    )
    values = {"prefix": prefix, "suffix": suffix, "spans": spans, "seed": 1, **fields}
    request = InfillRequest(id="r", **values)
    return engine(weights).infill(request, Listener(), Patience())


def job_of(request: InfillRequest, seed: int = 0) -> Job:
    """Return a job of the engine for a request, nothing done yet."""
    model = engine(seed)._model
    assert model is not None
    return Job(
        request,
        Listener(),
        Patience(),
        model,
        model.denoiser.new_cache(),
        torch.Generator().manual_seed(0),
        Hybrid(HybridParams()),
    )


@functools.cache
def _loaded(seed: int) -> LoadedModel:
    template = FimTemplate(tokenizer())
    n_vocab = len(ALPHABET) + len(CONTROL)
    config = BaseConfig(
        n_layers=2,
        width=32,
        n_heads=4,
        n_kv_heads=2,
        head_dim=8,
        mlp_width=64,
        rope_base=10_000.0,
        norm_eps=1e-6,
        vocab_size=n_vocab,
        max_length=2 * MAX_CONTEXT,
    )
    rng = torch.Generator().manual_seed(seed)

    def random(n_out: int, n_in: int) -> DenseLinear:
        return DenseLinear(torch.randn(n_out, n_in, generator=rng) / n_in**0.5)

    width, mlp = config.width, config.mlp_width
    layers = [
        Layer(torch.ones(width), random(64, width), random(width, 32), torch.ones(width),
              random(2 * mlp, width), random(width, mlp))
        for _ in range(config.n_layers)
    ]  # fmt: skip
    head = random(n_vocab, width)
    embedding = Embedding(torch.randn(n_vocab, width, generator=rng))
    model = GatedModel(config, embedding, layers, torch.ones(width), head, template.mask_id)
    return LoadedModel(
        CanvasDenoiser(model, template.mask_id, 2 * MAX_CONTEXT),
        CanvasLayout(template, MAX_CONTEXT),
        None,  # type: ignore[arg-type]  # no mode reads the weights
        "tiny",
    )
