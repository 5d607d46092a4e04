"""Facts that a page states in its markup (schema.org, as JSON-LD or microdata): prices, opening hours, events.

Only numbers, days, times and states are taken from it, since nobody sees the markup; a name counts if the page shows
it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, cast

from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from babel.numbers import format_currency, is_currency

from eclair.text.lexicon.loader import FactLabels, load_lexicon
from eclair.web.pages.dom import Element
from eclair.web.pages.json_ld import Node, node_types, text_value

MAX_MARKUP_FACTS = 12
MAX_NAME_CHARS = 120
MAX_ITEMS = 200
"""Elements with microdata."""

_SOLD = ("Product", "Offer", "AggregateOffer", "ProductGroup", "IndividualProduct", "ProductModel", "Event", "Book")
_OPEN = ("LocalBusiness", "Museum", "Library", "Restaurant", "Store", "Place", "CivicStructure", "Organization")
_AMOUNT = re.compile(r"\d{1,9}+(?:[.,]\d{1,9}+)*+")
_PRICES = ("lowPrice", "highPrice", "price")
_DAYS = ("mo", "tu", "we", "th", "fr", "sa", "su")
_HOURS = re.compile(r"([A-Za-z ,-]{2,40}?)\s?(\d{1,2}:\d{2})(?::\d{2})?\s?-\s?(\d{1,2}:\d{2})(?::\d{2})?")
_TIME = re.compile(r"(\d{1,2}):(\d{2})")


@dataclass(frozen=True, slots=True)
class MarkupFact:
    """A fact as a line of text; `amount` is the number of a price, None for other facts."""

    line: str
    amount: float | None = None


def fact_labels(language: str | None) -> FactLabels:
    """Return the labels of facts in a language, or else in English."""
    lexicon = load_lexicon(language or "en")
    return lexicon.fact_labels if lexicon is not None else FactLabels()


def microdata_nodes(tree: Element) -> list[Node]:
    """Return the items of a page's microdata in the form of JSON-LD."""
    items = [each for each in tree.iter() if each.get("itemscope") is not None][:MAX_ITEMS]
    nodes: dict[Element, Node] = {item: {"@type": (item.get("itemtype") or "").rpartition("/")[2]} for item in items}
    for item in items:
        for element in item.iter():
            name = element.get("itemprop")
            if (
                name
                and element is not item
                and next((up for up in element.iterancestors() if up in nodes), None) is item
            ):
                nodes[item].setdefault(name, nodes.get(element) or _value(element, name))
    return list(nodes.values())


def _value(element: Element, name: str) -> str:
    """Return the value of a property; a price that is only shown, with a point as in the other markup."""
    for attribute in ("content", "datetime", "href", "value"):
        if (value := element.get(attribute)) is not None:
            return " ".join(value.split())
    shown = " ".join(element.text_content().split())[:200]
    amount = parse_amount(shown) if name in _PRICES else None
    return shown if amount is None else f"{amount:f}"


def meta_product(tree: Element) -> list[Node]:
    """Return the offer in a page's `product:price` tags, if there is one."""
    said = {(each.get("property") or "").lower(): each.get("content") or "" for each in tree.iter("meta")}
    for prefix in ("product:price", "og:price"):
        if price := said.get(f"{prefix}:amount"):
            return [{"@type": "Offer", "price": price, "priceCurrency": said.get(f"{prefix}:currency", "")}]
    return []


def markup_facts(nodes: Sequence[Node], title: str, shown: str, language: str | None, today: date) -> list[MarkupFact]:
    """Return the facts about what the page is about. `shown` is its visible text."""
    seen = " ".join(shown.casefold().split())
    labels = fact_labels(language)
    own = _about_page(nodes, title)
    found: dict[str, MarkupFact] = {}
    for node in own:
        facts = [*_prices(node, labels, language), *_hours(node, labels, language, today)]
        facts += _event(node, labels, language, seen)
        for fact in facts:
            found.setdefault(fact.line, fact)
    return list(found.values())[:MAX_MARKUP_FACTS]


def _about_page(nodes: Sequence[Node], title: str) -> list[Node]:
    """Return the nodes of the page's own subject: of several with a name, those whose name the page begins with."""
    wanted = [node for node in nodes if any(each.endswith((*_SOLD, *_OPEN)) for each in node_types(node))]
    named = [node for node in wanted if text_value(node.get("name"))]
    words = set(re.findall(r"\w+", title.casefold()))
    fitting = [node for node in named if set(re.findall(r"\w+", text_value(node["name"]).casefold())) <= words]
    if len(named) > 1:
        best = max(fitting, key=lambda node: len(text_value(node["name"])), default=None)
        return [best] if best is not None else []
    return named or [node for node in wanted if any(each.endswith(("Offer", *_OPEN)) for each in node_types(node))][:1]


def _nodes_in(value: Any) -> list[Node]:
    values = cast(list[Any], value) if isinstance(value, list) else [value]
    return [cast(Node, each) for each in values if isinstance(each, dict)]


def _prices(node: Node, labels: FactLabels, language: str | None) -> Iterator[MarkupFact]:
    """Yield the prices of a product or event, or of an offer itself."""
    is_offer = any(each.endswith("Offer") for each in node_types(node))
    for offer in ([node] if is_offer else _nodes_in(node.get("offers")))[:4]:
        specification = next(iter(_nodes_in(offer.get("priceSpecification"))), offer)
        currency = text_value(offer.get("priceCurrency") or specification.get("priceCurrency")).upper()[:3]
        low, high, price = (parse_amount(offer.get(each), has_decimal_point=True) for each in _PRICES)
        amount = parse_amount(specification.get("price"), has_decimal_point=True) if price is None else price
        first = low if amount is None else amount
        if first is None or not is_currency(currency):
            continue
        said = write_amount(first, currency, language)
        if amount is None and high is not None and high != low:
            said += f" – {write_amount(high, currency, language)}"
        state = text_value(offer.get("availability")).rsplit("/", 1)[-1].casefold()
        word = {"instock": labels.in_stock, "outofstock": labels.sold_out, "soldout": labels.sold_out}.get(state)
        yield MarkupFact(f"{labels.price}: {said}" + (f" ({word})" if word else ""), first)


