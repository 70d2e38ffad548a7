"""Messages to bytes and back, whatever the bytes."""

from __future__ import annotations

import collections
import contextlib
import itertools

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.wire import infill_request

from model_runtime.framing import (
    FrameError,
    client_message_decoder,
    encode,
    runtime_message_decoder,
)
from model_runtime.protocol import (
    MAX_MESSAGE_BYTES,
    Cancel,
    Failed,
    InfillRequest,
    MaskSpan,
    Notice,
    Shutdown,
    StepReport,
)

texts = st.text(max_size=40)
spans = st.lists(
    st.builds(MaskSpan, text=texts, following=texts, max_tokens=st.none() | st.integers(1, 99)),
    min_size=1,
    max_size=3,
).map(tuple)
params = st.dictionaries(texts, st.none() | st.booleans() | texts | st.integers(0, 2**32))
client_messages = st.one_of(
    st.builds(
        InfillRequest,
        id=texts,
        prefix=texts,
        suffix=texts,
        spans=spans,
        params=params,
        seed=st.none() | st.integers(0, 2**63 - 1),
    ),
    st.builds(Cancel, id=texts),
    st.builds(Shutdown, id=texts),
)
drafts = st.lists(texts, max_size=3).map(tuple)
runtime_messages = st.one_of(
    st.builds(
        StepReport,
        id=texts,
        step_index=st.integers(0, 99),
        n_forwards=st.integers(0, 99),
        n_committed=st.integers(0, 99),
        drafts=drafts,
        committed=drafts,
    ),
    st.builds(Notice, id=texts, text=texts, fraction=st.none() | st.floats(0, 1)),
    st.builds(Failed, id=texts, code=st.sampled_from(["busy", "cancelled"]), text=texts),
)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    """Split bytes at the given places, which may repeat or lie beyond the end."""
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    return [data[a:b] for a, b in itertools.pairwise(places)]


@given(st.lists(client_messages, max_size=5), st.lists(st.integers(0, 2000), max_size=12))
def test_any_split_of_client_messages(messages: list[InfillRequest], cuts: list[int]) -> None:
    """However the bytes are cut up, the same messages come out."""
    decoder = client_message_decoder()
    data = b"".join(map(encode, messages))
    received = [message for piece in pieces(data, cuts) for message in decoder.feed(piece)]
    decoder.close()

    assert received == messages


@given(st.lists(runtime_messages, max_size=5), st.lists(st.integers(0, 2000), max_size=12))
def test_any_split_of_runtime_messages(messages: list[StepReport], cuts: list[int]) -> None:
    """However the bytes are cut up, the same messages come out."""
    decoder = runtime_message_decoder()
    data = b"".join(map(encode, messages))
    received = [message for piece in pieces(data, cuts) for message in decoder.feed(piece)]
    decoder.close()

    assert received == messages


@given(client_messages, st.data())
def test_cut_message_is_noticed(message: InfillRequest, data: st.DataObject) -> None:
    """A peer that leaves in the middle of a message has broken the protocol."""
    packed = encode(message)
    decoder = client_message_decoder()
    n_sent = data.draw(st.integers(1, len(packed) - 1))
    assert list(decoder.feed(packed[:n_sent])) == []

    with pytest.raises(FrameError, match=f"cut off after {n_sent} bytes"):
        decoder.close()


@given(st.binary(max_size=300))
def test_garbage_is_a_frame_error_or_nothing(data: bytes) -> None:
    """Bytes at random raise nothing but `FrameError`, and make no message."""
    decoder = client_message_decoder()
    with contextlib.suppress(FrameError):
        assert list(decoder.feed(data)) == []
        decoder.close()


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats() | texts,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
        max_leaves=12,
    )
)
def test_values_that_are_no_messages(value: object) -> None:
    """Well-formed MessagePack that is no message of the protocol is refused."""
    with pytest.raises(FrameError, match="not a message"):
        list(client_message_decoder().feed(msgpack.packb(value)))


def test_message_at_the_limit_passes_with_another_behind_it() -> None:
    """The limit is one on a message, however much of the next one came along with it."""
    room = MAX_MESSAGE_BYTES - len(encode(infill_request()))
    # The header of a string this long takes 4 bytes more than that of an empty one.
    largest = infill_request(prefix="x" * (room - 4))
    packed = encode(largest)
    assert len(packed) == MAX_MESSAGE_BYTES

    decoder = client_message_decoder()
    data = packed + encode(Cancel(id="next")) * 1000
    chunks = list(range(0, len(data), 65_536))
    received = [message for piece in pieces(data, chunks) for message in decoder.feed(piece)]
    assert received[0] == largest
    assert len(received) == 1001


def test_message_over_the_limit_is_not_sent() -> None:
    """A sender learns of a message that is too large before a byte of it is gone."""
    with pytest.raises(FrameError, match="is over 16,777,216"):
        encode(infill_request(prefix="x" * MAX_MESSAGE_BYTES))


@pytest.mark.parametrize(
    ("start", "repeated", "n_times"),
    [
        # A text of more bytes than a message may have.
        (b"\xdb\xff\xff\xff\xff", b"x", MAX_MESSAGE_BYTES + 1),
        # A list that never ends: each byte is one more empty list in it.
        (b"\xdd\xff\xff\xff\xff", b"\x90", MAX_MESSAGE_BYTES + 1),
        (b"", b"\x91", 2000),
    ],
    ids=["long text", "endless list", "deep list"],
)
def test_frame_over_the_limit_is_refused_in_time(
    start: bytes, repeated: bytes, n_times: int
) -> None:
    """A frame is refused once it is too large, not once it is whole, which it may never be."""
    start += repeated * n_times
    decoder = client_message_decoder()
    chunks = list(range(0, len(start), 65_536))

    with pytest.raises(FrameError):
        collections.deque(
            message for piece in pieces(start, chunks) for message in decoder.feed(piece)
        )


@pytest.mark.parametrize(
    "request_values",
    [{"prefix": "\ud800"}, {"params": {"x": object()}}, {"params": {"x": 2**70}}],
    ids=["surrogate", "object", "integer"],
)
def test_what_cannot_be_packed(request_values: dict[str, object]) -> None:
    """Half a surrogate pair, which editors do send, is a `FrameError` like the others."""
    with pytest.raises(FrameError, match="can't be packed"):
        encode(infill_request(**request_values))
