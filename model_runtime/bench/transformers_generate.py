"""transformers' own `generate`, with the same file of weights brought to float32."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
import transformers
from transformers.modeling_gguf_pytorch_utils import load_gguf_checkpoint

from model_runtime.weights.fetch import cache_dir, ensure

if TYPE_CHECKING:
    from pathlib import Path

    from torch import Tensor

    from model_runtime.evaluation.base import EvalTask
    from model_runtime.settings import RuntimeSettings
    from model_runtime.text.fim import FimTemplate

#: In float32 each token reads four times the bytes; longer contexts would take minutes.
LONGEST_CONTEXT = 250


class TransformersGenerate:
    """The same weights in transformers."""

    name = f"transformers {transformers.__version__}, float32"
    #: Its caches live no longer than a call.
    keeps_context = False
    longest_context = LONGEST_CONTEXT

    def __init__(self, settings: RuntimeSettings, template: FimTemplate) -> None:
        self._template = template
        path = ensure(settings.model, folder=cache_dir(settings.cache_dir))
        self._model: Any = load_gguf(path)

    def forget(self) -> None:
        """See `Peer.forget`: nothing is kept."""

    @torch.inference_mode()
    def fill(self, gap: EvalTask, max_tokens: int) -> str:
        """See `Peer.fill`."""
        tokenizer = self._template.tokenizer
        prompt = self._template.lay_out(tokenizer.encode(gap.prefix), tokenizer.encode(gap.suffix))
        token_ids = torch.tensor([prompt])

        def has_line_end(said: Tensor, scores: object, **_: object) -> Tensor:
            del scores
            text = tokenizer.decode(said[0, len(prompt) :].tolist())
            return torch.tensor(["\n" in text])

        said = self._model.generate(
            token_ids,
            attention_mask=torch.ones_like(token_ids),
            max_new_tokens=max_tokens,
            do_sample=False,
            repetition_penalty=1.0,
            eos_token_id=sorted(self._template.end_ids),
            pad_token_id=self._template.end_id,
            stopping_criteria=[has_line_end],
        )
        return tokenizer.decode(said[0, len(prompt) :].tolist()).partition("\n")[0]


def load_gguf(path: Path) -> Any:
    """Return a Qwen2 model with the tensors of a GGUF file in float32.

    With what `from_pretrained` reads such a file with; but that wants a package besides.
    """
    config = transformers.Qwen2Config(**load_gguf_checkpoint(path)["config"])
    model = transformers.Qwen2ForCausalLM(config).eval()
    read = load_gguf_checkpoint(
        path, return_tensors=True, model_to_load=model, torch_dtype=torch.float32
    )
    model.load_state_dict(read["tensors"], strict=False)
    model.tie_weights()
    return model
