"""Questions that are to be worked out are told from others, in every language of the page."""

from __future__ import annotations

from datetime import date

import pytest

from eclair.text.intent.calculation import (
    asks_for_chart,
    asks_for_file,
    asks_to_count_text,
    calculation_kind,
    written_days,
)

CHARTS = {
    "bg": "Направи стълбовидна диаграма на приходите по региони",
    "cs": "Udělej sloupcový graf tržeb podle regionů",
    "da": "Lav et søjlediagram over omsætningen pr. region",
    "de": "Mach ein Balkendiagramm des Umsatzes je Region",
    "el": "Φτιάξε ένα ραβδόγραμμα ή γράφημα των εσόδων ανά περιοχή",
    "en": "make a bar chart of revenue by region",
    "es": "Haz un gráfico de barras de los ingresos por región",
    "et": "Tee tulpdiagramm tulust piirkondade kaupa",
    "fi": "Tee pylväskaavio liikevaihdosta alueittain",
    "fr": "Fais un graphique en barres du chiffre d’affaires par région",
    "ga": "Déan barrachairt den ioncam de réir réigiúin",
    "hr": "Napravi stupčasti grafikon prihoda po regijama",
    "hu": "Készíts oszlopdiagramot a bevételről régiónként",
    "it": "Fai un grafico a barre dei ricavi per regione",
    "lt": "Nubraižyk stulpelinę diagramą pagal regionus",
    "lv": "Izveido stabiņu diagrammu pa reģioniem",
    "mt": "Agħmel grafika bil-kolonni tad-dħul skont ir-reġjun",
    "nl": "Maak een staafdiagram van de omzet per regio",
    "pl": "Zrób wykres słupkowy przychodów według regionów",
    "pt": "Faz um gráfico de barras da receita por região",
    "ro": "Fă un grafic cu bare al veniturilor pe regiuni",
    "sk": "Urob stĺpcový graf tržieb podľa regiónov",
    "sl": "Naredi stolpčni graf prihodkov po regijah",
    "sv": "Gör ett stapeldiagram över intäkterna per region",
}

FIGURES = (
    "What is 20 % of 65?",
    "Was sind 15 % von 80 Euro?",
    "Combien font 12 * 37 ?",
    "Quelle est la racine carrée de 1369 ?",
    "How many kilometres are 7 miles?",
    "Wie viele Kilometer sind 26,2 Meilen?",
    "Convert 72 °F to Celsius.",
    "A train goes 210 km in 1 h 45 min. What is its speed?",
    "What is 17 plus 25?",
    "What is the mean of 3, 8 and 13?",
    "15*3+2",
)

DATES = {
    "What weekday is 3 October 2027?": "describe",
    "Welcher Wochentag ist der 3. Oktober 2027?": "describe",
    "Quel jour de la semaine est le 14 juillet 2026 ?": "describe",
    "Wie viele Tage sind es vom 1. März bis zum 24. Dezember 2026?": "between",
    "How old is somebody born on 12 June 1984?": "between",
    "What date is 40 days after 3 May 2026?": "add",
    "When it is 09:00 in Paris on 3 July 2026, what time is it in Tokyo?": "convert_time",
}

OTHERS = (
    "Hello, how are you?",
    "Explain the revolutions of 1848 and 1918.",
    "Write 3 tips in 5 sentences.",
    "What happened on 9 November 1989?",
    "Who was born on 12 June 1984?",
    "Is 5G faster than 4G?",
    "Write a Python function that adds 2 + 2.",
    "What was the population of Germany in 2020 and 2021?",
    "The marathon is 42 km long. Why?",
    "Plan a 3 day trip to Rome with 2 kids.",
    "Summarise chapter 3 in 100 words.",
    "Is 50% of the sea plastic?",
    "How tall is the Eiffel Tower in m?",
    "We meet at 10:00 on 3 May 2026; write an invitation.",
    "Draft a letter: our offer of 12 March 2026 expires in 30 days.",
    "Translate: I ran 5 km in 24 min.",
    "Recipe for 4 people with 500 g flour and 2 l milk",
    "What does 24/7 mean?",
    "Call me on +49 30 1234-567.",
)


@pytest.mark.parametrize("language", CHARTS)
def test_a_chart_is_asked_for(language: str) -> None:
    assert asks_for_chart(CHARTS[language])


@pytest.mark.parametrize("question", FIGURES)
def test_figures_are_worked_out(question: str) -> None:
    assert calculation_kind(question) == "figures"


@pytest.mark.parametrize("question", DATES)
def test_dates_are_worked_out(question: str) -> None:
    assert calculation_kind(question) == DATES[question]


def test_a_day_without_a_year_is_in_that_of_the_other() -> None:
    assert written_days("from 1 March to 24 December 2026") == (date(2026, 3, 1), date(2026, 12, 24))
    assert written_days("on 31 February 2026") == ()


@pytest.mark.parametrize("question", [*OTHERS, "1 + 1 " * 100])
def test_other_questions_with_numbers_are_not(question: str) -> None:
    assert calculation_kind(question) is None
    assert not asks_for_chart(question)


def test_a_file_is_asked_for_by_its_name_or_another_format() -> None:
    assert asks_for_file("Put the names into names.txt.", ["people.csv"])
    assert asks_for_file("Mach daraus JSON", ["people.csv"])
    assert not asks_for_file("What is in people.csv?", ["people.csv"])
    assert not asks_for_file("Is this CSV complete?", ["people.csv"])
    assert not asks_for_file("Who is the oldest?", ["people.csv"])


def test_words_are_to_be_counted() -> None:
    assert asks_to_count_text("How many words has the letter?")
    assert asks_to_count_text("Wie oft kommt Müller vor?")
    assert not asks_to_count_text("How many guests are invited?")
