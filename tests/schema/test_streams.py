"""The golden streams fold to their messages, here and (ui/tests/fold.test.ts) in the page."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from eclair.errors import EclairError
from eclair.schema.events import Event, decode, encode, fold, unfold
from eclair.schema.messages import Message
from eclair.server.typescript import generate
from tests.support import check_log

ROOT = Path(__file__).parents[2]
STREAMS = sorted((ROOT / "tests" / "streams").glob("*.jsonl"))
MESSAGE = TypeAdapter(Message)


def read(path: Path) -> list[Event]:
    return [decode(line) for line in path.read_bytes().split(b"\n") if line]


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.stem)
def test_a_stream_folds_to_its_message(path: Path) -> None:
    expected = MESSAGE.validate_json(path.with_suffix(".message.json").read_bytes())
    assert fold(read(path)) == expected


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.stem)
def test_a_message_unfolds_to_a_sound_log_that_folds_to_it(path: Path) -> None:
    message = fold(read(path))
    if message.status == "running":
        with pytest.raises(ValueError, match="ended"):
            unfold(message)
        return
    events = unfold(message)
    check_log(events)
    assert fold(events) == message


@pytest.mark.parametrize("path", STREAMS, ids=lambda path: path.stem)
def test_an_event_is_one_numbered_line_that_reads_back(path: Path) -> None:
    events = read(path)
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert b"".join(encode(event) + b"\n" for event in events) == path.read_bytes()


def test_the_page_has_the_types_of_today() -> None:
    written = (ROOT / "ui" / "src" / "api" / "events.ts").read_text(encoding="utf-8")
    assert written == generate(), "run: python -m eclair.server.typescript > ui/src/api/events.ts"


def test_every_field_of_a_message_is_among_the_types() -> None:
    text = generate()
    assert all(f"readonly {spec.name}: " in text for spec in fields(Message))


def test_every_code_of_the_error_tree_is_among_the_types() -> None:
    kinds = [EclairError]
    for kind in kinds:
        kinds.extend(kind.__subclasses__())
    found = re.findall(r'"(\w+)"', generate().partition("ErrorCode =")[2].partition(";")[0])
    assert set(found) == {kind.code for kind in kinds}
    assert len(found) == len(set(found)), "two errors have one code"
    known = {
        kind.__module__ for kind in kinds if not kind.__name__.startswith("_")
    }  # a module's own is told as its base
    assert known == {"eclair.errors"}, "an error outside the tree has no sentence"
