"""Steps that a device records once and replays: padded to few sizes, so that they repeat.

A step of a small model is hundreds of small kernels, and to launch them one by one can take longer
than to run them. A recorded step (`capture`) is launched as a whole, but it is bound to its shapes
and to its memory. So rows and keys are padded to few sizes, there is one recorded step a size, and
all that differs from step to step is laid into its buffers before it is replayed: numbers and mask
of the rows, and the keys and values that the requests' caches hold. What it adds to these is copied
back to the caches, which remain what everything else reads.

What a row says does not depend on the padding: it sees none of it, and the padding's own rows write
where nobody looks. On the processor, whose attention sums in pieces, a request's keys begin where a
piece does, and each row is the same to the last bit as in a plain forward.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch

from model_runtime.caches.causal import CausalCache
from model_runtime.models.attention import VALUES_AT_A_TIME, attend_rows
from model_runtime.models.capture import CannotCapture, capture_of
from model_runtime.models.crossing import send_into
from model_runtime.models.gate import is_canvas

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from torch import Tensor

    from model_runtime.models.capture import Capture
    from model_runtime.models.gated import Feed, GatedModel, Rows

log = logging.getLogger(__name__)

#: Rows are padded to one of these; more are a prompt's, where nothing is gained.
ROWS = (8, 16, 32, 64)
#: Keys are padded to this, or twice as many, or twice as many again, as far as a context goes.
LEAST_KEYS = 512
#: A recorded step is compared once with a plain one: its rows may differ by so much of their size,
#: in the root of the mean square. Half precision rounds by a hundredth of it; garbage differs by
#: more than its size.
TOLERANCE = 0.25


class Shape(NamedTuple):
    """What a recorded step is bound to."""

    n_rows: int
    n_keys: int
    #: Whether the adapter acts in it.
    has_canvas: bool


@dataclass(frozen=True)
class Laid:
    """Several requests' rows, laid out for a step of few shapes; on the processor."""

    shape: Shape
    #: [4, n] int64: of each row its token, its position, the place of its key, and whether it is a
    #: canvas row.
    numbers: Tensor
    #: [n, n_keys] bool.
    visible: Tensor
    #: Where each request's keys begin, and end.
    starts: tuple[int, ...]
    ends: tuple[int, ...]


