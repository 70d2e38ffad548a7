"""What is taken in good faith: the one place that reads more than a dialect's description says.

Half a character is read as U+FFFD, a field that is null as one that is missing, a number in quotes
as that number, a limit that is out of reach as the most there is. What would change a reply's
meaning is not for this file: a dialect refuses it.
"""

from __future__ import annotations

import codecs
import json
import math
import re
import zlib
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec

from model_runtime.http.faults import BadBody, HttpFault
from model_runtime.protocol import LEAST_CONFIDENCE

if TYPE_CHECKING:
    from collections.abc import Iterable

T = TypeVar("T")

#: How many tokens or alternatives are wanted: clients send whole numbers, and sometimes floats.
Amount = int | float | None
Stops = list[Any] | str | int | float | None

#: The most tokens that are filled at once: whoever asks for more, or sets no limit, wants all there
#: is, and must not get less than who asks for a part of it.
MAX_TOKENS = 1024
MAX_SEED = 2**63 - 1
#: Of a whole number: with more it is larger than any float, and no amount of anything.
MAX_BITS = 1000
#: Each costs a look at every step.
MAX_STOPS = 1024
MAX_STOP_CHARACTERS = 256
#: What a half character is read as.
UNREADABLE = "\ufffd"
#: How a body may be packed, and what zlib has to be told for it.
PACKINGS = {"gzip": 31, "x-gzip": 31, "deflate": 47}

#: What a body may be written in besides UTF-8. Python knows others that take time which grows with
#: the square of a body's length.
CHARSETS = {
    *("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"),
    *("iso8859-1", "cp1252", "gb18030", "gbk", "shift_jis", "euc_jp", "euc_kr", "big5"),
}

_CHARSET = re.compile(r"charset\s*=\s*\"?([\w.-]+)", re.IGNORECASE)
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def unpacked(body: bytes, packing: str, max_bytes: int) -> bytes:
    """Return a body as it was before it was packed.

    Args:
        body: as it came.
        packing: the header Content-Encoding.
        max_bytes: the most that may come of it.

    Raises:
        HttpFault: nobody here knows the packing, or it is too large.
        BadBody: it is packed otherwise.
    """
    for name in reversed([word.strip().lower() for word in packing.split(",")]):
        if name in {"", "identity"}:
            continue
        if name not in PACKINGS:
            raise HttpFault(
                415,
                "unsupported_encoding",
                f"A body packed as {name!r} can't be read here; send it as gzip, or as it is.",
            )
        unpacker = zlib.decompressobj(PACKINGS[name])
        try:
            body = unpacker.decompress(body, max_bytes + 1)
        except zlib.error as error:
            raise BadBody(f"The body is not packed as {name}, as its head says.") from error
        if len(body) > max_bytes:
            raise HttpFault(
                413, "too_large", f"A body may have {max_bytes:,} bytes at the most, unpacked."
            )
        if not unpacker.eof:
            raise BadBody(f"The body ends in the middle of its {name}.")
    return body


def read_json(body: bytes, content_type: str = "") -> Any:
    """Return what a JSON body holds, its nulls left out.

    Raises:
        BadBody: it is not JSON, or not an object.
    """
    try:
        value = _parsed(body, content_type)
        if not isinstance(value, dict):
            raise BadBody("The body has to be a JSON object, in braces.")
        return _sensible(value)
    except RecursionError as error:
        raise BadBody("The body can't be read: it is nested too deeply.") from error


def _parsed(body: bytes, content_type: str) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        pass  # read again, more slowly and with more patience
    text = _decoded(body, content_type)
    try:
        value = json.loads(text, strict=False, parse_int=_whole)
    except ValueError as error:
        # Its message has a place and no values.
        raise BadBody(f"The body can't be read: {error}.") from error
    return _mended(value) if _has_halves(text) else value


def _decoded(body: bytes, content_type: str) -> str:
    named = _CHARSET.search(content_type)
    try:
        charset = codecs.lookup(named[1]).name if named else "utf-8"
    except LookupError:
        charset = "utf-8"
    return body.decode(charset if charset in CHARSETS else "utf-8-sig", "replace")


def _has_halves(text: str) -> bool:
    return r"\ud" in text or r"\uD" in text


