"""The adapter as parameters: made, trained, saved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from model_runtime.models.adapter import ADAPTED, Adapter, Link, LowRank

if TYPE_CHECKING:
    from pathlib import Path

    from model_runtime.models.gated import BaseConfig


class AdapterParameters(nn.Module):
    """Trainable mask embeddings and low-rank parts.

    Args:
        config: shape of the base.
        rank: of every low-rank part.
        vocabulary: [n_draft] int64: see `Adapter.vocabulary`.
        mask_start: [width] where every mask embedding starts.
        n_depths: mask embeddings.
        link_rank: of the link between neighbouring drafts.
    """

    def __init__(
        self,
        config: BaseConfig,
        rank: int,
        vocabulary: Tensor,
        mask_start: Tensor,
        n_depths: int = 8,
        link_rank: int = 1024,
    ) -> None:
        super().__init__()
        self._n_layers = config.n_layers
        self.register_buffer("vocabulary", vocabulary)
        self.mask_embedding = nn.Parameter(mask_start.float().repeat(n_depths, 1))
        width = config.width
        self.link_down = nn.Parameter(torch.randn(link_rank, 2 * width) / (2 * width) ** 0.5)
        self.link_up = nn.Parameter(torch.zeros(width, link_rank))
        self.down = nn.ParameterDict()
        self.up = nn.ParameterDict()
        for index in range(config.n_layers):
            for part, (n_in, n_out) in _shapes(config).items():
                self.down[f"{index}_{part}"] = nn.Parameter(torch.randn(rank, n_in) / n_in**0.5)
                # Zero: the adapter starts as the base itself.
                self.up[f"{index}_{part}"] = nn.Parameter(torch.zeros(n_out, rank))

    @torch.no_grad()
    def start_from(self, adapter: Adapter) -> None:
        """Take the values of a trained adapter.

        Its parts may be of lower rank: what is left of these then starts as it was made, which adds
        nothing yet.

        Args:
            adapter: of the same base and vocabulary.
        """
        self.mask_embedding.copy_(adapter.mask_embedding)
        self.link_down[: len(adapter.link.down)] = adapter.link.down
        self.link_up[:, : adapter.link.up.shape[1]] = adapter.link.up
        for index, layer in enumerate(adapter.layers):
            for part, low_rank in zip(ADAPTED, layer, strict=True):
                key = f"{index}_{part}"
                self.down[key][: len(low_rank.down)] = low_rank.down
                self.up[key][:, : low_rank.up.shape[1]] = low_rank.up

    def links(self) -> list[nn.Parameter]:
        """Return the parameters of the link."""
        return [self.link_down, self.link_up]

    def low_rank(self) -> list[nn.Parameter]:
        """Return all other parameters: what acts inside the base."""
        return [self.mask_embedding, *self.down.values(), *self.up.values()]

    def adapter(self) -> Adapter:
        """Return the adapter made of these very parameters, so a gradient reaches them."""

        def low_rank(index: int, part: str) -> LowRank:
            return LowRank(self.down[f"{index}_{part}"], self.up[f"{index}_{part}"])

        qkv, out, gate_up, down = ADAPTED
        return Adapter(
            mask_embedding=self.mask_embedding,
            layers=[
                (
                    low_rank(index, qkv),
                    low_rank(index, out),
                    low_rank(index, gate_up),
                    low_rank(index, down),
                )
                for index in range(self._n_layers)
            ],
            vocabulary=self.get_buffer("vocabulary"),
            link=Link(self.link_down, self.link_up),
        )

    def save(self, path: Path, metadata: dict[str, str]) -> None:
        """Write what `models.weights.load_adapter` reads, in bfloat16."""
        tensors = {
            "mask_embedding": self.mask_embedding.detach().bfloat16(),
            "vocabulary": self.get_buffer("vocabulary").int(),
            "link.down": self.link_down.detach().bfloat16(),
            "link.up": self.link_up.detach().bfloat16(),
        }
        for index in range(self._n_layers):
            for part in ADAPTED:
                name, key = f"layers.{index}.{part}", f"{index}_{part}"
                tensors[f"{name}.down"] = self.down[key].detach().bfloat16()
                tensors[f"{name}.up"] = self.up[key].detach().bfloat16()
        save_file(tensors, path, metadata)


def _shapes(config: BaseConfig) -> dict[str, tuple[int, int]]:
    """Return (n_in, n_out) of each adapted map."""
    n_query = config.n_heads * config.head_dim
    n_qkv = n_query + 2 * config.n_kv_heads * config.head_dim
    return {
        "qkv": (config.width, n_qkv),
        "out": (n_query, config.width),
        "gate_up": (config.width, 2 * config.mlp_width),
        "down": (config.mlp_width, config.width),
    }
