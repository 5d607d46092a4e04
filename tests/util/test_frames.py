"""Messages come out as they went in, and nothing else comes out."""

from __future__ import annotations

import asyncio
import io
import json
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.util import frames
from eclair.util.frames import LENGTHS, Codec, FrameError


@dataclass(frozen=True, slots=True)
class Part:
    kind: Literal["a", "b"]
    level: int = 0
    ref: str | None = None


class Spot(NamedTuple):
    x: int
    y: float


@dataclass(frozen=True, slots=True)
class Message:
    text: str
    parts: tuple[Part, ...]
    pair: tuple[int, str]
    share: float
    is_last: bool
    day: date | None
    names: dict[str, float]
    either: int | str
    data: bytes
    more: tuple[bytes, ...]
    spots: tuple[Spot, ...]


@dataclass(frozen=True, slots=True)
class Empty:
    pass


CODEC = Codec[Message | Empty](Message, Empty, max_frame_bytes=100_000)
WHOLE = Message(
    "Käse\n\0",
    (Part("a"), Part("b", 2, "A1")),
    (1, "x"),
    0.5,
    True,
    date(2026, 1, 2),
    {"e": 1.0},
    "y",
    b"\0\1",
    (b"", b"z"),
    (Spot(1, 0.5),),
)

parts = st.builds(Part, st.sampled_from(["a", "b"]), st.integers(0, 9), st.none() | st.text())
messages = st.builds(
    Message,
    st.text(),
    st.lists(parts).map(tuple),
    st.tuples(st.integers(-(2**53), 2**53), st.text()),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.none() | st.dates(),
    st.dictionaries(st.text(), st.floats(allow_nan=False, allow_infinity=False)),
    st.integers(-(2**53), 2**53) | st.text(),
    st.binary(),
    st.lists(st.binary()).map(tuple),
    st.lists(st.builds(Spot, st.integers(0, 9), st.floats(0, 1))).map(tuple),
)


def read(data: bytes) -> Message | Empty | None:
    return CODEC.read(io.BytesIO(data))


@given(messages | st.builds(Empty))
def test_messages_come_out_as_they_went_in(message: Message | Empty) -> None:
    assert read(CODEC.encode(message)) == message


@pytest.mark.parametrize("message", [WHOLE, Empty()])
def test_both_libraries_for_json_speak_the_same(monkeypatch: pytest.MonkeyPatch, message: Message | Empty) -> None:
    sent = CODEC.encode(message)
    monkeypatch.setattr(frames, "orjson", None)
    assert read(sent) == message
    sent = CODEC.encode(message)
    monkeypatch.undo()
    assert read(sent) == message


async def test_frames_are_received_from_a_stream() -> None:
    stream = asyncio.StreamReader()
    stream.feed_data(CODEC.encode(WHOLE) + CODEC.encode(Empty()) + b"\0")
    stream.feed_eof()
    assert await CODEC.receive(stream) == WHOLE
    assert await CODEC.receive(stream) == Empty()
    with pytest.raises(asyncio.IncompleteReadError):
        await CODEC.receive(stream)


def test_a_stream_that_ends_has_no_message() -> None:
    assert read(b"") is None
    assert read(b"\0\0") is None


def header(changes: dict[str, Any]) -> bytes:
    sent = CODEC.encode(WHOLE)
    length, _ = LENGTHS.unpack(sent[: LENGTHS.size])
    name, values, lengths = json.loads(sent[LENGTHS.size :][:length])
    return json.dumps([name, values | changes, lengths]).encode()


@pytest.mark.parametrize(
    "changes",
    [
        {"text": 1},
        {"text": None},
        {"parts": "a"},
        {"parts": [{"kind": "c", "level": 0, "ref": None}]},
        {"parts": [{"kind": "a", "level": 0}]},
        {"parts": [{"kind": ["a"], "level": 0, "ref": None}]},
        {"pair": [1]},
        {"pair": [1, "x", 2]},
        {"share": "0.5"},
        {"share": True},
        {"is_last": 1},
        {"day": "yesterday"},
        {"day": 7},
        {"names": []},
        {"names": {"e": None}},
        {"either": 1.5},
        {"data": 3},
        {"data": -1},
        {"data": "x"},
        {"data": True},
        {"spots": [[1]]},
        {"spots": [[0.5, 1]]},
        {"extra": 1},
    ],
)
def test_wrong_values_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(FrameError):
        CODEC.decode(header(changes), b"\0\1z")


def test_payloads_are_all_there_and_nothing_beside_them() -> None:
    assert CODEC.decode(header({}), b"\0\1z") == WHOLE
    for payloads in (b"\0\1", b"\0\1zz"):
        with pytest.raises(FrameError):
            CODEC.decode(header({}), payloads)


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b"[1,2,3]", b'["Other",{},[]]', b'["Empty",{},[-1]]', b"[" * 9999])
def test_what_is_no_header_is_refused(data: bytes) -> None:
    with pytest.raises(FrameError):
        CODEC.decode(data, b"")


@given(st.binary(max_size=200))
def test_any_bytes_are_refused_or_a_message(data: bytes) -> None:
    try:
        CODEC.decode(data, b"")
    except FrameError:
        return


def test_a_frame_that_is_too_long_is_refused_before_it_is_read() -> None:
    with pytest.raises(FrameError, match="100,000"):
        read(LENGTHS.pack(60_000, 60_000))


def test_what_cannot_be_sent_says_so() -> None:
    @dataclass
    class Wrong:
        value: list[int]

    with pytest.raises(TypeError, match="cannot be sent"):
        Codec(Wrong)
