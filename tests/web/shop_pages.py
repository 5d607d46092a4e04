"""Pages with a price, opening hours, an event or other facts in the usual markups.

`TUNED` ones were at hand while the reading of facts was written; `HELD_OUT` ones came when it stood.
"""

from __future__ import annotations

from dataclasses import dataclass

LONG = (
    "Diese Kette passt auf alle gängigen Kettenräder und hält auch Regen, Salz und Schlamm aus. Sie ist mit einem "
    "Werkzeug in zwei Minuten montiert, und ein Schloss liegt bei. Wer sie alle hundert Kilometer ölt, fährt mit ihr "
    "gut viertausend Kilometer weit. "
)
RELATED = (
    '<section class="related-products"><h2>Ähnliche Produkte</h2><ul>'
    '<li><a href="/a">Kette A</a> <span class="price">11,11 €</span></li>'
    '<li><a href="/b">Kette B</a> <span class="price">22,22 €</span></li></ul></section>'
)


@dataclass(frozen=True, slots=True)
class FactPage:
    """A page whose text must hold all of `facts` and none of `others`."""

    html: str
    facts: tuple[str, ...]
    others: tuple[str, ...] = ("11,11", "22,22")


def _shop(price: str, *facts: str, head: str = "", long: bool = False, others: tuple[str, ...] = ()) -> FactPage:
    text = "".join(f"<p>{LONG}</p>" for _ in range(5 if long else 1))
    html = (
        f'<!doctype html><html lang="de"><head><title>Kette X12 | Radladen</title>{head}</head><body>'
        '<header><nav><ul><li><a href="/">Start</a></li><li><a href="/raeder">Räder</a></li></ul></nav></header>'
        '<main><div class="product"><div class="gallery"><img src="x.jpg"></div>'
        f'<div class="summary"><h1>Kette X12</h1>{price}<form><select><option>1</option></select>'
        f'<button>In den Warenkorb</button></form></div><div class="description">{text}</div></div>{RELATED}</main>'
        "<footer><p>Impressum, Datenschutz, Versand ab 4,90 € innerhalb von Deutschland</p></footer></body></html>"
    )
    return FactPage(html, facts or ("249,95",), ("11,11", "22,22", *others))


def _ld(text: str) -> str:
    return f'<script type="application/ld+json">{text}</script>'


_PRICES: dict[str, tuple[str, str]] = {
    "paragraph": ('<p class="price"><span class="amount">249,95 €</span></p>', ""),
    "table": ("<table><tr><th>Preis</th><td>249,95 €</td></tr><tr><th>Farbe</th><td>grau</td></tr></table>", ""),
    "div and span": ('<div class="price"><span>249,95 €</span></div>', ""),
    "plain div": ("<div>249,95 €</div>", ""),
    "struck": ('<div class="price"><del>299,95 €</del> <strong>249,95 €</strong></div>', ""),
    "pieces": (
        '<div><span class="a-price"><span class="a-offscreen">249,95 €</span><span aria-hidden="true">'
        '<span class="whole">249<span class="decimal">,</span></span><span class="fraction">95</span>'
        '<span class="symbol">€</span></span></span></div>',
        "",
    ),
    "shop": (
        '<div class="price__container"><div class="price__regular"><span class="visually-hidden">Normaler Preis</span>'
        '<span class="price-item price-item--regular"> 249,95 € </span></div></div>',
        "",
    ),
    "list": ("<dl><dt>Preis</dt><dd>249,95 €</dd><dt>Gewicht</dt><dd>250 g</dd></dl>", ""),
    "meta": (
        '<div itemprop="offers" itemscope itemtype="https://schema.org/Offer"><meta itemprop="price" content="249.95">'
        '<meta itemprop="priceCurrency" content="EUR"></div>',
        "",
    ),
    "button": ("<button>Kaufen für 249,95 €</button>", ""),
    "metadata alone": (
        "",
        _ld(
            '{"@context":"https://schema.org","@type":"Product","name":"Kette X12","offers":{"@type":"Offer",'
            '"price":"249.95","priceCurrency":"EUR","availability":"https://schema.org/InStock"}}'
        ),
    ),
}

