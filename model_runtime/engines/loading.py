"""Bringing the default model up: weights, tokenizer, adapter, device."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from model_runtime.errors import BadRequest, ModelLoadFailed
from model_runtime.models import int8
from model_runtime.models.canvas import CanvasDenoiser
from model_runtime.models.weights import (
    WEIGHTS_FILE,
    TensorFile,
    attach_adapter,
    load_adapter,
    load_base,
)
from model_runtime.text.calibration import Calibration, read_calibration
from model_runtime.text.fim import FimTemplate
from model_runtime.text.layout import CanvasLayout
from model_runtime.text.tokenizer import CodeTokenizer
from model_runtime.weights.catalog import named_model
from model_runtime.weights.convert import (
    TOKENIZER_FILE,
    Precision,
    converted_folder,
    ensure_converted,
)
from model_runtime.weights.fetch import cache_dir, ensure

if TYPE_CHECKING:
    from collections.abc import Callable

    from model_runtime.models.gated import GatedModel
    from model_runtime.settings import RuntimeSettings

log = logging.getLogger(__name__)

#: Shipped with the package, made by `remask train`.
ADAPTER_PATH = Path(__file__).parent.parent / "weights" / "canvas-qwen2.5-coder-0.5b.safetensors"
#: Of that base.
CALIBRATION_PATH = ADAPTER_PATH.with_name("confidence-qwen2.5-coder-0.5b.json")
#: Behind the longest context, room for the longest span.
SPAN_ROOM = 1024


@dataclass(frozen=True)
class LoadedModel:
    """The default model, ready."""

    denoiser: CanvasDenoiser
    layout: CanvasLayout
    #: The converted base, for whoever needs more of it than a forward.
    weights: TensorFile
    #: For people: "cpu, int8, 2 threads".
    device_text: str
    #: What the model's own probabilities are worth.
    calibration: Calibration = Calibration()  # noqa: RUF009  # it is frozen


def load_default(
    settings: RuntimeSettings,
    notice: Callable[[str, float | None], None],
    check: Callable[[], None] = lambda: None,
) -> LoadedModel:
    """Fetch what is missing and load it.

    Args:
        settings: model, device, threads, limits.
        notice: told, for the user, what takes long.
        check: called now and then; raises to give up. What was downloaded stays.

    Raises:
        ModelLoadFailed: the weights can't be had, or are not what they should be.
    """
    device = _device(settings.device)
    precision = _precision(device)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    model_name = settings.model

    def on_progress(n_done: int, n_bytes: int) -> None:
        check()
        share = n_done / n_bytes if n_bytes else 0.0
        notice(f"Downloading {model_name} ({share:.0%} of {n_bytes / 1e6:.0f} MB)", share)

    def read() -> tuple[Path, FimTemplate, GatedModel]:
        folder = ensure_converted(
            source,
            named_model(model_name).sha256,
            precision,
            lambda share: notice(f"Preparing {model_name} for this machine ({share:.0%})", share),
        )
        check()
        notice(f"Loading {model_name}", None)
        return folder, *_read(folder, device)

    source = ensure(model_name, on_progress, folder=cache_dir(settings.cache_dir))
    try:
        folder, template, model = read()
    except ModelLoadFailed as fault:
        damaged = converted_folder(source, named_model(model_name).sha256, precision)
        if not damaged.exists():
            raise
        # What it was made from has been verified, so it can be made again.
        log.warning("converting the model again: %s", fault)
        shutil.rmtree(damaged)
        folder, template, model = read()
    if ADAPTER_PATH.is_file():
        attach_adapter(model, folder, load_adapter(ADAPTER_PATH, model))
    max_length = settings.max_context_tokens + SPAN_ROOM
    n_threads = torch.get_num_threads()
    return LoadedModel(
        CanvasDenoiser(model, template.mask_id, max_length),
        CanvasLayout(
            template,
            settings.max_context_tokens,
            heals=settings.heal_tokens,
            ends_early=settings.end_early,
            forms=named_model(model_name).forms,
        ),
        TensorFile(folder / WEIGHTS_FILE),
        f"{device}, {precision}" + (f", {n_threads} threads" if device.type == "cpu" else ""),
        read_calibration(CALIBRATION_PATH),
    )


def _read(folder: Path, device: torch.device) -> tuple[FimTemplate, GatedModel]:
    """Read a converted model.

    Raises:
        ModelLoadFailed: a file of it is missing or damaged.
    """
    path = folder / TOKENIZER_FILE
    try:
        template = FimTemplate(CodeTokenizer(path))
    except Exception as error:
        # The tokenizers package has no class of its own for it.
        raise ModelLoadFailed(f"{path} can't be read ({error})") from error
    return template, load_base(folder, template.mask_id, device=device)


def _device(wanted: str) -> torch.device:
    """Return the device to run on.

    Raises:
        BadRequest: no device of that name, or none is there.
    """
    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError as error:
        raise BadRequest(f"device {wanted!r}: allowed are auto, cpu, cuda and cuda:N") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise BadRequest(f"device {wanted!r}: this machine, or its torch, has no CUDA device")
    return device


def _precision(device: torch.device) -> Precision:
    if device.type == "cuda":
        return "bf16"
    kernel = int8.kernel()
    if kernel is None:
        return "bf16"
    return "int8" if kernel.weight_bits == 8 else "int7"  # noqa: PLR2004  # the name says it