def _mended(value: Any) -> Any:
    """Return a value whose strings have whole characters only."""
    if isinstance(value, str):
        return _SURROGATE.sub(UNREADABLE, value)
    if isinstance(value, list):
        return [_mended(item) for item in value]
    if isinstance(value, dict):
        return {_mended(key): _mended(item) for key, item in value.items()}
    return value


def _sensible(value: Any) -> Any:
    """Return a value without nulls, and without whole numbers that nothing can be done with."""
    if isinstance(value, list):
        return [_sensible(item) for item in value if item is not None]
    if isinstance(value, dict):
        return {key: _sensible(item) for key, item in value.items() if item is not None}
    if isinstance(value, int) and value.bit_length() > MAX_BITS:
        return math.copysign(math.inf, value > 0 or -1)
    return value


def _whole(digits: str) -> int | float:
    """Return a whole number; one that is longer than any that Python reads, as infinity."""
    return int(digits) if len(digits) < MAX_BITS else float(digits)


def fit(value: Any, kind: type[T]) -> T:
    """Return a body as a dialect's type.

    Raises:
        BadBody: says which field is wrong; it quotes names and types, never values.
    """
    try:
        return msgspec.convert(value, kind, strict=False)
    except msgspec.ValidationError as error:
        text = str(error)
        raise BadBody(f"The body can't be read: {text}.", _place(text)) from error
    except RecursionError as error:
        raise BadBody("The body can't be read: it is nested too deeply.") from error


def _place(text: str) -> str | None:
    """Return the field that a validation error is about."""
    _, found, path = text.rpartition("at `$.")
    return path.rstrip("`") if found else None


def limit_of(*amounts: Amount) -> int | None:
    """Return the most tokens that are wanted, by the first of several fields that says so.

    None is for as many as the engine likes, where nothing is said. The most there is, is for "no
    limit" (a negative number) and for more than that. 0 is for none.
    """
    amount = next((each for each in amounts if each is not None), None)
    if amount is None or math.isnan(amount):
        return None
    if amount < 0 or amount > MAX_TOKENS:
        return MAX_TOKENS
    return math.ceil(amount)


def seed_of(amount: Amount) -> int | None:
    """Return a seed; None, for a seed of the runtime's choice, where a client sends a negative."""
    if amount is None or not math.isfinite(amount) or amount < 0:
        return None
    return int(amount) % (MAX_SEED + 1)


def stops_of(stop: Stops) -> tuple[str, ...]:
    """Return a body's stop strings, with plain line ends; an empty one stops nothing.

    Raises:
        BadBody: more than anybody means.
    """
    given: Iterable[Any] = stop if isinstance(stop, list) else () if stop is None else (stop,)
    stops = dict.fromkeys(
        each if isinstance(each, str) else json.dumps(each)
        for each in given
        if isinstance(each, str | int | float)
    )
    if len(stops) > MAX_STOPS or any(len(each) > MAX_STOP_CHARACTERS for each in stops):
        raise BadBody(
            f"stop has {len(stops):,} strings; at most {MAX_STOPS:,} are taken,"
            f" of at most {MAX_STOP_CHARACTERS:,} characters each",
            "stop",
        )
    return tuple(dict.fromkeys(plain(each) for each in stops if each))


def sureness_of(value: float | str) -> float:
    """Return how sure a text has to be, 0 to 1.

    Raises:
        ValueError: it is no number from 0 to 1, and no word for one.
    """
    if value in LEAST_CONFIDENCE:
        return LEAST_CONFIDENCE[value]
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 1:
        words = ", ".join(LEAST_CONFIDENCE)
        raise ValueError(f"confidence has to be a number from 0 to 1, or one of: {words}")
    return number


def plain(text: str) -> str:
    """Return a text with plain line ends, the ones that models are trained on."""
    return text.replace("\r\n", "\n") if "\r" in text else text


def line_end_of(*texts: str) -> str:
    """Return the line end that most lines of some texts have."""
    n_windows = sum(text.count("\r\n") for text in texts)
    n_all = sum(text.count("\n") for text in texts)
    return "\r\n" if n_windows * 2 > n_all else "\n"
