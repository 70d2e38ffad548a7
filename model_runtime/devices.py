"""Which device computes, in which precision, and whether a model fits, before it is loaded."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Literal, get_args

import torch

from model_runtime.errors import BadRequest, DeviceFailed, ModelLoadFailed
from model_runtime.memory import free_memory
from model_runtime.models.captured import most_keys
from model_runtime.models.int8 import kernel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from model_runtime.models.gated import BaseConfig

#: What weights are computed with.
Precision = Literal["int4", "int8", "bf16", "fp16", "fp32"]
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "fp32": torch.float32}
#: Kinds of accelerators whose torch has what the models need.
ACCELERATORS = ("cuda", "mps", "xpu")
#: Bits a weight, scales included.
_BITS = {"int4": 4.5, "int8": 8.0, "bf16": 16.0, "fp16": 16.0, "fp32": 32.0}
#: CUDA cards below this compute bfloat16 in software.
_BF16_CAPABILITY = (8, 0)
#: Activations, a few contexts' keys and values beyond the first, and the libraries themselves.
_SPARE_BYTES = 400_000_000
#: How an accelerator's own errors begin, where torch has no class for them.
_DEVICE_WORDS = ("CUDA error", "CUBLAS_STATUS", "cuDNN error", "MPS backend", "Native API failed")
#: Encoded contexts that are counted.
_N_CONTEXTS = 2


def choose_device(wanted: str = "auto") -> torch.device:
    """Return the device to run on: for "auto" the accelerator that torch names, else the processor.

    Raises:
        BadRequest: no device of that name, or none is there.
    """
    found = torch.accelerator.current_accelerator(check_available=True)
    if wanted == "auto":
        is_known = found is not None and found.type in ACCELERATORS
        return found if found is not None and is_known else torch.device("cpu")
    try:
        device = torch.device(wanted)
    except RuntimeError as error:
        raise BadRequest(_not_allowed(wanted)) from error
    if device.type == "cpu":
        return device
    if device.type not in ACCELERATORS:
        raise BadRequest(_not_allowed(wanted))
    if found is None or found.type != device.type:
        there = f"; it has {found.type}" if found is not None else ""
        raise BadRequest(
            f"device {wanted!r}: this machine, or its torch, has no such device{there}"
        )
    if (device.index or 0) >= torch.accelerator.device_count():
        raise BadRequest(f"device {wanted!r}: there are {torch.accelerator.device_count()}")
    return device


def _not_allowed(wanted: str) -> str:
    return (
        f"device {wanted!r}: allowed are auto, cpu, {', '.join(ACCELERATORS)}, "
        "and a number behind one, like cuda:1"
    )


def usual_precision(device: torch.device) -> Precision:
    """Return the precision that suits a device best, without asking for its memory."""
    if device.type == "cpu":
        return "bf16" if kernel() is None else "int8"
    return "bf16" if has_bfloat16(device) else "fp16"


def has_bfloat16(device: torch.device) -> bool:
    """Whether an accelerator computes bfloat16 itself."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= _BF16_CAPABILITY
    try:
        torch.ones(1, dtype=torch.bfloat16, device=device).add(1)
    except (RuntimeError, TypeError):
        return False
    return True


def published_dtype(device: torch.device) -> torch.dtype:
    """Return the floating type for a published checkpoint on a device."""
    # Most processors are slow in bfloat16.
    return torch.float32 if device.type == "cpu" else DTYPES[usual_precision(device)]


def captures_steps(wanted: str, device: torch.device) -> bool:
    """Whether steps are recorded and replayed, by the setting `captured_steps`."""
    return wanted == "on" or (wanted == "auto" and device.type == "cuda")


