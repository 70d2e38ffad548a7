"""The transformer most families share: pre-norm, rotary positions, grouped heads, gated MLPs.

What differs between families is in `Shape` (biases, head norms, how much of a head turns, tied
embeddings), in the MLP of a block (dense or experts), in what a row may see, and in the alignment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch.nn import functional

from model_runtime.models.layers import Linear, attend, rms_norm, rotary_tables, rotate
from model_runtime.models.parts.config import check_shared

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from model_runtime.caches.base import Cache
    from model_runtime.models.layers import Embedding
    from model_runtime.models.parts.checkpoint import Weights


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Sizes and variations of a stack."""

    n_layers: int
    width: int
    n_heads: int
    n_kv_heads: int
    head_dim: int
    #: Of the dense MLPs.
    mlp_width: int
    #: Rows of the embedding and of the head.
    vocab_size: int
    rope_base: float
    norm_eps: float
    #: The first channels of a head turn with the position, the others do not.
    rotary_dim: int
    qkv_bias: bool = False
    out_bias: bool = False
    mlp_bias: bool = False
    #: Whether queries and keys are normalised head by head, before they turn.
    head_norms: bool = False
    #: Whether the head is the embedding.
    tied: bool = False

    def __post_init__(self) -> None:
        """Refuse heads that can't be grouped, and channels that can't be paired."""
        check_shared(self.n_heads, self.n_kv_heads, "query heads and the key heads they share")
        check_shared(self.rotary_dim, 2, "channels of a head that turn, in pairs")


@dataclass(frozen=True)
class GatedMlp:
    """down(silu(gate(x)) * up(x)) (Shazeer 2020, arXiv 2002.05202)."""

    #: width -> 2 * mlp_width, laid out gate, up.
    gate_up: Linear
    down: Linear

    def __call__(self, x: Tensor) -> Tensor:
        """Map [..., width] to [..., width]."""
        gate, up = self.gate_up(x).chunk(2, dim=-1)
        return self.down(functional.silu(gate) * up)


@dataclass(frozen=True)
class Layer:
    """One block."""

    attention_norm: Tensor
    #: width -> (n_heads + 2 n_kv_heads) * head_dim, laid out queries, keys, values.
    qkv: Linear
    #: [head_dim] each, or None.
    query_norm: Tensor | None
    key_norm: Tensor | None
    out: Linear
    mlp_norm: Tensor
    #: Maps [..., width] to [..., width].
    mlp: Callable[[Tensor], Tensor]


class Transformer:
    """A stack of blocks between an embedding and a head.

    Args:
        shape: sizes.
        embedding: looks tokens [...] up: [..., width].
        layers: the blocks.
        final_norm: [width].
        head: width -> vocab_size.
    """

    def __init__(
        self,
        shape: Shape,
        embedding: Callable[[Tensor], Tensor],
        layers: Sequence[Layer],
        final_norm: Tensor,
        head: Linear,
    ) -> None:
        self.shape = shape
        self._embedding = embedding
        self._layers = layers
        self._final_norm = final_norm
        self.head = head

    def hidden(
        self, token_ids: Tensor, positions: Tensor, allowed: Tensor | None, cache: Cache
    ) -> Tensor:
        """Run the fed rows.

        Args:
            token_ids: [batch, n_fed] int64.
            positions: [batch, n_fed] int64.
            allowed: [n_fed, n_rows] or [batch, n_fed, n_rows] bool, what each fed row attends to;
                None lets it see every row.
            cache: has the rows that are not fed.

        Returns:
            [batch, n_fed, width], normalised, ready for the head.
        """
        tables = rotary_tables(positions, self.shape.rotary_dim, self.shape.rope_base)
        x = self._embedding(token_ids)
        for index, layer in enumerate(self._layers):
            x = x + self._attention(index, layer, x, tables, allowed, cache)
            x = x + layer.mlp(rms_norm(x, layer.mlp_norm, self.shape.norm_eps))
        return rms_norm(x, self._final_norm, self.shape.norm_eps)

    def turn(self, keys: Tensor, places: Tensor) -> Tensor:
        """Return keys [..., n, heads, channels] as they are so many `places` [..., n] further."""
        return rotate(keys, rotary_tables(places, self.shape.rotary_dim, self.shape.rope_base))

    def _attention(
        self,
        index: int,
        layer: Layer,
        x: Tensor,
        tables: tuple[Tensor, Tensor],
        allowed: Tensor | None,
        cache: Cache,
    ) -> Tensor:
        shape = self.shape
        sizes = (shape.n_heads, shape.n_kv_heads, shape.n_kv_heads)
        fed = rms_norm(x, layer.attention_norm, shape.norm_eps)
        heads = layer.qkv(fed).unflatten(-1, (-1, shape.head_dim))
        queries, keys, values = heads.split(sizes, dim=-2)
        if layer.query_norm is not None and layer.key_norm is not None:
            queries = rms_norm(queries, layer.query_norm, shape.norm_eps)
            keys = rms_norm(keys, layer.key_norm, shape.norm_eps)
        keys, values = cache.extend(index, rotate(keys, tables), values)
        return layer.out(attend(rotate(queries, tables), keys, values, allowed))


