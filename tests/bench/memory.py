"""What a command's processes take together, at most: `python tests/bench/memory.py pytest`.

Each process counts with its proportional set size: what it shares with others (code, a mapped file
of weights) is divided among them. Those that it left behind count too: they are known by a variable
of the environment, which they inherit. Linux only.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

MARK = "REMASK_MEASURED_RUN"
INTERVAL_S = 0.5
N_SHOWN = 8


class Share(NamedTuple):
    """One process's part of it."""

    n_kib: int
    command: str


def shares(mark: bytes) -> list[Share]:
    """Return what each process of a run takes now."""
    of_the_run: set[str] = set()
    parents: dict[str, str] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        # It may have ended.
        with contextlib.suppress(OSError):
            parents[folder.name] = (folder / "stat").read_text().rpartition(") ")[2].split()[1]
            if mark in (folder / "environ").read_bytes():
                of_the_run.add(folder.name)
    # A browser's processes overwrite their environment.
    while found := {one for one, parent in parents.items() if parent in of_the_run} - of_the_run:
        of_the_run |= found
    return [share for pid in of_the_run for share in _share(Path("/proc") / pid)]


def _share(folder: Path) -> Iterator[Share]:
    with contextlib.suppress(OSError):
        command = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        lines = (folder / "smaps_rollup").read_text().splitlines()
        for line in lines:
            if line.startswith("Pss:"):
                yield Share(int(line.split()[1]), command)


def main() -> int:
    """Run the command, and say at its end what it took."""
    name = uuid.uuid4().hex
    most: list[Share] = []
    has_ended = threading.Event()

    def watch() -> None:
        nonlocal most
        while not has_ended.wait(INTERVAL_S):
            most = max(most, shares(f"{MARK}={name}".encode()), key=_sum)

    watcher = threading.Thread(target=watch)
    watcher.start()
    code = subprocess.run(sys.argv[1:], check=False, env=os.environ | {MARK: name}).returncode
    has_ended.set()
    watcher.join()
    print(f"at most {_sum(most) / 1e6:.2f} GB")  # noqa: T201  # that is what it is for
    for share in sorted(most, reverse=True)[:N_SHOWN]:
        print(f"{share.n_kib / 1e6:6.2f} GB  {share.command[:100]}")  # noqa: T201
    return code


def _sum(found: list[Share]) -> int:
    return sum(share.n_kib for share in found)


if __name__ == "__main__":
    sys.exit(main())
