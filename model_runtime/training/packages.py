"""Which packages the training corpus is made of, and how their sources are fetched.

`packages.toml` beside this file is the list: registry, name, pinned version, licence. Archives
come through the registries' ordinary clients (`pip`, `npm`, `apt-get`) and are only ever read:
nothing is installed, built or run.
"""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib import resources
from typing import TYPE_CHECKING, Literal, get_args

import msgspec

from model_runtime.errors import BadRequest, UnknownName

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Registry = Literal["pypi", "npm", "debian", "debian-source"]

#: SPDX identifiers of licences that a model may be trained on here: permissive ones and MPL.
LICENCES = frozenset(
    {
        "0BSD",
        "Apache-2.0",
        "BSD-2-Clause",
        "BSD-3-Clause",
        "BSL-1.0",
        "blessing",
        "curl",
        "ISC",
        "MIT",
        "MIT-CMU",
        "MPL-2.0",
        "NCSA",
        "PSF-2.0",
        "Unlicense",
        "Zlib",
    },
)

#: Kind of list and release; a pinned version stands in one of them.
_DEBIAN = (("deb", "bookworm"), ("deb-src", "bookworm"), ("deb", "trixie"))
_TIMEOUT_S = 300


class Package(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One line of the list."""

    registry: Registry
    name: str
    version: str
    #: SPDX identifiers of the whole package, one of `LICENCES` each.
    licence: str
    #: Only members below these folders; empty for all.
    paths: tuple[str, ...] = ()
    #: The most bytes of text to take.
    max_bytes: int = 100_000


def read_packages(path: Path | None = None) -> list[Package]:
    """Read a package list (the shipped one by default), sorted by registry and name.

    Raises:
        UnknownName: a licence that is not in `LICENCES`, or a registry that does not exist.
    """
    text = (
        resources.files(__package__).joinpath("packages.toml").read_text("utf-8")
        if path is None
        else path.read_text("utf-8")
    )
    packages = []
    for registry, entries in tomllib.loads(text).items():
        if registry not in get_args(Registry):
            raise UnknownName("registry", registry, get_args(Registry))
        for name, entry in entries.items():
            package = msgspec.convert({"registry": registry, "name": name, **entry}, Package)
            for licence in package.licence.split(" AND "):
                if licence not in LICENCES:
                    raise UnknownName("licence", licence, LICENCES)
            packages.append(package)
    return sorted(packages, key=lambda package: (package.registry, package.name))


def fetch(package: Package, downloads: Path) -> list[Path]:
    """Download a package's archives, unless they stand in `downloads` already.

    Raises:
        BadRequest: the registry's client is missing or says no; the message holds its last words.
    """
    folder = downloads / package.registry / f"{package.name.replace('/', '__')}-{package.version}"
    if not folder.is_dir():
        partial = folder.with_name(folder.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        what = f"{package.registry} package {package.name} {package.version}"
        _run(_fetch_command(package, downloads), what, partial)
        partial.rename(folder)
    return sorted(path for path in folder.iterdir() if path.suffix != ".dsc")


def prepare_debian(downloads: Path) -> None:
    """Fetch Debian's list of sources into a folder of our own; the system's stays untouched."""
    state = downloads / "apt"
    (state / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    (state / "cache" / "archives" / "partial").mkdir(parents=True, exist_ok=True)
    lists = "".join(
        f"{kind} http://deb.debian.org/debian {release} main\n" for kind, release in _DEBIAN
    )
    (state / "sources.list").write_text(lists, encoding="utf-8")
    _run(["apt-get", *_apt_options(downloads), "update"], "Debian's lists")


def read_members(archive: Path) -> Iterator[tuple[str, bytes]]:
    """Yield path (with "/", the top folder of a tarball left out) and content of each file.

    Raises:
        BadRequest: the archive is a Debian binary package, and there is no `dpkg-deb`.
    """
    if archive.suffix in {".whl", ".zip"}:
        with zipfile.ZipFile(archive) as wheel:
            for info in wheel.infolist():
                if not info.is_dir():
                    yield info.filename, wheel.read(info)
        return
    source: Path | io.BytesIO = archive
    if archive.suffix == ".deb":
        source = io.BytesIO(_run(["dpkg-deb", "--fsys-tarfile", str(archive)], archive.name))
    with _open_tar(source) as tar:
        for member in tar:
            content = tar.extractfile(member) if member.isfile() else None
            if content is not None:
                name = member.name.removeprefix("./")
                yield name.partition("/")[2] or name, content.read()


def _open_tar(source: Path | io.BytesIO) -> tarfile.TarFile:
    if isinstance(source, io.BytesIO):
        return tarfile.open(fileobj=source)
    return tarfile.open(source)


def _apt_options(downloads: Path) -> list[str]:
    state = (downloads / "apt").resolve()
    options = {
        "Dir::Etc::sourcelist": state / "sources.list",
        "Dir::Etc::sourceparts": "-",
        "Dir::State::lists": state / "lists",
        "Dir::Cache": state / "cache",
    }
    return [word for key, value in options.items() for word in ("-o", f"{key}={value}")]


def _fetch_command(package: Package, downloads: Path) -> list[str]:
    name, version = package.name, package.version
    if package.registry == "pypi":
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "--quiet"]
        return [*pip, "--no-deps", "--only-binary=:all:", f"{name}=={version}"]
    if package.registry == "npm":
        return ["npm", "pack", "--silent", "--ignore-scripts", f"{name}@{version}"]
    apt = ["apt-get", *_apt_options(downloads), "--quiet"]
    if package.registry == "debian":
        return [*apt, "download", f"{name}={version}"]
    return [*apt, "source", "--download-only", "--only-source", f"{name}={version}"]


def _run(command: list[str], what: str, folder: Path | None = None) -> bytes:
    try:
        done = subprocess.run(
            command, cwd=folder, check=True, capture_output=True, timeout=_TIMEOUT_S
        )
    except FileNotFoundError:
        raise BadRequest(f"cannot fetch {what}: {command[0]} is not installed") from None
    except subprocess.CalledProcessError as error:
        words = error.stderr.decode(errors="replace").strip().splitlines()[-1:] or ["no reason"]
        raise BadRequest(f"cannot fetch {what}: {words[0]}") from None
    except subprocess.TimeoutExpired:
        raise BadRequest(f"cannot fetch {what}: no answer in {_TIMEOUT_S} s") from None
    return done.stdout
