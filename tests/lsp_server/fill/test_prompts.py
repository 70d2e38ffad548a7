"""From a snapshot to a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest
from support.marked import snapshot_of, unmark

from lsp_server.fill.prompts import build_infill, choose_context, is_single_line
from lsp_server.protocol_ext import InfillParams
from lsp_server.settings import Lines, Settings

if TYPE_CHECKING:
    from model_runtime.protocol import InfillRequest

PARAMS = InfillParams(uri="file:///w/a.py")


def build(
    marked: str, params: InfillParams = PARAMS, settings: Settings | None = None
) -> InfillRequest:
    """Return the request for the marked spans."""
    text, spans = unmark(marked)
    return build_infill(snapshot_of(text), spans, params, settings or Settings(), root="/w")


def test_the_request_holds_the_whole_file() -> None:
    """What stands before, in and after the span, and where the file lies."""
    request = build("a = $01$0\nb = 2\n")

    assert (request.prefix, request.spans[0].text, request.suffix) == ("a = ", "1", "\nb = 2\n")
    assert (request.path, request.language, request.document) == ("a.py", "python", PARAMS.uri)


def test_holes_carry_what_stands_between_them() -> None:
    """Each span but the last is followed by the text up to the next."""
    request = build("f($0_$0, $0_$0)\n", msgspec.structs.replace(PARAMS, mode="holes"))

    assert [(span.text, span.following) for span in request.spans] == [("_", ", "), ("_", "")]


def test_the_model_reads_plain_newlines() -> None:
    """Mixed line ends and the byte order mark stay out of the prompt."""
    request = build("\ufeffa\r\nb\r$0c\r\nd$0\r\ne\n")

    assert (request.prefix, request.spans[0].text, request.suffix) == ("a\nb\n", "c\nd", "\ne\n")


def test_what_is_asked_for_wins_over_the_settings() -> None:
    """Settings hold where the request says nothing, an explicit zero included."""
    settings = Settings(strength=0.7, model="m", sampler="s", params={"p": 1}, seed=3)

    by_default = build("$0a", settings=settings)
    asked = msgspec.structs.replace(
        PARAMS, strength=0.0, model="M", sampler="S", params={}, seed=0, instruction="shorter"
    )
    by_request = build("$0a", asked, settings)

    assert (by_default.strength, by_default.model, by_default.sampler) == (0.7, "m", "s")
    assert (by_default.params, by_default.seed) == ({"p": 1}, 3)
    assert (by_request.strength, by_request.model, by_request.sampler) == (0.0, "M", "S")
    assert (by_request.params, by_request.seed) == ({}, 0)
    assert by_request.instruction == "shorter"


def test_two_requests_have_two_ids() -> None:
    """The id is what cancels a request, so it is never used twice."""
    assert build("$0a").id != build("$0a").id


@pytest.mark.parametrize(
    ("marked", "lines", "expected"),
    [
        ("    $0return a$0\n", "auto", True),
        ("    $0return (\n  a)$0\n", "auto", False),
        ("$0a\rb$0", "auto", False),
        ("    $0\n", "auto", False),
        ("x = $0\n", "auto", True),
        ("x = $0\n", "many", False),
        ("    $0\n", "one", True),
    ],
)
def test_a_fill_has_one_line_where_one_is_meant(
    marked: str,
    lines: Lines,
    expected: object,
) -> None:
    """A selection inside a line stays a line; a blank line has room for more."""
    text, (span,) = unmark(marked)

    assert is_single_line(snapshot_of(text), span, lines) is expected


def context_paths(*, max_bytes: int = 10_000, root: str = "/w") -> list[str]:
    """Return which of a workspace's files are shown, in order."""
    others = [
        snapshot_of("near js\n", "javascript", path="/w/pkg/x.js"),
        snapshot_of("far py\n", path="/w/other/deep/far.py"),
        snapshot_of("near py\n", path="/w/pkg/near.py"),
        snapshot_of("near py 2\n", path="/w/pkg/near2.py"),
        snapshot_of("SECRET=1\n", "shellscript", path="/w/pkg/.env"),
        snapshot_of("key\n", path="/w/keys/server.pem"),
        snapshot_of("\n \n", path="/w/pkg/empty.py"),
        snapshot_of("elsewhere\n", path="/elsewhere/z.py"),
        snapshot_of("itself\n", path="/w/pkg/a.py"),
    ]
    snapshot = snapshot_of("x", path="/w/pkg/a.py")
    chosen = choose_context(snapshot, others, Settings(), root=root, max_bytes=max_bytes)
    return [file.path for file in chosen]


def test_context_is_ordered_by_relevance() -> None:
    """The language first, then nearness, then what was used last; no secrets, no strangers."""
    assert context_paths() == ["pkg/near.py", "pkg/near2.py", "other/deep/far.py", "pkg/x.js"]


def test_without_a_workspace_every_open_file_counts() -> None:
    """A single file opened alone has no folder to lie outside of."""
    assert "z.py" in context_paths(root="")


def test_context_stays_within_its_budget() -> None:
    """The most relevant files come first; what does not fit is cut at a line end or left out."""
    assert context_paths(max_bytes=18) == ["pkg/near.py", "pkg/near2.py"]
    assert context_paths(max_bytes=0) == []


def test_a_long_file_is_cut_at_a_line_end() -> None:
    """A cut file holds whole lines, however many bytes a character takes."""
    long = snapshot_of("é = 1\n" * 100, path="/w/b.py")

    (file,) = choose_context(snapshot_of("x"), [long], Settings(), root="/w", max_bytes=100)

    assert file.text == "é = 1\n" * 14
