"""What a base model's file has to offer, whichever format it is in, and whether it hangs together.

Tensors have the names that GGUF gives them. Shapes and sizes in a file are somebody's word: they
are checked against each other before anything is computed from them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from math import inf
from typing import TYPE_CHECKING, Any

from model_runtime.errors import ModelLoadFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tokenizers import Tokenizer
    from torch import Tensor

    from model_runtime.models.gated import BaseConfig
    from model_runtime.text.marks import Hints

#: The shapes that are read here, by GGUF's and the configuration's name of them.
ARCHITECTURES = ("llama", "qwen2", "qwen3")
#: By what each frequency is divided, where positions are stretched (Llama 3.1).
ROPE_FACTORS = "rope_freqs.weight"
#: Of a configuration: what turns and norms divide by, and what is either so or not; all else are
#: sizes.
_NUMBERS = ("rope_base", "norm_eps", "rope_scale")
_SWITCHES = ("head_norms", "has_rope_factors")
#: More of anything is no model but a damaged file.
_MOST = 2**31


class BaseSource(ABC):
    """A base model as it was published.

    Attributes:
        name: for messages.
        config: the shape it says it has.
    """

    name: str
    config: BaseConfig

    @abstractmethod
    def shape(self, tensor: str) -> tuple[int, ...] | None:
        """Return a tensor's shape, outputs first; None where there is none of that name."""

    @abstractmethod
    def rows(self, tensor: str, start: int, stop: int) -> Tensor:
        """Return some of a tensor's rows [stop - start, ...] in float32.

        Raises:
            ModelLoadFailed: they can't be read.
        """

    @abstractmethod
    def tokenizer(self) -> tuple[Tokenizer, Hints]:
        """Return the tokenizer, and what the file says of its marks.

        Raises:
            ModelLoadFailed: there is none that is known here.
        """

    def check(self) -> None:
        """Compare the tensors with what the configuration promises.

        Raises:
            ModelLoadFailed: a size that can't be, or a tensor that is missing or of another shape.
        """
        config = self.config
        values = {key: value for key, value in vars(config).items() if key not in _SWITCHES}
        numbers = [values.pop(key) for key in _NUMBERS]
        are_numbers = all(isinstance(number, float) and 0 < number < inf for number in numbers)
        are_sizes = all(type(size) is int and 0 < size < _MOST for size in values.values())
        if (
            not (are_numbers and are_sizes)
            or config.n_heads % config.n_kv_heads
            or config.head_dim % 2
        ):
            raise ModelLoadFailed(f"{self.name}: sizes that can't be: {config}")
        for tensor, shape, is_needed in self._promised():
            found = self.shape(tensor)
            if found is None and is_needed:
                raise ModelLoadFailed(f"{self.name} has no tensor {tensor!r}; it is cut short")
            if found not in (None, shape):
                raise ModelLoadFailed(
                    f"{self.name}: {tensor!r} is {_spelled(found)}, not {_spelled(shape)}"
                )

    def _promised(self) -> Iterator[tuple[str, tuple[int, ...], bool]]:
        """Yield each tensor's name, its shape, and whether it has to be there."""
        c = self.config
        n_query, n_key = c.n_heads * c.head_dim, c.n_kv_heads * c.head_dim
        yield "token_embd.weight", (c.vocab_size, c.width), True
        yield "output_norm.weight", (c.width,), True
        yield "output.weight", (c.vocab_size, c.width), False
        for index in range(c.n_layers):
            for part, n_out, n_in in (
                ("attn_q", n_query, c.width),
                ("attn_k", n_key, c.width),
                ("attn_v", n_key, c.width),
                ("attn_output", c.width, n_query),
                ("ffn_gate", c.mlp_width, c.width),
                ("ffn_up", c.mlp_width, c.width),
                ("ffn_down", c.width, c.mlp_width),
            ):
                yield f"blk.{index}.{part}.weight", (n_out, n_in), True
                yield f"blk.{index}.{part}.bias", (n_out,), False
            for part in ("attn_norm", "ffn_norm"):
                yield f"blk.{index}.{part}.weight", (c.width,), True
            for part in ("attn_q_norm", "attn_k_norm"):
                yield f"blk.{index}.{part}.weight", (c.head_dim,), c.head_norms
        yield ROPE_FACTORS, (c.head_dim // 2,), c.has_rope_factors


def known_architecture(name: str, found: Any) -> str:
    """Return the architecture.

    Raises:
        ModelLoadFailed: it is none that is known here; the message lists those.
    """
    if found not in ARCHITECTURES:
        raise ModelLoadFailed(
            f"{name} holds a {found!r} model; allowed: {', '.join(ARCHITECTURES)}"
        )
    return str(found)


def _spelled(shape: tuple[int, ...] | None) -> str:
    return " x ".join(map(str, shape or ()))
