"""Published diffusion models on this machine: LLaDA, Dream, DreamOn, SEDD, MDLM and their like.

The `model` setting names a Hugging Face repository, brought by `remask pull`, or a folder. All that
is done with one is `local`'s and the modes'; here it is loaded, and told how text is put to it. A
family that sees the whole file gets it as it stands; one that reads block by block is told what
follows in a fill-in-the-middle prompt, where its tokenizer has the marks of one, else in words.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import msgspec
import torch

from model_runtime.devices import DTYPES, PRECISIONS, choose_device, published_dtype
from model_runtime.engines.local import LocalEngine
from model_runtime.errors import BadRequest, ModelLoadFailed, UnsupportedPairing
from model_runtime.models.int8 import kernel
from model_runtime.models.parts.load import load_family
from model_runtime.text.calibration import Calibration
from model_runtime.text.chat import ChatTemplate
from model_runtime.text.fim import FimTemplate
from model_runtime.text.forms import Forms
from model_runtime.text.layout import SPAN_ROOM, CanvasLayout
from model_runtime.text.marks import find_marks
from model_runtime.text.tokenizer import CodeTokenizer
from model_runtime.text.whole import WholeFile, WholeLayout
from model_runtime.weights.fetch import cache_dir
from model_runtime.weights.published import TOKENIZER_FILE, has_chat, local_folder

if TYPE_CHECKING:
    from pathlib import Path

    from model_runtime.engines.base import CancelToken, Listener
    from model_runtime.models.parts.family import Family
    from model_runtime.models.parts.quantize import WeightBits
    from model_runtime.modes.model import Model
    from model_runtime.protocol import InfillRequest
    from model_runtime.samplers.base import Sampler
    from model_runtime.settings import RuntimeSettings
    from model_runtime.text.template import Template

#: The rule that each family was published with; `low_confidence` for the others.
RULES = {
    "diffusion_gemma": "entropy_bound",
    "dream": "entropy",
    "eso": "eso",
    "mdlm": "mdlm",
    "sedd": "score_entropy",
}
#: What is asked of rules that commit the surest tokens: all that are as sure as Fast-dLLM's (Wu et
#: al. 2025, arXiv 2505.22618, section 5), and two at least.
SURE = {"threshold": 0.9, "n_at_once": 2}
#: Tokens of the file that a family sees at once: every one is a row of the first forward.
AROUND_ON_PROCESSOR, AROUND_ON_ACCELERATOR = 512, 2048


@dataclass(frozen=True)
class PublishedModel:
    """A checkpoint, ready; see `modes.model.Model`."""

    denoiser: Family
    layout: CanvasLayout
    device_text: str
    calibration: Calibration = Calibration()  # noqa: RUF009  # it is frozen

    def within(self, n_tokens: int) -> PublishedModel:
        """See `modes.model.Model`."""
        return replace(self, layout=self.layout.within(n_tokens))


class PublishedEngine(LocalEngine):
    """Works with a published checkpoint.

    Args:
        settings: model, device, sampler, limits.
    """

    name: ClassVar[str] = "published"

    def check(self, request: InfillRequest) -> None:
        """See `LocalEngine.check`; the usual rule is known with the family."""
        if request.sampler or self._settings.sampler:
            super().check(request)

    def sampler_for(self, request: InfillRequest, model: Model) -> Sampler[Any, Any]:
        """See `LocalEngine.sampler_for`."""
        family = model.denoiser
        tokens = {
            "expand_id": getattr(family, "expand_id", None),
            "eos_id": getattr(family, "eos_id", None),
        }
        usual = RULES.get(family.name, "low_confidence")
        if tokens["expand_id"] is not None:
            usual = "expand"
        return self._sampler(request, usual, SURE | tokens)

    def load(self, listener: Listener, cancel: CancelToken) -> PublishedModel:
        """See `LocalEngine.load`."""
        cancel.check()
        listener.notice(f"Loading {self._settings.model}")
        return load_published(self._settings)


def load_published(settings: RuntimeSettings) -> PublishedModel:
    """Load the checkpoint that the settings name.

    Raises:
        ModelLoadFailed: it is not here, has no tokenizer, or is not what it should be.
        UnsupportedPairing: it reads block by block, and can't be told what follows.
    """
    folder = local_folder(settings.model, cache_dir(settings.cache_dir))
    path = folder / TOKENIZER_FILE
    if not path.is_file():
        raise ModelLoadFailed(f"{folder} has no {TOKENIZER_FILE}, which text is read with")
    device = choose_device(settings.device)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    dtype, bits = _precision(settings.precision, device)
    family = load_family(folder, device, dtype, bits)
    layout = layout_of(family, CodeTokenizer(path), settings, folder)
    kind = f"int{bits}" if bits else str(family.dtype).removeprefix("torch.")
    return PublishedModel(family, layout, f"{family.device}, {kind}")


def layout_of(
    family: Family, tokenizer: CodeTokenizer, settings: RuntimeSettings, folder: Path
) -> CanvasLayout:
    """Return how text is put to a family."""
    has_words = has_chat(folder) and ChatTemplate.of(tokenizer) is not None
    options: dict[str, Any] = {
        "heals": settings.heal_tokens, "ends_early": settings.end_early, "takes_words": has_words,
    }  # fmt: skip
    # Half of a short canvas is left for what is filled.
    n_beside = max(family.max_length - SPAN_ROOM, family.max_length // 2)
    room = min(settings.max_context_tokens, n_beside)
    if family.block_length is None:
        on_processor = family.device.type == "cpu"
        usual = AROUND_ON_PROCESSOR if on_processor else AROUND_ON_ACCELERATOR
        room = min(room, settings.around_tokens or usual)
        options["span_room"] = family.max_length - room
        return WholeLayout(_plain_template(family, tokenizer), room, **options)
    options["span_room"] = min(SPAN_ROOM, family.max_length - room)
    try:
        template: Template = _blocks_template(family, tokenizer)
    except ModelLoadFailed as error:
        if not has_words:
            raise UnsupportedPairing(
                f"the {family.name!r} family reads block by block and sees nothing behind a span; "
                "this model has neither fill-in-the-middle marks nor a chat template to be told it "
                "by, so it can't fill"
            ) from error
        options["forms"] = Forms(always="asked")
        template = _plain_template(family, tokenizer)
    return CanvasLayout(template, room, **options)


def _plain_template(family: Family, tokenizer: CodeTokenizer) -> WholeFile:
    """Return how text is put to a family without a prompt: as it stands."""
    end_id = 0 if family.eos_id is None else family.eos_id
    end_ids = (tokenizer.control_ids | {end_id}) - {family.mask_id}
    return WholeFile(tokenizer, family.mask_id, end_id, frozenset(end_ids))


def _blocks_template(family: Family, tokenizer: CodeTokenizer) -> FimTemplate:
    """Return the fill-in-the-middle prompt.

    Raises:
        ModelLoadFailed: the tokenizer has no marks for one.
    """
    marks = find_marks(tokenizer)
    mask_id = marks.mask_id if family.mask_id is None else family.mask_id
    return FimTemplate(tokenizer, msgspec.structs.replace(marks, mask_id=mask_id))


def _precision(wanted: str, device: torch.device) -> tuple[torch.dtype, WeightBits | None]:
    """Return the floating type, and how many bits weights are rounded to.

    Raises:
        BadRequest: no such precision.
    """
    if wanted != "auto" and wanted not in PRECISIONS:
        raise BadRequest(f"precision {wanted!r}: allowed are auto, {', '.join(PRECISIONS)}")
    if wanted == "auto" and device.type == "cpu" and kernel() is not None:
        wanted = "int8"
    bits: dict[str, WeightBits] = {"int8": 8, "int4": 4}
    return DTYPES.get(wanted, published_dtype(device)), bits.get(wanted)
