"""The user's runtime as the HTTP front sees it: found or started, asked, watched.

The front is one more client of the runtime that editors share. So weights are in memory once,
whoever asks; the front imports no torch, outlives an engine's crash, and has one code path only.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

from filelock import Timeout

from model_runtime.http.faults import NotFilled
from model_runtime.http.link import Link, NoRuntime
from model_runtime.locking import acquire
from model_runtime.protocol import START_LOCK_NAME

if TYPE_CHECKING:
    from pathlib import Path

    from model_runtime.http.link import OnNotice, OnStep
    from model_runtime.protocol import Finished, InfillRequest, Status
    from model_runtime.service.listen import Transport

log = logging.getLogger(__name__)

#: Seconds a runtime has to get ready; one that is leaving may have to be waited for.
START_S = 60.0
#: How often a runtime that is leaving, or hangs up on our greeting, is looked for anew.
MAX_TRIES = 3


class Runtime:
    """Sends requests to the runtime of one directory, starting it when it is needed.

    Args:
        directory: where it listens, mode 0700; made if missing.
        arguments: what `python -m model_runtime run` gets besides.
        transport: what it listens on.
    """

    def __init__(
        self, directory: Path, arguments: tuple[str, ...] = (), *, transport: Transport = "unix"
    ) -> None:
        self._directory = directory
        self._arguments = arguments
        self._transport: Transport = transport
        self._link: Link | None = None
        self._linking = asyncio.Lock()
        #: Whether the runtime in use was started here, with our arguments.
        self.was_started = False

    async def infill(
        self,
        request: InfillRequest,
        on_step: OnStep | None = None,
        on_notice: OnNotice | None = None,
    ) -> Finished:
        """Have a request filled. Being cancelled cancels it.

        Raises:
            NotFilled: the runtime said no, died, or can't be started.
        """
        for _ in range(MAX_TRIES - 1):
            link = await self._linked()
            try:
                return await link.infill(request, on_step, on_notice)
            except NotFilled as fault:
                if fault.code != "shutting_down":
                    raise
            # The request met a runtime that was leaving; the next one waits for its end.
            await link.wait_closed()
        return await (await self._linked()).infill(request, on_step, on_notice)

    async def status(self) -> Status:
        """Return what runs, starting it if nothing does.

        Raises:
            NotFilled: there is no runtime to ask.
        """
        return await (await self._linked()).status()

    async def close(self) -> None:
        """Hang up. The runtime goes on for other clients, and leaves by itself when idle."""
        async with self._linking:
            if self._link is not None:
                await self._link.close()

    async def _linked(self) -> Link:
        async with self._linking:
            if self._link is None or not self._link.is_open:
                self._link = await self._find_or_start()
            return self._link

    async def _find_or_start(self) -> Link:
        with contextlib.suppress(NoRuntime):
            return await Link.open(self._directory, self._transport)
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            lock = await asyncio.to_thread(acquire, self._directory / START_LOCK_NAME, START_S)
        except Timeout as error:
            raise NotFilled(
                "runtime_died", "Somebody else has been starting the runtime for too long."
            ) from error
        try:
            for _ in range(MAX_TRIES):
                with contextlib.suppress(NoRuntime):
                    return await Link.open(self._directory, self._transport)
                await asyncio.to_thread(self._start)
                self.was_started = True
        finally:
            lock.release()
        raise NotFilled("runtime_died", "The runtime started and was gone.")

    def _start(self) -> None:
        """Start a runtime and wait until it can be connected to. Blocks."""
        command = [sys.executable, "-P", "-m", "model_runtime", "run", *self._arguments]
        command += ["--directory", str(self._directory), "--transport", self._transport]
        log.info("starting the runtime in %s", self._directory)
        words_path = self._directory / "serve.stderr"
        with words_path.open("wb") as words:
            child = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=words,
                # It outlives this process, and is none of its terminal's business.
                start_new_session=True,
            )
        too_late = threading.Timer(START_S, child.kill)
        too_late.start()
        with contextlib.closing(child.stdout) as output:  # type: ignore[type-var]  # asked for
            is_ready = output.readline().strip() == b"ready"  # type: ignore[union-attr]  # likewise
        too_late.cancel()
        if not is_ready:
            child.wait()
            said = words_path.read_text(encoding="utf-8", errors="replace").strip()[-600:]
            raise NotFilled("runtime_died", f"The runtime did not start. It last said: {said}")
        # Somebody has to wait for its end, so that no dead process is left.
        threading.Thread(target=child.wait, daemon=True).start()