_TUNED_PRICES: dict[str, FactPage] = {
    **{f"{name}, short": _shop(body, head=head) for name, (body, head) in _PRICES.items()},
    **{f"{name}, long": _shop(body, head=head, long=True) for name, (body, head) in _PRICES.items()},
}


def _page(
    title: str, body: str, *facts: str, head: str = "", language: str = "en", others: tuple[str, ...] = ()
) -> FactPage:
    html = (
        f'<!doctype html><html lang="{language}"><head><title>{title} | Site</title>{head}</head><body>'
        f'<header><nav><ul><li><a href="/">Home</a></li></ul></nav></header><main><h1>{title}</h1>{body}</main>'
        "<footer><p>Imprint</p></footer></body></html>"
    )
    return FactPage(html, facts, others)


_EN = (
    "<p>The museum stands on the old harbour and shows how paper was made by hand for four hundred years. Visitors can "
    "make a sheet of their own, and a guide explains the mill, the vats and the presses on every floor of the house. "
    "Groups are asked to write a week ahead, and school classes are welcome in the morning.</p>"
) * 3

_HOURS = (
    '{"@context":"https://schema.org","@type":"Museum","name":"Paper Museum","openingHoursSpecification":['
    '{"@type":"OpeningHoursSpecification","dayOfWeek":["Tuesday","Wednesday","Thursday","Friday"],"opens":"10:00",'
    '"closes":"17:30"},{"@type":"OpeningHoursSpecification","dayOfWeek":"https://schema.org/Saturday","opens":"11:00",'
    '"closes":"16:00"},{"dayOfWeek":"Monday","opens":"00:00","closes":"00:00"},{"dayOfWeek":"Sunday","opens":"09:00",'
    '"closes":"12:00","validThrough":"2025-12-31"}]}'
)
_EVENT = (
    '{"@context":"https://schema.org","@type":"MusicEvent","name":"Winter Concert","startDate":"2026-12-12T19:30",'
    '"endDate":"2026-12-12T21:45","location":{"@type":"Place","name":"St Bride\'s Hall"},'
    '"offers":{"@type":"Offer","price":"18.50","priceCurrency":"GBP","availability":"https://schema.org/SoldOut"}}'
)

TUNED: dict[str, FactPage] = {
    **_TUNED_PRICES,
    "hours in metadata": _page(
        "Paper Museum",
        _EN,
        "Opening hours: Monday closed; Tuesday–Friday 10:00–17:30; Saturday 11:00–16:00",
        head=_ld(_HOURS),
        others=("09:00",),
    ),
    "hours in rows": _page(
        "Paper Museum",
        f"{_EN}<div class=hours><div><span>Monday</span> <span>closed</span></div>"
        "<div><span>Tuesday</span> <span>10 am – 5.30 pm</span></div></div>",
        "Tuesday 10 am – 5.30 pm",
    ),
    "event": _page(
        "Winter Concert",
        f"{_EN}<p>It takes place in St Bride's Hall.</p>",
        "Date: December 12, 2026, 19:30–21:45",
        "Place: St Bride's Hall",
        "Price: £18.50 (sold out)",
        head=_ld(_EVENT),
    ),
    "labels": _page("Rigg", f"<div>Height: 1493 m</div><div>Tel.: 01632 960 123</div>{_EN}", "Height: 1493 m", "01632"),
    "table of fees": _page(
        "Fees",
        f"{_EN}<table><tr><th>Adults</th><td>9.00</td></tr><tr><th>Children</th><td>4.50</td></tr></table>",
        "Adults | 9.00",
        "Children | 4.50",
    ),
}