def parse_amount(value: Any, *, has_decimal_point: bool = False) -> float | None:
    """Return the number of a price, written with a point or a comma before its cents.

    `1.249` is read as thousands, unless a single point is always a `has_decimal_point`, as markup has it.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    found = _AMOUNT.search(value.replace("\u00a0", "").replace("'", "")) if isinstance(value, str) else None
    if found is None:
        return None
    digits = found[0]
    if has_decimal_point and digits.count(".") == 1 and "," not in digits:
        return float(digits)
    if re.fullmatch(r"\d{1,3}(?:[.,]\d{3})+", digits):  # only thousands
        return float(re.sub(r"[.,]", "", digits))
    *whole, cents = re.split(r"[.,]", digits)
    return float(f"{''.join(whole)}.{cents}") if whole else float(cents)


def write_amount(amount: float, currency: str, language: str | None) -> str:
    said = format_currency(amount, currency, locale=locale_of(language), decimal_quantization=False)
    return " ".join(said.split())


def locale_of(language: str | None) -> Locale:
    """Return the locale of a language, or else that of English."""
    try:
        return Locale.parse(language or "en")
    except (UnknownLocaleError, ValueError):
        return Locale.parse("en")


def _hours(node: Node, labels: FactLabels, language: str | None, today: date) -> Iterator[MarkupFact]:
    """Yield the opening hours that hold today, or generally."""
    by_time: dict[str, list[int]] = {}
    for each in _nodes_in(node.get("openingHoursSpecification")):
        starts, ends = _day(each.get("validFrom")), _day(each.get("validThrough"))
        if (starts is not None and starts > today) or (ends is not None and ends < today):
            continue
        opens, closes = _TIME.match(text_value(each.get("opens"))), _TIME.match(text_value(each.get("closes")))
        days = [_weekday(said) for said in _texts(each.get("dayOfWeek"))]
        time = f"{opens[0]}–{closes[0]}" if opens and closes and opens[0] != closes[0] else labels.closed
        by_time.setdefault(time, []).extend(day for day in days if day is not None)
    for said in _texts(node.get("openingHours")):
        for found in _HOURS.finditer(said[:500]):
            by_time.setdefault(f"{found[2]}–{found[3]}", []).extend(_days_between(found[1]))
    rows = [(min(days), f"{_write_days(sorted(set(days)), language)} {time}") for time, days in by_time.items() if days]
    if rows:
        yield MarkupFact(f"{labels.opening_hours}: " + "; ".join(row for _, row in sorted(rows)))


def _texts(value: Any) -> list[str]:
    values = cast(list[Any], value) if isinstance(value, list) else [value]
    return [text for each in values if (text := text_value(each))]


def _weekday(said: str) -> int | None:
    name = said.rsplit("/", 1)[-1].casefold()[:2]
    return _DAYS.index(name) if name in _DAYS else None


def _days_between(said: str) -> list[int]:
    """Return the days in `Mo-Fr` or `Mo,We`."""
    days: list[int] = []
    for part in said.split(","):
        first, _, last = (each.strip() for each in part.partition("-"))
        start, end = _weekday(first), _weekday(last or first)
        if start is not None and end is not None:
            days += range(start, end + 1) if end >= start else [*range(start, 7), *range(end + 1)]
    return days


def _write_days(days: Sequence[int], language: str | None) -> str:
    """Return the names of days, those in a row as a span."""
    names: Mapping[int, str] = locale_of(language).days["format"]["wide"]
    spans: list[list[int]] = []
    for day in days:
        if spans and spans[-1][-1] == day - 1:
            spans[-1].append(day)
        else:
            spans.append([day])
    return ", ".join(names[span[0]] + (f"–{names[span[-1]]}" if len(span) > 1 else "") for span in spans)


def _event(node: Node, labels: FactLabels, language: str | None, seen: str) -> Iterator[MarkupFact]:
    """Yield when an event is, and where if the page shows the name of the place."""
    if not any(each.endswith("Event") for each in node_types(node)):
        return
    if (start := _moment(node.get("startDate"))) is not None:
        end = _moment(node.get("endDate"))
        said = _write_moment(start, language)
        if end is not None and end.date() != start.date():
            said += f" – {_write_moment(end, language)}"
        elif end is not None and (end.hour, end.minute) > (start.hour, start.minute):
            said += f"–{end:%H:%M}"
        yield MarkupFact(f"{labels.date}: {said}")
    for place in _nodes_in(node.get("location"))[:1]:
        name = text_value(place.get("name"))[:MAX_NAME_CHARS]
        if name and name.casefold() in seen:
            yield MarkupFact(f"{labels.place}: {name}")


def _moment(value: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(text_value(value))
    except ValueError:
        return None


def _day(value: Any) -> date | None:
    moment = _moment(value)
    return moment.date() if moment is not None else None


def _write_moment(moment: datetime, language: str | None) -> str:
    day = format_date(moment.date(), "long", locale=locale_of(language))
    return f"{day}, {moment:%H:%M}" if (moment.hour, moment.minute) != (0, 0) else day
