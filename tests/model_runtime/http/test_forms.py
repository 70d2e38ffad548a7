"""What is taken in good faith."""

from __future__ import annotations

import gzip
import json
import math
import zlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model_runtime.http.faults import BadBody, HttpFault
from model_runtime.http.forms import (
    MAX_STOPS,
    MAX_TOKENS,
    fit,
    limit_of,
    line_end_of,
    read_json,
    seed_of,
    stops_of,
    sureness_of,
    unpacked,
)
from model_runtime.protocol import LEAST_CONFIDENCE

JSON = st.recursive(
    st.booleans() | st.integers(-(2**40), 2**40) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


class Sample(msgspec.Struct):
    """A body."""

    count: int | None = None
    is_on: bool | None = None
    text: str = "as usual"


@given(value=st.dictionaries(st.text(max_size=4), JSON, max_size=4))
def test_sound_json_is_read_as_it_is(value: Any) -> None:
    """Nothing is made of a body that needs no patience, however its characters are spelled."""
    assert read_json(json.dumps(value).encode()) == value
    assert read_json(json.dumps(value, ensure_ascii=False).encode()) == value


@given(text=st.text(alphabet=st.characters(codec="utf-16", exclude_categories=()), max_size=20))
def test_half_characters_are_read(text: str) -> None:
    """Whatever halves stand in a text, it is read, with a mark for each, and can be sent on."""
    (read,) = read_json(json.dumps({"a": text}).encode()).values()

    assert read.encode().decode() == read
    assert len(read) <= len(text)


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (rb'{"a": "x\ud83d"}', "x�"),
        (rb'{"a": "\ude00x"}', "�x"),
        (rb'{"a": "\ud83d\ude00"}', "😀"),
        (rb'{"a": "\\ud83d"}', r"\ud83d"),
        (b'{"a": "x\xf0\x9f"}', "x�"),
        (b'\xef\xbb\xbf{"a": "x"}', "x"),
        (b'{"a": "x\n\ty"}', "x\n\ty"),
    ],
)
def test_texts_are_read(body: bytes, text: str) -> None:
    """Halves of either kind, cut bytes, a byte order mark, and line ends that are not spelled."""
    assert read_json(body) == {"a": text}


def test_a_charset_that_is_named_is_meant() -> None:
    """PowerShell sends Latin-1, and says so."""
    body = '{"a": "é"}'.encode("latin-1")

    assert read_json(body, "application/json; charset=ISO-8859-1") == {"a": "é"}
    assert read_json('{"a": "é"}'.encode(), "application/json; charset=nonsense") == {"a": "é"}


def test_only_charsets_that_are_read_in_a_stroke_are_taken() -> None:
    """Python's own oddities are not: one of them would hold the server up for hours."""
    body = b'{"a": "\\ud83d+AGE-"}'

    for charset in ("utf-7", "punycode", "idna", "unicode_escape", "rot13"):
        assert read_json(body, f"application/json; charset={charset}") == {"a": "\ufffd+AGE-"}


@pytest.mark.parametrize("digits", ["1" + "0" * 400, "9" * 5000])
def test_a_number_beyond_all_sense_is_one_all_the_same(digits: str) -> None:
    """It is larger than anything that it is held against."""
    body = read_json(f'{{"most": {digits}, "least": -{digits}}}'.encode())

    assert body == {"most": math.inf, "least": -math.inf}
    assert limit_of(body["most"]) == limit_of(body["least"]) == MAX_TOKENS
    assert seed_of(body["most"]) is None


def test_null_is_as_if_it_were_not_there() -> None:
    """So the default holds, in lists and deeper too."""
    body = b'{"count": null, "text": null, "deep": {"a": null, "b": [null, 1]}}'

    assert read_json(body) == {"deep": {"b": [1]}}
    assert fit(read_json(body), Sample) == Sample()


