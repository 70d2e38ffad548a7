"""The corpus holds what it may, from where it says, split as promised."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

from model_runtime.__main__ import main
from model_runtime.errors import BadRequest, UnknownName
from model_runtime.training import filters
from model_runtime.training.data import (
    DOCUMENTS_NAME,
    HELDOUT_PERCENT,
    Manifest,
    read_documents,
    split_of,
)
from model_runtime.training.gather import gather
from model_runtime.training.packages import LICENCES, read_packages

if TYPE_CHECKING:
    from pathlib import Path

BENCHMARK_SOLUTION = """def has_close_elements(numbers, threshold):
    for idx, elem in enumerate(numbers):
        for idx2, elem2 in enumerate(numbers):
            if idx != idx2 and abs(elem - elem2) < threshold:
                return True
    return False
"""


def source(name: str, n_functions: int = 12) -> str:
    """Write a fit source file with lines of its own."""
    return "\n".join(
        f"def {name}_{i}(value):\n    return compute_{name}_{i}(value, scale={i}, offset={i + 1})\n"
        for i in range(n_functions)
    )


def a_name(split: str, start: str) -> str:
    """Find a package name that falls on this side."""
    return next(name for i in range(200) if split_of(name := f"{start}{i}") == split)


@pytest.fixture
def benchmark_file(tmp_path: Path) -> Path:
    """Write a benchmark of one task, in the published format."""
    path = tmp_path / "benchmark.jsonl.gz"
    task = {
        "task_id": "SingleLineInfilling/HumanEval/0/L0",
        "entry_point": "has_close_elements",
        "prompt": BENCHMARK_SOLUTION[:60],
        "canonical_solution": BENCHMARK_SOLUTION[60:90],
        "suffix": BENCHMARK_SOLUTION[90:],
        "test": "def check(candidate):\n    assert candidate([1.0], 0.3) == False\n",
    }
    path.write_bytes(gzip.compress(json.dumps(task).encode() + b"\n"))
    return path


class Shelf:
    """Archives laid where the fetcher keeps them, so nothing is asked of a registry."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.downloads = folder / "downloads"
        self._entries: dict[str, list[str]] = {"pypi": [], "npm": []}

    def add(self, registry: str, name: str, files: dict[str, str | bytes], extra: str = "") -> None:
        """Put a package on the shelf and on the list."""
        folder = self.downloads / registry / f"{name}-1.0"
        folder.mkdir(parents=True)
        contents = {
            path: text.encode() if isinstance(text, str) else text for path, text in files.items()
        }
        if registry == "pypi":
            with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as wheel:
                for path, content in contents.items():
                    wheel.writestr(path, content)
        else:
            with tarfile.open(folder / f"{name}-1.0.tgz", "w:gz") as tar:
                for path, content in contents.items():
                    member = tarfile.TarInfo(f"package/{path}")
                    member.size = len(content)
                    tar.addfile(member, io.BytesIO(content))
        entry = f'"{name}" = {{ version = "1.0", licence = "MIT"{extra} }}'
        self._entries[registry].append(entry)

    def gather(self, benchmark: Path, out: str = "out", **options: bool) -> Manifest:
        """Make a corpus of what is on the shelf."""
        packages = self.folder / "packages.toml"
        lines = [line for name, found in self._entries.items() for line in (f"[{name}]", *found)]
        packages.write_text("\n".join(lines), encoding="utf-8")
        (self.folder / out).mkdir(exist_ok=True)
        return gather(
            self.folder / out,
            benchmarks=[benchmark],
            downloads=self.downloads,
            packages=packages,
            **options,
        )


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """Make an empty shelf."""
    return Shelf(tmp_path)


