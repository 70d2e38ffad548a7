"""`remask doctor`'s lines on the device: where models run here, how, and how that is known."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import torch

from model_runtime.devices import captures_steps, choose_device, free_bytes, usual_precision
from model_runtime.errors import RuntimeFault
from model_runtime.models import int4, int8
from model_runtime.settings import load_settings

if TYPE_CHECKING:
    import argparse

    from model_runtime.settings import RuntimeSettings


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments: none."""
    del parser


def main(arguments: argparse.Namespace) -> int:
    """Write the lines; return the exit status."""
    del arguments
    try:
        settings = load_settings()
        device = choose_device(settings.device)
    except RuntimeFault as fault:
        sys.stdout.write(f"{fault}\n")
        return 1
    sys.stdout.write("\n".join(described(device, settings)) + "\n")
    return 0


def described(device: torch.device, settings: RuntimeSettings) -> list[str]:
    """Return device, precision and free memory; and the fastest setting, with how it is known."""
    wanted = settings.precision
    free = free_bytes(device)
    room = "free memory unknown" if free is None else f"{free / 1e9:.1f} GB free"
    precision = usual_precision(device) if wanted == "auto" else wanted
    # Whatever is set: there may be something better.
    best = choose_device()
    more = f", {torch.get_num_threads()} threads" if device.type == "cpu" else ""
    if device.type != "cpu" and captures_steps(settings.captured_steps, device):
        more = ", captured steps"
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else ""
    where = f"{device}{f' ({name})' if name else ''}"
    return [
        f"{where}, {precision}{more}, {room}",
        f"fastest: device = {best.type}, precision = {usual_precision(best)} ({_reason(best)})",
    ]


def _reason(device: torch.device) -> str:
    if device.type != "cpu":
        return f"torch {torch.__version__} names it as this machine's accelerator"
    chosen = int8.kernel()
    if chosen is None:
        return "none of torch's int8 kernels computes right here"
    kind = type(chosen).__name__
    more = "; int4 has kernels as well" if int4.kernel() else ""
    return (
        f"tried out: torch's {kind} kernels for int8 are exact here, with weights of "
        f"{chosen.weight_bits} bits{more}; torch finds no accelerator"
    )
