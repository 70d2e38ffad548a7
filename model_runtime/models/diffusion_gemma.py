"""DiffusionGemma, through transformers' own class: block diffusion from uniform noise.

An encoder reads what stands before the block, causally, into keys and values; a decoder with the
same weights denoises the block, seeing all of it and all before it. There is no mask: unsettled
positions hold random tokens, and the last step's logits can be fed back (`Query.
self_conditioning`). It was not trained to see a suffix; given tokens behind the block are shown to
the decoder as part of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import torch

from model_runtime.decoding.canvas import Canvas, Prediction, PredictionKind, Query
from model_runtime.errors import BadRequest, ModelLoadFailed
from model_runtime.models.parts.config import PACKAGING, Config
from model_runtime.models.parts.family import Family

if TYPE_CHECKING:
    from torch import Tensor
    from transformers import DynamicCache

    from model_runtime.caches.base import Cache
    from model_runtime.models.parts.checkpoint import Weights

#: The vision tower is not loaded.
_VISION = ("model.encoder.vision_tower.", "model.encoder.embed_vision.")
#: A given token is shown to the decoder as a prediction that is as good as certain.
_CERTAIN = 1e4


#: Keys of the inner configuration that transformers reads without declaring them.
_TEXT_KEYS = {
    "final_logit_softcapping", "global_head_dim", "num_global_key_value_heads", "per_layer_config",
}  # fmt: skip


class GemmaConfig(Config, frozen=True, kw_only=True):
    """What is read of the published configuration; transformers reads the inner part."""

    text_config: dict[str, Any]
    canvas_length: int = 256

    inert: ClassVar[frozenset[str]] = PACKAGING | {
        "audio_config", "boi_token_id", "eoi_token_id", "eos_token_id", "image_token_id",
        "tie_word_embeddings", "vision_config",
    }  # fmt: skip


class Encoded(NamedTuple):
    """What the encoder has read."""

    token_ids: list[int]
    past: DynamicCache


class DiffusionGemma(Family):
    """Transformers' `DiffusionGemmaForBlockDiffusion`, text only."""

    name: ClassVar[str] = "diffusion_gemma"
    kinds: ClassVar[frozenset[PredictionKind]] = frozenset({"logits"})
    architectures: ClassVar[frozenset[str]] = frozenset({"DiffusionGemmaForBlockDiffusion"})
    config_type: ClassVar[type[Config]] = GemmaConfig

    def __init__(self, config: GemmaConfig, weights: Weights) -> None:
        super().__init__(config, weights)
        self.model = _load_model(config, weights)
        text = self.model.config.text_config
        self.mask_id = None
        eos = text.eos_token_id
        self.eos_id, self.pad_id = eos[0] if isinstance(eos, list) else eos, text.pad_token_id
        self.vocab_size = text.vocab_size
        self.max_length = text.max_position_embeddings
        self._encoded: Encoded | None = None

    @torch.no_grad()
    def encode(
        self, token_ids: Tensor, past: DynamicCache | None = None, mask: Tensor | None = None
    ) -> tuple[Tensor, DynamicCache]:
        """Read context.

        Args:
            token_ids: [batch, n] int64.
            past: what was read before; grows in place.
            mask: [batch, n_before + n], 0 at padding.

        Returns:
            [batch, n, width], the last hidden states, and the keys and values read so far.
        """
        output = self.model.model.encoder(input_ids=token_ids, cache=past, attention_mask=mask)
        return output.last_hidden_state, output.past_key_values

    @torch.no_grad()
    def forward(
        self,
        canvas_ids: Tensor,
        past: DynamicCache,
        positions: Tensor | None = None,
        self_conditioning: Tensor | None = None,
        mask: Tensor | None = None,
    ) -> Tensor:
        """Evaluate whole blocks.

        Args:
            canvas_ids: [batch, n] int64.
            past: of `encode`; not changed.
            positions: [1, n] int64; None: right behind the context.
            self_conditioning: [batch, n, vocab] float, the last logits, or None.
            mask: [batch, n_context], 0 at padding.

        Returns:
            [batch, n, vocab] float32 logits.
        """
        if mask is not None:
            mask = torch.cat((mask, torch.ones_like(canvas_ids)), dim=1)
        logits: Tensor = self.model(
            decoder_input_ids=canvas_ids,
            cache=past,
            decoder_position_ids=positions,
            self_conditioning_logits=self_conditioning,
            decoder_attention_mask=mask,
        ).logits
        return logits

    def predict(self, canvas: Canvas, query: Query, cache: Cache) -> Prediction:
        """Evaluate the block that the query spans; see `Denoiser`.

        Raises:
            BadRequest: nothing stands before the block.
        """
        self.check_length(canvas)
        self.count(cache, canvas.length)
        token_ids, asked = canvas.token_ids.to(self.device), query.positions.to(self.device)
        start, end = int(asked.min()), int(asked.max()) + 1
        if start == 0:
            raise BadRequest(f"the {self.name!r} family needs a token before the first open one")
        every = torch.arange(canvas.length, device=self.device)
        shown = ((every >= start) & ((every < end) | canvas.given.to(self.device))).nonzero()[:, 0]
        past = self._read(token_ids[:start])
        logits = self.forward(
            token_ids[None, shown], past, shown[None], self._condition(query, token_ids, shown)
        )
        rows = logits[0, torch.searchsorted(shown, asked)]
        return Prediction("logits", rows.to(query.positions.device))

    def _read(self, context: Tensor) -> DynamicCache:
        """Encode the context, or only what it has grown by since the last call."""
        token_ids: list[int] = context.tolist()
        before = self._encoded
        if before is None or before.token_ids != token_ids[: len(before.token_ids)]:
            before = None
        n_read = len(before.token_ids) if before else 0
        if n_read == len(token_ids) and before:
            return before.past
        self._encoded = None  # until the read is through: `past` grows in place
        _, past = self.encode(context[None, n_read:], before.past if before else None)
        self._encoded = Encoded(token_ids, past)
        return past

    def _condition(self, query: Query, token_ids: Tensor, shown: Tensor) -> Tensor | None:
        """Lay the last logits out over the block: [1, n_shown, vocab], certain where given."""
        if query.self_conditioning is None:
            return None
        last = query.self_conditioning.to(self.device, torch.float32)
        laid = last.new_zeros(len(shown), self.vocab_size)
        laid.scatter_(1, token_ids[shown, None], _CERTAIN)
        laid[torch.searchsorted(shown, query.positions.to(self.device))] = last
        return laid[None]


