"""Numbers, units and abbreviations become words, as each language says them."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.speech.number_words import MAX_NUMBER, NUMBER_LANGUAGES, number_words, year_words
from eclair.speech.voices import SPOKEN_LANGUAGES
from eclair.speech.written_out import speak_formula, spoken_words, write_out


@pytest.mark.parametrize(
    ("language", "written", "said"),
    [
        ("en", "In 2024, 12.5 % paid €5.", "In twenty twenty-four, twelve point five percent paid five euros."),
        ("en", "1,250 of them", "one thousand two hundred and fifty of them"),
        ("en", "12:40, 3–5, e.g. -3 °C.", "twelve forty, three to five, for example minus three degrees Celsius."),
        ("en", "From 10:00 to 14:30, 9:00 pm", "From ten o'clock to fourteen thirty, nine pm"),
        ("en", "15:00-16:00", "fifteen hundred to sixteen hundred"),
        ("fr", "de 10:00 à 18:30", "de dix heures à dix-huit heures trente"),
        ("fr", "à 1:00 et à 1:20", "à une heure et à une heure vingt"),
        ("es", "a las 10:00, a las 1:30", "a las diez, a las una y treinta"),
        ("it", "dalle 10:00 alle 12:15", "dalle dieci alle dodici e quindici"),
        ("pt", "das 10:00 às 11:20", "das dez horas às onze e vinte"),
        ("de", "von 10:00 bis 12:30 Uhr", "von 10 Uhr bis 12 Uhr 30"),
        ("en", "Agent 007 & x = 3", "Agent zero zero seven and x equals three"),
        ("fr", "12,5 % des 1 250 à 5 €", "douze virgule cinq pour cent des mille deux cent cinquante à cinq euros"),
        ("es", "1.250.000 personas, 3,5 km", "un millón doscientos cincuenta mil personas, tres coma cinco kilómetros"),
        ("it", "Nel 1999, 21 m", "Nel millenovecentonovantanove, ventuno metri"),
        ("pt", "2,50 € por 100 %", "dois vírgula cinquenta euros por cem por cento"),
        ("de", "z. B. 5 kg bzw. 10–12 €", "zum Beispiel 5 Kilogramm beziehungsweise 10 bis 12 Euro"),
    ],
)  # fmt: skip
def test_figures_and_signs_are_said(language: str, written: str, said: str) -> None:
    assert write_out(written, language) == said


@pytest.mark.parametrize(
    ("language", "number", "said"),
    [
        ("en", 2_001, "two thousand one"),
        ("fr", 71, "soixante et onze"),
        ("fr", 81, "quatre-vingt-un"),
        ("fr", 200, "deux cents"),
        ("es", 21_000, "veintiún mil"),
        ("it", 23, "ventitré"),
        ("it", 3_000_000_000, "tre miliardi"),
        ("pt", 1_984, "mil novecentos e oitenta e quatro"),
    ],
)
def test_numbers_are_said_as_people_do(language: str, number: int, said: str) -> None:
    assert number_words(number, language) == said


def test_english_says_years_in_pairs() -> None:
    assert [year_words(year, "en") for year in (1905, 1900, 2005, 2024)] == [
        "nineteen oh five",
        "nineteen hundred",
        "two thousand five",
        "twenty twenty-four",
    ]


@given(st.integers(0, 10 * MAX_NUMBER), st.sampled_from(sorted(NUMBER_LANGUAGES)))
def test_no_figure_remains_of_a_number(number: int, language: str) -> None:
    said = number_words(number, language)
    assert re.fullmatch(r"[^\W\d_]+(?:[ -][^\W\d_]+)*", said), said


@given(
    st.text(alphabet=st.sampled_from("0123456789.,'%€$ -–:°Ckm\u00a0a"), max_size=60), st.sampled_from(SPOKEN_LANGUAGES)
)
def test_no_figure_remains_of_a_text(text: str, language: str) -> None:
    said = write_out(text, language)
    assert language not in NUMBER_LANGUAGES or not re.search(r"\d", said), said


def test_each_spoken_language_has_its_words() -> None:
    assert set(spoken_words()) == set(SPOKEN_LANGUAGES)
    signs = {language: set(words.signs) for language, words in spoken_words().items()}
    assert all(each == signs["en"] for each in signs.values())


def test_a_formula_is_said_if_it_is_short_and_plain() -> None:
    assert speak_formula(r"a \leq 3 \cdot b", "fr") == "a au plus 3 fois b"
    assert speak_formula(r"\sum_{i=1}^n x_i", "de") == "Formel"
    assert speak_formula("x", None) == ""
