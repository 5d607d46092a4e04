"""The question sets of `bench/answers.py` are whole, and their patterns know right answers from wrong ones."""

from __future__ import annotations

import pytest
from bench.answer_sets import LANGUAGES, SETS, Question, documents, pages, web_questions

QUESTIONS = {"tune": 5, "develop": 5, "practice": 8, "report": 10}
WEB_QUESTIONS = {"tune": 20, "develop": 20, "practice": 0, "report": 40}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", SETS)
def test_documents_hold_the_answers_to_their_questions(name: str, language: str) -> None:
    for document in documents(name, language):
        assert len(document.questions) == QUESTIONS[name]
        assert document.unanswered
        for question in document.questions:
            assert question.right
            assert question.is_held_by(document.text), question.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_documents_of_the_report_are_long_and_have_tables(language: str) -> None:
    shelf = documents("report", language)
    assert len(shelf) == 6
    assert sum("|---|" in document.text for document in shelf) >= 2
    for document in shelf:
        assert 350 <= len(document.text.split()) <= 900, document.name
        assert len(document.unanswered) == 3


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_two_sets_share_a_document_or_a_question(language: str) -> None:
    shelf = [document for name in SETS for document in documents(name, language)]
    asked = [question.text for each in shelf for question in (*each.questions, *each.unanswered)]
    web = [question.text for name in SETS for question in web_questions(name)]
    for all_of_them in ([each.name for each in shelf], [each.text for each in shelf], [*asked, *web]):
        assert len(set(all_of_them)) == len(all_of_them)


def test_no_two_sets_share_a_site() -> None:
    hosts = [{page.address.partition("/")[0] for page in pages(name)} for name in SETS]
    assert len({host for each in hosts for host in each}) == sum(map(len, hosts))


def test_no_answer_is_right_that_says_nothing() -> None:
    for name in SETS:
        shelves = [document for language in LANGUAGES for document in documents(name, language)]
        for question in (each for document in shelves for each in document.questions):
            assert not question.is_right("Hm."), question.text
            for pattern in question.wrong:
                assert not Question("", question.language, "x", (pattern,)).is_right(""), pattern


@pytest.mark.parametrize("name", SETS)
def test_pages_hold_the_answers_to_their_questions(name: str) -> None:
    served = {page.address: page.head + page.html for page in pages(name)}
    questions = web_questions(name)
    assert len(questions) == WEB_QUESTIONS[name]
    for question in questions:
        for address in (question.source or "").split():
            assert question.is_held_by(served[address]), question.text


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
        ("{no}", "de", "Ja, das ist erlaubt, aber nicht nachts.", False),
        ("{no}", "en", "The document does not mention dogs.", False),
        ("{no}", "fr", "Le texte n'indique pas si c'est permis.", False),
        ("{no}", "pl", "Dokument nie zawiera informacji o psach.", False),
        ("{no}", "en", "The sheds may be slept in. They are heated. Fires are not allowed.", False),
        ("{no}", "es", "> La piscina abre a las 9. [1]\n\n> No se admiten perros. [1]", True),
        ("{no}", "it", "No.", True),
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
