"""Changed copies of valid files: bits flipped, pieces cut, doubled and swapped with other files, numbers made extreme.

A change goes into the members of a zip and into the values of JSON too, where changed bytes would only make the whole
unreadable.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

MAX_CHANGES = 6
MAX_BYTES = 1 << 20
MAX_DEPTH = 40
"""Of JSON that is changed."""

TOKENS = (
    *(b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b"\r\n\r\n", b"<!--", b"]]>", b"<![CDATA[", b"&#x0;", b"&#xd800;", b"&a;"),
    *(b"\\ud800", b"-1", b"1e999", b"NaN", b"9" * 400, b"../" * 20, b"%s%n", b'"', b"'", b"[" * 400, b"{" * 400),
    *(b"\xe2\x80\xae", b"\x1b[2J", b"<|im_start|>", b"PK\3\4", b"%PDF-", b"obj", b"endstream", b"xmlns", b"<?xml"),
)
NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x7FFFFFFFFFFFFFFF, 2**64 - 1)

ODD: tuple[Any, ...] = (None, True, False, 0, -1, 2**53, 2**64, 1e308, "", "\0", "\u202e", "a" * 300, [], {})

values: Any = st.recursive(
    st.sampled_from(ODD) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def mutated(draw: st.DrawFn, seeds: Mapping[str, bytes]) -> tuple[str, bytes]:
    """Draw the name of a seed and a changed copy of it."""
    name = draw(st.sampled_from(sorted(seeds)))
    data = seeds[name]
    match draw(st.sampled_from(("bytes", "inside", "inside"))):
        case "inside" if data.startswith(b"PK\3\4"):
            data = _change_member(draw, data, seeds)
        case "inside" if data[:1] in (b"{", b"["):
            data = _change_json(draw, data)
        case "inside" if b"data: {" in data:
            data = _change_event(draw, data)
        case _:
            data = _change_bytes(draw, data, seeds)
    return name, data[:MAX_BYTES]


def _change_bytes(draw: st.DrawFn, data: bytes, seeds: Mapping[str, bytes]) -> bytes:
    changed = bytearray(data)
    for _ in range(draw(st.integers(1, MAX_CHANGES))):
        at = draw(st.integers(0, max(0, len(changed) - 1)))
        match draw(st.sampled_from(("flip", "cut", "end", "double", "token", "number", "splice", "bytes"))):
            case "flip" if changed:
                changed[at] ^= 1 << draw(st.integers(0, 7))
            case "cut":
                del changed[at : at + draw(st.integers(1, 1 + len(changed)))]
            case "end":
                del changed[at:]
            case "double":
                piece = changed[at : at + draw(st.integers(1, 400))]
                changed[at:at] = piece * draw(st.sampled_from((1, 2, 50)))
            case "token":
                changed[at:at] = draw(st.sampled_from(TOKENS))
            case "number":
                size = draw(st.sampled_from((1, 2, 4, 8)))
                number = draw(st.sampled_from(NUMBERS)) % (1 << 8 * size)
                changed[at : at + size] = number.to_bytes(size, draw(st.sampled_from(("big", "little"))))
            case "splice":
                other = seeds[draw(st.sampled_from(sorted(seeds)))]
                begin = draw(st.integers(0, max(0, len(other) - 1)))
                changed[at : at + draw(st.integers(0, 400))] = other[begin : begin + draw(st.integers(1, 4000))]
            case _:
                changed[at:at] = draw(st.binary(max_size=32))
        del changed[MAX_BYTES:]
    return bytes(changed)


def _change_member(draw: st.DrawFn, data: bytes, seeds: Mapping[str, bytes]) -> bytes:
    """Change one file in a zip, whose sums fit again."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        chosen = draw(st.sampled_from(sorted(old.namelist())))
        for info in old.infolist():
            content = old.read(info)
            if info.filename == chosen:
                content = _change_json(draw, content) if content[:1] in (b"{", b"[") else _text_or_bytes(draw, content)
                content = content if draw(st.booleans()) else _change_bytes(draw, content, seeds)
            new.writestr(info.filename, content[:MAX_BYTES], info.compress_type)
    return out.getvalue()


def _text_or_bytes(draw: st.DrawFn, content: bytes) -> bytes:
    """Double, drop or exchange one tag or word of a text."""
    parts = content.split(b"<") if b"<" in content else content.split(b" ")
    mark = b"<" if b"<" in content else b" "
    at = draw(st.integers(0, len(parts) - 1))
    match draw(st.sampled_from(("drop", "double", "swap", "nest"))):
        case "drop":
            del parts[at]
        case "double":
            parts[at:at] = [parts[at]] * draw(st.sampled_from((1, 3, 100)))
        case "swap":
            other = draw(st.integers(0, len(parts) - 1))
            parts[at], parts[other] = parts[other], parts[at]
        case _:
            parts[at:at] = [parts[at]] * 2000
    return mark.join(parts)


def _change_event(draw: st.DrawFn, data: bytes) -> bytes:
    """Change the JSON of one event in a stream."""
    events = data.split(b"\n\n")
    at = draw(st.sampled_from([at for at, event in enumerate(events) if b"data: {" in event]))
    head, _, body = events[at].partition(b"data: ")
    events[at] = head + b"data: " + _change_json(draw, body)
    return b"\n\n".join(events)


def _change_json(draw: st.DrawFn, data: bytes) -> bytes:
    """Exchange, drop or nest values of a JSON document."""
    try:
        whole = json.loads(data)
    except ValueError:
        return data
    for _ in range(draw(st.integers(1, 3))):
        paths = _paths(whole)
        path = draw(st.sampled_from(paths))
        if not path:
            continue
        inner = whole
        for step in path[:-1]:
            inner = inner[step]
        match draw(st.sampled_from(("drop", "value", "value", "nest", "move"))):
            case "drop":
                del inner[path[-1]]
            case "value":
                inner[path[-1]] = draw(values)
            case "nest":
                for _ in range(draw(st.sampled_from((1, 3, 200)))):
                    inner[path[-1]] = [inner[path[-1]]]
            case _:
                inner[path[-1]] = _copy_of(whole, draw(st.sampled_from(paths)))
    try:
        return json.dumps(whole).encode()
    except (RecursionError, ValueError):
        return data


def _copy_of(whole: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        whole = whole[step]
    return json.loads(json.dumps(whole))


def _paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    if len(path) < MAX_DEPTH:
        items: Any = value
        for key in range(len(items)) if isinstance(value, list) else items if isinstance(value, dict) else ():
            found += _paths(items[key], (*path, key))
    return found