def test_numbers_in_quotes_are_numbers() -> None:
    """And yes and no are, too."""
    assert fit({"count": "64", "is_on": "true"}, Sample) == Sample(count=64, is_on=True)
    assert fit({"count": 64.0, "is_on": 0}, Sample) == Sample(count=64, is_on=False)


@pytest.mark.parametrize("body", [b"", b"{", b"[1]", b'"a"', b"\xff\xfe", b"[" * 100_000, b"{} {}"])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    """With a sentence, whatever it is."""
    with pytest.raises(BadBody, match=r"^The body"):
        read_json(body)


@pytest.mark.parametrize(
    ("amounts", "limit"),
    [
        ((), None),
        ((None, 5), 5),
        ((0,), 0),
        ((-1,), MAX_TOKENS),
        ((-2,), MAX_TOKENS),
        ((65535,), MAX_TOKENS),
        ((10**30,), MAX_TOKENS),
        ((math.inf,), MAX_TOKENS),
        ((math.nan,), None),
        ((64.0,), 64),
        ((0.5,), 1),
        ((MAX_TOKENS,), MAX_TOKENS),
    ],
)
def test_limits_of_every_size(amounts: tuple[float | None, ...], limit: int | None) -> None:
    """None, no limit, more than there is, none at all: each means something."""
    assert limit_of(*amounts) == limit


@given(st.integers(min_value=0), st.integers(min_value=0))
def test_a_larger_limit_never_gives_less(one: int, other: int) -> None:
    """However large, and where there is none."""
    smaller, larger = limit_of(min(one, other)), limit_of(max(one, other))
    unlimited = limit_of(-1)

    assert smaller is not None
    assert larger is not None
    assert unlimited is not None
    assert smaller <= larger <= unlimited


def test_seeds_of_every_size() -> None:
    """A negative one means any; one too large is brought within what the runtime takes."""
    assert [seed_of(x) for x in (None, -1, 0, 7.0, math.inf)] == [None, None, 0, 7, None]
    assert 0 <= (seed_of(2**70) or 0) < 2**63


def test_stop_strings_of_every_form() -> None:
    """One, several, far more than others take, none, twice the same, with Windows' line ends."""
    assert stops_of("a") == ("a",)
    assert stops_of(["\r\n", "", "\n", "b", 5]) == ("\n", "b", "5")
    assert stops_of(None) == stops_of([]) == stops_of("") == ()
    assert len(stops_of([str(i) for i in range(MAX_STOPS)])) == MAX_STOPS
    with pytest.raises(BadBody):
        stops_of([str(i) for i in range(MAX_STOPS + 1)])


def test_packed_bodies_are_unpacked() -> None:
    """As gzip and as deflate; whatever else is packed, or is no such thing, is refused."""
    assert unpacked(gzip.compress(b"{}"), "gzip", 100) == b"{}"
    assert unpacked(zlib.compress(b"{}"), "Deflate", 100) == b"{}"
    assert unpacked(b"{}", "identity", 100) == b"{}"
    for body, packing, status in (
        (b"{}", "br", 415),
        (b"{}", "gzip", 400),
        (gzip.compress(b"{}")[:-9], "gzip", 400),
        (gzip.compress(b" " * 10_000_000), "gzip", 413),
    ):
        with pytest.raises(HttpFault) as caught:
            unpacked(body, packing, 1000)
        assert caught.value.status == status


def test_the_line_end_is_the_one_of_most_lines() -> None:
    """A file of one kind with a line of the other is of the first."""
    assert line_end_of("a\r\nb\r\nc\n", "") == "\r\n"
    assert line_end_of("a\nb\n", "c\r\n") == "\n"
    assert line_end_of("", "") == "\n"


def test_sureness_is_a_number_or_a_word() -> None:
    """Anything else is an error that names the words."""
    assert [sureness_of(x) for x in ("balanced", 0.25, "1", 0)] == [
        LEAST_CONFIDENCE["balanced"],
        0.25,
        1,
        0,
    ]
    for wrong in ("very", 1.5, -1, math.nan):
        with pytest.raises(ValueError, match="balanced"):
            sureness_of(wrong)
