"""`remask train`: train the adapter of a base, or a small model, resuming where a run stopped."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import safe_open

from model_runtime.devices import choose_device, usual_precision
from model_runtime.engines.loading import adapter_place, stored_precision
from model_runtime.models import MODELS
from model_runtime.models.canvas import CanvasDenoiser
from model_runtime.models.parts.family import SmallSize
from model_runtime.models.weights import WEIGHTS_FILE, TensorFile, load_adapter, load_base
from model_runtime.settings import load_settings
from model_runtime.text.fim import FimTemplate
from model_runtime.text.tokenizer import CodeTokenizer
from model_runtime.training.data import read_documents
from model_runtime.training.examples import Examples
from model_runtime.training.family import Batches, FamilyTrainer
from model_runtime.training.int8 import DifferentiableHead, DifferentiableInt8Linear
from model_runtime.training.loop import CHECKPOINT, Plan, Trainer, describe
from model_runtime.training.objective import Mixture
from model_runtime.training.parameters import AdapterParameters
from model_runtime.training.tasks import Corpus
from model_runtime.weights.bases import find_base
from model_runtime.weights.convert import TOKENIZER_FILE, ensure_converted, read_marks
from model_runtime.weights.fetch import cache_dir

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable

    from torch import Tensor

    from model_runtime.models.gated import GatedModel
    from model_runtime.training.data import Document, Split

ADAPTER = "adapter.safetensors"
#: Documents whose tokens are counted to choose the adapter's vocabulary.
N_COUNTED_DOCUMENTS = 1500
N_HELDOUT = 12
#: Of a small model: the largest vocabulary, its heads, and the longest canvas.
MOST_TOKENS, N_HEADS, MOST_POSITIONS = 4096, 4, 2048
SPLITS: tuple[Split, Split] = ("train", "heldout")


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("folder", type=Path, help="checkpoints, metrics and the adapter go here")
    parser.add_argument("--data", type=Path, required=True, help="made by `remask train-data`")
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--base", help="a model's name, as `remask use` takes it; or a converted one")
    what.add_argument(
        "--family", help="train a small model of this family anew, for tests and to look at"
    )
    parser.add_argument("--device", default="auto", help="as the setting of that name")
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--rank", type=int, default=32)
    parser.add_argument("--rate", type=float, default=5e-4, help="highest learning rate")
    parser.add_argument(
        "--falling", type=float, default=0.2, help="share of the steps, the last, the rate falls in"
    )
    parser.add_argument("--start", type=Path, help="an adapter to begin with, instead of nothing")
    parser.add_argument("--vocabulary", type=int, default=16384, help="tokens drafts may have")
    parser.add_argument("--max-tokens", type=int, default=448, help="of one example")
    parser.add_argument("--threads", type=int, default=0, help="0 takes one for each core")
    parser.add_argument("--seed", type=int, default=0)
    small = parser.add_argument_group("with --family")
    small.add_argument("--width", type=int, default=224)
    small.add_argument("--layers", type=int, default=5)
    small.add_argument("--texts", type=int, default=16, help="of a step")
    small.add_argument("--length", type=int, default=128, help="of a text, in tokens")


def main(arguments: argparse.Namespace) -> int:
    """Train to the last step, then write the adapter; return the exit status."""
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    torch.manual_seed(arguments.seed)  # where the low-rank parts start
    device = choose_device(arguments.device)
    if arguments.family:
        return _train_family(arguments, device)
    folder, place = _converted(arguments.base, device)
    template = FimTemplate(CodeTokenizer(folder / TOKENIZER_FILE), read_marks(folder))
    # On a processor the base stays in integers, which have no gradient of their own.
    model = load_base(
        folder, template.mask_id, DifferentiableInt8Linear, device, arguments.max_tokens
    )
    documents = list(read_documents(arguments.data, "train"))
    vocabulary = _saved_vocabulary(arguments.folder, arguments.start)
    if vocabulary is None:
        vocabulary = _common_tokens(documents, template, arguments.vocabulary)
    parameters = AdapterParameters(
        model.config, arguments.rank, vocabulary, _mean_embedding(model, vocabulary)
    )
    if arguments.start:
        parameters.start_from(load_adapter(arguments.start, model))
    weights = TensorFile(folder / WEIGHTS_FILE, device)
    heldout = Examples(
        Corpus(read_documents(arguments.data, "heldout")), template, arguments.max_tokens, seed=1
    )
    plan = Plan(arguments.steps, arguments.rate, arguments.falling, seed=arguments.seed)
    mixture = Mixture()
    trainer = Trainer(
        CanvasDenoiser(model, template.mask_id, arguments.max_tokens),
        parameters.to(device),
        weights.linear("head", vocabulary, DifferentiableHead),
        Examples(Corpus(documents), template, arguments.max_tokens, arguments.seed),
        [heldout[index] for index in range(N_HELDOUT)],
        mixture,
        plan,
        arguments.folder,
    )
    trainer.run()
    settings = describe(plan, mixture) | {
        "base": folder.name,
        "rank": str(arguments.rank),
        "start": arguments.start.name if arguments.start else "",
    }
    parameters.save(arguments.folder / ADAPTER, settings)
    if place is not None:
        sys.stdout.write(f"To have it used: cp {arguments.folder / ADAPTER} {place}\n")
    return 0


def _train_family(arguments: argparse.Namespace, device: torch.device) -> int:
    corpora = [Corpus(read_documents(arguments.data, split)) for split in SPLITS]
    size = SmallSize(
        n_tokens=min(arguments.vocabulary, MOST_TOKENS), width=arguments.width,
        n_layers=arguments.layers, n_heads=N_HEADS, max_length=MOST_POSITIONS,
    )  # fmt: skip
    plan = Plan(arguments.steps, arguments.rate, arguments.falling, seed=arguments.seed)
    batches = Batches(arguments.texts, arguments.length)
    family = MODELS.load(arguments.family)
    FamilyTrainer(
        family, size, (corpora[0], corpora[1]), batches, plan, arguments.folder, device
    ).run()
    sys.stdout.write(f"To use it: REMASK_ENGINE=published REMASK_MODEL={arguments.folder}\n")
    return 0


def _converted(name: str, device: torch.device) -> tuple[Path, Path | None]:
    """Return a base's converted folder, and where its adapter is looked for; None if unknown."""
    if (Path(name) / WEIGHTS_FILE).is_file():
        return Path(name), None
    base = find_base(name, cache_dir(load_settings().cache_dir))
    stored = stored_precision(usual_precision(device), device)
    return ensure_converted(base.source, base.digest, stored, base.kept_in), adapter_place(base)


def _common_tokens(documents: Iterable[Document], template: FimTemplate, n_tokens: int) -> Tensor:
    """Return [n_tokens or fewer] int64, ascending: the commonest tokens, and what ends a span."""
    counts: Counter[int] = Counter()
    for document, _ in zip(documents, range(N_COUNTED_DOCUMENTS), strict=False):
        counts.update(template.tokenizer.encode(document.text))
    common = {token for token, _ in counts.most_common(n_tokens - 1)}
    return torch.tensor(sorted(common | {template.end_id}))


def _saved_vocabulary(folder: Path, start: Path | None) -> Tensor | None:
    """Return the vocabulary that a run goes on with; None if it begins with nothing."""
    path = folder / CHECKPOINT if (folder / CHECKPOINT).exists() else start
    if path is None:
        return None
    with safe_open(path, framework="pt") as file:
        vocabulary: Tensor = file.get_tensor("vocabulary")
        return vocabulary.long()


def _mean_embedding(model: GatedModel, vocabulary: Tensor) -> Tensor:
    return model.embedding(vocabulary.to(model.device)).float().mean(dim=0).cpu()
