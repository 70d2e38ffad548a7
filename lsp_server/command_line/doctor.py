"""`remask doctor`: the whole way from an editor to a filled line, each part of it tried.

What is found is told line by line, as it is found; what is wrong is told with what mends it. Parts
behind one that fails are not tried.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from lsp_server import version
from lsp_server.command_line.install import other_command
from lsp_server.command_line.report import facts, for_others
from lsp_server.errors import InfillFailed, ServerFault
from lsp_server.runtime.client import RuntimeClient
from lsp_server.runtime.process import MAX_WORDS, RuntimeProcess
from model_runtime.protocol import InfillRequest, MaskSpan, Notice

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from model_runtime.protocol import Finished, StepReport

#: Seconds a server has to start; importing it from a slow disk takes the longest.
SERVER_S = 30.0
#: Seconds that torch has to be loaded and to try its kernels out.
DEVICE_S = 60.0
#: The line to be filled, nobody's but ours.
BEFORE, AFTER = "def add(a, b):\n    return ", "\n"

#: A word that says what is looked at, and a sentence.
Finding = tuple[str, str]
PROBLEM = "problem"


async def check_up(say: Callable[[str], None], *, only_look: bool, report: bool) -> bool:
    """Say what is found, line by line.

    Args:
        say: takes a line.
        only_look: whether to start nothing.
        report: whether the lines are for somebody else: nothing of the user's is in them.

    Returns:
        Whether all is well.
    """
    # What else is written is said here already.
    logging.getLogger("lsp_server").addHandler(logging.NullHandler())
    is_well, log_path = True, None
    findings = look() if only_look else examine(_note)
    try:
        async for word, text in findings:
            say(f"{word:<8} {for_others(text) if report else text}")
            is_well &= word != PROBLEM
            log_path = Path(text) if word == "log" else log_path
    except ServerFault as fault:
        say(f"{PROBLEM:<8} {for_others(str(fault)) if report else fault}")
        is_well = False
    if report:
        for line in facts(log_path):
            say(line)
    return is_well


def _note(text: str) -> None:
    """Say what takes long: in a terminal on one line, which the next one takes."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}" if text else "\r\x1b[K")
        sys.stderr.flush()


async def examine(on_notice: Callable[[str], None]) -> AsyncIterator[Finding]:
    """Try each part of the way, and say what is found.

    Args:
        on_notice: told what takes long, as long as it does: a download say.

    Yields:
        What was looked at and what was found; `PROBLEM` and what to do where it is wrong.
    """
    yield "remask", f"{version()}, Python {sys.version.split()[0]}, {sys.executable}"
    if advice := path_advice():
        yield PROBLEM, advice
    started = time.monotonic()
    fault = await asyncio.to_thread(_try_server)
    yield "server", f"answers after {time.monotonic() - started:.1f} s" if not fault else "fails"
    if fault:
        yield PROBLEM, fault
        return
    for line in await asyncio.to_thread(_device_lines):
        yield "device", line
    async for finding in _examine_runtime(on_notice):
        yield finding


async def look() -> AsyncIterator[Finding]:
    """Say what runs, and start nothing.

    Raises:
        ServerFault: what runs can't be asked.
    """
    process = RuntimeProcess.default()
    yield "remask", f"{version()}, Python {sys.version.split()[0]}"
    yield "socket", f"in {process.directory}"
    status = await RuntimeClient(process).status()
    if status is None:
        yield "runtime", "not running; the first request starts it"
        if words := process.last_words():
            yield PROBLEM, words
        return
    async for finding in _describe(RuntimeClient(process)):
        yield finding


def _device_lines() -> list[str]:
    """Ask a process that has torch where models run here, and how that is known."""
    words = [sys.executable, "-m", "model_runtime", "device"]
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=DEVICE_S, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ["unknown: it could not be asked for"]
    # What went wrong stands in its last line.
    return done.stdout.splitlines() or done.stderr.splitlines()[-1:]


