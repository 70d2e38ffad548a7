"""`python -m model_runtime run`: the process that clients find or start.

It says "ready" on its standard output once it can be connected to. What kept it from getting
there stands on its standard error.
"""

from __future__ import annotations

import asyncio
import faulthandler
import functools
import logging
import logging.handlers
import os
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from model_runtime.engines import ENGINES
from model_runtime.errors import ModelLoadFailed, RuntimeFault
from model_runtime.service import listen
from model_runtime.service.process import find_home, version
from model_runtime.service.server import RuntimeServer
from model_runtime.service.worker import Worker, log_bug
from model_runtime.settings import RuntimeSettings, add_flags, flags_of, load_settings

if TYPE_CHECKING:
    import argparse
    from typing import Any

    from model_runtime.engines.base import Engine

log = logging.getLogger(__name__)

#: Seconds to wait for a runtime that is leaving: what it may take to finish, and then some.
WAIT_S = 45.0
MAX_LOG_BYTES = 1_000_000


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's flags."""
    parser.add_argument("--directory", type=Path, required=True, help="where to listen")
    parser.add_argument("--transport", choices=("unix", "tcp"), default="unix")
    add_flags(parser)


def main(arguments: argparse.Namespace) -> int:
    """Serve until idle or stopped; return the exit status."""
    faulthandler.enable()
    os.umask(0o077)
    try:
        settings = load_settings(flags_of(arguments))
        ENGINES.check(settings.engine)
        with listen.hold(arguments.directory, WAIT_S):
            log_path, problems = _open_log()
            problems += (find_home(),) if find_home() else ()
            log.info("remask %s, engine %s, process %d", version(), settings.engine, os.getpid())
            has_closed = asyncio.run(
                _serve(settings, arguments.directory, arguments.transport, log_path, problems)
            )
            log.info("left")
    except (RuntimeFault, listen.AlreadyRunning, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if not has_closed:
        # A thread that can't be stopped would keep the interpreter from ending.
        log.error("the engine did not stop; ending the process")
        logging.shutdown()
        os._exit(1)
    return 0


async def _serve(
    settings: RuntimeSettings,
    directory: Path,
    transport: listen.Transport,
    log_path: Path,
    problems: tuple[str, ...],
) -> bool:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_log_loop_fault)
    server = RuntimeServer(
        Worker(functools.partial(make_engine, settings)),
        model=settings.model,
        idle_exit_s=settings.idle_exit_s,
        log_path=log_path,
        problems=problems,
        n_at_once=settings.requests_at_once,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        _on_signal(loop, number, functools.partial(server.leave, now=True))
    return await server.serve(directory, transport, _say_ready)


def make_engine(settings: RuntimeSettings) -> Engine:
    """Import the engine that the settings name and make it.

    Raises:
        ModelLoadFailed: what it needs is not installed.
    """
    try:
        make: Any = ENGINES.load(settings.engine)
    except ImportError as error:
        raise ModelLoadFailed(f"engine {settings.engine!r} can't be loaded: {error}") from error
    engine: Engine = make(settings)
    return engine


def _say_ready() -> None:
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    # Nobody reads on; what is printed from now on goes where errors go.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())


def _on_signal(loop: asyncio.AbstractEventLoop, number: int, act: functools.partial[None]) -> None:
    try:
        loop.add_signal_handler(number, act)
    except NotImplementedError:  # Windows
        signal.signal(number, lambda *_: loop.call_soon_threadsafe(act))


def _open_log() -> tuple[Path, tuple[str, ...]]:
    """Log to a rotating file of the user; return its path and what is wrong with it."""
    path = Path(platformdirs.user_state_dir("remask", appauthor=False)) / "runtime.log"
    handler: logging.Handler
    problems: tuple[str, ...] = ()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handler = logging.handlers.RotatingFileHandler(
            path, maxBytes=MAX_LOG_BYTES, backupCount=2, encoding="utf-8"
        )
    except OSError as error:
        handler = logging.StreamHandler()
        problems = (f"No log can be written at {path}: {error.strerror}.",)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    return path, problems


def _log_loop_fault(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    error = context.get("exception")
    if error is None:
        log.error("%s", context.get("message"))
    else:
        log_bug(error)
