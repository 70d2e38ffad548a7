"""`remask serve`: the endpoints of existing fill-in-the-middle clients, in front of the runtime."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import uvicorn

from model_runtime.errors import BadRequest, RuntimeFault
from model_runtime.http.app import build_app
from model_runtime.http.faults import NotFilled
from model_runtime.http.limits import OLLAMA_PORT, ServeSettings, is_loopback
from model_runtime.http.replica_settings import ReplicaSettings
from model_runtime.http.runtime import Runtime
from model_runtime.settings import add_flags, flags_of, load_settings

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

    from model_runtime.http.fill import Backend
    from model_runtime.service.listen import Transport

DIRECTORY_VARIABLE = "REMASK_RUNTIME_DIR"
TOKEN_VARIABLE = "REMASK_SERVE_TOKEN"  # noqa: S105  # its name, not a token
#: Bytes of a request's head before its body.
MAX_HEAD_BYTES = 32 * 1024
#: Connections that wait to be taken.
BACKLOG = 2048
#: Seconds that open replies have when the server is told to leave.
LEAVE_S = 5


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's flags."""
    defaults = ServeSettings()
    serve = parser.add_argument_group("serving")
    serve.add_argument("--host", default=defaults.host, help="default: %(default)s")
    serve.add_argument("--port", type=int, default=defaults.port, help="default: %(default)s")
    serve.add_argument(
        "--ollama-port",
        type=int,
        nargs="?",
        const=OLLAMA_PORT,
        default=defaults.ollama_port,
        metavar="PORT",
        help=f"a second port, for clients that are set to Ollama; without a number {OLLAMA_PORT}",
    )
    serve.add_argument(
        "--confidence",
        default=defaults.confidence,
        help="how sure a fill has to be where the client does not say: quiet, balanced, eager, or a"
        " number from 0, which shows all, to 1",
    )
    for flag, field, text in (
        ("--allow-host", "allow_hosts", "a name this server is called by; repeatable"),
        ("--allow-origin", "allow_origins", "an origin whose pages may ask; repeatable"),
        ("--alias", "aliases", "a name to list for the model served; repeatable"),
    ):
        serve.add_argument(flag, dest=field, action="append", default=None, help=text)
    for field in ("max_body_bytes", "max_concurrent", "requests_per_minute"):
        _add_limit(serve, field, int, defaults)
    for field in ("patience_s", "deadline_s", "heartbeat_s"):
        _add_limit(serve, field, float, defaults)
    replicas, usual = parser.add_argument_group("replicas"), ReplicaSettings()
    replicas.add_argument("--ray", action="store_true", help="fill with replicas on Ray Serve")
    for field, kind in (
        ("address", str),
        ("min_replicas", int),
        ("max_replicas", int),
        ("cpus", float),
        ("gpus", float),
    ):
        flag = f"--ray-{field.replace('_', '-')}"
        replicas.add_argument(
            flag, type=kind, default=getattr(usual, field), help="default: %(default)r"
        )
    parser.add_argument(
        "--directory",
        type=Path,
        default=os.environ.get(DIRECTORY_VARIABLE),
        help=f"where the runtime listens; `remask serve` says so by {DIRECTORY_VARIABLE}",
    )
    add_flags(parser)


def main(arguments: argparse.Namespace) -> int:
    """Serve until told to leave; return the exit status."""
    try:
        settings = serve_settings(vars(arguments), os.environ)
        flags = flags_of(arguments)
        values = load_settings(flags)
        if arguments.ray:
            given = {f: getattr(arguments, f"ray_{f}") for f in ReplicaSettings.__struct_fields__}
            own = ReplicaSettings(**given)
            return asyncio.run(serve_replicas(own, msgspec.structs.asdict(values), settings))
        if arguments.directory is None:
            raise SystemExit(f"say where the runtime listens: --directory or {DIRECTORY_VARIABLE}")
        words = tuple(
            word
            for field, value in flags.items()
            for word in (f"--{field.replace('_', '-')}", value)
        )
        transport: Transport = "tcp" if sys.platform == "win32" else "unix"
        runtime = Runtime(Path(arguments.directory), words, transport=transport)
        return asyncio.run(serve(runtime, settings, has_flags=bool(flags)))
    except KeyboardInterrupt:
        return 0
    except (RuntimeFault, NotFilled, OSError) as error:
        text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        sys.stderr.write(f"remask: {text}\n")
        return 1


