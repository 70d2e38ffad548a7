"""Trying a completed program out, in a child process that can do little harm.

The child has its own process group, an empty working directory, no environment, no site packages,
limits on time, memory, file size and processes; and where Linux lets us, its own network and
process namespaces: no way out, and nothing that outlives it. This is a fence around what a model
may write by accident; it is not made to hold an attacker.
"""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import get_args

import msgspec

from model_runtime.errors import BadRequest
from model_runtime.evaluation.base import Verdict

_SANDBOX = Path(__file__).with_name("sandbox.py")
_SANDBOX_JS = Path(__file__).with_name("sandbox.js")
_NAMESPACES = ("--user", "--map-root-user", "--net", "--pid", "--fork", "--kill-child")


class RunLimits(msgspec.Struct, frozen=True, kw_only=True):
    """What a program may use."""

    wall_s: float = 10.0
    memory_bytes: int = 1 << 30
    file_bytes: int = 1 << 20


class RunResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a program."""

    verdict: Verdict
    #: The exception, or how the child died; empty for a pass.
    words: str = ""


def run_program(text: str, limits: RunLimits | None = None, language: str = "python") -> RunResult:
    """Run a program of Python or JavaScript to its end.

    It passes only if it comes to its last line; leaving early, even with status 0, does not count.

    Raises:
        BadRequest: this system has no process groups and limits (Windows), or no `node`.
    """
    if os.name != "posix":
        raise BadRequest("running completed programs needs Linux or macOS")
    limits = limits or RunLimits()
    nonce = secrets.token_hex(16)
    command = _javascript(limits, nonce) if language == "javascript" else _python(limits, nonce)
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen(
            [*_fence(), *command],
            cwd=folder,
            env={},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        ) as child,
    ):
        try:
            said, _ = child.communicate(text.encode(errors="replace"), timeout=limits.wall_s)
        except subprocess.TimeoutExpired:
            return RunResult(verdict="timeout", words=f"no end in {limits.wall_s:g} s")
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
    return _read_report(said.decode(errors="replace"), nonce, child.returncode)


def verdict_of(text: str, test: str, language: str = "python") -> Verdict:
    """Say what a test makes of the text before it; see `run_program`."""
    return run_program(f"{text}\n{test}\n", language=language).verdict


def compiles(text: str) -> bool:
    """Say whether Python parses a text; it is not run."""
    return fault_at(text) is None


def fault_at(text: str) -> int | None:
    """Return the line, from 1, of the first fault in a text; None where Python parses it."""
    try:
        compile(text, "completed", "exec", dont_inherit=True)
    except SyntaxError as error:
        return error.lineno or 1
    except ValueError:
        return 1
    return None


def _python(limits: RunLimits, nonce: str) -> list[str]:
    numbers = (int(limits.wall_s) + 1, limits.memory_bytes, limits.file_bytes)
    # -B: the child's directory stays empty; -I, -S: it sees the standard library only.
    return [sys.executable, "-I", "-S", "-B", str(_SANDBOX), *map(str, numbers), nonce]


def _javascript(limits: RunLimits, nonce: str) -> list[str]:
    node = shutil.which("node")
    if node is None:
        raise BadRequest("running completed JavaScript needs node on the PATH")
    # It maps far more address space than it uses, and has threads: its heap is bounded instead.
    heap = f"--max-old-space-size={limits.memory_bytes >> 20}"
    return [node, heap, "--disallow-code-generation-from-strings", str(_SANDBOX_JS), nonce]


def _read_report(said: str, nonce: str, status: int) -> RunResult:
    found_nonce, _, rest = said.partition(" ")
    verdict, _, words = rest.partition(" ")
    if found_nonce != nonce or verdict not in get_args(Verdict):
        return RunResult(verdict="error", words=f"died without a report, exit status {status}")
    return msgspec.convert({"verdict": verdict, "words": words}, RunResult)


@functools.cache
def _fence() -> tuple[str, ...]:
    """Return the command that gives a child its own namespaces; empty where that is not allowed."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return ()
    command = (unshare, *_NAMESPACES)
    tried = subprocess.run([*command, "true"], check=False, capture_output=True)
    return command if tried.returncode == 0 else ()
