"""The safetensors files of a published folder, and whether they hold what a family asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from safetensors import SafetensorError, safe_open

from model_runtime.errors import ModelLoadFailed
from model_runtime.models.parts.checkpoint import Weights
from model_runtime.models.parts.config import read_json

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import torch
    from torch import Tensor

    from model_runtime.models.parts.checkpoint import Plan
    from model_runtime.models.parts.quantize import WeightBits

WEIGHTS_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
#: How safetensors calls the dtypes of weights that are what they say; rounded ones need scales.
_PLAIN_DTYPES = ("F16", "BF16", "F32", "F64")
#: So many tensor names are spelled out in a message.
_N_NAMED = 8
#: What was read of a mapped file counts as this process's memory until the file is closed, which it
#: is after so many bytes.
_WINDOW = 1 << 27


class Shards(Weights):
    """The safetensors files of a folder, one open at a time.

    Args:
        folder: holds `model.safetensors`, or its index and the shards it names.
        device: see `Weights`.
        dtype: see `Weights`.
        weight_bits: see `Weights`.

    Raises:
        ModelLoadFailed: a file is missing or damaged.
    """

    def __init__(
        self,
        folder: Path,
        device: torch.device,
        dtype: torch.dtype,
        weight_bits: WeightBits | None = None,
    ) -> None:
        super().__init__(device, dtype, weight_bits)
        self._folder = folder
        self._open_name, self._n_read = "", 0
        self._file_of = self._list_tensors()

    def check(self, plan: Plan) -> None:
        """Compare what is asked for with what there is.

        Raises:
            ModelLoadFailed: tensors are missing, left over, of another shape or rounded; it names
                them.
        """
        missing = [name for name in plan.shapes if name not in self._file_of]
        extra = [
            name
            for name in sorted(self._file_of.keys() - plan.shapes.keys())
            if not (name.endswith(plan.inert_names) or name.startswith(plan.inert_names))
        ]
        problems = []
        if missing:
            problems.append(f"missing tensors: {_listed(missing)}")
        if extra:
            problems.append(f"unexpected tensors: {_listed(extra)}")
        if not problems:
            # File by file: to open one means to read all its names.
            stored = {name: self._stored(name) for name in sorted(plan.shapes, key=self._place)}
            misshapen = [
                f"{name} is {list(stored[name][0])}, not {list(shape)}"
                for name, shape in plan.shapes.items()
                if stored[name][0] != shape
            ]
            mistyped = [
                f"{name} is {kind}"
                for name, (_, kind) in stored.items()
                if kind not in _PLAIN_DTYPES
            ]
            if misshapen:
                problems.append(f"tensors of another shape: {_listed(misshapen)}")
            if mistyped:
                problems.append(
                    f"tensors not of floating point ({', '.join(_PLAIN_DTYPES)}), "
                    f"which only a quantized checkpoint has: {_listed(mistyped)}"
                )
        if problems:
            raise ModelLoadFailed(f"{self._folder}: {'; '.join(problems)}")

    def tensor(self, name: str, *shape: int, dtype: torch.dtype | None = None) -> Tensor:
        """Read a tensor onto the device; see `Weights.tensor`."""
        tensor = self.stored(name, *shape)
        if tensor.is_floating_point():
            tensor = tensor.to(dtype or self.dtype)
        return tensor.to(self.device)

    def stored(self, name: str, *shape: int) -> Tensor:
        """Read a tensor, which may be part of a file still; see `Weights.stored`."""
        del shape  # checked by `check`
        if self._n_read > _WINDOW:
            self._open_name = ""
        file = self._open(self._file_of[name])
        try:
            tensor: Tensor = file.get_tensor(name)
        except SafetensorError as error:
            raise self._damaged(self._file_of[name], error) from error
        self._n_read += tensor.nbytes
        return tensor

    def inert(self, *names: str) -> None:
        """What is not asked for is not read."""

    def _place(self, name: str) -> str:
        return self._file_of[name]

    def _stored(self, name: str) -> tuple[tuple[int, ...], str]:
        """Return a tensor's shape and dtype, without reading it."""
        found = self._open(self._file_of[name]).get_slice(name)
        return tuple(found.get_shape()), found.get_dtype()

    def _list_tensors(self) -> dict[str, str]:
        """Map each tensor to the file that has it."""
        index = self._folder / INDEX_FILE
        if not index.exists():
            return dict.fromkeys(self._open(WEIGHTS_FILE).keys(), WEIGHTS_FILE)
        listed: dict[str, str] = read_json(index).get("weight_map", {})
        for file_name in sorted(set(listed.values())):
            found = set(self._open(file_name).keys())
            promised = {name for name, where in listed.items() if where == file_name}
            if found != promised:
                raise ModelLoadFailed(
                    f"{self._folder / file_name} is not what {INDEX_FILE} says: "
                    f"{_listed(sorted(found ^ promised))}; download it again"
                )
        return listed

    def _open(self, file_name: str) -> safe_open:
        """Return the file, closing the one that was open: the memory of one shard is enough."""
        if file_name != self._open_name:
            try:
                self._file = safe_open(self._folder / file_name, framework="pt")
            except (OSError, SafetensorError) as error:
                raise self._damaged(file_name, error) from error
            except RuntimeError as error:
                raise ModelLoadFailed(
                    f"{self._folder / file_name} can't be read: {error}; files of up to 5 GB are "
                    "common, take a checkpoint that has such"
                ) from error
            self._open_name, self._n_read = file_name, 0
        return self._file

    def _damaged(self, file_name: str, error: Exception) -> ModelLoadFailed:
        return ModelLoadFailed(
            f"{self._folder / file_name} is missing, cut short or damaged ({error}); "
            "download it again"
        )


def _listed(names: Sequence[str]) -> str:
    """Spell out the first few names and count the rest."""
    rest = len(names) - _N_NAMED
    return ", ".join(names[:_N_NAMED]) + (f" and {rest} more" if rest > 0 else "")