def _load_model(config: GemmaConfig, weights: Weights) -> Any:
    """Build transformers' model without its vision tower, its tensors taken from `weights`."""
    # Transformers takes seconds to import: only where this family is used.
    from transformers import (  # noqa: PLC0415
        DiffusionGemmaConfig,
        DiffusionGemmaForBlockDiffusion,
        DiffusionGemmaTextConfig,
    )

    known = {*DiffusionGemmaTextConfig.__dataclass_fields__, *PACKAGING, *_TEXT_KEYS}
    unknown = sorted(config.text_config.keys() - known)
    if unknown:
        raise ModelLoadFailed(
            f"config.json has keys this family does not know: "
            f"{', '.join(f'text_config.{key}' for key in unknown)}"
        )
    # transformers takes its own copies: some of its constructors write into what they are given.
    outer = DiffusionGemmaConfig(
        text_config=dict(config.text_config), canvas_length=config.canvas_length
    )
    with torch.device("meta"):
        model = DiffusionGemmaForBlockDiffusion(outer)
    encoder = model.model.encoder
    del encoder.vision_tower, encoder.embed_vision
    twins, own = _tensor_names(model)
    weights.inert(*_VISION, *twins)
    state = {name: weights.tensor(name, *shape) for name, shape in own.items()}
    state |= {name: state[twin] for name, twin in twins.items()}
    model.load_state_dict(state, assign=True)
    for stack in (encoder.language_model, model.model.decoder):
        # What is computed, not stored, came out empty with the tensors' places.
        stack.rotary_emb = type(stack.rotary_emb)(stack.rotary_emb.config, weights.device)
        embedding = stack.embed_tokens
        embedding.embed_scale = torch.tensor(embedding.scalar_embed_scale, device=weights.device)
    return model.eval().requires_grad_(requires_grad=False)


def _tensor_names(model: Any) -> tuple[dict[str, str], dict[str, torch.Size]]:
    """Return the tensors that share another's weights (to whose name), and the others' shapes."""
    shapes = {name: tensor.shape for name, tensor in model.state_dict().items()}
    twins = {"lm_head.weight": "model.decoder.embed_tokens.weight"}
    for name in shapes:
        twin = name.replace("model.encoder.language_model.", "model.decoder.")
        if twin != name and not name.endswith("layer_scalar"):
            twins[name] = twin
    return twins, {name: shape for name, shape in shapes.items() if name not in twins}
