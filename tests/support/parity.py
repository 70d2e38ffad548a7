"""The golden fixtures of the reference implementations: where they are, and reading them.

They do not ship with the project. `REMASK_PARITY_DIR` says where they stand; without it, beside the
repository.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safetensors import safe_open
from torch import Tensor

FOLDER = Path(
    os.environ.get(
        "REMASK_PARITY_DIR", Path(__file__).resolve().parents[2].parent / "shared" / "parity"
    )
)

#: The tolerance that the fixtures' README gives for logits.
LOGITS = 2e-4
#: Log probabilities below this stand for that of zero.
NEVER = -1e5
#: Its folder of decoding rules; every other folder is a model family.
DECODING = "decoding"
#: Whole runs in a family's folder, each beside the same settings as a `.json`.
RUNS = "generate_*.safetensors"


class Case(Mapping[str, Tensor]):
    """The tensors of one fixture, which notes what it was asked for.

    A fixture with more in it than a test looks at is one the test does not know.
    """

    def __init__(self, path: Path) -> None:
        with safe_open(path, framework="pt") as file:
            self._tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            self.meta: dict[str, Any] = json.loads((file.metadata() or {}).get("meta", "{}"))
        self._unread = set(self._tensors)
        self.path = path

    def __getitem__(self, name: str) -> Tensor:
        """Return a tensor and note that it was read."""
        self._unread.discard(name)
        return self._tensors[name]

    def __iter__(self) -> Iterator[str]:
        """Iterate over the tensors' names."""
        return iter(self._tensors)

    def __len__(self) -> int:
        """Return the number of tensors."""
        return len(self._tensors)

    def check_read(self) -> None:
        """Fail where a tensor was not looked at."""
        assert not self._unread, f"{self.path} has tensors this test does not know: {self._unread}"


def family_folders() -> list[Path]:
    """Return the folders of model families, none where the fixtures are absent."""
    if not FOLDER.is_dir():
        return []
    return sorted(path for path in FOLDER.iterdir() if path.is_dir() and path.name != DECODING)


def run_files() -> list[Path]:
    """Return the recorded whole runs of all families."""
    return [path for folder in family_folders() for path in sorted(folder.glob(RUNS))]


def label(path: Path) -> str:
    """Name a fixture in a test's id."""
    return f"{path.parent.name}/{path.stem}"
