"""How long the index of a workspace takes: `python tests/bench/project_index.py FOLDER`.

Prints the files, the seconds until all are read, and what its processes took together: seconds of
the processor, and the sum of each one's most memory.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from pathlib import Path

from lsp_server.project.client import ProjectIndex
from lsp_server.project.messages import Folders


async def measure(folder: str) -> str:
    """Read a folder as the language server does, and say what that took."""
    index, started = ProjectIndex(), time.monotonic()
    try:
        await index.start(Folders((folder,), (), ()))
        state = await index.state(when_done=True)
    finally:
        await index.close()
    if state is None:
        return "The index does not run."
    took, memory = time.monotonic() - started, state.peak_memory_bytes / 1e6
    return (
        f"{state.n_files} files in {took:.1f} s, "
        f"{state.processor_s:.1f} s of the processor, {memory:.0f} MB"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder = str(parser.parse_args().folder.resolve())
    sys.stdout.write(f"{asyncio.run(measure(folder))}\n")
