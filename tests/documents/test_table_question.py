"""Questions on tables in three languages, read by rule: those it was written on, and others of other tables."""

from __future__ import annotations

import csv
import io
import random
from collections import defaultdict
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from functools import cache

import pytest

from eclair.documents.data_table import DataRow, DataTable
from eclair.documents.table_query import compute
from eclair.documents.table_question import read_query, read_question

Value = Decimal | int
Rows = list[dict[str, str]]


def german(amount: Decimal) -> str:
    return f"{amount:,.2f}".translate(str.maketrans(",.", ".,"))


@cache
def orders() -> Rows:
    """Orders as an English program writes them."""
    chance = random.Random(1)
    return [
        {
            "Order ID": f"O-{1000 + n}",
            "Date": (date(2024, 1, 3) + timedelta(days=chance.randrange(700))).isoformat(),
            "Customer": chance.choice(["Miller Ltd", "Baker & Sons", "Kowalski", "Rossi", "Dupont SA"]),
            "Region": chance.choice(["North", "South", "East", "West"]),
            "Product": chance.choice(["Chair", "Desk", "Lamp"]),
            "Quantity": str(chance.randint(1, 20)),
            "Price": f"{chance.randint(500, 99999) / 100:,.2f}",
        }
        for n in range(150)
    ]


@cache
def costs() -> Rows:
    """Costs as a German program writes them."""
    chance = random.Random(2)
    return [
        {
            "Datum": f"{date(2025, 1, 1) + timedelta(days=chance.randrange(365)):%d.%m.%Y}",
            "Abteilung": chance.choice(["Einkauf", "Vertrieb", "Lager", "Verwaltung"]),
            "Kategorie": chance.choice(["Reise", "Miete", "Büro"]),
            "Betrag": german(Decimal(chance.randint(100, 900000)) / 100) + " €",
        }
        for _ in range(120)
    ]


@cache
def ventes() -> Rows:
    """Sales as a French program writes them."""
    chance = random.Random(3)
    return [
        {
            "Mois": f"{chance.randint(1, 28):02}/{chance.randint(1, 12):02}/2023",
            "Vendeur": chance.choice(["Camille", "Nadia", "Hugo"]),
            "Ville": chance.choice(["Lyon", "Lille", "Nice", "Nantes"]),
            "Montant": f"{Decimal(chance.randint(100, 900000)) / 100:,.2f}".replace(",", " ").replace(".", ","),
        }
        for _ in range(90)
    ]


def table_of(rows: Rows) -> DataTable:
    cells = tuple(DataRow(tuple(row.values()), 0, 0) for row in rows)
    return DataTable("file_1", "x.csv", 1, "", tuple(rows[0]), cells, is_sheet=True)


def number(text: str) -> Decimal:
    text = text.replace(" €", "").replace(" ", "")
    return Decimal(text.replace(".", "").replace(",", ".") if text[-3] == "," else text.replace(",", ""))


def sums(rows: Rows, by: str, column: str) -> dict[str, Decimal]:
    found: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        found[row[by]] += number(row[column])
    return dict(found)


def answer(question: str, rows: Rows) -> dict[str, Decimal | None] | None:
    """The groups of the answer and their values; None if the rule leaves the question to the model."""
    asked = read_question(question)
    table = table_of(rows)
    found = read_query(asked, table) if asked is not None else None
    if found is None or not found.is_complete:
        return None
    return {group.name: group.value for group in compute(table, found.query).groups}


def expected(kind: str, rows: Rows) -> dict[str, Decimal | None]:
    """The result that plain Python computes."""
    name, _, arguments = kind.partition(" ")
    column, *conditions = arguments.split("|")
    kept = [
        row for row in rows if all(condition.split("=")[1] in row[condition.split("=")[0]] for condition in conditions)
    ]
    match name:
        case "sum":
            return {"": sum((number(row[column]) for row in kept), Decimal(0))}
        case "average":
            values = [number(row[column]) for row in kept]
            return {"": (sum(values, Decimal(0)) / len(values)).quantize(Decimal("0.0001"))}
        case "max":
            return {"": max(number(row[column]) for row in kept)}
        case "min":
            return {"": min(number(row[column]) for row in kept)}
        case "count":
            return {"": Decimal(len(kept))}
        case "over":
            return {"": Decimal(sum(number(row[column]) > Decimal(conditions[0].split("=")[1]) for row in rows))}
        case _:
            by, column = column.split(",")
            groups = sums(kept, by, column)
            if name == "top":
                best = max(groups, key=lambda each: groups[each])
                return {best: groups[best]}
            return {**groups}


