"""The language of a question is told where it is sure, and never wrongly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.text.language import identify_language, language_names, lists_language
from tests.questions import NO_QUESTIONS, OTHERS, QUESTIONS


@pytest.mark.parametrize("language", QUESTIONS)
def test_most_questions_are_told_and_none_wrongly(language: str) -> None:
    told = [identify_language(question) for question in QUESTIONS[language]]
    assert {*told} <= {language, None}, [*zip(told, QUESTIONS[language], strict=True)]
    assert told.count(language) >= 8, [*zip(told, QUESTIONS[language], strict=True)]


def test_nine_of_ten_are_told() -> None:
    told = [identify_language(question) == code for code, questions in QUESTIONS.items() for question in questions]
    assert sum(told) >= 0.9 * len(told)


@pytest.mark.parametrize("language", OTHERS)
def test_no_other_language_is_taken_for_one_of_these(language: str) -> None:
    same = {"nb": "no"}.get(language, language)
    for question in OTHERS[language]:
        assert identify_language(question) in (same, None), question


@pytest.mark.parametrize("text", NO_QUESTIONS)
def test_names_code_and_what_is_quoted_tell_nothing(text: str) -> None:
    assert identify_language(text) in ("en", None)


@given(st.text() | st.text(alphabet="aäàåãçéèñøßłжіќηħ' -\n.\"“”«»`"))
def test_any_text_has_an_answer(text: str) -> None:
    assert identify_language(text) in {*language_names(), None}


@given(st.lists(st.sampled_from([q for questions in QUESTIONS.values() for q in questions]), max_size=4))
def test_a_fence_of_code_changes_nothing(lines: list[str]) -> None:
    assert identify_language("\n".join([*lines, "```py", "der = die = das", "```"])) == identify_language(
        "\n".join(lines)
    )


def test_regions_and_the_two_norwegians_are_one_language() -> None:
    assert lists_language(("pt-BR", "nb"), "pt")
    assert lists_language(("pt-BR", "nb"), "no")
    assert lists_language((), "de")
    assert not lists_language(("en",), "de")
