"""`remask doctor`'s lines on the device: where models run here, how, and how that is known."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import torch

from model_runtime.devices import choose_device, free_bytes, usual_precision
from model_runtime.errors import RuntimeFault
from model_runtime.models import int4, int8
from model_runtime.settings import load_settings

if TYPE_CHECKING:
    import argparse


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
    sys.stdout.write("\n".join(described(device, settings.precision)) + "\n")
    return 0


def described(device: torch.device, wanted: str = "auto") -> list[str]:
    """Return device, precision and free memory; and the fastest setting, with how it is known."""
    free = free_bytes(device)
    room = "free memory unknown" if free is None else f"{free / 1e9:.1f} GB free"
    usual = usual_precision(device)
    precision = usual if wanted == "auto" else wanted
    threads = f", {torch.get_num_threads()} threads" if device.type == "cpu" else ""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else ""
    where = f"{device}{f' ({name})' if name else ''}"
    return [
        f"{where}, {precision}{threads}, {room}",
        f"fastest: device = {device.type}, precision = {usual} ({_reason(device)})",
    ]


def _reason(device: torch.device) -> str:
    if device.type != "cpu":
        return f"torch {torch.__version__} names it as this machine's accelerator"
    chosen = int8.kernel()
    if chosen is None:
        return "none of torch's int8 kernels computes right here"
    kind = type(chosen).__name__
    more = "; int4 has kernels as well" if int4.has_kernels() else ""
    return (
        f"tried out: torch's {kind} kernels for int8 are exact here, with weights of "
        f"{chosen.weight_bits} bits{more}; torch finds no accelerator"
    )
