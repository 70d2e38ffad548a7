"""A base model in a GGUF file, in any quantization that the gguf package unpacks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from model_runtime.errors import ModelLoadFailed
from model_runtime.models.gated import BaseConfig
from model_runtime.text.marks import Hints
from model_runtime.text.tokenizer import byte_pairs, sentence_pieces
from model_runtime.weights.base import ROPE_FACTORS, BaseSource, known_architecture
from model_runtime.weights.gguf_file import MAGIC, GgufFile

if TYPE_CHECKING:
    from pathlib import Path

    from tokenizers import Tokenizer
    from torch import Tensor

#: How text is split where an older file does not say.
_USUAL_WORDS = {"qwen2": "qwen2", "qwen3": "qwen2"}
#: Channels of a head turn in neighbouring pairs in files of this architecture: the rows of queries
#: and keys were put in that order when the file was made.
_PAIRED = "llama"
#: Newer and older names of the ids that mark a gap.
_MARKS = {
    "prefix_id": ("fim_pre_token_id", "prefix_token_id"),
    "suffix_id": ("fim_suf_token_id", "suffix_token_id"),
    "middle_id": ("fim_mid_token_id", "middle_token_id"),
    "end_id": ("eos_token_id",),
    "file_id": ("fim_sep_token_id",),
}
_REQUIRED: Any = object()


class GgufBase(BaseSource):
    """See the module.

    Args:
        path: the file.

    Raises:
        ModelLoadFailed: it is no GGUF file, is cut short, or holds another kind of model.
    """

    def __init__(self, path: Path) -> None:
        self.name = path.name
        try:
            with path.open("rb") as file:
                magic = file.read(len(MAGIC))
        except OSError as error:
            raise ModelLoadFailed(f"{path} can't be read: {error.strerror}") from error
        if magic != MAGIC:
            raise ModelLoadFailed(f"{path.name} is not a GGUF file")
        try:
            self._file = GgufFile(path)
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise ModelLoadFailed(
                f"{path.name} is not a GGUF file that can be read, or only the beginning of one"
                f" ({error}); download it again"
            ) from error
        if self._field("split.count", 0) not in (0, 1):
            raise ModelLoadFailed(
                f"{path.name} is one part of a model in several files; take one in a single file"
            )
        self._architecture = known_architecture(self.name, self._field("general.architecture"))
        try:
            self.config = self._read_config()
        except (ValueError, TypeError) as error:
            raise ModelLoadFailed(
                f"{path.name} says of itself what makes no sense ({error}); download it again"
            ) from error

    def shape(self, tensor: str) -> tuple[int, ...] | None:
        """See `BaseSource.shape`."""
        found = self._file.tensors.get(tensor)
        return None if found is None else found.shape

    def rows(self, tensor: str, start: int, stop: int) -> Tensor:
        """See `BaseSource.rows`."""
        found = self._file.tensors[tensor]
        part = tensor.split(".")[-2]
        try:
            if self._architecture == _PAIRED and part in ("attn_q", "attn_k"):
                n_heads = self.config.n_heads if part == "attn_q" else self.config.n_kv_heads
                unpacked = found.rows(_paired(n_heads, self.config.head_dim)[start:stop])
            else:
                unpacked = found.rows(slice(start, stop))
        except (NotImplementedError, ValueError) as error:
            raise ModelLoadFailed(
                f"{self.name}: {tensor!r} is quantized in a way that can't be unpacked here"
                f" ({found.kind.name})"
            ) from error
        return torch.from_numpy(unpacked)

    def tokenizer(self) -> tuple[Tokenizer, Hints]:
        """See `BaseSource.tokenizer`."""
        tokens, types = (
            self._field("tokenizer.ggml.tokens"),
            self._field("tokenizer.ggml.token_type"),
        )
        kind = self._field("tokenizer.ggml.model", "gpt2")
        if kind == "gpt2":
            usual = _USUAL_WORDS.get(self._architecture, "")
            words = self._field("tokenizer.ggml.pre", usual)
            made = byte_pairs(tokens, types, self._field("tokenizer.ggml.merges"), words)
        elif kind == "llama":
            made = sentence_pieces(tokens, types, self._field("tokenizer.ggml.scores"))
        else:
            raise ModelLoadFailed(f"{self.name}: no tokenizer {kind!r}; allowed: gpt2, llama")
        return made, self._hints(adds_start=kind == "llama")

    def _hints(self, *, adds_start: bool) -> Hints:
        """Return the marks.

        Args:
            adds_start: whether a start is put before every text where the file does not say.
        """
        ids = {
            mark: next(
                (
                    found
                    for key in keys
                    if (found := self._field(f"tokenizer.ggml.{key}", None)) is not None
                ),
                None,
            )
            for mark, keys in _MARKS.items()
        }
        start = self._field("tokenizer.ggml.bos_token_id", None)
        is_added = self._field("tokenizer.ggml.add_bos_token", adds_start)
        words = self._field("tokenizer.ggml.pre", "")
        return Hints(
            name=f"{self._field('general.name', '')} {self.name} {words}".strip(),
            start_ids=() if start is None or not is_added else (int(start),),
            **{mark: None if found is None else int(found) for mark, found in ids.items()},
        )

    def _read_config(self) -> BaseConfig:
        prefix = self._architecture

        def field(key: str, default: Any = _REQUIRED) -> Any:
            return self._field(f"{prefix}.{key}", default)

        width, n_heads = field("embedding_length"), field("attention.head_count")
        head_dim = field("attention.key_length", width // max(n_heads, 1))
        scaling = field("rope.scaling.type", "none")
        if field("rope.dimension_count", head_dim) != head_dim or scaling not in ("none", "linear"):
            raise ModelLoadFailed(
                f"{self.name} turns its heads in a way unknown here (rope scaling {scaling!r})"
            )
        embedding = self.shape("token_embd.weight") or (0, 0)
        return BaseConfig(
            n_layers=field("block_count"),
            width=width,
            n_heads=n_heads,
            n_kv_heads=field("attention.head_count_kv", n_heads),
            head_dim=head_dim,
            mlp_width=field("feed_forward_length"),
            rope_base=float(field("rope.freq_base", 10_000.0)),
            norm_eps=float(field("attention.layer_norm_rms_epsilon")),
            vocab_size=embedding[0],
            max_length=field("context_length"),
            rope_scale=float(field("rope.scaling.factor", 1.0)) if scaling == "linear" else 1.0,
            head_norms=self.shape("blk.0.attn_q_norm.weight") is not None,
            has_rope_factors=self.shape(ROPE_FACTORS) is not None,
        )

    def _field(self, key: str, default: Any = _REQUIRED) -> Any:
        """Return a field's value.

        Raises:
            ModelLoadFailed: there is none, and no default.
        """
        found = self._file.fields.get(key, default)
        if found is _REQUIRED:
            raise ModelLoadFailed(f"{self.name}: the GGUF file has no field {key!r}")
        return found


def _paired(n_heads: int, head_dim: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return [n_heads * head_dim]: where each row of the half-split order stands in the file."""
    half = np.arange(n_heads * head_dim).reshape(n_heads, head_dim // 2, 2)
    return half.transpose(0, 2, 1).reshape(-1)
