from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.errors import TooLarge
from eclair.generation.prompt import WRAPPING_TOKENS, build_prompt, count_dropped, quote_passages
from eclair.llm.base import PromptMessage
from eclair.schema.messages import Message, Part, Passage


def said(*texts: str) -> list[Message]:
    """A question, its answer, the next question, …"""
    return [
        Message(f"m{number}", "c", None, "assistant" if number % 2 else "user", (Part("text", text),), number)
        for number, text in enumerate(texts)
    ]


async def words(text: str) -> int:
    return len(text.split())


def talk(lengths: list[int]) -> list[Message]:
    return said(*("w " * length for length in lengths))


@st.composite
def rooms(draw: st.DrawFn) -> tuple[list[int], int]:
    """Lengths of the messages from the first question to the last, and the room for them."""
    room = draw(st.integers(1, 400))
    count = draw(st.integers(0, 30)) * 2 + 1
    lengths = draw(st.lists(st.integers(1, 120), min_size=count, max_size=count))
    lengths[-1] = min(lengths[-1], room)
    return lengths, room


@given(rooms())
def test_what_is_kept_fits_and_ends_with_the_question(case: tuple[list[int], int]) -> None:
    lengths, room = case
    history = talk(lengths)
    start = count_dropped(history, lengths, room)
    assert 0 <= start < len(lengths)
    assert sum(lengths[start:]) <= room
    assert history[start].role == "user"


@given(rooms())
def test_nothing_is_left_out_that_fits(case: tuple[list[int], int]) -> None:
    lengths, room = case
    if sum(lengths) <= room:
        assert count_dropped(talk(lengths), lengths, room) == 0


@given(rooms())
def test_the_cut_only_moves_forward(case: tuple[list[int], int]) -> None:
    lengths, room = case
    history = talk(lengths)
    cuts = [count_dropped(history[:end], lengths[:end], room) for end in range(1, len(lengths) + 1, 2)]
    assert cuts == sorted(cuts)


def test_the_cut_stays_where_it_is_for_many_turns() -> None:
    lengths = [10] * 401
    cuts = [count_dropped(talk(lengths[:end]), lengths[:end], 1000) for end in range(1, 402, 2)]
    moves = sum(before != after for before, after in pairwise(cuts))
    assert moves <= 7, "half of the window goes at once: 500 tokens of room are 25 turns"


async def test_a_picture_is_told_in_words() -> None:
    history = said("a blue apple", "", "What is it?")
    history[1] = replace(history[1], parts=(Part("picture", "a blue\napple", "pic_1", "flux"),))
    prompt = await build_prompt("", history, window=None, reserve=10, count=words)
    assert prompt.messages[1] == PromptMessage("assistant", "(Here is a picture that was made: a blue apple)")


@pytest.mark.parametrize("window", [None, 100_000])
async def test_a_history_that_fits_is_shown_whole(window: int | None) -> None:
    prompt = await build_prompt("Be brief.", said("a", "b", "c"), window=window, reserve=10, count=words)
    assert prompt.dropped == 0
    assert prompt.messages == (
        PromptMessage("system", "Be brief."),
        PromptMessage("user", "a"),
        PromptMessage("assistant", "b"),
        PromptMessage("user", "c"),
    )


async def test_without_a_window_nothing_is_counted() -> None:
    async def never(text: str) -> int:
        raise AssertionError(text)

    prompt = await build_prompt("s", said("w " * 100_000), window=None, reserve=10, count=never)
    assert prompt.dropped == 0


async def test_without_a_system_prompt_there_is_none() -> None:
    prompt = await build_prompt("", said("a"), window=None, reserve=10, count=words)
    assert prompt.messages == (PromptMessage("user", "a"),)


async def test_answers_without_words_are_not_shown() -> None:
    prompt = await build_prompt("", said("a", "", "c"), window=None, reserve=10, count=words)
    assert prompt.messages == (PromptMessage("user", "a"), PromptMessage("user", "c"))


async def test_the_oldest_turns_are_left_out_and_the_head_stays() -> None:
    history = talk([40] * 21)
    prompt = await build_prompt("Be brief.", history, window=500, reserve=100, count=words)
    assert prompt.dropped > 0
    assert prompt.messages[0] == PromptMessage("system", "Be brief.")
    assert prompt.messages[1].role == "user"
    assert prompt.messages[-1].content == history[-1].text
    assert len(prompt.messages) == 1 + len(history) - prompt.dropped
    shown = sum(len(str(message.content).split()) + WRAPPING_TOKENS for message in prompt.messages)
    assert shown + 100 <= 500


async def test_a_long_answer_leaves_half_of_the_window_to_what_is_read() -> None:
    prompt = await build_prompt("s", said("w " * 200), window=500, reserve=10_000, count=words)
    assert prompt.dropped == 0


async def test_a_question_that_does_not_fit_is_refused_with_both_numbers() -> None:
    with pytest.raises(TooLarge, match=r"508 tokens long, and this model can read 391"):
        await build_prompt("s", said("w " * 500), window=500, reserve=100, count=words)


async def test_an_answer_that_is_continued_keeps_its_question() -> None:
    history = talk([50, 50, 30, 60])
    prompt = await build_prompt("", history, window=400, reserve=250, count=words)
    assert [message.role for message in prompt.messages] == ["user", "assistant"]
    assert prompt.dropped == 2
    with pytest.raises(TooLarge):
        await build_prompt("", talk([50, 50, 130, 160]), window=400, reserve=250, count=words)


def test_the_place_of_a_passage_is_named_where_it_changes() -> None:
    places = [
        ("a.pdf", 1, ("Trees", "Limes")),
        ("a.pdf", 1, ("Trees", "Limes")),
        ("a.pdf", 1, ("Trees", "Oaks")),
        ("a.pdf", 1, ("Trees",)),
        ("a.pdf", 2, ("Trees",)),
        ("b.pdf", 2, ("Trees",)),
        ("b.pdf", 2, ()),
    ]
    passages = [
        Passage(number, name, name, page, None, heading, 10 * number, 10 * number + 4, "Text")
        for number, (name, page, heading) in enumerate(places, 1)
    ]
    assert [each.removesuffix("\nText") for each in quote_passages(passages, ())] == [
        "[1] a.pdf › page 1 › Trees › Limes",
        "[2]",
        "[3] Oaks",
        "[4] page 1 › Trees",
        "[5] page 2 › Trees",
        "[6] b.pdf › page 2 › Trees",
        "[7] page 2",
    ]


def headed(number: int, text: str, *heading: str) -> Passage:
    return Passage(number, "file_1", "a.md", 1, "", heading, 100 * number, 100 * number + len(text), text)


def test_headings_that_a_passage_begins_with_are_read_once() -> None:
    passages = [
        headed(1, "Trees\nLimes\n\nThey flower in June.", "Trees", "Limes"),
        headed(2, "Oaks\nThey flower in May.", "Trees", "Oaks"),
        headed(3, "And some in April.", "Trees", "Oaks"),
        headed(4, "Oaks of the park grow.", "Trees", "Oaks"),
        headed(5, "Oaks", "Trees", "Elms", "Oaks"),
    ]
    assert quote_passages(passages, ()) == [
        "[1] a.md › Trees › Limes\nThey flower in June.",
        "[2] Oaks\nThey flower in May.",
        "[3]\nAnd some in April.",
        "[4]\nOaks of the park grow.",
        "[5] Elms › Oaks\nOaks",
    ]
    section = headed(6, "Oaks\nThey are old.", "Trees", "Oaks")
    assert quote_passages([passages[2], section], ())[1] == "[6]\nOaks\nThey are old."
