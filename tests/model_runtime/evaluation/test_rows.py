"""Files of tasks that can't be read are told in a sentence."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import msgspec
import pytest

from model_runtime.errors import BadRequest
from model_runtime.evaluation.rows import read_rows

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = gzip.compress(b'{"a": 1}\n{"a": 2}\n', mtime=0)


class Row(msgspec.Struct):
    """A line."""

    a: int


def test_each_line_is_a_row(tmp_path: Path) -> None:
    """In the order of the file."""
    path = tmp_path / "rows.jsonl.gz"
    path.write_bytes(WHOLE)
    assert [row.a for row in read_rows(path, Row, "no rows")] == [1, 2]


@pytest.mark.parametrize(
    "content",
    [None, b"a: 1", WHOLE[:-12], WHOLE[:12] + b"?" * 9 + WHOLE[21:], gzip.compress(b'{"b": 1}')],
    ids=["missing", "not packed", "cut off", "damaged", "something else"],
)
def test_what_is_no_such_file_is_told(tmp_path: Path, content: bytes | None) -> None:
    """With what was asked for, and what is wrong."""
    path = tmp_path / "rows.jsonl.gz"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadRequest, match=r"no rows: ."):
        read_rows(path, Row, "no rows")
