"""`python -m model_runtime COMMAND`: the runtime itself, and the commands that need its parts.

A command is a module with `configure(parser)` and `main(arguments) -> exit status`. Only the one
asked for is imported, so that one which needs no torch starts without it.
"""

from __future__ import annotations

import argparse
import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING

from model_runtime.service.process import find_home, keep_freed_memory

if TYPE_CHECKING:
    from collections.abc import Callable

    Configure = Callable[[argparse.ArgumentParser], None]
    Run = Callable[[argparse.Namespace], int]

#: Name, module, and what it does.
COMMANDS = {
    "run": (
        "model_runtime.service.run",
        "serve infill to editors (they start it themselves)",
    ),
    "serve": ("model_runtime.http.serve", "serve fill-in-the-middle requests over HTTP"),
    "models": ("model_runtime.weights.listing", "say which models are here, fit, would be better"),
    "use": ("model_runtime.weights.listing", "take a model from now on"),
    "remove": ("model_runtime.weights.listing", "delete a model from this disk"),
    "device": ("model_runtime.devices_command", "say on which device and how models run here"),
    "pull": ("model_runtime.weights.pull", "download a model ahead of its first use"),
    "eval": ("model_runtime.evaluation.command", "measure a model's quality"),
    "bench": ("model_runtime.bench.command", "measure this machine's speed"),
    "train": ("model_runtime.training.run", "train the adapter of a base, or a small model"),
    "train-data": ("model_runtime.training.gather", "fetch and make the training corpus"),
}


#: How often a thread of OpenMP looks for work before it sleeps. Its own default is so many times
#: that a thread waits out its whole slice of a core that it shares with another busy process: a
#: forward becomes many times as slow. This few costs nothing on a quiet machine.
SPIN_COUNT = "10000"


def main(words: list[str] | None = None) -> int:
    """Run the command that `words` name; return the exit status."""
    words = sys.argv[1:] if words is None else words
    # Read once, when torch is loaded.
    os.environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)
    keep_freed_memory()
    try:
        told = find_home()
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if told:
        sys.stderr.write(f"{told}\n")
    parser = argparse.ArgumentParser("python -m model_runtime", description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, (module_name, purpose) in COMMANDS.items():
        command = commands.add_parser(name, help=purpose, description=purpose)
        if words[:1] == [name]:
            configure, run = functions_of(name, module_name)
            configure(command)
            command.set_defaults(run=run)
    arguments = parser.parse_args(words)
    status: int = arguments.run(arguments)
    return status


def functions_of(name: str, module_name: str) -> tuple[Configure, Run]:
    """Return what adds a command's flags, and what runs it.

    Commands that belong together share a module: there both functions bear the command's name.
    """
    module = import_module(module_name)
    if hasattr(module, f"configure_{name}"):
        return getattr(module, f"configure_{name}"), getattr(module, name)
    return module.configure, module.main


if __name__ == "__main__":
    sys.exit(main())