def serve_settings(arguments: Mapping[str, Any], environment: Mapping[str, str]) -> ServeSettings:
    """Return the settings that the flags and the environment make.

    Raises:
        BadRequest: they can't be.
    """
    fields = [field for field in ServeSettings.__struct_fields__ if field != "token"]
    given = {field: arguments.get(field) for field in fields}
    values: dict[str, Any] = {
        field: tuple(value) if isinstance(value, list) else value
        for field, value in given.items()
        if value is not None
    }
    return ServeSettings(token=environment.get(TOKEN_VARIABLE, ""), **values)


async def serve(runtime: Runtime, settings: ServeSettings, *, has_flags: bool = False) -> int:
    """Serve until told to leave; return the exit status.

    Raises:
        NotFilled: the runtime can't be started.
    """
    status = await runtime.status()
    if has_flags and not runtime.was_started:
        sys.stderr.write(
            "remask: a runtime is running already, and keeps its own settings;"
            " `remask stop` ends it\n"
        )
    return await _serve(runtime, settings, status.model)


async def serve_replicas(
    own: ReplicaSettings, values: dict[str, Any], settings: ServeSettings
) -> int:
    """Serve with replicas on Ray until told to leave; return the exit status.

    Raises:
        BadRequest: Ray is not installed.
        NotFilled: no replica answers.
    """
    try:
        from model_runtime.http.replicas import Replicas  # noqa: PLC0415  # an extra
    except ImportError as error:
        raise BadRequest(
            f"--ray needs Ray: Remask's extra `ray`, see Install in its README ({error})"
        ) from error
    replicas = Replicas(own, values)
    await replicas.start()
    return await _serve(replicas, settings, (await replicas.status()).model)


async def _serve(backend: Backend, settings: ServeSettings, model: str) -> int:
    server = FrontServer(backend, settings, lambda url: _say(f"serving {model} on {url}"))
    await server.serve()
    return 0 if server.started else 1


class FrontServer(uvicorn.Server):
    """An HTTP server in front of a backend, which it closes when it ends.

    Args:
        backend: what fills.
        settings: how to serve; port 0 takes a free one.
        on_ready: told the address once it can be reached.

    Raises:
        OSError: a port is taken, or no address of this machine; in words for the user.
    """

    def __init__(
        self, backend: Backend, settings: ServeSettings, on_ready: Callable[[str], None]
    ) -> None:
        super().__init__(
            uvicorn.Config(
                build_app(backend, settings),
                log_level="warning",
                access_log=False,
                server_header=False,
                lifespan="on",
                timeout_graceful_shutdown=LEAVE_S,
                h11_max_incomplete_event_size=MAX_HEAD_BYTES,
                http="h11",
                ws="none",
            )
        )
        self._on_ready = on_ready
        self._listeners = listeners(settings)

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn."""
        await super().serve(sockets or self._listeners)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """See uvicorn."""
        await super().startup(sockets)
        if self.started:
            host, port = self._listeners[0].getsockname()[:2]
            self._on_ready(f"http://{f'[{host}]' if ':' in host else host}:{port}")


def listeners(settings: ServeSettings) -> list[socket.socket]:
    """Return sockets on every port that is to be served.

    Raises:
        OSError: a port is taken, or no address of this machine; in words for the user.
    """
    first = _listeners_on(settings.host, settings.port)
    if not settings.ollama_port:
        return first
    try:
        return first + _listeners_on(settings.host, settings.ollama_port)
    except OSError:
        for each in first:
            each.close()
        raise


def _listeners_on(host: str, port: int) -> list[socket.socket]:
    """Listen on a port of a host; on a loopback, of both kinds: "localhost" may mean either."""
    if not is_loopback(host):
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return [_listener(family, host.strip("[]"), port)]
    v4, v6 = (socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")
    if host.lower() != "localhost":
        bare = host.strip("[]")
        v4, v6 = ((socket.AF_INET6, bare), v4) if ":" in bare else ((socket.AF_INET, bare), v6)
    first = _listener(*v4, port)
    try:
        return [first, _listener(*v6, first.getsockname()[1])]
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            sys.stderr.write(f"remask: {error.strerror}; only {v4[1]} is served\n")
        return [first]  # many machines have one kind alone


def _listener(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    # With its protocol named, for asyncio sends at once only what it knows to be TCP.
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family is socket.AF_INET6:
            listening.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        is_taken = error.errno == errno.EADDRINUSE
        why = "another program does" if is_taken else error.strerror or str(error)
        raise OSError(error.errno, f"can't listen on port {port} of {host}: {why}") from error
    return listening


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _add_limit(
    group: argparse._ArgumentGroup, field: str, kind: type, defaults: ServeSettings
) -> None:
    group.add_argument(
        f"--{field.replace('_', '-')}",
        type=kind,
        default=getattr(defaults, field),
        help="default: %(default)s",
    )
