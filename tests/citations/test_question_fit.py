"""The first sentence of an answer is judged with its question: bare figures, names, and yes."""

from __future__ import annotations

import re

import pytest

from eclair.citations.checker import CitationChecker
from eclair.citations.evidence import Doubtful, Supported
from eclair.schema.messages import Passage

SPANISH = """\
# Factura 88/2026 de Podas Cantalejo
Cliente: Comunidad Los Olivos, calle Tormes 4

| concepto | cantidad | precio | importe |
|---|---|---|---|
| Poda de palmeras | 6 | 52,00 € | 312,00 € |
| Siega de césped | 3 | 80,00 € | 240,00 € |
| Retirada de restos | 1 | 95,00 € | 95,00 € |

Base imponible: 647,00 €. IVA 21 %: 135,87 €. Total: 782,87 €. Ya pagado: 200,00 €. Resta por pagar: 582,87 €.
"""
ITALIAN = """\
# Fattura n. 45 della ditta Marangon
Cliente: sig. Tullio Bressan

| voce | quantità | prezzo | importo |
|---|---|---|---|
| ore di manodopera | 26 | 38,00 € | 988,00 € |
| vernice, litri | 15 | 12,00 € | 180,00 € |

Il saldo di 868,00 € va versato entro il 20 novembre.
"""
GERMAN = """\
# Rechnung 17 der Schreinerei Aumüller
An: Familie Korkmaz-Lindner, Birkenweg 6

| Position | Menge | Preis | Betrag |
|---|---|---|---|
| Arbeitszeit Geselle | 17 Std. | 52,00 € | 884,00 € |
| Arbeitszeit Meister | 4 Std. | 68,00 € | 272,00 € |
| Eichenholz | 2 m² | 110,00 € | 220,00 € |

Satzungsänderungen brauchen eine Mehrheit von drei Vierteln der abgegebenen Stimmen.
Das Büro ist werktags bis 16:30 Uhr besetzt.
"""
FRENCH = """\
# Statuts de l'association Chorale du Val
La cotisation annuelle est de 85 EUR pour les membres actifs. Les étudiants paient 50 EUR. Un membre absent
peut donner procuration ; nul ne détient plus de deux procurations.

## Repas
Les repas sont livrés chaque jour ouvré au plus tard à 11 h 15. Les barquettes en plastique sont exclues.

| prestation | quantité |
|---|---|
| main-d'œuvre | 4,5 h |
| lavage | 1 |
"""
POLISH = """\
# Ulotka: Kardiolan
Leczenie nie powinno trwać dłużej niż dwa tygodnie, ponieważ lek może uzależniać. Jedna tabletka zawiera 10
mg melisyny. Opakowanie zawiera 30 tabletek.

## Składki
Członek zwyczajny płaci 130 zł rocznie, członek wspierający 300 zł. Gwarancji na okna udzielono na pięć lat.
"""
ENGLISH = """\
# Statutes of the Wexcombe Chess Club
Full members pay 60 pounds a year, students 25 pounds and pensioners 40 pounds. Changes of the statutes need
a majority of two thirds. The treasurer is Ms Honor Pascoe.

## Leaflet: Nasolin
Nasolin contains 10 mg of tolvadrine. Do not use it for longer than 7 days. Pregnant women must not take
Nasolin. Keep it below 25 degrees.
"""


def passages(text: str) -> tuple[Passage, ...]:
    """A passage for each heading."""
    found: list[Passage] = []
    at = 0
    for part in re.split(r"^(?=#)", text, flags=re.MULTILINE):
        title = re.match(r"#+ (.*)", part)
        words = part if title is None else part[title.start(1) :]
        heading = () if title is None else (title[1],)
        if words.strip():
            found.append(Passage(len(found) + 1, "file", "notes.md", 1, "", heading, at, at + len(words), words))
        at += len(part)
    return tuple(found)