def choose_precision(
    name: str,
    config: BaseConfig,
    device: torch.device,
    wanted: str,
    n_tokens: int,
    *,
    captures: bool = False,
) -> Precision:
    """Return the precision to load a model in.

    Args:
        name: of the model, for the message.
        config: its shape.
        device: where it will run.
        wanted: "auto", or one of `PRECISIONS`.
        n_tokens: of the longest context.
        captures: whether steps are recorded, which takes another context's room.

    Raises:
        BadRequest: no such precision.
        ModelLoadFailed: it does not fit; the message says what would.
    """
    if wanted != "auto" and wanted not in PRECISIONS:
        raise BadRequest(f"precision {wanted!r}: allowed are auto, {', '.join(PRECISIONS)}")
    chosen: Precision = usual_precision(device) if wanted == "auto" else wanted  # type: ignore[assignment]  # checked
    free = free_bytes(device)

    def needed_in(precision: Precision) -> int:
        return needed_bytes(config, precision, n_tokens, captures=captures)

    needed = needed_in(chosen)
    if free is None or needed <= free:
        return chosen
    smaller = [
        other
        for other in PRECISIONS[::-1]
        if _BITS[other] < _BITS[chosen] and needed_in(other) <= free
    ]
    raise ModelLoadFailed(
        f"{name} needs {_gb(needed)} GB in {chosen}, {_gb(free)} are free on {device}: "
        + (
            f"{smaller[0]} needs {_gb(needed_in(smaller[0]))} (set precision = {smaller[0]})"
            if smaller
            else f"even int4 would need {_gb(needed_in('int4'))};"
            " take a smaller model (`remask models`)"
        )
    )


@contextlib.contextmanager
def told_failures(
    device: torch.device, on_full: Callable[[], None], on_lost: Callable[[], None]
) -> Iterator[None]:
    """Tell an accelerator's failures in words; the next request runs again.

    Args:
        device: that computes inside of the context.
        on_full: its memory was full: called to give some back.
        on_lost: its driver or its context is gone: called to let go of all that was on it.

    Raises:
        DeviceFailed: it failed.
    """
    try:
        yield
    except torch.OutOfMemoryError as error:
        on_full()
        if device.type != "cpu":
            with contextlib.suppress(RuntimeError):
                torch.accelerator.empty_cache()
        raise DeviceFailed(
            f"The memory of {device} was full, and this request was given up. Other programs may "
            "have taken it; a smaller max_context_tokens, precision = int8 or int4, or a smaller "
            "model takes less."
        ) from error
    except RuntimeError as error:
        if device.type == "cpu" or not _is_of_device(error):
            raise
        on_lost()
        words = str(error).splitlines()[0][:200]
        raise DeviceFailed(
            f"{device} failed, and this request was given up ({words}). The next one runs on the "
            "processor; `remask stop` and a new start try the device again."
        ) from error


def _is_of_device(error: RuntimeError) -> bool:
    """Whether an error is the device's, not one of the code that uses it."""
    kind = getattr(torch, "AcceleratorError", None)
    is_kind = kind is not None and isinstance(error, kind)
    return is_kind or any(word in str(error) for word in _DEVICE_WORDS)


def needed_bytes(
    config: BaseConfig, precision: Precision, n_tokens: int, *, captures: bool = False
) -> int:
    """Return what a base model takes: weights, keys and values, and room to compute in."""
    n_query, n_key = config.n_heads * config.head_dim, config.n_kv_heads * config.head_dim
    per_layer = config.width * (2 * n_query + 2 * n_key + 3 * config.mlp_width)
    n_table = config.vocab_size * config.width
    n_linear = config.n_layers * per_layer + n_table
    # An embedding is looked up; below 8 bits it would lose what nothing gives back.
    weights = (n_linear * _BITS[precision] + n_table * max(_BITS[precision], 8)) / 8
    # Where weights are integers on a processor, activations are float32.
    n_bytes = 2 if precision in ("bf16", "fp16") else 4
    n_kept = n_tokens * _N_CONTEXTS + (most_keys(n_tokens) if captures else 0)
    kept = 2 * config.n_layers * n_key * n_bytes * n_kept
    return int(weights + kept) + _SPARE_BYTES


def free_bytes(device: torch.device) -> int | None:
    """Return the free memory of a device, or None where it can't be told."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    if device.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory()
    if device.type == "xpu":
        n_free: int = torch.xpu.mem_get_info(device)[0]
        return n_free
    return free_memory()


def _gb(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f}"
