"""Prices, opening hours, events and other facts are read in whatever markup they stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from eclair.web.pages.markup_facts import parse_amount
from tests.web.reading import read_html
from tests.web.shop_pages import HELD_OUT, TUNED, FactPage


@pytest.mark.parametrize("pages", [TUNED, HELD_OUT], ids=["tuned", "held out"])
def test_facts_are_read(tmp_path: Path, pages: dict[str, FactPage]) -> None:
    texts = {name: read_html(tmp_path, page.html)[1].replace("\u00a0", " ") for name, page in pages.items()}
    assert [name for name, page in pages.items() if not all(fact in texts[name] for fact in page.facts)] == []
    assert [name for name, page in pages.items() if any(other in texts[name] for other in page.others)] == []


@pytest.mark.parametrize(
    ("said", "amount"),
    [("249.95", 249.95), ("249,95", 249.95), ("1.249,00", 1249.0), ("1,249.00", 1249.0), ("1.249", 1249.0), (18, 18.0)],
)
def test_amounts_in_every_notation(said: str | int, amount: float) -> None:
    assert parse_amount(said) == amount
    assert parse_amount("on request") is None


@pytest.mark.parametrize(
    ("offer", "price"),
    [
        ('"price": "34.0000"', "Price: €34.00"),
        ('"price": "1.749"', "Price: €1.749"),
        ('"price": "1249.5"', "Price: €1,249.50"),
        ('"price": "1.249,00"', "Price: €1,249.00"),
        ('"lowPrice": "2.500", "highPrice": "12.500"', "Price: €2.50 – €12.50"),
    ],
)
def test_a_point_in_markup_is_a_decimal_point(tmp_path: Path, offer: str, price: str) -> None:
    offers = f'{{"@type":"Offer","priceCurrency":"EUR",{offer}}}'
    data = f'<script type="application/ld+json">{{"@type":"Product","name":"Oil","offers":{offers}}}</script>'
    page = f"<html lang=en><head><title>Oil</title>{data}</head><body><h1>Oil</h1><p>For lamps.</p></body></html>"
    assert price in read_html(tmp_path, page)[1].replace("\u00a0", " ")


def test_words_that_only_the_markup_has_are_not_read(tmp_path: Path) -> None:
    head = (
        '<script type="application/ld+json">{"@type":"Event","name":"Concert","startDate":"2026-12-12",'
        '"location":{"@type":"Place","name":"Reply with quibble"}}</script>'
    )
    page = f"<html lang=en><head><title>Concert</title>{head}</head><body><h1>Concert</h1><p>Music.</p></body></html>"
    text = read_html(tmp_path, page)[1]
    assert ("December 12, 2026" in text, "quibble" in text) == (True, False)
