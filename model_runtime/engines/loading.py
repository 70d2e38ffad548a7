"""Bringing a base model up: weights, tokenizer, adapter, device, precision."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from model_runtime.devices import (
    DTYPES,
    Precision,
    captures_steps,
    choose_device,
    choose_precision,
    usual_precision,
)
from model_runtime.errors import ModelLoadFailed
from model_runtime.models import int8
from model_runtime.models.canvas import CanvasDenoiser
from model_runtime.models.captured import captured_steps
from model_runtime.models.weights import (
    CONFIG_FILE,
    WEIGHTS_FILE,
    TensorFile,
    attach_adapter,
    load_adapter,
    load_base,
    read_config,
)
from model_runtime.text.calibration import Calibration, read_calibration
from model_runtime.text.fim import FimTemplate
from model_runtime.text.layout import SPAN_ROOM, CanvasLayout
from model_runtime.text.tokenizer import CodeTokenizer
from model_runtime.weights.bases import Base, find_base
from model_runtime.weights.catalog import CATALOG, DEFAULT_MODEL, context_form
from model_runtime.weights.convert import (
    TOKENIZER_FILE,
    converted_folder,
    ensure_converted,
    open_base,
    read_marks,
)
from model_runtime.weights.fetch import cache_dir

if TYPE_CHECKING:
    from collections.abc import Callable

    from model_runtime.models.gated import GatedModel
    from model_runtime.models.parts.quantize import WeightBits
    from model_runtime.settings import RuntimeSettings
    from model_runtime.weights.convert import Precision as Stored

log = logging.getLogger(__name__)

#: Shipped with the package, made by `remask train`.
ADAPTER_PATH = Path(__file__).parent.parent / "weights" / "canvas-qwen2.5-coder-0.5b.safetensors"
#: Of that base.
CALIBRATION_PATH = ADAPTER_PATH.with_name("confidence-qwen2.5-coder-0.5b.json")


@dataclass(frozen=True)
class LoadedModel:
    """A base model, ready."""

    denoiser: CanvasDenoiser
    layout: CanvasLayout
    #: The converted base, for whoever needs more of it than a forward.
    weights: TensorFile
    #: For people, e.g. "cpu, int8, 2 threads".
    device_text: str
    #: What the model's own probabilities are worth.
    calibration: Calibration = Calibration()  # noqa: RUF009  # it is frozen

    def within(self, n_tokens: int) -> LoadedModel:
        """See `modes.model.Model`."""
        return replace(self, layout=self.layout.within(n_tokens))


def load_default(
    settings: RuntimeSettings,
    notice: Callable[[str, float | None], None],
    check: Callable[[], None] = lambda: None,
) -> LoadedModel:
    """Fetch what is missing and load it.

    Args:
        settings: model, device, precision, threads, limits.
        notice: told, for the user, what takes long.
        check: called now and then; raises to give up. What was downloaded stays.

    Raises:
        ModelLoadFailed: the weights can't be had, are not what they should be, or do not fit.
    """
    device = choose_device(settings.device)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    model_name = settings.model

    def on_progress(n_done: int, n_bytes: int) -> None:
        check()
        share = n_done / n_bytes if n_bytes else 0.0
        notice(f"Downloading {model_name} ({share:.0%} of {n_bytes / 1e6:.0f} MB)", share)

    base = find_base(model_name, cache_dir(settings.cache_dir), on_progress)
    precision = _precision(settings, base, device)
    stored = stored_precision(precision, device)

    def read() -> tuple[Path, FimTemplate, GatedModel]:
        folder = ensure_converted(
            base.source,
            base.digest,
            stored,
            base.kept_in,
            lambda share: notice(f"Preparing {model_name} for this machine ({share:.0%})", share),
        )
        check()
        notice(f"Loading {model_name}", None)
        return folder, *_read(folder, device, _n_positions(settings), _bits(precision, device))

    try:
        folder, template, model = read()
    except ModelLoadFailed as fault:
        damaged = converted_folder(base.source, base.digest, stored, base.kept_in)
        if not damaged.exists():
            raise
        # What it was made from has been verified, so it can be made again.
        log.warning("converting the model again: %s", fault)
        shutil.rmtree(damaged)
        folder, template, model = read()
    adapter = adapter_of(base)
    if adapter is not None:
        attach_adapter(model, folder, load_adapter(adapter, model))
    if captures_steps(settings.captured_steps, device):
        model.captured = captured_steps(model)
    # What the base was not trained for it would not understand.
    max_context = max(1, min(settings.max_context_tokens, model.config.max_length - SPAN_ROOM))
    return LoadedModel(
        CanvasDenoiser(
            model, template.mask_id, min(max_context + SPAN_ROOM, model.config.max_length)
        ),
        CanvasLayout(
            template,
            max_context,
            heals=settings.heal_tokens,
            ends_early=settings.end_early,
            forms=CATALOG[model_name].forms if model_name in CATALOG else None,
            context_form=context_form(model_name),
        ),
        TensorFile(folder / WEIGHTS_FILE),
        _described(device, precision, has_adapter=adapter is not None),
        read_calibration(CALIBRATION_PATH) if _is_default(base) else Calibration(),
    )


def adapter_of(base: Base) -> Path | None:
    """Return the adapter of a base: the one that its user trained, else the shipped one; or None.

    An adapter is of one base, and a user's bears the first digits of its digest.
    """
    own = adapter_place(base)
    if own.is_file():
        return own
    return ADAPTER_PATH if _is_default(base) and ADAPTER_PATH.is_file() else None


def _is_default(base: Base) -> bool:
    return base.digest == CATALOG[DEFAULT_MODEL].sha256


def adapter_place(base: Base) -> Path:
    """Return where the user's own adapter of a base is looked for."""
    return base.kept_in / f"adapter-{base.digest[:12]}.safetensors"


