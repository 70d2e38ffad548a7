"""Files of one JSON object a line, packed: what tasks of all kinds are kept in."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING, TypeVar

import msgspec

from model_runtime.errors import BadRequest

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable
    from pathlib import Path

R = TypeVar("R", bound=msgspec.Struct)


def read_rows(path: Path | Traversable, kind: type[R], fault: str) -> list[R]:
    """Read a `*.jsonl.gz` file.

    Args:
        path: of the file.
        kind: of each line.
        fault: what to say where it is missing, cut off or holds something else.

    Raises:
        BadRequest: see above.
    """
    decoder = msgspec.json.Decoder(kind)
    try:
        return [decoder.decode(line) for line in gzip.decompress(path.read_bytes()).splitlines()]
    except (OSError, EOFError, zlib.error, msgspec.DecodeError) as error:
        raise BadRequest(f"{fault}: {error}") from error