@pytest.mark.parametrize(
    ("text", "question", "answer", "is_true"),
    [
        (SPANISH, "¿Cuántas palmeras se podaron en Los Olivos?", "Se podaron 6 palmeras en Los Olivos.", True),
        (SPANISH, "¿Cuántas palmeras se podaron en Los Olivos?", "6", True),
        (SPANISH, "¿Cuántas palmeras se podaron en Los Olivos?", "3", False),
        (SPANISH, "¿Cuál es el total de la factura con IVA?", "782,87 €", True),
        (SPANISH, "¿Cuánto resta por pagar?", "582,87 euros", True),
        (SPANISH, "¿Cuánto cuesta la retirada de restos?", "95 euros.", True),
        (SPANISH, "¿Cuánto cuesta la retirada de restos?", "240 euros.", False),
        (
            ITALIAN,
            "Quante ore di manodopera ha fatturato Marangon?",
            "Marangon ha fatturato 26 ore di manodopera.",
            True,
        ),
        (ITALIAN, "Quante ore di manodopera ha fatturato Marangon?", "26 ore", True),
        (ITALIAN, "Quante ore di manodopera ha fatturato Marangon?", "15", False),
        (ITALIAN, "A quanto ammonta il saldo?", "868,00 €", True),
        (ITALIAN, "Entro quando va versato il saldo?", "Entro il 20 novembre.", True),
        (GERMAN, "Wie viele Stunden hat der Geselle bei Familie Korkmaz-Lindner gearbeitet?", "17", True),
        (
            GERMAN,
            "Wie viele Stunden hat der Geselle bei Familie Korkmaz-Lindner gearbeitet?",
            "Der Geselle hat 17 Stunden gearbeitet.",
            True,
        ),
        (GERMAN, "Wie viele Stunden hat der Geselle bei Familie Korkmaz-Lindner gearbeitet?", "4", False),
        (GERMAN, "Welche Mehrheit braucht eine Änderung der Satzung?", "Drei Viertel der Stimmen", True),
        (GERMAN, "Bis wann ist das Büro besetzt?", "Bis 16:30 Uhr.", True),
        (GERMAN, "Bis wann ist das Büro besetzt?", "Das Büro ist bis 16.30 Uhr besetzt.", True),
        (GERMAN, "Bis wann ist das Büro besetzt?", "Das Büro ist bis 17:30 Uhr besetzt.", False),
        (GERMAN, "Was kostet die Arbeitszeit des Meisters je Stunde?", "68 Euro", True),
        (GERMAN, "Was kostet die Arbeitszeit des Meisters je Stunde?", "52 Euro", False),
        (
            FRENCH,
            "Quel est le montant de la cotisation pour les étudiants dans le chœur ?",
            "Le montant de la cotisation pour les étudiants dans le chœur est de 50 euros.",
            True,
        ),
        (FRENCH, "Quel est le montant de la cotisation pour les étudiants dans le chœur ?", "50 euros", True),
        (FRENCH, "Quel est le montant de la cotisation pour les étudiants dans le chœur ?", "85 euros", False),
        (FRENCH, "Combien de procurations un membre peut-il détenir ?", "Deux.", True),
        (
            FRENCH,
            "Les barquettes en plastique sont-elles admises pour les repas scolaires ?",
            "Oui, les barquettes en plastique sont admises pour les repas scolaires.",
            False,
        ),
        (
            FRENCH,
            "Avant quelle heure les repas doivent-ils être livrés ?",
            "Les repas doivent être livrés avant 11 h 15.",
            True,
        ),
        (FRENCH, "Avant quelle heure les repas doivent-ils être livrés ?", "11h15", True),
        (FRENCH, "Combien d'heures de main-d'œuvre ?", "4,5 h", True),
        (
            POLISH,
            "Jak długo najwyżej powinno trwać leczenie lekiem Kardiolan?",
            "Leczenie lekiem Kardiolan nie powinno trwać dłużej niż dwa tygodnie, gdyż lek może uzależniać.",
            True,
        ),
        (POLISH, "Ile kosztuje opakowanie leku Kardiolan?", "Opakowanie kosztuje 30 zł.", False),
        (
            POLISH,
            "Ile kosztuje opakowanie 30 tabletek leku Kardiolan?",
            "30 tabletek leku Kardiolan kosztuje 10 mg melisyny.",
            False,
        ),
        (POLISH, "Ile kosztuje opakowanie 30 tabletek leku Kardiolan?", "10 mg", False),
        (POLISH, "Ile płaci członek zwyczajny?", "130 zł rocznie", True),
        (POLISH, "Ile płaci członek zwyczajny?", "300 zł", False),
        (POLISH, "Na ile lat udzielono gwarancji na okna?", "Gwarancja na okna udzielono na pięć lat.", True),
        (POLISH, "Na ile lat udzielono gwarancji na okna?", "5 lat", True),
        (ENGLISH, "How much do pensioners pay each year?", "40 pounds", True),
        (ENGLISH, "How much do pensioners pay each year?", "60 pounds", False),
        (ENGLISH, "How much do students pay?", "£25", True),
        (ENGLISH, "How much do students pay?", "£40", False),
        (ENGLISH, "Who is the treasurer?", "Honor Pascoe", True),
        (ENGLISH, "May pregnant women take Nasolin?", "No, pregnant women must not take Nasolin.", True),
        (ENGLISH, "May pregnant women take Nasolin?", "Yes, pregnant women may take Nasolin.", False),
        (ENGLISH, "Is Nasolin also available as tablets?", "Yes, Nasolin is also available as tablets.", False),
        (ENGLISH, "How much does a pack of Nasolin cost?", "A pack of Nasolin costs 25 pounds.", False),
        (ENGLISH, "How much does a pack of Nasolin cost?", "10 mg", False),
        (ENGLISH, "For how long may Nasolin be used?", "7 days", True),
        (ENGLISH, "What majority is needed to change the statutes?", "Two thirds", True),
    ],
)
async def test_a_right_answer_is_cited_and_a_wrong_one_doubted(
    text: str, question: str, answer: str, is_true: bool
) -> None:
    verdict = await CitationChecker(passages(text), None, question).check(answer)
    assert isinstance(verdict, Supported if is_true else Doubtful), verdict