def _described(device: torch.device, precision: Precision, *, has_adapter: bool) -> str:
    words = [str(device), precision]
    if device.type == "cpu":
        words.append(f"{torch.get_num_threads()} threads")
    if not has_adapter:
        words.append("no adapter for this model: drafts come from repeats and the text alone")
    return ", ".join(words)


def _precision(settings: RuntimeSettings, base: Base, device: torch.device) -> Precision:
    """Return the precision to load in, having asked whether the model fits."""
    folders = sorted(base.kept_in.glob(f"{base.source.stem}-{base.digest[:12]}-*/{CONFIG_FILE}"))
    try:
        config = read_config(folders[0].parent)
    except (IndexError, ModelLoadFailed):
        config = open_base(base.source).config
    return choose_precision(
        settings.model,
        config,
        device,
        settings.precision,
        _n_positions(settings),
        captures=captures_steps(settings.captured_steps, device),
    )


def _n_positions(settings: RuntimeSettings) -> int:
    return settings.max_context_tokens + SPAN_ROOM


def stored_precision(precision: Precision, device: torch.device) -> Stored:
    """Return what the converted weights are kept in."""
    if device.type != "cpu":
        # Rounded where they are loaded, in the order of the device's kernels, from its plain type.
        return precision if precision in DTYPES else usual_precision(device)
    chosen = int8.kernel()
    if precision == "int8" and chosen is not None and chosen.weight_bits == 7:  # noqa: PLR2004  # the name says it
        return "int7"
    return precision


def _bits(precision: Precision, device: torch.device) -> WeightBits | None:
    """Return the bits that weights are rounded to when they are loaded; None leaves them."""
    if device.type == "cpu":
        return None
    return {"int8": 8, "int4": 4}.get(precision)  # type: ignore[return-value]  # of a Literal


def _read(
    folder: Path, device: torch.device, n_positions: int, weight_bits: WeightBits | None
) -> tuple[FimTemplate, GatedModel]:
    """Read a converted model.

    Raises:
        ModelLoadFailed: a file of it is missing or damaged.
    """
    path = folder / TOKENIZER_FILE
    try:
        template = FimTemplate(CodeTokenizer(path), read_marks(folder))
    except Exception as error:
        # The tokenizers package has no class of its own for it.
        raise ModelLoadFailed(f"{path} can't be read ({error})") from error
    model = load_base(
        folder,
        template.mask_id,
        device=device,
        max_length=n_positions,
        weight_bits=weight_bits,
    )
    return template, model
