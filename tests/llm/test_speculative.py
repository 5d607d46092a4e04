"""Whether guessing ahead pays, judged by answers that are made up."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.llm.base import TokenUsage
from eclair.llm.local.speculative import DRAFT_SETTINGS, MIN_SPEEDUP, PAUSE_S, DraftGate, speedup


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def answer(tokens: int, drafted: int | None, accepted: int | None) -> TokenUsage:
    return TokenUsage(100, tokens, drafted_tokens=drafted, accepted_tokens=accepted)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "drafting" / "model.json"


def test_guesses_that_are_mostly_wrong_end_for_some_days(file: Path) -> None:
    clock = Clock()
    drafting = DraftGate(file, wanted=True, clock=clock)
    verdicts = [drafting.record(answer(200, 300, 10)) for _ in range(6)]
    assert verdicts == [False] * 5 + [True]
    assert not drafting.is_open
    assert not DraftGate(file, wanted=True, clock=clock).is_open
    clock.now += PAUSE_S + 1
    assert drafting.is_open


def test_what_a_guessed_token_takes_decides(file: Path) -> None:
    for cost, ends in ((0.2, False), (0.5, True)):
        drafting = DraftGate(file, wanted=True)
        drafting.cost = cost
        assert any(drafting.record(answer(200, 100, 25)) for _ in range(30)) is ends
    assert (
        DRAFT_SETTINGS["long"].speedup(0.2)
        > DRAFT_SETTINGS["short"].speedup(0.4)
        > DRAFT_SETTINGS["none"].speedup(0.4)
        == 1
    )
    assert max(DRAFT_SETTINGS, key=lambda way: DRAFT_SETTINGS[way].speedup(1.0)) == "none"


def test_after_the_rest_all_is_judged_anew(file: Path) -> None:
    clock = Clock()
    drafting = DraftGate(file, wanted=True, clock=clock)
    while not drafting.record(answer(200, 300, 10)):
        pass
    clock.now += PAUSE_S + 1
    assert not drafting.record(answer(200, 300, 10))
    assert drafting.is_open


def test_answers_without_guesses_hide_no_loss(file: Path) -> None:
    drafting = DraftGate(file, wanted=True)
    for _ in range(5):
        assert not drafting.record(answer(200, 300, 10))
        assert not drafting.record(answer(5000, None, None))
        assert not drafting.record(answer(5000, 0, 0))
    assert drafting.record(answer(200, 300, 10))


def test_what_is_recent_counts_most(file: Path) -> None:
    drafting = DraftGate(file, wanted=True)
    for _ in range(100):
        assert not drafting.record(answer(200, 150, 130))
    assert any(drafting.record(answer(200, 400, 10)) for _ in range(100))


def test_switched_off_it_never_guesses(file: Path) -> None:
    assert not DraftGate(file, wanted=False).is_open


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"until": "soon"}', b'{"until": 1e300}', b'{"until": null}'])
def test_a_file_that_is_not_understood_does_not_stop_it(file: Path, content: bytes) -> None:
    file.parent.mkdir()
    file.write_bytes(content)
    assert DraftGate(file, wanted=True).is_open


@given(st.lists(st.tuples(st.integers(2, 2000), st.integers(0, 4000), st.floats(0, 1)), max_size=40))
def test_answers_that_are_fast_enough_never_end_it(answers: list[tuple[int, int, float]]) -> None:
    drafting = DraftGate(Path("/dev/null/not-to-be-written"), wanted=True)
    for tokens, drafted, right in answers:
        accepted = int(min(drafted, tokens - 1) * right)
        if speedup(tokens, drafted, accepted) > MIN_SPEEDUP + 1e-9:
            assert not drafting.record(answer(tokens, drafted, accepted))