LEASE = """\
# Tenancy agreement
The landlord lets the flat on the second floor of 18 Mill Lane, Ashcombe: three rooms and a kitchen.

## Rent
The rent is 945 pounds a month. On top of it come 110 pounds for heating and water, settled by Holloway once a year.
"""


async def test_an_answer_with_a_subject_of_its_own_is_judged_by_itself() -> None:
    """It may speak of another row than the question does."""
    checker = CitationChecker(passages(GERMAN), None, "Was kostet die Arbeitszeit des Gesellen?")
    assert isinstance(await checker.check("Das Eichenholz kostet 220,00 €."), Supported)


async def test_a_name_that_the_question_gave_is_not_doubted() -> None:
    question = "How much is the monthly rent of the flat in Mill Lane without heating and water?"
    checker = CitationChecker(passages(LEASE), None, question)
    verdict = await checker.check("The monthly rent of the flat in Mill Lane without heating and water is 945 pounds.")
    assert isinstance(verdict, Supported)
    assert verdict.quote == "The rent is 945 pounds a month."
    wrong = await checker.check("The monthly rent of the flat in Mill Lane without heating and water is 495 pounds.")
    assert isinstance(wrong, Doubtful)


async def test_it_is_the_row_and_the_clause_asked_for_that_is_quoted() -> None:
    verdict = await CitationChecker(passages(GERMAN), None, "Was kostet eine Stunde des Meisters?").check("68 Euro")
    assert isinstance(verdict, Supported)
    assert verdict.quote.startswith("Arbeitszeit Meister")
    wrong = await CitationChecker(passages(ENGLISH), None, "How much do pensioners pay each year?").check("60 pounds")
    assert wrong == Doubtful("60 pounds", 1)


@pytest.mark.parametrize(
    ("text", "question", "answers"),
    [
        (LEASE, "How much does the parking space in the yard cost a month?", ("945 pounds", "110 pounds a month.")),
        (LEASE, "In what year was the house in Mill Lane built?", ("18", "110 pounds", "In 945.")),
        (LEASE, "Is there a lift in the house?", ("945 pounds",)),
        (GERMAN, "Was kostet ein Gerüst bei Aumüller am Wochenende?", ("68 Euro", "220,00 €")),
        (GERMAN, "Wie viele Angestellte hat die Schreinerei Aumüller?", ("17", "4")),
        (GERMAN, "Wer leitet die Schreinerei?", ("17",)),
        (FRENCH, "Combien coûte la location de la salle des fêtes ?", ("85 EUR", "50 euros")),
        (SPANISH, "¿Cuántos habitantes tiene el pueblo de Los Olivos?", ("6", "88")),
        (ITALIAN, "Quanti dipendenti ha la ditta Marangon?", ("26", "15")),
        (POLISH, "Ile pracowników zatrudnia producent leku?", ("30", "10")),
    ],
)
async def test_a_figure_of_the_sources_is_not_cited_for_a_question_that_nothing_answers(
    text: str, question: str, answers: tuple[str, ...]
) -> None:
    for answer in answers:
        verdict = await CitationChecker(passages(text), None, question).check(answer)
        assert isinstance(verdict, Doubtful), (answer, verdict)


