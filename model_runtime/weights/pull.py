"""`remask pull`: bring a model onto this machine ahead of its first use, with a progress bar."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from model_runtime.errors import RuntimeFault
from model_runtime.settings import load_settings
from model_runtime.weights import fetch
from model_runtime.weights.catalog import CATALOG, named_model

if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("name", nargs="?", help=f"one of: {', '.join(CATALOG)}")
    parser.add_argument(
        "--from", dest="source", type=Path, metavar="PATH", help="a copy of the file, on this disk"
    )


def main(arguments: argparse.Namespace) -> int:
    """Pull a model; return the exit status."""
    console = Console(stderr=True)
    try:
        settings = load_settings()
        model = named_model(arguments.name or settings.model)
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
        )
        with Progress(*columns, console=console, transient=True) as progress:
            bar = progress.add_task(model.name, total=model.n_bytes)
            path = fetch.ensure(
                model.name,
                lambda n_done, _: progress.update(bar, completed=n_done),
                folder=fetch.cache_dir(settings.cache_dir),
                sources=[arguments.source] if arguments.source else None,
            )
    except RuntimeFault as fault:
        sys.stderr.write(f"{fault}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Stopped; the next pull goes on from here.\n")
        return 130
    sys.stdout.write(f"{path}\n")
    console.print(f"{model.name}: verified, licence {model.licence}", highlight=False)
    return 0
