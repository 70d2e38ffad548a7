"""What was measured on."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from model_runtime.engines.loading import load_default
from model_runtime.service.process import version

if TYPE_CHECKING:
    from model_runtime.settings import RuntimeSettings

_ROOT = Path(__file__).resolve().parents[2]
#: Instructions that decide how fast small integers are multiplied.
INSTRUCTIONS = (
    "avx2", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16", "amx_int8", "amx_bf16", "asimddp",
    "i8mm",
)  # fmt: skip


def describe_machine(settings: RuntimeSettings, device: str) -> dict[str, str]:
    """Say what stands behind the figures; the device as the engine calls it."""
    return {
        "processor": processor(),
        "instructions": ", ".join(_instructions()) or "unknown",
        "cores": str(os.cpu_count()),
        "memory": _memory(),
        "load average before": _load(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": str(torch.__version__),
        "transformers": metadata.version("transformers"),
        "remask": version(),
        "commit": commit() or "unknown",
        "model": settings.model,
        "device": device,
    }


def device_text(settings: RuntimeSettings) -> str:
    """Load the model and say where it runs; brings what is missing to this machine."""
    return load_default(settings, lambda _text, _share: None).device_text


def commit() -> str:
    """Return the commit that runs, with what was changed since; empty where it is no checkout."""
    if not (_ROOT / ".git").exists():
        return ""
    words = ["git", "-C", str(_ROOT), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        said = subprocess.run(words, capture_output=True, check=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return said.stdout.strip()


def _cpu_info(*names: str) -> str:
    """Return the first of these lines of Linux's description of the processor."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    pairs = (line.partition(":") for line in lines)
    return next((value.strip() for name, _, value in pairs if name.strip() in names), "")


def processor() -> str:
    """Return the processor's name."""
    return _cpu_info("model name") or platform.processor() or platform.machine()


def _instructions() -> list[str]:
    found = set(_cpu_info("flags", "Features").split())
    return [name for name in INSTRUCTIONS if name in found]


def _memory() -> str:
    if not hasattr(os, "sysconf") or "SC_PHYS_PAGES" not in os.sysconf_names:
        return "unknown"
    n_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return f"{n_bytes / 2**30:.0f} GiB"


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