async def test_a_bare_figure_further_on_in_an_answer_is_held_against_the_question_too() -> None:
    before = "There are several rooms. "
    parking = CitationChecker(passages(LEASE), None, "How much does the parking space in the yard cost a month?")
    assert isinstance(await parking.check("It is 945 pounds.", before), Doubtful)
    rent = CitationChecker(passages(LEASE), None, "How much is the rent a month?")
    assert isinstance(await rent.check("It is 945 pounds.", before), Supported)


async def test_of_two_things_asked_for_one_may_be_answered() -> None:
    question = "How much is the rent a month, and what does the parking space in the yard cost?"
    checker = CitationChecker(passages(LEASE), None, question)
    assert isinstance(await checker.check("The rent is 945 pounds a month."), Supported)
    assert isinstance(await checker.check("The parking space in the yard costs 110 pounds."), Doubtful)


async def test_the_words_of_a_question_may_stand_in_title_header_and_unit() -> None:
    hours = CitationChecker(passages(GERMAN), None, "Wie viele Stunden arbeitete der Geselle der Schreinerei Aumüller?")
    assert isinstance(await hours.check("17"), Supported)
    amount = CitationChecker(passages(GERMAN), None, "Welche Menge Eichenholz steht auf der Rechnung?")
    assert isinstance(await amount.check("2 m²"), Supported)


FLAT = (
    "The parties are Anna Berg and Ben Holt. The rent of the flat is 850 euros a month. The parking space costs 950 "
    "euros a year. Anna Berg is the landlord. Ben Holt is the tenant. Pets are allowed."
)


@pytest.mark.parametrize(
    ("question", "right", "wrong"),
    [
        ("Is the rent 850 or 950 euros?", "850 euros.", "950 euros."),
        ("Is the rent 850 or 950 euros?", "The rent is 850 euros.", "The rent is 950 euros."),
        ("Is the landlord Anna Berg or Ben Holt?", "Anna Berg.", "Ben Holt."),
        ("Is the parking 850 euros or is the rent 850 euros?", "The rent is 850 euros.", "The parking is 850 euros."),
    ],
)
async def test_an_answer_of_either_or_is_cited_or_doubted(question: str, right: str, wrong: str) -> None:
    checker = CitationChecker([Passage(1, "f", "lease.pdf", 1, None, (), 0, len(FLAT), FLAT)], None, question)
    assert isinstance(await checker.check(right), Supported)
    assert isinstance(await checker.check(wrong), Doubtful)


async def test_words_of_the_question_are_compared_whole() -> None:
    checker = CitationChecker(
        [Passage(1, "f", "lease.pdf", 1, None, (), 0, len(FLAT), FLAT)], None, "Are carpets fine?"
    )
    assert isinstance(await checker.check("Pets fine."), Doubtful | Supported)
    assert await checker.check("Carpets fine.") is None


async def test_a_greek_question_is_read_with_its_answer() -> None:
    text = "Το ενοίκιο είναι 850 ευρώ. Η θέση στάθμευσης κοστίζει 110 ευρώ."
    passages = [Passage(1, "f", "lease.pdf", 1, None, (), 0, len(text), text)]
    checker = CitationChecker(passages, None, "Πόσο είναι το ενοίκιο;")
    assert isinstance(await checker.check("850 ευρώ."), Supported)
    assert isinstance(await checker.check("110 ευρώ."), Doubtful)


async def test_an_item_that_ends_with_a_semicolon_is_checked() -> None:
    text = "La caution est de 850 euros."
    checker = CitationChecker([Passage(1, "f", "bail.pdf", 1, None, (), 0, len(text), text)], None, "Quelle caution ?")
    assert isinstance(await checker.check("La caution est de 950 euros ;"), Doubtful)
