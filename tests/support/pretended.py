"""A pretended accelerator: tensors that say they are on one while they compute on the processor.

What breaks on first contact with a device can be found without it: tensors of both kinds in one
operation, types that the device has not, and what makes the processor wait. A tensor is wrapped
(made on "meta", its `device` overridden); a function mode catches what makes tensors or moves them;
every operation goes through `Pretended.__torch_dispatch__`, which checks and counts.

What it knows of waiting: whatever comes to the processor waits, and what goes to the device waits
as well, until all that is queued there is done, unless it is queued itself: out of pinned memory,
and without waiting asked for. An index on the processor is such a transfer. What comes into pinned
memory without waiting is not there before somebody has waited: until then it holds rubbish.
"""

from __future__ import annotations

import contextlib
import functools
from collections import Counter
from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
from support.pretended_graph import Recording, stand_ins
from torch.overrides import TorchFunctionMode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

#: Operations whose result's size, or whose result, the processor has to wait for; also those that
#: are made of others, which come whole where no gradient is asked for.
WAITING = {
    "aten::_local_scalar_dense", "aten::item", "aten::equal", "aten::allclose", "aten::is_nonzero",
    "aten::masked_select", "aten::nonzero", "aten::nonzero_numpy", "aten::argwhere",
    "aten::_unique2", "aten::unique_consecutive", "aten::unique_dim", "aten::bincount",
}  # fmt: skip
#: They move, or look at a shape alone.
_INDIFFERENT = {
    "aten::copy_", "aten::_to_copy", "aten::expand_as", "aten::view_as", "aten::reshape_as",
}  # fmt: skip
#: Products that accelerators have for floating numbers alone.
_FLOATING = {
    "aten::mm", "aten::bmm", "aten::addmm", "aten::baddbmm", "aten::linear", "aten::mv",
    "aten::matmul", "aten::dot", "aten::einsum",
}  # fmt: skip
#: Not there on Metal for whole numbers of 64 bits.
_NOT_ON_METAL = {"aten::_cummax_helper", "aten::cummax", "aten::cumprod", "aten::bincount"}


class MixedDevicesError(RuntimeError):
    """An operation got tensors of both kinds."""


class MissingOnDeviceError(RuntimeError):
    """The device has no such type, or not this operation for it."""


class Pretended(torch.Tensor):
    """A tensor that says it is elsewhere."""

    #: Of the device that is pretended now.
    kind = "cuda"
    #: Operations that waited, by name, since `counting` began.
    waited: ClassVar[Counter[str]] = Counter()
    #: What a graph is made of, if one is being recorded.
    recording: ClassVar[Recording] = Recording()
    #: Copies into pinned memory that nobody has waited for: where to, and what.
    queued: ClassVar[list[tuple[Tensor, Tensor]]] = []

    inner: Tensor

    def __new__(cls, inner: Tensor) -> Self:
        """Wrap a tensor of the processor."""
        if cls.kind == "mps" and inner.dtype in (torch.float64, torch.complex128):
            raise MissingOnDeviceError(f"Metal has no {inner.dtype}")
        made = torch.Tensor._make_wrapper_subclass(
            cls,
            inner.shape,
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device="meta",
            requires_grad=inner.requires_grad,
        )
        made.inner = inner.detach() if inner.requires_grad else inner
        return made

    # Operations come to `__torch_dispatch__`; what subclasses do before would only be in the way.
    __torch_function__ = torch._C._disabled_torch_function_impl

    @property
    def device(self) -> torch.device:
        """Say what is pretended."""
        return torch.device(self.kind, 0)

    @property
    def is_cuda(self) -> bool:
        """Likewise."""
        return self.kind == "cuda"

    @property
    def is_mps(self) -> bool:
        """Likewise."""
        return self.kind == "mps"

    @property
    def is_meta(self) -> bool:
        """It holds something."""
        return False

    @classmethod
    def wait(cls, name: str) -> None:
        """Count that the processor waits."""
        cls.recording.refuse_waiting(name)
        cls.waited[name] += 1
        for place, content in cls.queued:
            place.copy_(content)
        cls.queued.clear()

    def __repr__(self, **_: Any) -> str:
        """Show what it holds, for a failed test."""
        return f"Pretended({self.inner!r})"

    @classmethod
    def __torch_dispatch__(
        cls, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Check, count, and compute on the processor."""
        del types
        kwargs = dict(kwargs or {})
        name, written = _schema(func)
        tensors: list[Tensor] = []
        _replaced((args, kwargs), tensors.append)
        _check(name, args, tensors)
        target = kwargs.get("device")
        if target is not None:
            kwargs["device"] = torch.device("cpu")
        stays = target is None or torch.device(target).type in (cls.kind, "meta")
        if not stays:
            cls.wait(f"{name} to the processor")
        if name in WAITING or _is_unsized(name, args, kwargs):
            cls.wait(name)
        if name in ("aten::index", "aten::index_put_"):
            _note_indices(name, args)
        if name == "aten::copy_" and _is_queued(args):
            return _queue(args[0], args[1].inner)
        plain_args, plain_kwargs = _plain((args, kwargs))
        if name == "aten::where":
            # A derivative's own scalar: torch makes it where the wrapper really is. It is a zero.
            plain_args = tuple(
                torch.zeros((), dtype=x.dtype) if x.is_meta else x for x in plain_args
            )
        if name == "aten::histc" and not plain_args[0].is_floating_point():
            # Devices have it for whole numbers, the processor has not.
            result = func(plain_args[0].float(), *plain_args[1:], **plain_kwargs).to(plain_args[0])
        else:
            result = func(*plain_args, **plain_kwargs)
        cls.recording.note(func, plain_args, plain_kwargs, result)
        if written is not None and written < len(args) and isinstance(result, torch.Tensor):
            return args[written]
        return _replaced(result, cls) if stays else result


@functools.cache
def _schema(func: Any) -> tuple[str, int | None]:
    """Return an operation's name, and which argument it writes to first."""
    schema = func._schema
    kinds = enumerate(argument.alias_info for argument in schema.arguments)
    return schema.name, next((at for at, kind in kinds if kind and kind.is_write), None)


def _replaced(value: Any, change: Callable[[Tensor], Any]) -> Any:
    """Return a value with every tensor in it changed, in whatever it lies."""
    if isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, tuple | list):
        return type(value)([_replaced(one, change) for one in value])
    if isinstance(value, dict):
        return {key: _replaced(one, change) for key, one in value.items()}
    return value


