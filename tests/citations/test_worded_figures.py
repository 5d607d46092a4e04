"""Figures and days in words, as a passage and an answer may write them differently."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.citations.checker import CitationChecker
from eclair.citations.evidence import Doubtful, Supported
from eclair.citations.weekdays import read_weekdays
from eclair.citations.worded_figures import read_facts
from eclair.schema.messages import Passage
from eclair.text.lexicon.loader import load_lexicons
from eclair.text.written_numbers import extract_numbers


def passage(text: str) -> Passage:
    return Passage(1, "file", "notes.txt", 1, None, (), 0, len(text), text)


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("twenty-five metres", 25, "m"),
        ("treinta y cinco por ciento", 35, "%"),
        ("mil doscientos euros", 1200, "€"),
        ("quatre-vingt-dix-sept ans", 97, "yr"),
        ("fünfunddreißig Tage", 35, "d"),
        ("two hundred and fifty euros", 250, "€"),
        ("two hundred and six thousand", 206_000, None),
        ("twelve hundred", 1200, None),
        ("dos mil quinientos treinta y cinco euros", 2535, "€"),
        ("treinta y un días", 31, "d"),
        ("deux cents euros", 200, "€"),
        ("mille deux cents euros", 1200, "€"),
        ("mille neuf cent quatre-vingt-dix", 1990, None),
        ("quatre-vingts ans", 80, "yr"),
        ("vingt et un jours", 21, "d"),
        ("zwei tausend Euro", 2000, "€"),
        ("zweihundertfünfzig Euro", 250, "€"),
        ("zweitausendfünfundzwanzig", 2025, None),
        ("zevenentwintig dagen", 27, "d"),
        ("eenentwintig", 21, None),
        ("tweeëndertig euro", 32, "€"),
        ("honderdvijftig", 150, None),
        ("EUR 118,80", 118.8, "€"),
        ("11,3 M€", 11_300_000, "€"),
        ("96,4 T€", 96_400, "€"),
    ],
)
def test_numbers_are_read_in_words_and_with_any_currency(text: str, value: float, unit: str) -> None:
    (number,) = extract_numbers(text)
    assert (number.text, number.values, number.unit) == (text, {value}, unit)


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("between one hundred and two hundred", [{100}, {200}]),
        ("fifty cents", [{50}]),
        ("six cents", [{6, 600}]),
        ("It costs six cents at the counter.", [{6, 600}]),
        ("Le train a six cents places.", [{6, 600}]),
        ("six cents euros", [{600}]),
        ("six cents millions", [{600_000_000}]),
        ("six cent vingt places", [{620}]),
        ("Tencent", []),
        ("hundert" * 3000, []),
    ],
)
def test_number_words_of_two_numbers_or_languages_make_no_third(text: str, values: list[set[int]]) -> None:
    assert [number.values for number in extract_numbers(text)] == values


WORDS = sorted(
    {
        word
        for lexicon in load_lexicons()
        for lists in (lexicon.numbers.words, lexicon.numbers.ordinals, lexicon.numbers.denominators)
        for words in lists.values()
        for word in words
    }
    | {phrase for lexicon in load_lexicons() for phrases in lexicon.numbers.ones.values() for phrase in phrases}
    | {word for lexicon in load_lexicons() if lexicon.queries for word in lexicon.queries.weekdays}
    | {"von", "in", "of", "sur", "de cada", "out of every", "jede", "and", "und", "à", "101", "٣"}
)


@given(st.lists(st.sampled_from(WORDS), max_size=6), st.sampled_from([str, str.upper, str.title, str.casefold]))
def test_no_words_of_numbers_and_days_break_it(words: list[str], written: Callable[[str], str]) -> None:
    for text in (written(" ".join(words)), " ".join(words).replace("i", "ı"), " ".join(words).replace("i", "İ")):
        read_facts(text)
        read_weekdays(text)


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("zwei von dreißig", 2 / 30, "share"),
        ("a quarter of the fee", 0.25, "share"),
        ("one in four managers", 0.25, "share"),
        ("jeder fünfte Euro", 0.2, "share"),
        ("Un habitant sur dix", 0.1, "share"),
        ("tres de cada cinco", 0.6, "share"),
        ("la moitié", 0.5, "share"),
        ("au troisième étage", 3, "th"),
        ("im 2. Quartal", 2, "th"),
        ("7.º mes", 7, "th"),
        ("for a year", 1, "yr"),
        ("2 in the afternoon", 14, None),
        ("à midi", 12, None),
    ],
)
def test_shares_ordinals_and_hours_are_read_in_words(text: str, value: float, unit: str | None) -> None:
    assert [(number.values, number.unit) for number in read_facts(text).numbers] == [({value}, unit)]


def test_both_ends_of_a_range_are_of_what_is_counted() -> None:
    low, high = read_facts("from 3.2 to 2.7 million").numbers
    assert low.values == {3.2, 3_200_000}
    assert high.values == {2_700_000}


def test_no_share_is_read_in_a_count_of_a_year_or_a_part_of_an_hour() -> None:
    numbers = [*read_facts("There were 3 in 2025.").numbers, *read_facts("un quart d'heure").numbers]
    assert all(number.unit != "share" for number in numbers)


@pytest.mark.parametrize(
    ("text", "days"),
    [
        ("open Mon–Fri from 6:30", [{0, 1, 2, 3, 4}]),
        ("lun. au ven.", [{0, 1, 2, 3, 4}]),
        ("montags bis samstags", [{0, 1, 2, 3, 4, 5}]),
        ("on Sat and Sun", [{5}, {6}]),
        ("Sa 9–13 Uhr", [{5}]),
        ("entre semana", [{0, 1, 2, 3, 4}]),
        ("the sun and the moon", []),
        ("So ist es am Do.", []),
        ("So 20 to 30 people come.", []),
        ("Do 8 to 12 of these.", []),
        ("So 10:00", [{6}]),
        ("Do 8.30–12.00", [{3}]),
        ("Sat 8 am", [{5}]),
    ],
)
def test_days_of_the_week_are_read_where_they_are_no_other_word(text: str, days: list[set[int]]) -> None:
    assert [each.days for each in read_weekdays(text)] == days


GYM = passage(
    "The gym is open Mon–Fri from 6:30 a.m. to 10 p.m. and on Sat and Sun from 8 a.m. to 6 p.m. The pool is 25 m long. "
    "A quarter of the fee is refunded if the pool stays closed. Dr. Ines Wolff chairs the board; Mr. Paul Adair is her "
    "deputy. Revenue rose by 8 % to €4.2 bn, while costs grew by 3 % to €3.1 bn. The staff fell from 12,400 to 11,900."
)
LEASE = passage(
    "Le loyer mensuel est fixé à 745 €. Le dépôt de garantie équivaut à deux mois, soit 1 490 €. L'appartement est au "
    "3e étage. Le bail est conclu pour un an. La mairie ouvre à 8 h 30 et ferme à 17 h, le samedi à 12 h."
)
CLUB = passage(
    "Der Arbeitspreis beträgt 31,2 ct/kWh, der Grundpreis 118,80 € pro Jahr. Im zweiten Quartal kamen 14 Trainer. "
    "Die Jugendabteilung trainiert dienstags von 17 bis 18.30 Uhr, die Seniorengruppe donnerstags ab 10 Uhr. "
    "Der Vertrag kann spätestens sechs Wochen vor Ablauf gekündigt werden."
)
OIL = passage(
    "El 30 % de la cosecha es ecológica. La factura se emite el día 20 de cada mes. La almazara de Baena produjo 310 t "
    "y la de Martos 275 t. Tres de cada cinco socios son mujeres."
)

SALES = passage("In H2 2025 sales of pumps and valves in Europe rose by 8 %. On the 3rd floor 250 people work.")


@pytest.mark.parametrize(
    ("source", "sentence", "is_true"),
    [
        (GYM, "On Sat and Sun the gym is open from 8 am to 6 pm.", True),
        (GYM, "On Sat and Sun the gym is open from 6:30 am to 10 pm.", False),
        (GYM, "The pool is twenty-five metres long.", True),
        (GYM, "The pool is thirty-five metres long.", False),
        (GYM, "25% of the fee is refunded if the pool stays closed.", True),
        (GYM, "Half of the fee is refunded if the pool stays closed.", False),
        (GYM, "Ines Wolff chairs the board.", True),
        (GYM, "Paul Adair chairs the board.", False),
        (GYM, "Revenue grew 8% to €4,200 million.", True),
        (GYM, "Revenue grew 3% to €4,200 million.", False),
        (GYM, "The staff fell by 500 from 12,400 to 11,900.", True),
        (GYM, "The staff fell by 600 from 12,400 to 11,900.", False),
        (LEASE, "Le dépôt de garantie est de 745 €.", False),
        (LEASE, "L'appartement est au troisième étage.", True),
        (LEASE, "L'appartement est au quatrième étage.", False),
        (LEASE, "Le bail est conclu pour douze mois.", True),
        (LEASE, "Le bail est conclu pour vingt-quatre mois.", False),
        (CLUB, "Der Arbeitspreis beträgt 118,80 € pro Jahr.", False),
        (CLUB, "Im 2. Quartal kamen vierzehn Trainer.", True),
        (CLUB, "Im dritten Quartal kamen 14 Trainer.", False),
        (CLUB, "Die Senioren trainieren donnerstags ab 10:00 Uhr.", True),
        (CLUB, "Die Jugendabteilung trainiert am Mittwoch von 17 bis 18.30 Uhr.", False),
        (OIL, "El 30 % de la cosecha es ecológica.", True),
        (OIL, "El treinta y cinco por ciento de la cosecha es ecológica.", False),
        (OIL, "El día veinte de cada mes se emite la factura.", True),
        (OIL, "La almazara de Martos produjo 275 t.", True),
        (OIL, "La almazara de Baena produjo 275 t.", False),
        (OIL, "El 60 % de los socios son mujeres.", True),
        (LEASE, "L'appartement est au premier étage.", False),
        (CLUB, "Im ersten Quartal kamen 14 Trainer.", False),
        (SALES, "In the second half of 2025 sales of pumps and valves in Europe rose by 8 %.", True),
        (SALES, "First, 250 people work on the 3rd floor.", True),
        (SALES, "250 people work on the first floor.", False),
        (SALES, "On the 3rd floor two hundred and fifty people work.", True),
        (SALES, "On the 3rd floor two hundred and sixty people work.", False),
    ],
)
async def test_what_is_written_otherwise_is_the_same_and_what_differs_is_doubted(
    source: Passage, sentence: str, is_true: bool
) -> None:
    verdict = await CitationChecker((source,), None).check(sentence)
    assert isinstance(verdict, Supported if is_true else Doubtful), verdict


TRAINS = passage(
    "Train | Ashford | Marlow | Platform\nIC 12 | 07:05 | 07:48 | 3\nIC 16 | 09:05 | 09:48 | 5\n\n"
    "Segment | Revenue (€ m) | Employees\nPumps | 1,850 | 5,100\nServices | 930 | 2,500\n\n"
    "Category | Full price | Reduced price\nExhibition | 12.50 € | 9.50 €\nBoth | 18.00 € | 13.00 €\n\n"
    "Tageskarte | 6,40 €\nTageskarte Familie | 9,90 €\nZwischensumme | 48,17\nPfand | 0,25\nSUMME | 48,42"
)


@pytest.mark.parametrize(
    ("sentence", "is_true"),
    [
        ("IC 12 leaves Ashford at 7.05 am.", True),
        ("IC 12 leaves Ashford at 9:05.", False),
        ("IC 16 leaves from platform 5.", True),
        ("IC 16 leaves from platform 3.", False),
        ("The IC 12 takes 43 minutes from Ashford to Marlow.", True),
        ("The IC 12 takes 53 minutes from Ashford to Marlow.", False),
        ("Services had revenue of 930 million euros.", True),
        ("Services employ 930 people.", False),
        ("The reduced price for the exhibition is 9.50 €.", True),
        ("The reduced price for the exhibition is 12.50 €.", False),
        ("Both cost 5 euros less at the reduced price.", True),
        ("Die Familientageskarte kostet 9,90 €.", True),
        ("Die Familientageskarte kostet 6,40 €.", False),
        ("Die Familientageskarte kostet 3,50 € mehr als die Tageskarte.", True),
        ("Die Zwischensumme beträgt 48,17.", True),
        ("Die Zwischensumme beträgt 48,42.", False),
    ],
)
async def test_a_figure_of_another_row_or_column_is_doubted(sentence: str, is_true: bool) -> None:
    verdict = await CitationChecker((TRAINS,), None).check(sentence)
    assert isinstance(verdict, Supported if is_true else Doubtful), verdict