TUNED = [
    ("orders", "What is the total price?", "sum Price"),
    ("orders", "What is the total price by region?", "groups Region,Price"),
    ("orders", "What is the average price in the North?", "average Price|Region=North"),
    ("orders", "How many orders does Kowalski have?", "count x|Customer=Kowalski"),
    ("orders", "Which customer has the highest total price?", "top Customer,Price"),
    ("orders", "Sum of price for desks sold by Rossi", "sum Price|Customer=Rossi|Product=Desk"),
    ("costs", "Wie hoch ist der Betrag insgesamt?", "sum Betrag"),
    ("costs", "Summe der Beträge je Abteilung", "groups Abteilung,Betrag"),
    ("costs", "Welche Abteilung hat am meisten ausgegeben?", "top Abteilung,Betrag"),
    ("costs", "Wie viel hat der Vertrieb für Miete ausgegeben?", "sum Betrag|Abteilung=Vertrieb|Kategorie=Miete"),
    ("costs", "Wie hoch war der durchschnittliche Betrag im März?", "average Betrag|Datum=.03."),
    ("ventes", "Quel est le montant total ?", "sum Montant"),
    ("ventes", "Quel est le montant moyen par ville ?", "groups-average"),
    ("ventes", "Quel vendeur a vendu le plus ?", "top Vendeur,Montant"),
    ("ventes", "Combien de lignes y a-t-il pour Lyon ?", "count x|Ville=Lyon"),
]


@pytest.mark.parametrize(("rows", "question", "kind"), TUNED)
def test_a_question_is_computed(rows: str, question: str, kind: str) -> None:
    table = {"orders": orders, "costs": costs, "ventes": ventes}[rows]()
    found = answer(question, table)
    if kind == "groups-average":
        assert found is not None
        assert set(found) == {row["Ville"] for row in table}
    else:
        assert found == expected(kind, table)


STAFF = """\
Name,Department,City,Salary,Started
Ann Lee,Research,Dublin,5200.00,2019-04-01
Bo Chen,Sales,Cork,3900.50,2021-09-15
Cy Young,Research,Cork,6100.00,2015-01-10
Di Marsh,Support,Dublin,3100.00,2023-06-01
Ed Stone,Sales,Galway,4150.25,2022-02-01
Flo Byrne,Support,Galway,2980.00,2023-11-20
Gus Daly,Research,Dublin,4800.00,2021-03-03
"""
LAGER = """\
Artikel;Lieferant;Bestand;Stückpreis
Schraube M4;Müller GmbH;12000;0,04
Bohrer;Weiß KG;150;12,90
Säge;Müller GmbH;35;49,00
Hammer;Weiß KG;80;18,50
Dübel;Huber AG;9000;0,07
"""
LOYERS = """\
Locataire;Immeuble;Loyer;Échéance
Mme Petit;Bâtiment A;850,00;05/01/2025
M. Garnier;Bâtiment A;920,50;05/01/2025
Mme Roche;Bâtiment B;1 100,00;05/02/2025
M. Blanc;Bâtiment B;780,00;05/02/2025
M. Noir;Bâtiment C;1 310,75;05/03/2025
"""
HELD_OUT = [
    (STAFF, "What is the average salary in Research?", {"": "5366.6667"}),
    (STAFF, "How many people work in Dublin?", {"": "3"}),
    (STAFF, "What is the total salary by department?", {"Research": "16100", "Sales": "8050.75", "Support": "6080"}),
    (STAFF, "What is the highest salary in Cork?", {"": "6100"}),
    (STAFF, "How many started in 2023?", {"": "2"}),
    (STAFF, "How many employees have a salary over 4,000?", {"": "4"}),
    (STAFF, "What is the lowest salary?", {"": "2980"}),
    (STAFF, "Which department has the highest total salary?", {"Research": "16100"}),
    (STAFF, "How many people are there per city?", {"Dublin": "3", "Cork": "2", "Galway": "2"}),
    (LAGER, "Wie viele Artikel liefert die Müller GmbH?", {"": "2"}),
    (LAGER, "Wie hoch ist der durchschnittliche Stückpreis?", {"": "16.1020"}),
    (LAGER, "Was ist der höchste Stückpreis bei Weiß KG?", {"": "18.50"}),
    (LAGER, "Bestand insgesamt je Lieferant", {"Müller GmbH": "12035", "Weiß KG": "230", "Huber AG": "9000"}),
    (LAGER, "Wie viele Artikel haben einen Bestand unter 100?", {"": "2"}),
    (LAGER, "Welcher Lieferant hat insgesamt am meisten Bestand?", {"Müller GmbH": "12035"}),
    (LOYERS, "Quel est le loyer total ?", {"": "4961.25"}),
    (LOYERS, "Quel est le loyer moyen du Bâtiment A ?", {"": "885.2500"}),
    (LOYERS, "Combien de locataires paient plus de 900 € de loyer ?", {"": "3"}),
    (LOYERS, "Quelle est la somme des loyers par immeuble ?", {"A": "1770.50", "B": "1880", "C": "1310.75"}),
    (LOYERS, "Quel est le loyer le plus élevé ?", {"": "1310.75"}),
    (LOYERS, "Quel est le total des loyers en février 2025 ?", {"": "1880"}),
]


