"""`remask models`, `use` and `remove`: which models are here, which fit, which one is taken."""

from __future__ import annotations

import re
import shutil
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from model_runtime.errors import BadRequest, RuntimeFault
from model_runtime.settings import load_settings, settings_path
from model_runtime.weights.bases import address_of, folder_of
from model_runtime.weights.catalog import BASES, CATALOG, DEFAULT_MODEL
from model_runtime.weights.fetch import cache_dir
from model_runtime.weights.published import RECOMMENDED, is_diffusion

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from model_runtime.settings import RuntimeSettings

#: Bytes a weight, and what the libraries and a context take.
_BYTES = {"int8": 1.1, "int4": 0.7}
_SPARE_BYTES = 900_000_000
#: The cache's folder for what was made of the user's own files, and its name for `remask remove`.
OWN = "own"
_SETTING = '{} = "{}"'


@dataclass(frozen=True)
class Here:
    """A model on this disk."""

    name: str
    paths: tuple[Path, ...]

    @property
    def n_bytes(self) -> int:
        """What it takes, all that was made of it included."""
        files = [
            file
            for path in self.paths
            for file in (path.rglob("*") if path.is_dir() else [path])
            if file.is_file()
        ]
        return sum(file.stat().st_size for file in files)


def configure(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `remask models`."""
    parser.add_argument(
        "--families", action="store_true", help="say which mode each family offers, as Markdown"
    )


def main(arguments: argparse.Namespace) -> int:
    """Say what is here, what fits this machine and what would be better."""
    if arguments.families:
        sys.stdout.write(_families())
        return 0
    try:
        settings = load_settings()
        sys.stdout.write("\n".join(described(settings, cache_dir(settings.cache_dir))))
    except RuntimeFault as fault:
        sys.stderr.write(f"{fault}\n")
        return 1
    return 0


def _families() -> str:
    # Slow to import, as below.
    from model_runtime.models import MODELS  # noqa: PLC0415
    from model_runtime.modes.offered import table  # noqa: PLC0415

    return table(map(MODELS.load, MODELS.names()))


def models_here(cache: Path) -> Iterator[Here]:
    """Yield the models that the cache holds."""
    for name, model in CATALOG.items():
        path = cache / model.file
        if path.is_file():
            beside = [*cache.glob(f"{path.name}.*"), *cache.glob(f"{path.stem}-*-v*")]
            yield Here(name, (path, *beside))
    names = {base.repository: name for name, base in BASES.items()}
    for folder in sorted((cache / "published").glob("*--*")):
        repository = folder.name.replace("--", "/", 1)
        kept = adapters_in(folder)
        paths = (folder,) if not kept else tuple(set(folder.iterdir()) - set(kept))
        if paths:
            yield Here(names.get(repository, repository), paths)
    if made_ready := tuple((cache / OWN).glob("*-v*")):
        yield Here(OWN, made_ready)


def adapters_in(folder: Path) -> list[Path]:
    """Return the adapters that the user trained for bases of a folder."""
    return sorted(folder.glob("adapter-*.safetensors"))


def _is_named(model: Here, used: str, cache: Path) -> bool:
    """Whether a model that is here is the one that a name means."""
    address = address_of(used)
    if address is None or model.name == used:
        return model.name == used
    folder = folder_of(address[0], cache)
    is_of_folder = any(folder in (path, path.parent) for path in model.paths)
    return is_of_folder and (address[1] is None or (folder / address[1]).is_file())


def described(settings: RuntimeSettings, cache: Path) -> Iterator[str]:
    """Yield the lines of `remask models`.

    Raises:
        BadRequest: there is no device as the settings want it.
    """
    # Slow to import; what only takes or removes a model does without.
    from model_runtime.devices import choose_device, free_bytes  # noqa: PLC0415

    device, used = choose_device(settings.device), settings.model
    free = free_bytes(device)
    here = [(model, _is_named(model, used, cache)) for model in models_here(cache)]
    yield f"On this machine (in {cache}):"
    for model, is_used in here:
        what = "on the disk" if model.name != OWN else "made ready from files of your own"
        yield f"{'*' if is_used else ' '} {model.name}: {model.n_bytes / 1e9:.1f} GB {what}"
    if not any(is_used for _, is_used in here):
        yield f"* {used}: not here yet, or a file of your own"
    yield ""
    room = "unknown" if free is None else f"{free / 1e9:.1f} GB free"
    yield f"Bases that fill well ({device}, {room}):"
    default = CATALOG[DEFAULT_MODEL]
    yield (
        f"  {DEFAULT_MODEL}: 0.5B, {default.licence}, 32,768 tokens, {default.n_bytes / 1e9:.1f} GB"
        " to fetch; for any laptop, with an adapter: the default"
    )
    for base in BASES.values():
        fits = _fits(base.n_parameters, free)
        yield (
            f"  {base.name}: {base.n_parameters / 1e9:.1f}B, {base.licence}, {base.context:,} "
            f"tokens, a forward some {base.n_parameters / 0.49e9:.0f} times the default's; "
            f"{base.good_at}. {fits}"
        )
    yield ""
    yield "Published diffusion models (`remask pull`, then engine = published):"
    for one in RECOMMENDED:
        yield (
            f"  {one.repository}: {one.size}, {one.licence}, {one.context:,} tokens; {one.good_at}"
        )
    yield ""
    yield "Take one: remask pull NAME, then remask use NAME."
    yield ""


def _fits(n_parameters: float, free: int | None) -> str:
    needed = {kind: n_parameters * n + _SPARE_BYTES for kind, n in _BYTES.items()}
    words = f"Needs {needed['int8'] / 1e9:.1f} GB in int8, {needed['int4'] / 1e9:.1f} in int4"
    if free is None:
        return f"{words}."
    fitting = [kind for kind, n_bytes in needed.items() if n_bytes <= free]
    return (
        f"{words}: {'fits' if 'int8' in fitting else 'fits in int4' if fitting else 'too large'}."
    )


def configure_use(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `remask use`."""
    parser.add_argument("name", help="of the catalog, owner/name[:file.gguf], a file or a folder")


def use(arguments: argparse.Namespace) -> int:
    """Write into the user's settings which model is taken from now on; return the exit status."""
    name = arguments.name
    path = Path(name).expanduser()
    try:
        if name not in CATALOG and address_of(name) is None and not path.exists():
            raise BadRequest(
                f"{name!r} is no model: give a name of `remask models`, owner/name, or a path"
            )
        chosen = str(path.resolve()) if path.exists() and name not in CATALOG else name
        is_diffusion = _is_diffusion(name, cache_dir(load_settings().cache_dir))
        write_settings({"model": chosen, "engine": "published" if is_diffusion else "local"})
    except (RuntimeFault, OSError) as fault:
        sys.stderr.write(f"{fault}\n")
        return 1
    sys.stdout.write(f"{chosen} is used from the next start on; `remask stop` ends what runs.\n")
    return 0


def write_settings(values: dict[str, str]) -> None:
    """Set keys of the user's settings file; everything else in it stays as it is.

    Raises:
        BadRequest: a key stands there in a way that can't be changed without the rest.
    """
    # A link stays one: what it leads to is written.
    path = settings_path().resolve()
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    text, lines = before, []
    for key, value in values.items():
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        lines.append(_SETTING.format(key, escaped))
        text = _with_line(text, key, lines[-1])
    try:
        is_right = tomllib.loads(text) == tomllib.loads(before) | values
    except ValueError:
        is_right = False
    if not is_right:
        said = " and ".join(lines)
        raise BadRequest(f"{path} can't be changed without the rest of it; write there: {said}")
    path.parent.mkdir(parents=True, exist_ok=True)
    # At once or not at all: it is the user's.
    scratch = path.with_name(f"{path.name}.new")
    scratch.write_text(text, encoding="utf-8")
    if path.exists():
        shutil.copymode(path, scratch)
    scratch.replace(path)


def _with_line(text: str, key: str, line: str) -> str:
    """Return a settings file's text with a key's line in the place of the one that is there."""
    place = rf"^[ \t]*([\"']?){key}\1[ \t]*=.*$"
    text, n_found = re.subn(place, lambda _: line, text, count=1, flags=re.MULTILINE)
    # Before everything: behind a table's header it would be the table's.
    return text if n_found else f"{line}\n{text}"


def _is_diffusion(name: str, cache: Path) -> bool:
    """Whether a model is a published diffusion model, as far as its configuration is here."""
    folder = Path(name).expanduser()
    address = address_of(name)
    if not folder.is_dir() and address is not None:
        folder = folder_of(address[0], cache)
    if any(one.repository == name for one in RECOMMENDED):
        return True
    return (folder / "config.json").is_file() and is_diffusion(folder)


def configure_remove(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `remask remove`."""
    parser.add_argument("name", help="as `remask models` calls it")


def remove(arguments: argparse.Namespace) -> int:
    """Delete a model of the cache, and what was made of it; return the exit status."""
    try:
        cache = cache_dir(load_settings().cache_dir)
        here = {model.name: model for model in models_here(cache)}
        if arguments.name not in here:
            raise BadRequest(
                f"{arguments.name!r} is not in {cache}; there: {', '.join(here) or 'nothing'}."
                " Files of your own are yours to delete"
            )
        model = here[arguments.name]
        n_bytes = model.n_bytes
        kept = [each for path in model.paths for each in adapters_in(path.parent)]
        for path in model.paths:
            shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    except (RuntimeFault, OSError) as fault:
        sys.stderr.write(f"{fault}\n")
        return 1
    sys.stdout.write(f"{model.name}: removed, {n_bytes / 1e9:.1f} GB\n")
    for path in dict.fromkeys(kept):
        sys.stdout.write(f"The adapter that you trained stays: {path}\n")
    return 0
