"""An accelerator, all that matters once: equality, speed and memory, with weights made on the spot.

Under ten minutes and without a network: random weights at real sizes. What they say means nothing;
that both devices say the same, and how long it takes, does. Every line stands for itself: one that
fails says so in its place, and the others are measured all the same.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import torch

from model_runtime.bench import gpu_texts, gpu_times
from model_runtime.bench.base import Table
from model_runtime.devices import choose_device
from model_runtime.errors import BadRequest, RuntimeFault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from model_runtime.bench.base import Row, Setup

#: Nothing new is begun after so many seconds.
BUDGET_S = 540.0


def measure(setup: Setup) -> list[Table]:
    """Measure the accelerator that torch names.

    Raises:
        BadRequest: there is none.
    """
    device = choose_device(setup.settings.device)
    if device.type == "cpu":
        raise BadRequest(
            "torch finds no accelerator on this machine; `remask bench` measures the processor"
        )
    deadline = time.monotonic() + BUDGET_S
    parts: dict[str, Callable[[torch.device], Iterator[Row]]] = {
        "Equality with the processor": gpu_texts.equality,
        "Hybrid says what greedy says": gpu_texts.hybrid,
        "Every sampler and cache": gpu_texts.pairings,
        "Milliseconds a forward": gpu_times.forwards,
        "Tokens a second, side by side": gpu_times.side_by_side,
        "Captured steps against plain ones": gpu_times.captured,
        "Texts of captured steps": gpu_texts.captured_texts,
        "flash-attn against torch's attention": gpu_times.flash,
        "Weights of fewer bits": gpu_times.rounded,
        "Published families at full size": gpu_times.families,
    }
    tables = []
    for title, part in parts.items():
        notes: tuple[str, ...] = ()
        rows: list[Row] = []
        if time.monotonic() > deadline:
            notes = ("Not measured: the ten minutes were over.",)
        else:
            try:
                with torch.inference_mode():
                    rows.extend(part(device))
            except (RuntimeError, RuntimeFault, ImportError) as error:
                notes = (f"Not measured further: {str(error).splitlines()[0][:300]}",)
            torch.accelerator.empty_cache()
        tables.append(Table(title=title, says=_name(device), rows=tuple(rows), notes=notes))
    return tables


def _name(device: torch.device) -> str:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    return f"On {name}, torch {torch.__version__}, weights random."
