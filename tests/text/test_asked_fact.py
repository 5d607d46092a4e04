"""The kind of fact that a question asks for, by the rules of its language, and whether a text states one."""

from __future__ import annotations

import pytest

from eclair.text.intent.asked_fact import FactKind, asked_kind, read_asked_fact, states_kind


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