async def _examine_runtime(on_notice: Callable[[str], None]) -> AsyncIterator[Finding]:
    try:
        process = RuntimeProcess.default()
        yield "socket", f"in {process.directory}"
        client = RuntimeClient(process)
    except ServerFault as fault:
        yield PROBLEM, str(fault)
        return
    try:
        first = await _fill(client, on_notice)
        second = await _fill(client, on_notice)
    except ServerFault as fault:
        async for finding in _describe(client):
            yield finding
        part = "weights" if _is_of_the_weights(fault) else "fill"
        yield part, "fails"
        yield PROBLEM, str(fault)
        await client.close()
        return
    async for finding in _describe(client):
        yield finding
    await client.close()
    finished, seconds = second
    text = finished.alternatives[0].texts[0].strip() if finished.alternatives else ""
    text = text.partition("\n")[0]
    yield "fill", f"one line in {seconds:.2f} s, the first one in {first[1]:.1f}: return {text}"
    if not text:
        yield PROBLEM, "The model fills nothing where every model does: is it one for code?"


def _is_of_the_weights(fault: ServerFault) -> bool:
    return isinstance(fault, InfillFailed) and fault.code == "model_load_failed"


async def _fill(client: RuntimeClient, on_notice: Callable[[str], None]) -> tuple[Finished, float]:
    """Have our own line filled, as an editor would; return the seconds it took, too."""

    def hear(report: StepReport | Notice) -> None:
        if isinstance(report, Notice):
            on_notice(report.text)

    request = InfillRequest(
        id=uuid.uuid4().hex,
        path="doctor.py",
        language="python",
        prefix=BEFORE,
        suffix=AFTER,
        spans=(MaskSpan(text="", single_line=True),),
        n_alternatives=1,
    )
    started = time.monotonic()
    try:
        return await client.infill(request, hear), time.monotonic() - started
    finally:
        on_notice("")


async def _describe(client: RuntimeClient) -> AsyncIterator[Finding]:
    """Say what the runtime says of itself; nothing where there is none."""
    try:
        status = await client.status()
    except ServerFault as fault:
        yield PROBLEM, str(fault)
        return
    if status is None:
        return
    queue = f"{status.n_running} running, {status.n_waiting} waiting"
    yield "runtime", f"{status.runtime_version}, process {status.pid}, {queue}"
    memory = status.peak_memory_bytes / 2**20
    yield "", f"up {status.uptime_s:.0f} s, peak memory {memory:.0f} MiB"
    yield "model", f"{status.model}, {status.device or 'not loaded yet'}"
    yield "log", status.log_path
    if status.runtime_version != version():
        older = f"The runtime is {status.runtime_version}, and this is {version()}"
        yield PROBLEM, f"{older}: `remask stop` ends it, and the next request starts the new one."
    for problem in status.problems:
        yield PROBLEM, problem


def _try_server() -> str:
    """Start a server as an editor does, and greet it; return what is wrong, or nothing."""
    greeting = b"".join(
        _frame(method, request_id, params)
        for method, request_id, params in (
            ("initialize", 1, {"processId": None, "rootUri": None, "capabilities": {}}),
            ("initialized", None, {}),
            ("shutdown", 2, None),
            ("exit", None, None),
        )
    )
    try:
        done = subprocess.run(
            [sys.executable, "-m", "lsp_server", "lsp"],
            input=greeting,
            capture_output=True,
            timeout=SERVER_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"The language server does not answer within {SERVER_S:.0f} s. Install Remask anew."
    if done.returncode == 0 and b'"codeActionProvider"' in done.stdout:
        return ""
    said = done.stderr.decode(errors="replace").strip()[-MAX_WORDS:]
    return f"The language server does not start. Install Remask anew. It last said: {said}"


def _frame(method: str, request_id: int | None, params: Any) -> bytes:
    """Return a message as the language server protocol frames it."""
    message = {"jsonrpc": "2.0", "method": method, "params": params}
    data = msgspec.json.encode(message if request_id is None else {**message, "id": request_id})
    return b"Content-Length: %d\r\n\r\n%b" % (len(data), data)


def path_advice() -> str:
    """Return what to tell an editor that would not start this very Remask; empty where it would."""
    ours = other_command()
    if ours is None:
        return ""
    found = shutil.which("remask")
    where = f"is {found}, another one" if found else "is not there"
    return (
        f"Editors start `remask` from the PATH, where it {where}. Put {ours.parent} on the PATH,"
        f' or tell the editor its command: ["{ours}", "lsp"].'
    )
