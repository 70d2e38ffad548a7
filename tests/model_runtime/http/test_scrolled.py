"""A window into a long file begins where it began, whichever way the cursor goes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import tiny_canvas
from support.front import SelfRunning, fronting
from support.tiny_canvas import Listener, Patience

from model_runtime.http.scrolled import MAX_CHARACTERS, MAX_CLIENTS, Scrolled
from model_runtime.protocol import InfillRequest, MaskSpan

if TYPE_CHECKING:
    from pathlib import Path

LINES = [f"line_{i} = {i * i}" for i in range(2_000)]
#: As llama.vim does by default.
N_BEFORE = 256


def window(cursor: int, lines: list[str] = LINES) -> str:
    """Return what llama.vim sends of the text before a line."""
    return "".join(f"{line}\n" for line in lines[max(0, cursor - N_BEFORE) : cursor])


def walk(*cursors: int, scrolled: Scrolled | None = None) -> list[str]:
    """Return the texts that one client's windows are made to be."""
    ours = scrolled or Scrolled()
    return [ours.whole("client", window(cursor)) for cursor in cursors]


def test_what_has_scrolled_out_is_put_back() -> None:
    """Line by line, by the page, and back up again."""
    first, *others = walk(400, 401, 402, 430, 410, 500)
    assert first == window(400)
    for cursor, text in zip((401, 402, 430, 410, 500), others, strict=True):
        assert text == "".join(f"{line}\n" for line in LINES[400 - N_BEFORE : cursor])


def test_the_little_that_has_come_in_is_left_out() -> None:
    """Above where it began; of more than a little it begins anew."""
    first, above, far = walk(400, 390, 300)
    assert above == first[: len(above)]
    assert above.endswith(window(390)[-1_000:])
    assert far == window(300)


def test_a_window_grows_no_longer_than_is_read() -> None:
    """Then it begins anew, and goes on from there."""
    texts = walk(*range(300, 2_000, 20))
    assert max(map(len, texts)) <= MAX_CHARACTERS
    assert all(
        text.endswith(window(c)) for c, text in zip(range(300, 2_000, 20), texts, strict=True)
    )
    assert len({text[:20] for text in texts}) < 4


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (window(200), "import new\n" + window(200)),  # a whole file, and a line put in at its top
        (window(200), window(200).split("\n", 3)[-1]),  # and some taken away
        (window(400), window(401, ["other = 1" + line for line in LINES])),  # another file
        (window(400), window(401)[:100]),  # too little to tell
        (window(400), window(401)[:600] + "def changed():\n" * 200),  # changed near its top
        ("x" * (MAX_CHARACTERS + 1), "x" * (MAX_CHARACTERS + 2)),
    ],
)
def test_what_is_no_window_that_moved_stays_as_it_came(before: str, after: str) -> None:
    """Nothing is put back then, and nothing left out."""
    scrolled = Scrolled()
    scrolled.whole("client", before)
    assert scrolled.whole("client", after) == after


def test_clients_are_kept_apart() -> None:
    """What one has sent is shown to no other; and only so many are remembered."""
    scrolled = Scrolled()
    scrolled.whole("one", window(400))
    assert scrolled.whole("another", window(401)) == window(401)
    for number in range(MAX_CLIENTS):
        scrolled.whole(f"client {number}", window(400))
    assert scrolled.whole("one", window(401)) == window(401)


def test_several_files_are_told_apart() -> None:
    """Going from one to another and back."""
    others = [f"other_{i} = {i}" for i in range(2_000)]
    scrolled = Scrolled()
    for cursor in (400, 401, 402):
        here = scrolled.whole("client", window(cursor))
        there = scrolled.whole("client", window(cursor, others))
    assert here.startswith(window(400))
    assert there.startswith(window(400, others))


@given(
    cursors=st.lists(st.integers(1, 600), min_size=1, max_size=12),
    size=st.integers(1, 400),
)
@settings(max_examples=100, deadline=None)
def test_a_text_is_always_the_files_own(cursors: list[int], size: int) -> None:
    """Whatever is put back or left out, it ends at the cursor and is a stretch of the file."""
    scrolled, file = Scrolled(), "\n".join(LINES[:40] * 16)
    for cursor in cursors:
        end = len("\n".join(file.split("\n")[:cursor]))
        sent = file[max(0, end - 10 * size) : end]
        text = scrolled.whole("client", sent)
        assert text.endswith(sent) or sent.endswith(text)
        assert len(text) >= 0.75 * len(sent)


async def test_the_front_shows_the_runtime_the_same_beginning(short_path: Path) -> None:
    """Of every endpoint's requests, each client's by itself."""
    engine = SelfRunning()
    async with fronting(short_path, engine) as front:
        prefixes = []
        for cursor in (400, 405):
            body = {"input_prefix": window(cursor), "input_suffix": "end\n", "n_predict": 4}
            asking = asyncio.create_task(front.post("/infill", **body))
            prefixes.append((await engine.started()).prefix)
            assert (await asking).status_code == 200
    assert prefixes[1].startswith(prefixes[0])
    assert prefixes[1].endswith(window(405))


def test_a_cursor_that_walks_down_a_long_file_costs_little_a_line() -> None:
    """Most of the context is in the cache, though both ends of the window have moved."""
    local, scrolled, n_encoded = tiny_canvas.engine(), Scrolled(), []
    for cursor in range(400, 412):
        behind = "".join(f"\n{line}" for line in LINES[cursor : cursor + 64])
        request = InfillRequest(
            id="r", prefix=scrolled.whole("client", window(cursor)), suffix=behind,
            spans=(MaskSpan(max_tokens=2, single_line=True),), lane="inline", seed=1,
        )  # fmt: skip
        usage = local.infill(request, Listener(), Patience()).usage
        n_encoded.append(usage.n_context_tokens - usage.n_cached_tokens)
    # The runtime's own cut moves in steps: rarely one of them costs as much as the first request.
    dear = [n for n in n_encoded[1:] if n > 0.2 * n_encoded[0]]
    assert len(dear) <= 2
