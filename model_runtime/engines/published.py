"""Published diffusion models on this machine: LLaDA, Dream, DreamOn, SEDD, MDLM and their like.

The `model` setting names a Hugging Face repository, brought by `remask pull`, or a folder. Infill
and holes: the whole file is one canvas and all spans are settled together. Lengths are the
family's: tokens that expand and delete where it has them, else a search (`decoding.lengths`).
"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from model_runtime.caches import CACHES
from model_runtime.decoding.denoise import Budget, Step, check_pairing, denoise
from model_runtime.decoding.lengths import choose_length
from model_runtime.devices import DTYPES, PRECISIONS, choose_device, published_dtype
from model_runtime.engines.base import EngineDescription
from model_runtime.errors import BadRequest, ModelLoadFailed, UnsupportedPairing
from model_runtime.models.parts.family import Family
from model_runtime.models.parts.load import load_family
from model_runtime.modes.job import MARK
from model_runtime.modes.limits import MAX_SEED, check_request
from model_runtime.protocol import Alternative, Finished, StepReport, Usage
from model_runtime.samplers import SAMPLERS
from model_runtime.text.markers import unmarked
from model_runtime.text.one_line import as_meant
from model_runtime.text.reconcile import as_suggested
from model_runtime.text.tokenizer import CodeTokenizer
from model_runtime.text.whole import WholeText
from model_runtime.weights.fetch import cache_dir
from model_runtime.weights.published import TOKENIZER_FILE, local_folder

if TYPE_CHECKING:
    from model_runtime.decoding.canvas import Canvas
    from model_runtime.engines.base import CancelToken, Listener
    from model_runtime.models.parts.quantize import WeightBits
    from model_runtime.protocol import InfillRequest
    from model_runtime.samplers.base import Sampler
    from model_runtime.settings import RuntimeSettings

#: Masks that a span may be given, what a span that grows begins with, and what one gets whose
#: length can't be searched.
LENGTHS = (2, 4, 8, 16, 32, 64)
FIRST_LENGTH = 4
FIXED_LENGTH = 16
#: The rule that each family was published with; `low_confidence` for the others.
RULES = {
    "diffusion_gemma": "entropy_bound",
    "dream": "entropy",
    "eso": "eso",
    "mdlm": "mdlm",
    "sedd": "score_entropy",
}


class PublishedEngine:
    """Fills spans with a published checkpoint.

    Args:
        settings: model, device, sampler, limits.
    """

    name: ClassVar[str] = "published"

    def __init__(self, settings: RuntimeSettings) -> None:
        self._settings = settings
        self._family: Family | None = None
        self._tokenizer: CodeTokenizer | None = None

    def describe(self) -> EngineDescription:
        """See `Engine.describe`."""
        family = self._family
        device = f"{family.device}, {str(family.dtype).removeprefix('torch.')}" if family else ""
        return EngineDescription(self._settings.model, device, loaded=family is not None)

    def close(self) -> None:
        """See `Engine.close`."""
        self._family = self._tokenizer = None

    @torch.inference_mode()
    def infill(self, request: InfillRequest, listener: Listener, cancel: CancelToken) -> Finished:
        """Fill the request's spans together; see `Engine.infill`."""
        check_request(request)
        request = unmarked(as_meant(request))
        if request.mode not in ("infill", "holes") or request.instruction.strip():
            raise UnsupportedPairing(
                "published models fill and fill holes; rewriting, repairing and instructions take "
                "the default model"
            )
        family, tokenizer = self._load(listener)
        seed = secrets.randbelow(MAX_SEED) if request.seed is None else request.seed
        rng = torch.Generator().manual_seed(seed)
        sampler = self._sampler(request, family)
        # Half of a short canvas is left for what is filled.
        n_masks = min(LENGTHS[-1] * len(request.spans), family.max_length // 2)
        room = min(self._settings.max_context_tokens, family.max_length - n_masks)
        text = WholeText.of(request, tokenizer, family.mask_id, room)
        task = _Task(request, listener, cancel, family, tokenizer, sampler, rng, text)
        alternatives = [task.fill() for _ in range(request.n_alternatives)]
        return Finished(
            id=request.id,
            alternatives=tuple(dict.fromkeys(alternatives)),
            model=self._settings.model,
            sampler=sampler.name,
            seed=seed,
            usage=task.usage(),
        )

    def _sampler(self, request: InfillRequest, family: Family) -> Sampler[Any, Any]:
        expand_id = getattr(family, "expand_id", None)
        rule = "expand" if expand_id is not None else RULES.get(family.name, "low_confidence")
        name = request.sampler or self._settings.sampler or rule
        params = dict(request.params)
        if name == "expand":
            params = {"expand_id": expand_id, "eos_id": family.eos_id} | params
        return SAMPLERS.load(name).from_mapping(params)

    def _load(self, listener: Listener) -> tuple[Family, CodeTokenizer]:
        if self._family is None or self._tokenizer is None:
            folder = local_folder(self._settings.model, cache_dir(self._settings.cache_dir))
            listener.notice(f"Loading {self._settings.model}")
            path = folder / TOKENIZER_FILE
            if not path.is_file():
                raise ModelLoadFailed(f"{folder} has no {TOKENIZER_FILE}, which text is read with")
            device = choose_device(self._settings.device)
            dtype, bits = _precision(self._settings.precision, device)
            family = load_family(folder, device, dtype, bits)
            if family.block_length is not None:
                raise UnsupportedPairing(
                    f"the {family.name!r} family reads block by block and sees nothing behind a "
                    "span, so it can't fill one; it is there for researchers"
                )
            self._family, self._tokenizer = family, CodeTokenizer(path)
        return self._family, self._tokenizer


class _Task:
    """One request being filled."""

    def __init__(
        self,
        request: InfillRequest,
        listener: Listener,
        cancel: CancelToken,
        family: Family,
        tokenizer: CodeTokenizer,
        sampler: Sampler[Any, Any],
        rng: torch.Generator,
        text: WholeText,
    ) -> None:
        self._request, self._listener, self._cancel = request, listener, cancel
        self._family, self._tokenizer, self._sampler = family, tokenizer, sampler
        self._rng, self._text = rng, text
        self._end_ids = tokenizer.control_ids | {family.eos_id or -1}
        self._n_forwards = self._n_tokens = 0
        self._started = time.monotonic()

    def fill(self) -> Alternative:
        """Settle every span once."""
        canvas = self._text.canvas(self._lengths())
        name = "dual" if "dual" in self._family.caches else "none"
        cache = CACHES.load(name)()
        check_pairing(self._family, self._sampler, cache)
        before = self._n_forwards
        budget = Budget()
        if self._sampler.name == "expand":
            # A step settles one token, and a canvas that grows needs more than it begins with.
            budget = Budget(n_steps=2 * LENGTHS[-1])

        def on_step(step: Step) -> None:
            self._n_forwards = before + step.n_forwards
            if self._request.stream:
                self._report(step)

        n_forwards = denoise(
            self._family, self._sampler, cache, canvas, budget, self._rng,
            check=self._cancel.check, on_step=on_step,
        )  # fmt: skip
        self._n_forwards = before + n_forwards
        spans = self._text.read(canvas, self._end_ids)
        self._n_tokens += sum(map(len, spans))
        return Alternative(
            texts=as_suggested(self._request, [self._tokenizer.decode_whole(ids) for ids in spans])
        )

    def usage(self) -> Usage:
        """Say what it cost."""
        return Usage(
            n_context_tokens=sum(map(len, self._text.pieces)),
            n_tokens=self._n_tokens,
            n_forwards=self._n_forwards,
            denoise_s=time.monotonic() - self._started,
        )

    def _lengths(self) -> list[int]:
        """Choose how many masks each span gets."""
        spans = self._request.spans
        room = self._family.max_length - sum(map(len, self._text.pieces))
        wanted = max(span.max_tokens or LENGTHS[-1] for span in spans)
        most = max(1, min(wanted, LENGTHS[-1], room // len(spans)))
        if self._sampler.name == "expand":
            length = min(FIRST_LENGTH, most)
        elif self._family.mask_id is None or not _is_comparable(self._family):
            length = min(FIXED_LENGTH, most)
        else:
            lengths = [length for length in LENGTHS if length <= most] or [most]
            length = choose_length(
                self._family,
                self._family.mask_id,
                lambda n_masks: self._text.canvas([n_masks] * len(spans)),
                lengths,
                self._checked,
            )
        return [min(length, span.max_tokens or length) for span in spans]

    def _checked(self) -> None:
        self._cancel.check()
        self._n_forwards += 1

    def _report(self, step: Step) -> None:
        drafts = self._drafts(step.canvas)
        self._listener.step(
            StepReport(
                id=self._request.id,
                step_index=step.step_index,
                n_forwards=self._n_forwards,
                n_committed=int((step.canvas.committed & ~step.canvas.given).sum()),
                drafts=tuple(drafts),
                committed=tuple(draft.partition(MARK)[0] for draft in drafts),
                mark=MARK,
            )
        )

    def _drafts(self, canvas: Canvas) -> list[str]:
        """Return each span as it stands, marks where it is masked."""
        return [
            "".join(
                MARK if token == canvas.mask_id else self._tokenizer.decode([token])
                for token in span
            )
            for span in self._text.read(canvas, frozenset())
        ]


def _precision(wanted: str, device: torch.device) -> tuple[torch.dtype, WeightBits | None]:
    """Return the floating type, and how many bits weights are rounded to.

    Raises:
        BadRequest: no such precision.
    """
    if wanted != "auto" and wanted not in PRECISIONS:
        raise BadRequest(f"precision {wanted!r}: allowed are auto, {', '.join(PRECISIONS)}")
    bits: dict[str, WeightBits] = {"int8": 8, "int4": 4}
    return DTYPES.get(wanted, published_dtype(device)), bits.get(wanted)


def _is_comparable(family: Family) -> bool:
    """Whether several lengths can be asked about at once: by probabilities, in one batch."""
    return "logits" in family.kinds and type(family).predict_all is not Family.predict_all