def lay_out(rows: Sequence[Rows], n_kept: Sequence[int], most_keys: int) -> Laid | None:
    """Lay out several requests' rows; None if they are more than a recorded step takes.

    Args:
        rows: each request's.
        n_kept: tokens that each one's cache holds.
        most_keys: see above.
    """
    n_rows = [len(one.token_ids) for one in rows]
    starts = [0]
    for kept, fed in zip(n_kept, n_rows, strict=True):
        n_pieces = -(-(kept + fed) // VALUES_AT_A_TIME)
        starts.append(starts[-1] + n_pieces * VALUES_AT_A_TIME)
    padded_rows, n_keys = next((n for n in ROWS if n >= sum(n_rows)), None), LEAST_KEYS
    while n_keys < starts[-1]:
        n_keys *= 2
    if padded_rows is None or n_keys > most_keys:
        return None
    on_canvas = is_canvas(rows)
    visible = torch.zeros(sum(n_rows), n_keys, dtype=torch.bool)
    places, first = [], 0
    for one, start, kept, fed in zip(rows, starts, n_kept, n_rows, strict=False):
        visible[first : first + fed, start : start + kept + fed] = one.visible
        places.append(torch.arange(start + kept, start + kept + fed))
        first += fed
    numbers = torch.stack(
        (
            torch.cat([one.token_ids for one in rows]),
            torch.cat([one.positions for one in rows]),
            torch.cat(places),
            on_canvas.long(),
        )
    )
    shape = Shape(padded_rows, n_keys, bool(on_canvas.any()))
    ends = tuple(map(sum, zip(starts, n_kept, n_rows, strict=False)))
    return Laid(shape, numbers, visible, tuple(starts[:-1]), ends)


class CapturedSteps:
    """The recorded steps of a model.

    Args:
        model: whose adapter is attached already.
        capture: what records.
    """

    def __init__(self, model: GatedModel, capture: Capture) -> None:
        self._model = model
        self._capture = capture
        #: Why no step is recorded any more; empty while they are.
        self.given_up = ""
        self._steps: dict[Shape, _Step] = {}
        config = model.config
        self.most_keys = most_keys(config.max_length)
        # The last row is written by the padding, and read by nobody.
        self._keys = torch.zeros(
            config.n_layers, self.most_keys + 1, config.n_kv_heads, config.head_dim,
            dtype=model.dtype, device=model.device,
        )  # fmt: skip
        self._values = torch.zeros_like(self._keys)

    def forward(self, feeds: Sequence[Feed]) -> list[Tensor] | None:
        """Return the hidden rows of each request, or None where a plain forward has to do it."""
        caches = [feed.cache for feed in feeds if isinstance(feed.cache, CausalCache)]
        rows = [feed.rows for feed in feeds]
        is_here = all(one.token_ids.device.type == "cpu" for one in rows)
        is_plain = self.given_up or len(caches) < len(feeds) or not is_here
        if is_plain or any(cache.n_ahead for cache in caches):
            return None
        laid = lay_out(rows, [len(cache) for cache in caches], self.most_keys)
        if laid is None:
            return None
        n_rows = [len(one.token_ids) for one in rows]
        step = self._steps.get(laid.shape)
        if step is None:
            # The first of its shape is made plainly, and what is recorded is held against it.
            return self._record(laid, feeds, caches)
        self._fill(step, laid, caches)
        # What is replayed writes its result to the same place every time.
        hidden = step.replay()[: sum(n_rows)].clone()
        for cache, start, fed in zip(caches, laid.starts, n_rows, strict=True):
            fresh = slice(start + len(cache), start + len(cache) + fed)
            cache.lay_down(self._keys[:, fresh], self._values[:, fresh])
        return list(hidden.split(n_rows))

    def _record(
        self, laid: Laid, feeds: Sequence[Feed], caches: Sequence[CausalCache]
    ) -> list[Tensor]:
        hidden = self._model.plain_forward(feeds)
        try:
            step = _Step(self._model, laid.shape, self._keys, self._values)
            self._fill(step, laid, caches)
            step.replay = self._capture(step.run)
            self._fill(step, laid, caches)
            plain = torch.cat(hidden)
            off = (step.replay()[: len(plain)] - plain).float().square().mean().sqrt()
            # Waited for once a shape.
            is_right = bool(off <= TOLERANCE * plain.float().square().mean().sqrt())
        except RuntimeError as error:
            self._give_up(str(error).splitlines()[0][:200])
            return hidden
        if is_right:
            self._steps[laid.shape] = step
        else:
            self._give_up("a recorded step did not say what a plain one says")
        return hidden

    def _give_up(self, reason: str) -> None:
        _tell(reason)
        self.given_up = reason
        self._steps.clear()

    def _fill(self, step: _Step, laid: Laid, caches: Sequence[CausalCache]) -> None:
        step.fill(laid)
        for start, end in zip(laid.ends, (*laid.starts[1:], laid.shape.n_keys), strict=True):
            for kept in (self._keys, self._values):
                # Masked, but not finite, it would be seen all the same; and it may be another's.
                kept[:, start:end].zero_()
        for cache, start in zip(caches, laid.starts, strict=True):
            place = slice(start, start + len(cache))
            self._keys[:, place], self._values[:, place] = cache.kept_rows()


def captured_steps(model: GatedModel) -> CapturedSteps | None:
    """Return a model's steps; None, which the log says, where its device records nothing."""
    try:
        return CapturedSteps(model, capture_of(model.device))
    except CannotCapture as reason:
        _tell(str(reason))
        return None


def _tell(reason: str) -> None:
    log.warning("steps are not captured, but launched kernel by kernel: %s", reason)


def most_keys(max_length: int) -> int:
    """Return how many keys the buffers hold where contexts have up to `max_length` tokens."""
    n_keys = LEAST_KEYS
    while n_keys < max_length:
        n_keys *= 2
    return n_keys


class _Step:
    """One shape's buffers, and what is recorded of it.

    Args:
        model: whose step it is.
        shape: of it.
        keys: [n_layers, at least n_keys + 1, n_kv_heads, head_dim], which all steps share.
        values: as keys.
    """

    replay: Callable[[], Tensor]

    def __init__(self, model: GatedModel, shape: Shape, keys: Tensor, values: Tensor) -> None:
        self._model, self._shape = model, shape
        self._keys, self._values = keys, values
        padding = torch.zeros(4, shape.n_rows, dtype=torch.int64)
        padding[2] = keys.shape[1] - 1
        self._padding = padding
        self._numbers = padding.clone().to(model.device)
        self._visible = torch.zeros(
            shape.n_rows, shape.n_keys, dtype=torch.bool, device=model.device
        )

    def fill(self, laid: Laid) -> None:
        """Lay a step's rows into the buffers, and padding behind them."""
        n_rows = laid.numbers.shape[1]
        numbers = self._padding.clone()
        numbers[:, :n_rows] = laid.numbers
        visible = torch.zeros(self._shape.n_rows, self._shape.n_keys, dtype=torch.bool)
        visible[:n_rows] = laid.visible
        # Nothing to attend to would be no number. The first row's first key is there.
        visible[n_rows:, 0] = True
        send_into(self._numbers, numbers)
        send_into(self._visible, visible)

    def run(self) -> Tensor:
        """Run the step out of the buffers; return [n_rows, width]. This is what is recorded."""
        token_ids, positions, places, on_canvas = self._numbers
        allowed = self._model.additive(self._visible)

        def mix(index: int, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
            kept_keys, kept_values = self._keys[index], self._values[index]
            kept_keys.index_copy_(0, places, keys)
            kept_values.index_copy_(0, places, values)
            n_keys = self._shape.n_keys
            # The mask says it all.
            return attend_rows(
                queries, kept_keys[:n_keys], kept_values[:n_keys], allowed, n_causal=0
            )

        gate = on_canvas.bool()[:, None] if self._shape.has_canvas else None
        return self._model.run(token_ids, positions, mix, gate)