def _note_indices(name: str, args: tuple[Any, ...]) -> None:
    """Count the indices that are waited for, or that are sent."""
    given = [index for index in args[1] if index is not None]
    if any(index.dtype == torch.bool for index in given):
        Pretended.wait(f"{name} by a mask")
    if any(index.dim() > 0 and not isinstance(index, Pretended) for index in given):
        Pretended.wait("an index to the device")


def _is_queued(args: tuple[Any, ...]) -> bool:
    """Whether a copy comes back later; count it if it crosses and is not queued."""
    is_back, is_there = isinstance(args[1], Pretended), isinstance(args[0], Pretended)
    is_queued = is_pinned(args[0 if is_back else 1]) and any(args[2:3])
    if is_back != is_there and not is_queued:
        Pretended.wait("to the processor" if is_back else "to the device")
    return is_back and not is_there and is_queued


def _is_unsized(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    """Whether only the content of a tensor says how large the result is."""
    if name == "aten::repeat_interleave":
        return isinstance(args[-1], Pretended) and kwargs.get("output_size") is None
    # Without a choice it says where something is.
    return name == "aten::where" and len(args) == 1


def is_pinned(tensor: Tensor) -> bool:
    """Whether a tensor of the processor stands in pinned memory."""
    return hasattr(tensor, "is_pretended_pinned")


def _pinned(tensor: Tensor) -> Tensor:
    tensor.is_pretended_pinned = True  # type: ignore[attr-defined]  # a mark of its own
    return tensor


def _queue(place: Tensor, content: Tensor) -> Tensor:
    """Copy into pinned memory, once somebody waits."""
    Pretended.recording.refuse_waiting("a copy to the processor")
    place.fill_(float("nan") if place.is_floating_point() else -1)
    Pretended.queued.append((place, content.clone()))
    return place


def _check(name: str, args: tuple[Any, ...], tensors: list[Tensor]) -> None:
    """Refuse what the device would."""
    mine = [x for x in tensors if isinstance(x, Pretended)]
    others = [x for x in tensors if not isinstance(x, Pretended)]
    if name in ("aten::index", "aten::index_put_"):
        # The processor may say where; not which tensor, nor what is written.
        others = [x for x in (args[0], *args[2:3]) if type(x) is torch.Tensor]
        if mine and not isinstance(args[0], Pretended):
            raise MixedDevicesError(f"{name}: a tensor of the processor, indexed from the device")
    if mine and name not in _INDIFFERENT and any(x.dim() > 0 for x in others):
        raise MixedDevicesError(f"{name}: {[str(x.device) for x in tensors]}")
    if name in _FLOATING and not all(x.is_floating_point() for x in mine):
        raise MissingOnDeviceError(f"{name} of whole numbers")
    is_long = any(x.dtype == torch.int64 for x in mine)
    if Pretended.kind == "mps" and name in _NOT_ON_METAL and is_long:
        raise MissingOnDeviceError(f"{name} of int64")


class _Moving(TorchFunctionMode):
    """Catches what makes tensors on the device, or brings them there or back."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """See the class."""
        del types
        kwargs = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        if name in ("to", "cuda", "cpu", "tolist", "numpy", "item") and args:
            return self._moved(func, name, args, kwargs)
        if name == "__setitem__" and isinstance(args[0], Pretended) and _is_number(args[2]):
            # Else torch makes a tensor of it where the wrapper really is.
            args = (*args[:2], torch.tensor(args[2], dtype=args[0].dtype))
        if name == "where" and isinstance(args[0], Pretended):
            args = tuple(torch.tensor(x) if _is_number(x) else x for x in args)
        if name == "pin_memory":
            return _pinned(args[0].clone())
        is_pinned_memory = kwargs.pop("pin_memory", False)
        device = kwargs.get("device")
        if device is not None and torch.device(device).type == Pretended.kind:
            kwargs["device"] = "cpu"
            if is_pinned_memory:
                raise RuntimeError("only memory of the processor can be pinned")
            if name in ("tensor", "as_tensor"):
                Pretended.wait("to the device")
            made = func(*_plain(args), **kwargs)
            if isinstance(made, Pretended):
                return made
            Pretended.recording.note(func, _plain(args), kwargs, made)
            return Pretended(made)
        made = func(*args, **kwargs)
        return _pinned(made) if is_pinned_memory else made

    def _moved(self, func: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        tensor, *rest = args
        if name in ("tolist", "numpy", "item") and isinstance(tensor, Pretended):
            if name == "numpy":
                raise TypeError("can't convert a tensor of the device to numpy")
            Pretended.wait(name)
            return getattr(tensor.inner, name)()
        if name not in ("to", "cpu", "cuda"):
            return func(*args, **kwargs)
        targets = [
            x.device if isinstance(x, torch.Tensor) else torch.device(x)
            for x in (*rest, kwargs.get("device"))
            if isinstance(x, torch.Tensor | torch.device | str)
        ]
        dtypes = [
            x.dtype if isinstance(x, torch.Tensor) else x
            for x in (*rest, kwargs.get("dtype"))
            if isinstance(x, torch.Tensor | torch.dtype)
        ]
        target = {"cpu": torch.device("cpu"), "cuda": torch.device("cuda", 0)}.get(name)
        target = target or (targets[0] if targets else None)
        if target is None:
            return func(*args, **kwargs)
        is_here = not isinstance(tensor, Pretended)
        dtype = dtypes[0] if dtypes else tensor.dtype
        if target.type == Pretended.kind:
            if is_here and not (is_pinned(tensor) and kwargs.get("non_blocking")):
                Pretended.wait("to the device")
            # A type that the device has not may be made on the way.
            return Pretended(tensor.to(dtype)) if is_here else tensor.to(dtype)
        if is_here:
            return func(*args, **kwargs)
        Pretended.wait("to the processor")
        return tensor.inner.to(dtype)


def _is_number(value: object) -> bool:
    return isinstance(value, bool | int | float)


def _plain(values: Any) -> Any:
    return _replaced(values, lambda x: x.inner if isinstance(x, Pretended) else x)


@contextlib.contextmanager
def pretended(kind: str = "cuda") -> Iterator[torch.device]:
    """Pretend that there is such a device while the context lasts."""
    accelerator = torch.accelerator
    saved = {
        (accelerator, "current_accelerator"): lambda **_: torch.device(kind),
        (accelerator, "device_count"): lambda: 1,
        (accelerator, "current_stream"): lambda *_: SimpleNamespace(
            is_capturing=lambda: False, synchronize=partial(Pretended.wait, "to the processor")
        ),
        (accelerator, "synchronize"): lambda *_: Pretended.wait("for all"),
        (accelerator, "empty_cache"): lambda: None,
        (accelerator, "memory_allocated"): lambda *_: 0,
        (torch.cuda, "get_device_name"): lambda _device=None: "a pretended card",
        (torch.cuda, "get_device_capability"): lambda _device=None: (9, 0),
        (torch.cuda, "mem_get_info"): lambda _device=None: (16 * 10**9, 16 * 10**9),
        (torch.mps, "recommended_max_memory"): lambda: 16 * 10**9,
        (torch.mps, "driver_allocated_memory"): lambda: 0,
        **stand_ins(Pretended.recording),
    }
    before = {place: getattr(*place) for place in saved}
    kind_before = Pretended.kind
    try:
        for (module, name), value in saved.items():
            setattr(module, name, value)
        Pretended.kind = kind
        with _Moving():
            yield torch.device(kind, 0)
    finally:
        Pretended.kind = kind_before
        for (module, name), value in before.items():
            setattr(module, name, value)


@contextlib.contextmanager
def counting() -> Iterator[Counter[str]]:
    """Count, while the context lasts, what made the processor wait."""
    before = Counter(Pretended.waited)
    counted: Counter[str] = Counter()
    try:
        yield counted
    finally:
        counted.update(Pretended.waited - before)