def test_documents_come_back_with_their_origin(shelf: Shelf, benchmark_file: Path) -> None:
    """A file of a wheel and one of a tarball come back whole, named, and on their side."""
    trained, heldout = a_name("train", "alpha"), a_name("heldout", "beta")
    shelf.add("pypi", trained, {"alpha/core.py": source("alpha").replace("\n", "\r\n")})
    shelf.add("npm", heldout, {"src/index.js": source("beta")})
    manifest = shelf.gather(benchmark_file)

    (document,) = read_documents(shelf.folder / "out", "train")
    assert (document.package, document.language, document.path) == (
        trained,
        "python",
        "alpha/core.py",
    )
    assert document.text == source("alpha")
    (other,) = read_documents(shelf.folder / "out" / DOCUMENTS_NAME, "heldout")
    assert (other.package, other.registry, other.path) == (heldout, "npm", "src/index.js")
    assert manifest.n_bytes == {
        "train": {"python": len(source("alpha"))},
        "heldout": {"javascript": len(source("beta"))},
    }
    assert {share.package: share.n_files for share in manifest.shares} == {trained: 1, heldout: 1}


@pytest.mark.parametrize(
    ("path", "text", "reason"),
    [
        ("a/tests/core.py", source("a"), "test"),
        ("a/test_core.py", source("a"), "test"),
        ("a/_vendor/core.py", source("a"), "vendored"),
        ("dist/core.js", source("a"), "generated"),
        ("a/core.min.js", source("a"), "generated"),
        ("a/core.py", "# Generated by a tool. DO NOT EDIT.\n" + source("a"), "generated"),
        ("a/core.py", "# GNU General Public License, version 3\n" + source("a"), "copyleft"),
        ("a/core.py", source("a") + "x = " + "1 + " * 200 + "1\n", "long_lines"),
        ("a/core.py", "DATA = [\n" + "    0x00, 0x01, 0x02, 0x03,\n" * 60 + "]\n", "data"),
        ("a/core.py", "x = 1\n", "size"),
        ("a/core.py", b"\xff\xfe" + b"a" * 900, "encoding"),
        ("a/core.py", source("a") + BENCHMARK_SOLUTION, "benchmark"),
    ],
)
def test_unfit_files_stay_out(
    shelf: Shelf, benchmark_file: Path, path: str, text: str | bytes, reason: str
) -> None:
    """Each reason to leave a file out holds, and is counted under its name."""
    shelf.add("pypi", "gamma", {path: text})
    manifest = shelf.gather(benchmark_file)
    assert manifest.left_out == {reason: 1}
    assert not manifest.shares[0].n_files


def test_benchmark_is_found_behind_other_spacing_and_comment_marks() -> None:
    """A near-duplicate is told by its words, whatever stands between them."""
    benchmark = filters.Benchmark([BENCHMARK_SOLUTION])
    assert benchmark.overlaps("// " + BENCHMARK_SOLUTION.replace("\n", "\n//   ").upper())
    assert not benchmark.overlaps(source("a"))


def test_a_held_out_copy_of_a_training_file_is_dropped(shelf: Shelf, benchmark_file: Path) -> None:
    """What stands in training, in good part, can't measure the model."""
    trained, heldout = a_name("train", "alpha"), a_name("heldout", "beta")
    shelf.add("pypi", trained, {"core.py": source("alpha")})
    shelf.add("pypi", heldout, {"copy.py": source("alpha") + "# changed\n", "own.py": source("b")})
    manifest = shelf.gather(benchmark_file)
    assert [d.path for d in read_documents(shelf.folder / "out", "heldout")] == ["own.py"]
    assert manifest.left_out == {"overlap": 1}


def test_a_package_gives_its_share_and_no_more(shelf: Shelf, benchmark_file: Path) -> None:
    """`max_bytes` stops the taking, and `paths` narrows it."""
    files: dict[str, str | bytes] = {f"lib/m{i}.py": source(f"m{i}") for i in range(20)}
    files["other/m.py"] = source("other")
    shelf.add("pypi", "delta", files, ', max_bytes = 3000, paths = ["lib"]')
    manifest = shelf.gather(benchmark_file)
    (share,) = manifest.shares
    assert 3000 <= share.n_bytes < 3000 + len(source("m10"))