def load_transformer(
    weights: Weights,
    shape: Shape,
    load_mlp: Callable[[Weights, str, int], Callable[[Tensor], Tensor]] | None = None,
) -> Transformer:
    """Build a stack of tensors named as Llama's, Qwen2's and Qwen3's are.

    Args:
        weights: where the tensors come from.
        shape: sizes.
        load_mlp: makes the MLP of a block, given its tensors' prefix and its index; None for dense.
    """
    size, n_key = shape.n_heads * shape.head_dim, shape.n_kv_heads * shape.head_dim
    embedding, head = load_ends(weights, shape, "model.embed_tokens.weight", "lm_head")
    layers = []
    for index in range(shape.n_layers):
        name = f"model.layers.{index}"
        attention = f"{name}.self_attn"
        head_norms = (f"{attention}.q_norm.weight", f"{attention}.k_norm.weight")
        projections = [f"{attention}.{part}_proj" for part in "qkv"]
        layers.append(
            Layer(
                weights.tensor(f"{name}.input_layernorm.weight", shape.width),
                weights.linear(projections, shape.width, size, n_key, n_key, bias=shape.qkv_bias),
                *load_head_norms(weights, shape, *head_norms),
                weights.linear(f"{attention}.o_proj", size, shape.width, bias=shape.out_bias),
                weights.tensor(f"{name}.post_attention_layernorm.weight", shape.width),
                load_mlp(weights, f"{name}.mlp", index)
                if load_mlp
                else load_gated_mlp(
                    weights, f"{name}.mlp", shape.width, shape.mlp_width, bias=shape.mlp_bias
                ),
            )
        )
    weights.inert("rotary_emb.inv_freq")
    final_norm = weights.tensor("model.norm.weight", shape.width)
    return Transformer(shape, embedding, layers, final_norm, head)


def load_head_norms(
    weights: Weights, shape: Shape, query: str, key: str
) -> tuple[Tensor | None, Tensor | None]:
    """Return the norms of queries and keys, [head_dim] each, where the stack has them."""
    if not shape.head_norms:
        return None, None
    return weights.tensor(query, shape.head_dim), weights.tensor(key, shape.head_dim)


def load_gated_mlp(
    weights: Weights, name: str, width: int, mlp_width: int, *, bias: bool = False
) -> GatedMlp:
    """Build the MLP whose maps are called gate_proj, up_proj and down_proj."""
    return GatedMlp(
        weights.linear(
            [f"{name}.gate_proj", f"{name}.up_proj"], width, mlp_width, mlp_width, bias=bias
        ),
        weights.linear(f"{name}.down_proj", mlp_width, width, bias=bias),
    )


def load_ends(
    weights: Weights, shape: Shape, embedding: str, head: str
) -> tuple[Embedding, Linear]:
    """Build the embedding and the output projection, which is the embedding where they are tied."""
    if shape.tied:
        # Some checkpoints store the tied matrix twice.
        weights.inert(f"{head}.weight")
    return weights.ends(embedding, None if shape.tied else head, shape.vocab_size, shape.width)
