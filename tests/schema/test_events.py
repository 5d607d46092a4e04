from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from eclair.schema.events import (
    END,
    CallAsked,
    CallBegan,
    CallDecided,
    CallEnded,
    Event,
    ModelChanged,
    Notice,
    PartDelta,
    PartFinished,
    PartStarted,
    RunFailed,
    RunFinished,
    RunInterrupted,
    RunResumed,
    RunStarted,
    RunStopped,
    RunWaiting,
    SectionNote,
    SectionRead,
    StepFinished,
    StepProgressed,
    StepStarted,
    UsageCounted,
    decode,
    encode,
    fold,
)
from eclair.schema.messages import Usage
from tests.support import check_log

counts = st.integers(0, 2**63 - 1)
measures = st.floats(0, 1e12, allow_nan=False)
usages = st.builds(
    Usage,
    prompt_tokens=st.none() | counts,
    cached_tokens=st.none() | counts,
    completion_tokens=st.none() | counts,
    first_word_ms=st.none() | measures,
    words=counts,
    words_per_second=st.none() | measures,
    drafted_tokens=st.none() | counts,
    accepted_tokens=st.none() | counts,
    watermarked_tokens=st.none() | counts,
)
numbers: dict[str, Any] = {"seq": counts}
section_notes = st.builds(SectionNote, passage_start=counts, start=counts, end=counts)
starts = st.builds(RunStarted, created=counts, **numbers)
steps = (
    st.builds(StepStarted, **numbers)
    | st.builds(
        StepProgressed, done=counts, of=counts, preview=st.none() | counts, seconds_left=st.none() | measures, **numbers
    )
    | st.builds(StepFinished, milliseconds=measures, **numbers)
    | st.builds(SectionRead, notes=st.lists(section_notes, max_size=2).map(tuple), section_chars=counts, **numbers)
)
remarks = st.builds(Notice, **numbers) | st.builds(ModelChanged, **numbers)
calls = (
    st.builds(CallAsked, **numbers)
    | st.builds(CallDecided, **numbers)
    | st.builds(CallBegan, **numbers)
    | st.builds(
        CallEnded, milliseconds=measures, sent_bytes=counts, passages=st.lists(counts, max_size=3).map(tuple), **numbers
    )
    | st.builds(RunResumed, **numbers)
)
costs = st.builds(UsageCounted, usage=usages, **numbers)
ends = (
    st.builds(RunFinished, **numbers)
    | st.builds(RunStopped, **numbers)
    | st.builds(RunInterrupted, **numbers)
    | st.builds(RunFailed, **numbers)
)
parts = (
    st.builds(PartStarted, index=counts, round=st.none() | counts, **numbers)
    | st.builds(PartDelta, index=counts, **numbers)
    | st.builds(PartFinished, index=counts, **numbers)
)
events: st.SearchStrategy[Event] = (
    starts | steps | parts | calls | remarks | costs | st.builds(RunWaiting, **numbers) | ends
)


@st.composite
def logs(draw: st.DrawFn) -> list[Event]:
    """A whole log of a run, as the assistant and the run log make them."""
    log: list[Event] = [draw(starts)]
    for index in range(draw(st.integers(0, 4))):
        log += draw(st.lists(steps | calls | remarks, max_size=2))
        log.append(draw(st.builds(PartStarted, index=st.just(index))))
        log += draw(st.lists(st.builds(PartDelta, index=st.just(index)), max_size=4))
        log.append(PartFinished(index))
    log += draw(st.lists(costs, max_size=1))
    log.append(draw(ends))
    return [replace(event, seq=number) for number, event in enumerate(log, 1)]


@given(events)
def test_what_is_encoded_reads_back(event: Event) -> None:
    line = encode(event)
    assert b"\n" not in line
    assert decode(line) == event
    assert decode(line.decode()) == event
    assert encode(decode(line)) == line


@given(logs())
def test_every_beginning_of_a_log_folds_to_a_beginning_of_its_message(log: list[Event]) -> None:
    check_log(log)
    whole = fold(log)
    for length in range(1, len(log)):
        early = fold(log[:length])
        assert early.status == "running"
        assert (early.id, early.run, early.parent) == (whole.id, whole.run, whole.parent)
        assert len(early.parts) <= len(whole.parts)
        for part, final in zip(early.parts, whole.parts, strict=False):
            assert (part.kind, part.id, part.name) == (final.kind, final.id, final.name)
            assert final.text.startswith(part.text)
    assert whole.status != "running"
    assert whole.text == "".join(part.text for part in whole.parts if part.kind == "text")


def test_a_log_begins_with_its_start() -> None:
    with pytest.raises(ValueError, match=r"run\.started"):
        fold([])
    with pytest.raises(ValueError, match=r"run\.started"):
        fold([PartStarted(0, "text")])


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"type":"run.finished","seq":1}',
        b'{"type":"part.delta","index":"x","text":""}',
        b"\xff",
    ],
)
def test_what_is_no_event_is_refused(line: bytes) -> None:
    with pytest.raises(ValidationError):
        decode(line)


def test_a_type_for_each_event() -> None:
    types = {str(kind.__dataclass_fields__["type"].default) for kind in Event.__args__}
    assert len(types) == len(Event.__args__)
    assert {kind for kind in Event.__args__ if kind.__name__.startswith("Run")} == {
        RunStarted,
        RunWaiting,
        RunResumed,
        *END,
    }
