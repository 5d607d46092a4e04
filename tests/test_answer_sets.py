"""The question sets of `bench/answers.py` are whole, and their patterns know right answers from wrong ones."""

from __future__ import annotations

import pytest
from bench.answer_sets import LANGUAGES, SETS, Question, documents, pages, web_questions


@pytest.mark.parametrize("language", LANGUAGES)
def test_documents_hold_the_answers_to_their_questions(language: str) -> None:
    shelves = [documents(name, language) for name in SETS]
    for document in (each for shelf in shelves for each in shelf):
        assert len(document.questions) == 5
        assert document.unanswered
        for question in document.questions:
            assert question.is_held_by(document.text), question.text
    tuned, reported = ({document.text for document in shelf} for shelf in shelves)
    assert not tuned & reported


@pytest.mark.parametrize("name", SETS)
def test_pages_hold_the_answers_to_their_questions(name: str) -> None:
    served = {page.address: page.head + page.html for page in pages(name)}
    questions = web_questions(name)
    assert len(questions) == 20
    for question in questions:
        assert question.source is None or question.is_held_by(served[question.source]), question.text


@pytest.mark.parametrize(
    ("pattern", "language", "text", "fits"),
    [
        ("{1250}", "de", "Es sind 1.250 €.", True),
        ("{1250}", "en", "It costs 1,250.50 pounds.", False),
        ("{38}", "en", "They pay 380 pounds.", False),
        ("{3}", "pl", "Po trzech latach.", True),
        ("{5.5}", "fr", "5,5 heures", True),
        ("{6.11.}", "en", "on November 6, 2026", True),
        ("{4.5.}", "de", "bis zum 04.05.2026", True),
        ("{18:00}", "de", "spätestens um 18 Uhr", True),
        ("{17:30}", "en", "at 5.30 pm", True),
        ("{no}", "en", "The sheds must not be slept in.", True),
        ("{no}", "de", "Ja, das ist erlaubt.", False),
        ("{yes}", "fr", "Oui, c'est permis.", True),
    ],
)
def test_patterns_fit_how_people_write(pattern: str, language: str, text: str, fits: bool) -> None:
    assert Question("", language, "x", (pattern,)).is_right(text) == fits


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "The documents do not mention the price."),
        ("de", "Dazu steht nichts in den Dokumenten."),
        ("fr", "Les documents n'en disent rien."),
        ("es", "El documento no indica cuántos socios tiene."),
        ("it", "Non è indicato nel testo quanto costa."),
        ("pl", "Brak informacji o cenie."),
    ],
)
def test_refusals_are_known(language: str, text: str) -> None:
    assert Question("", language, None).is_refused_by(text)