HELD_OUT: dict[str, FactPage] = {
    "graph": _shop(
        "",
        "249,95",
        "ausverkauft",
        head=_ld(
            '{"@context":"https://schema.org","@graph":[{"@type":"WebSite","name":"Radladen"},{"@type":"Product",'
            '"name":"Kette X12","offers":[{"@type":"Offer","price":249.95,"priceCurrency":"EUR",'
            '"availability":"OutOfStock"}]},{"@type":"Product","name":"Kette A","offers":{"@type":"Offer",'
            '"price":"11.11","priceCurrency":"EUR"}}]}'
        ),
        long=True,
    ),
    "range": _shop(
        "",
        "199,00",
        "249,95",
        head=_ld(
            '{"@type":"Product","name":"Kette X12","offers":{"@type":"AggregateOffer","lowPrice":"199",'
            '"highPrice":"249.95","priceCurrency":"EUR"}}'
        ),
        long=True,
    ),
    "specification": _shop(
        "",
        head=_ld(
            '{"@type":["Product"],"name":"Kette X12","offers":{"@type":"Offer","priceSpecification":'
            '{"@type":"UnitPriceSpecification","price":"249,95","priceCurrency":"EUR"}}}'
        ),
        long=True,
    ),
    "seen prevails": _shop(
        "<div><b>249,95 €</b></div>",
        head=_ld(
            '{"@type":"Product","name":"Kette X12","offers":{"@type":"Offer","price":"1.00","priceCurrency":"EUR"}}'
        ),
        long=True,
        others=("1,00",),
    ),
    "social tags": _shop(
        "",
        head='<meta property="product:price:amount" content="249.95">'
        '<meta property="product:price:currency" content="EUR">',
        long=True,
    ),
    "microdata with text": _shop(
        '<div itemscope itemtype="http://schema.org/Product"><meta itemprop="name" content="Kette X12">'
        '<div itemprop="offers" itemscope itemtype="http://schema.org/Offer"><span itemprop="price">249,95</span>'
        '<span itemprop="priceCurrency" content="EUR">€</span></div></div>',
        long=True,
    ),
    "sup": _shop('<div class="pr">249<sup>,95</sup> €</div>', long=True),
    "code first": _shop('<section class="buybox"><div><span>EUR</span> <span>249,95</span></div></section>', long=True),
    "label beside": _shop('<div class="row"><span>Unser Preis:</span> <span>249,95 €</span></div>', long=True),
    "sale": _shop("<div><s>319,00 €</s><ins>249,95 €</ins></div>", long=True),
    "heading": _shop("<h3>249,95 €</h3>", long=True),
    "far below": FactPage(
        "<html lang=de><head><title>Kette X12</title></head><body><div><div><div><h1>Kette X12</h1></div></div>"
        f"<div><div><p>{LONG}</p></div></div><div class=buy><div><span>249,95 €</span></div></div></div>"
        f"{RELATED}</body></html>",
        ("249,95",),
    ),
    "francs": _page("Uhr Alp", f"<div>CHF 1'249.–</div>{_EN}", "1'249", language="de"),
    "zloty": _page("Lampa", f"<div>1 249,00 zł</div>{_EN}", "1 249,00 zł", language="pl"),
    "hours as text": _page(
        "Paper Museum",
        _EN,
        "Tuesday–Friday 10:00–17:30",
        head=_ld('{"@type":"Museum","name":"Paper Museum","openingHours":["Tu-Fr 10:00-17:30","Sa 11:00-16:00"]}'),
    ),
    "hours in a foot": FactPage(
        f"<html lang=fr><head><title>Café</title></head><body><main><h1>Café</h1>{_EN}</main><footer>"
        "<p>Ouvert du mardi au samedi : 9 h – 18 h 30</p></footer></body></html>",
        ("9 h – 18 h 30",),
        (),
    ),
    "event in microdata": _page(
        "Fête du lac",
        '<div itemscope itemtype="https://schema.org/Event"><span itemprop="name">Fête du lac</span>'
        f'<meta itemprop="startDate" content="2026-08-01T20:00"></div>{_EN}',
        "1 août 2026, 20:00",
        language="fr",
    ),
    "definition list": _page(
        "Ellery", f"{_EN}<dl><dt>Population</dt><dd>4,117</dd><dt>Area</dt><dd>12 km²</dd></dl>", "4,117", "12 km²"
    ),
    "timetable": _page(
        "Ferry",
        f"{_EN}<table><thead><tr><th>From</th><th>First</th><th>Last</th></tr></thead><tbody>"
        "<tr><td>Ellery</td><td>06:10</td><td>23:10</td></tr></tbody></table>",
        "06:10",
        "23:10",
    ),
    "infobox": _page(
        "Rigg", f'<aside class="infobox"><table><tr><th>Height</th><td>1493 m</td></tr></table></aside>{_EN}', "1493 m"
    ),
}
