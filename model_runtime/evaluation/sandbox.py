"""Runs one program from standard input under limits; the child's side of `execution`.

Started by path with `python -I -S`, so it imports the standard library only, and nothing of ours.
Arguments: cpu seconds, address space bytes, file size bytes, a nonce. What it reports on standard
output is the nonce, a verdict and a few words, once the program has come to its end; the program's
own output goes nowhere.
"""

from __future__ import annotations

import os
import resource
import socket
import sys
from typing import NoReturn

_MAX_WORDS = 200


def main() -> None:
    """Limit this process, run the program, report."""
    cpu_s, address_bytes, file_bytes = map(int, sys.argv[1:4])
    nonce = sys.argv.pop()
    text = sys.stdin.buffer.read().decode()
    report = os.dup(1)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)
    _block_sockets()
    for limit, value in (
        (resource.RLIMIT_AS, address_bytes),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_NPROC, 0),
    ):
        resource.setrlimit(limit, (value, value))
    verdict, words = _run(text)
    os.write(report, f"{nonce} {verdict} {words[:_MAX_WORDS]}".encode(errors="replace"))


def _run(text: str) -> tuple[str, str]:
    try:
        exec(compile(text, "<completed>", "exec"), {"__name__": "__main__"})  # noqa: S102  the point
    except AssertionError as error:
        return "fail", f"AssertionError: {error}"
    except BaseException as error:  # noqa: BLE001  SystemExit too: it ended before its check did
        return "error", f"{type(error).__name__}: {error}"
    return "pass", ""


def _block_sockets() -> None:
    """Refuse connections where the kernel was not asked to, or would not."""

    def refuse(*_: object, **__: object) -> NoReturn:
        raise PermissionError("no network here")

    for name in ("socket", "create_connection", "socketpair", "getaddrinfo"):
        setattr(socket, name, refuse)


if __name__ == "__main__":
    main()
