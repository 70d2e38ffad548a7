"""`remask pull`: bring a model onto this machine ahead of its first use, with a progress bar.

A name of the catalog, a Hugging Face repository, or a folder, which is only checked.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from model_runtime.errors import RuntimeFault, UnknownName
from model_runtime.settings import load_settings
from model_runtime.weights import fetch
from model_runtime.weights.bases import address_of, changed_files, find_base
from model_runtime.weights.catalog import BASES, CATALOG, NamedModel, named_model
from model_runtime.weights.published import RECOMMENDED, is_diffusion, pull_repository

if TYPE_CHECKING:
    import argparse


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument(
        "name",
        nargs="?",
        help=f"one of: {', '.join((*CATALOG, *BASES))}; owner/name[:file.gguf], a file, a folder",
    )
    parser.add_argument("--list", action="store_true", help="say which models are worth having")
    parser.add_argument(
        "--from", dest="source", type=Path, metavar="PATH", help="a copy of the file, on this disk"
    )


def main(arguments: argparse.Namespace) -> int:
    """Pull a model; return the exit status."""
    console = Console(stderr=True)
    if arguments.list:
        sys.stdout.write(described())
        return 0
    try:
        settings = load_settings()
        name, folder = arguments.name or settings.model, fetch.cache_dir(settings.cache_dir)
        if name in CATALOG:
            said = _pull_named(named_model(name), folder, arguments.source, console)
        elif _is_diffusion(name, folder):
            said = _pull_published(name, folder)
        else:
            said = _pull_base(name, folder, console)
    except RuntimeFault as fault:
        sys.stderr.write(f"{fault}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("Stopped; the next pull goes on from here.\n")
        return 130
    console.print(said, highlight=False, soft_wrap=True)
    return 0


def described() -> str:
    """Return the models worth having, as text."""
    lines = [
        f"{model.name}: {model.n_bytes / 1e6:.0f} MB, {model.licence}; the default, for any laptop"
        for model in CATALOG.values()
    ]
    lines += [
        f"{one.repository}: {one.size} parameters, {one.context:,} tokens, {one.licence}; "
        f"{one.good_at}"
        for one in RECOMMENDED
    ]
    return "\n".join(lines) + "\n"


def _pull_named(model: NamedModel, folder: Path, source: Path | None, console: Console) -> str:
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
            folder=folder,
            sources=[source] if source else None,
        )
    sys.stdout.write(f"{path}\n")
    return f"{model.name}: verified, licence {model.licence}"


def _is_diffusion(name: str, cache: Path) -> bool:
    """Whether a repository or a folder is that of a published diffusion model."""
    if any(one.repository == name for one in RECOMMENDED):
        return True
    folder = Path(name).expanduser()
    if not folder.is_dir():
        address = address_of(name)
        if address is None or address[1] is not None or name in BASES:
            return False
        # What it is stands in a small file.
        folder = pull_repository(name, cache, patterns=("*.json",))
    return (folder / "config.json").is_file() and is_diffusion(folder)


def _pull_base(name: str, cache: Path, console: Console) -> str:
    """Fetch a base, say whether it is another one at the hub by now, and look into it."""
    # Slow to import, and needed here alone.
    from model_runtime.weights.convert import open_base  # noqa: PLC0415

    if address_of(name) is None and not Path(name).expanduser().exists():
        raise UnknownName("model", name, (*CATALOG, *BASES))
    changed = changed_files(name, cache)
    if changed:
        return (
            f"{name} was changed at the hub since it was fetched ({', '.join(changed)}); what is "
            f"here stays. To take the new one: remask remove {name}, then pull again"
        )
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task(name, total=None)
        base = find_base(
            name, cache, lambda n_done, n_all: progress.update(bar, completed=n_done, total=n_all)
        )
    config = open_base(base.source).config
    sys.stdout.write(f"{base.source}\n")
    return (
        f"{name}: whole, {config.n_layers} layers of {config.width}, {config.max_length:,} tokens."
        f" To use it: remask use {name}"
    )


def _pull_published(name: str, cache: Path) -> str:
    """Fetch a repository, or take a folder, and see whether a family loads it."""
    # Slow to import, and needed here alone.
    import torch  # noqa: PLC0415

    from model_runtime.models.parts.load import check_checkpoint  # noqa: PLC0415

    folder = Path(name) if Path(name).is_dir() else pull_repository(name, cache)
    family, _, plan, _ = check_checkpoint(folder, torch.device("cpu"))
    sys.stdout.write(f"{folder}\n")
    return (
        f"{name}: whole, family {family.name}, {plan.n_bytes / 1e9:.1f} GB in memory. To use it:\n"
        f"  REMASK_ENGINE=published REMASK_MODEL={name}"
    )