@pytest.mark.parametrize(("text", "question", "values"), HELD_OUT)
def test_a_question_on_another_table_is_computed(text: str, question: str, values: dict[str, str]) -> None:
    rows = list(csv.DictReader(io.StringIO(text), delimiter=";" if ";" in text else ","))
    found = answer(question, rows)
    assert found is not None
    assert {name.removeprefix("Bâtiment "): value for name, value in found.items()} == {
        name: Decimal(value) for name, value in values.items()
    }


@pytest.mark.parametrize(
    "question",
    ["Who is Ann Lee?", "When did Bo Chen start?", "Welche Artikel liefert Huber?", "Qui habite au Bâtiment B ?"],
)
def test_other_questions_compute_nothing(question: str) -> None:
    assert read_question(question) is None


PARKS = """\
Park;Pflege;Schnitte im Jahr;Kosten
Hainpark;wöchentlich;24;4200
Seepark;monatlich;8;1800
Rosengarten;wöchentlich;20;3900
Nordanger;jährlich;1;350
"""


def completed(question: str, *, is_sheet: bool) -> bool:
    """Tell whether the rule answers a question from the parks, as a sheet or as a table of a document."""
    rows = list(csv.DictReader(io.StringIO(PARKS), delimiter=";"))
    asked = read_question(question)
    assert asked is not None
    found = read_query(asked, replace(table_of(rows), is_sheet=is_sheet))
    return found is not None and found.is_complete


@pytest.mark.parametrize(
    "question",
    [
        "Wie viele Schnitte im Jahr sind im Hainpark vorgesehen?",
        "Wie viele Bänke stehen in jedem Park?",
        "Wie viel kosten die neuen Bänke und Papierkörbe für die Kosten im Jahr?",
        "Wie hoch ist die höchste zulässige Mauer an der Seestraße im Jahr?",
    ],
)
def test_a_question_on_the_text_around_a_table_is_not_computed_from_it(question: str) -> None:
    assert not completed(question, is_sheet=False)


@pytest.mark.parametrize(
    "question",
    [
        "Wie viele Parks kosten mehr als 1.000?",
        "Wie viele verschiedene Parks gibt es?",
        "Wie viele Zeilen hat die Tabelle?",
        "Welcher Park hat die höchsten Kosten?",
        "Wie hoch sind die Kosten insgesamt?",
    ],
)
def test_a_question_on_the_rows_of_a_table_in_a_document_is_computed(question: str) -> None:
    assert completed(question, is_sheet=False)
