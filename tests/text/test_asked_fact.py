"""The kind of fact that a question asks for, by the rules of its language, and whether a text states one."""

from __future__ import annotations

import pytest

from eclair.text.intent.asked_fact import FactKind, asked_kind, asks_yes_or_no, read_asked_fact, states_kind
from eclair.text.language import identify_language


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("How much does a pack of 24 tablets cost?", "money"),
        ("How much do pensioners pay each year?", "money"),
        ("How much notice must the landlord give?", None),
        ("What is the monthly fee?", "money"),
        ("Was kostet ein Stellplatz im Monat?", "money"),
        ("Wie hoch ist die Nettokaltmiete der Wohnung?", "money"),
        ("Wie hoch ist der Turm?", None),
        ("Combien coûte une nuit au camping ?", "money"),
        ("Combien de procurations un membre peut-il détenir ?", None),
        ("¿Cuánto cuesta la plaza de garaje?", "money"),
        ("Quanto versano all'anno gli allievi?", "money"),
        ("Ile kosztuje bilet roczny?", "money"),
        ("Hoeveel kost een kaartje?", "money"),
        ("Quanto custa o bilhete?", "money"),
        ("In what year was the house built?", "year"),
        ("W którym roku zbudowano dom?", "year"),
        ("Um wie viel Uhr fährt der letzte Zug?", "clock"),
        ("A che ora parte l'ultima corsa?", "clock"),
        ("After what time are the pictures overwritten?", None),
    ],
)
def test_the_kind_of_fact(question: str, kind: FactKind | None) -> None:
    assert asked_kind(question) == kind


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        ("money", "Each tablet contains 10 mg.", False),
        ("money", "Keep it free of dust.", False),
        ("money", "Tickets are free.", True),
        ("money", "Składka wynosi 120 zł rocznie.", True),
        ("money", "We pay 41 pence a mile.", True),
        ("money", "adults | 2.80 | 5.50", True),
        ("year", "Open from 8 to 17.", False),
        ("year", "Built in 1903.", True),
        ("clock", "The garden is closed on Sundays.", False),
        ("clock", "Das Büro ist bis 16:30 Uhr besetzt.", True),
        ("clock", "Open from 8 to 17.", True),
    ],
)
def test_a_text_has_a_fact_of_the_kind(kind: FactKind, text: str, expected: bool) -> None:
    assert states_kind(kind, text) == expected


def test_what_a_source_must_have() -> None:
    asked = read_asked_fact("What does the fault code E30 of the heat pump mean?", "en")
    assert asked is not None
    assert [word.key for word in asked.words] == ["fault", "code", "heat", "pump", "mean"]
    assert asked.codes == ("E30",)
    counted = read_asked_fact("Wie viele Sitzplätze hat ein Zug?", "de")
    assert counted is not None
    assert counted.counted is not None
    assert counted.counted.text == "sitzplatze"
    days = read_asked_fact("How many days does it last?", "en")
    assert days is not None
    assert days.counted is None, "a unit"
    lift = read_asked_fact("Y a-t-il un ascenseur ?", "fr")
    assert lift is not None
    assert lift.is_existence
    assert read_asked_fact("Mikä maksaa?", "fi") is None


@pytest.mark.parametrize(
    "question",
    [
        "Is the mill open on Mondays?",
        "May I bring my dog along, and why?",
        "¿Hay que pagar la entrada del molino?",
        "Pode o cão entrar no moinho com o dono?",
        "Ist die Mühle montags geöffnet?",
        "Darf mein Hund mit in die Mühle?",
        "Est-ce que le moulin est ouvert le lundi ?",
        "Le moulin du village est-il ouvert pendant les vacances ?",
        "Est-ce qu'il ouvre le lundi ?",
        "È vero che il mulino è aperto il lunedì?",
        "¿Está abierto el molino los lunes?",
        "È aperto il mulino il lunedì?",
        "Czy młyn jest otwarty w poniedziałki?",
        "Is de molen op maandag open?",
        "Je mlýn v pondělí otevřený?",
        "Nyitva van hétfőn a malom?",
    ],
)
def test_a_question_that_yes_or_no_answers(question: str) -> None:
    assert asks_yes_or_no(question, identify_language(question))


@pytest.mark.parametrize(
    "question",
    [
        "",
        "?",
        "The mill is open on Mondays.",
        "When is the mill open?",
        "Up to what weight may a dog come along?",
        "Can you write me a letter to the miller?",
        "Could you sum up the rules of the mill?",
        "Hi, could you list the rules of the mill?",
        "Please can you list the rules of the mill?",
        "¿Puede explicarme las reglas del molino?",
        "¿Me puede explicar las reglas del molino?",
        "¿Cuanto cuesta la entrada del molino?",
        "Le billet du moulin est de combien ?",
        "Pourriez‑vous m'expliquer les règles du moulin ?",
        "Cos'è il mulino di cui parla il testo?",
        "Wozu dient das Rad an der Mühle?",
        "Mohl byste mi vysvětlit pravidla mlýna?",
        "Össze tudnád foglalni a malom szabályait?",
        "Πότε ανοίγει ο μύλος τη Δευτέρα;",
        "Колко струва билетът за мелницата?",
        "Millal veski esmaspäeval avatakse?",
        "Bis zu welchem Gewicht darf ein Hund mit?",
        "Kannst du mir die Regeln der Mühle erklären?",
        "À quelle heure ouvre le moulin ?",
        "Que signifie le signe sur la porte du moulin ?",
        "Qu'est-ce que le meunier demande ?",
        "Che giorno apre il mulino?",
        "Peux-tu m'expliquer les règles du moulin ?",
        "¿A qué hora abre el molino?",
        "¿Puedes explicarme las reglas del molino?",
        "A che ora apre il mulino?",
        "Puoi spiegarmi le regole del mulino?",
        "O której godzinie otwierają młyn?",
        "Hoe laat gaat de molen open?",
    ],
)
def test_a_question_that_yes_or_no_does_not_answer(question: str) -> None:
    assert not asks_yes_or_no(question, identify_language(question))