def test_the_same_packages_make_the_same_corpus(shelf: Shelf, benchmark_file: Path) -> None:
    """Two runs write the same bytes, so the manifest's digest is the corpus's identity."""
    shelf.add("pypi", "alpha", {f"m{i}.py": source(f"m{i}") for i in range(5)})
    first, second = shelf.gather(benchmark_file, "one"), shelf.gather(benchmark_file, "two")
    assert first.sha256 == second.sha256
    one, two = (shelf.folder / out / DOCUMENTS_NAME for out in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


def test_a_package_that_cannot_be_had_is_an_error_or_a_line(
    shelf: Shelf, benchmark_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing goes missing in silence: it stops the run, or stands in the manifest."""
    shelf.add("pypi", "alpha", {"m.py": source("m")})
    shelf.add("npm", "absent", {})
    for archive in (shelf.downloads / "npm" / "absent-1.0").iterdir():
        archive.unlink()
    (shelf.downloads / "npm" / "absent-1.0").rmdir()
    monkeypatch.setenv("PATH", "")
    with pytest.raises(BadRequest, match=r"npm package absent 1\.0: npm is not installed"):
        shelf.gather(benchmark_file)
    manifest = shelf.gather(benchmark_file, allow_missing=True)
    assert manifest.missing == ["cannot fetch npm package absent 1.0: npm is not installed"]
    assert len(list(read_documents(shelf.folder / "out", split_of("alpha")))) == 1


def test_the_command_makes_a_corpus_and_tells_what_it_took(
    shelf: Shelf, benchmark_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the command line: figures where it works, a sentence and a status where it does not."""
    name = a_name("train", "alpha")
    shelf.add("pypi", name, {"m.py": source("m"), "tests/m.py": source("t")})
    shelf.gather(benchmark_file)
    flags = ["--benchmark", str(benchmark_file), "--packages", str(shelf.folder / "packages.toml")]
    out = shelf.folder / "new" / "corpus"
    assert main(["train-data", str(out), *flags, "--downloads", str(shelf.downloads)]) == 0
    told = capsys.readouterr().out
    assert f"bytes: {{'train': {{'python': {len(source('m'))}}}, 'heldout': {{}}}}" in told
    assert "left out: {'test': 1}" in told
    assert len(list(read_documents(out, "train"))) == 1

    absent = shelf.folder / "absent.toml"
    absent.write_text('[pypi]\na = { version = "1", licence = "secret" }', encoding="utf-8")
    assert main(["train-data", str(out), *flags[:2], "--packages", str(absent)]) == 1
    assert "unknown licence 'secret'" in capsys.readouterr().err


def test_the_shipped_list_is_pinned_permissive_and_split_in_every_language() -> None:
    """Every package has a version and a licence; both sides are of the promised size."""
    packages = read_packages()
    assert len(packages) > 300
    assert all(package.version for package in packages)
    n_heldout = sum(split_of(package.name) == "heldout" for package in packages)
    assert abs(n_heldout / len(packages) - HELDOUT_PERCENT / 100) < 0.04


@pytest.mark.parametrize(
    ("text", "wrong", "allowed"),
    [
        ('[pypi]\na = { version = "1", licence = "GPL-3.0" }', "GPL-3.0", LICENCES),
        ('[cargo]\na = { version = "1", licence = "MIT" }', "cargo", {"pypi", "npm", "debian"}),
    ],
)
def test_a_list_with_a_wrong_name_is_refused(
    tmp_path: Path, text: str, wrong: str, allowed: set[str]
) -> None:
    """A licence or a registry that is not allowed is refused, and the allowed ones are told."""
    path = tmp_path / "packages.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(UnknownName) as refusal:
        read_packages(path)
    assert wrong in str(refusal.value)
    assert all(name in str(refusal.value) for name in allowed)
