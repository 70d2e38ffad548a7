"""The runtime as a process: find the one that runs, or start it.

All servers of a user share one runtime. Whoever needs it first starts it, under a lock, and it
outlives its starter; it leaves by itself when idle. After crashes the next start has to wait, a
little longer each time.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import subprocess
import sys
import threading
import time
from typing import IO, TYPE_CHECKING

from lsp_server.errors import RuntimeUnavailable
from lsp_server.runtime.address import (
    DIRECTORY_VARIABLE,
    connect,
    default_directory,
    default_transport,
    make_private,
)
from model_runtime.protocol import START_LOCK_NAME

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lsp_server.runtime.address import Stream, Transport

log = logging.getLogger(__name__)

#: Seconds to get ready; a runtime that is leaving may have to be waited for.
START_S = 60.0
#: Seconds from the n-th failure in a row to the next try; the last one repeats.
BACK_OFF_S = (0.0, 1.0, 5.0, 15.0, 60.0)
#: How much of what the runtime said last is told to the user.
MAX_WORDS = 600


class RuntimeProcess:
    """Finds or starts the runtime of one directory.

    Args:
        directory: where it listens; made if missing.
        arguments: what `python -m model_runtime run` gets besides.
        transport: None takes the system's own.
        clock: seconds, for the back-off.
    """

    def __init__(
        self,
        directory: Path,
        arguments: tuple[str, ...] = (),
        *,
        transport: Transport | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.directory = directory
        self._arguments = arguments
        self._transport: Transport = default_transport() if transport is None else transport
        self._clock = clock
        self._n_failures = 0
        self._retry_at = 0.0
        self._exit_status: int | None = None

    @classmethod
    def default(cls, arguments: tuple[str, ...] = ()) -> RuntimeProcess:
        """Return the user's own runtime, the one all editors share."""
        return cls(default_directory(), arguments)

    async def find(self) -> Stream | None:
        """Connect to the runtime, if one runs.

        Raises:
            RuntimeUnavailable: the directory, or what listens there, is not this user's.
        """
        make_private(self.directory)
        return await connect(self.directory, self._transport)

    async def find_or_start(self) -> Stream:
        """Connect to the runtime; start it if none runs.

        Raises:
            RuntimeUnavailable: it can't be started; the text says what it said last.
        """
        if (stream := await self.find()) is not None:
            return stream
        self._check_back_off()
        # Slow to import, and needed only here.
        from filelock import AsyncFileLock, Timeout  # noqa: PLC0415

        place = self.directory / START_LOCK_NAME
        try:
            async with contextlib.AsyncExitStack() as stack:
                try:
                    lock = AsyncFileLock(place, timeout=START_S, mode=0o600)
                    await stack.enter_async_context(lock)
                except Timeout:
                    raise
                except OSError as error:
                    # No locks here. Of two runtimes, the one that comes second will leave.
                    log.warning("%s can't be locked: %s", place, error.strerror)
                if (stream := await self.find()) is None:
                    await self._start()
                    stream = await self.find()
        except Timeout as error:
            raise RuntimeUnavailable(
                f"Another editor has been starting the runtime for {START_S:.0f} s. Close it, or "
                f"delete {place} if there is none."
            ) from error
        except OSError as error:
            raise RuntimeUnavailable(
                f"The runtime can't be started in {self.directory} ({error.strerror}); set "
                f"{DIRECTORY_VARIABLE} to a folder that can be written."
            ) from error
        if stream is None:
            self.failed()
            raise RuntimeUnavailable(f"The runtime started and was gone. {self.last_words()}")
        return stream

    def failed(self) -> None:
        """Note a crash: the next start has to wait."""
        self._n_failures += 1
        wait_s = BACK_OFF_S[min(self._n_failures, len(BACK_OFF_S)) - 1]
        self._retry_at = self._clock() + wait_s

    def served(self) -> None:
        """Note that the runtime works: earlier crashes are forgotten."""
        self._n_failures = 0

    def last_words(self) -> str:
        """Return a sentence about what the last runtime said or how it ended, or nothing."""
        words = ""
        with contextlib.suppress(OSError):
            words = self._words_path.read_text(encoding="utf-8", errors="replace").strip()
        if words:
            return f"It last said: {words[-MAX_WORDS:]}"
        return "" if self._exit_status is None else f"It {_ending(self._exit_status)}."

    @property
    def _words_path(self) -> Path:
        return self.directory / "runtime.stderr"

    def _check_back_off(self) -> None:
        wait_s = self._retry_at - self._clock()
        if self._n_failures and wait_s > 0:
            raise RuntimeUnavailable(
                f"The runtime failed {self._n_failures} times in a row;"
                f" the next try is in {wait_s:.0f} s. {self.last_words()}"
            )

    async def _start(self) -> None:
        """Start a runtime and wait until it can be connected to."""
        command = [sys.executable, "-P", "-m", "model_runtime", "run"]
        command += ["--directory", str(self.directory), "--transport", self._transport]
        log.info("starting the runtime in %s", self.directory)
        self._exit_status = None
        # A new file, for a runtime that is still leaving may hold the old one.
        self._words_path.unlink(missing_ok=True)
        with self._words_path.open("xb") as words:
            child = subprocess.Popen(  # noqa: ASYNC220  # `_watch` waits for it on its own thread
                [*command, *self._arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=words,
                cwd=self.directory,
                # It outlives this server, and is none of its terminal's business.
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
        is_ready: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        threading.Thread(target=self._watch, args=(child, is_ready), daemon=True).start()
        try:
            async with asyncio.timeout(START_S):
                if await is_ready:
                    return
        except TimeoutError:
            child.kill()
        self.failed()
        raise RuntimeUnavailable(f"The runtime did not start. {self.last_words()}")

    def _watch(self, child: subprocess.Popen[bytes], is_ready: asyncio.Future[bool]) -> None:
        """Wait, on a thread, for a child to be ready, then for its end, so that none is left."""
        loop = is_ready.get_loop()
        output: IO[bytes] = child.stdout  # type: ignore[assignment]  # it was asked for
        with output:
            said_ready = output.readline().strip() == b"ready"
        if not said_ready:
            self._exit_status = child.wait()
        # The loop may be gone: then nobody waits any more.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_settle, is_ready, said_ready)
        self._exit_status = child.wait()
        log.info("the runtime %s", _ending(self._exit_status))


def _settle(future: asyncio.Future[bool], value: bool) -> None:  # noqa: FBT001  # a callback
    if not future.done():
        future.set_result(value)


def _ending(status: int) -> str:
    """Say how a process ended, from its exit status."""
    if status >= 0:
        return f"ended with status {status}"
    return f"was killed by {signal.Signals(-status).name}"
