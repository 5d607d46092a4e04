"""The orderly part of the small internet: papers, a shop, a forum, an encyclopedia, a report in PDF, feeds.

Everything is made from `story_texts` for one day that counts as today, the same on every run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from email.utils import format_datetime
from html import escape
from urllib.parse import quote

import orjson

from tests.documents.files import pdf
from tests.web.page_values import Dated, Made, flat, framed, written
from tests.web.story_texts import BRIEF, KINDS, LANGUAGES, PEOPLE, TOWNS, VALUES, WORDS, Language, number

CONTRADICTED = {("strike", 0): "510", ("jobs", 1): "2,000"}
"""What the second paper says in place of `{n}`."""

EARLIER = {0: "5.70", 1: "4.30"}
"""What a day ticket cost a year before."""


@dataclass(frozen=True, slots=True)
class Paper:
    host: str
    name: str
    language: Language
    dated: Dated


PAPERS: tuple[Paper, ...] = (
    Paper("tagblatt.example", "Tagblatt", "de", "json"),
    Paper("abendkurier.example", "Abendkurier", "de", "meta"),
    Paper("lequotidien.example", "Le Quotidien", "fr", "time"),
    Paper("lacourriere.example", "La Courrière", "fr", "url"),
    Paper("harbourherald.example", "Harbour Herald", "en", "json"),
    Paper("theledger.example", "The Ledger", "en", "meta"),
)


@dataclass(frozen=True, slots=True)
class Story:
    """An event of one language. `number` tells the two of a kind apart."""

    kind: str
    number: int
    language: Language
    town: str
    who: str
    day: date

    @property
    def id(self) -> str:
        return f"{self.language}-{self.kind}-{self.number}"

    def told(self, template: str, n: str | None = None) -> str:
        values = VALUES[self.kind][self.number]
        return template.format(
            town=self.town, who=self.who, n=number(n or values[0], self.language), m=number(values[1], self.language)
        )


def stories(today: date) -> list[Story]:
    """Those of the three languages: the newest of today, the oldest some weeks old."""
    found: list[Story] = []
    for language in LANGUAGES:
        for at, kind in enumerate(KINDS):
            for which in (0, 1):
                town = TOWNS[language][(at * 2 + which) % len(TOWNS[language])]
                who = PEOPLE[language][which]
                day = today - timedelta(days=(at * 7 + which * 3) % 60)
                found.append(Story(kind, which, language, town, who, day))
    return found


def orderly(port: int, today: date) -> list[Made]:
    """All pages that are as they should be."""
    told = stories(today)
    pages = [*_news(port, told), *_earlier(port, told), *_briefs(port, today)]
    pages += [*_shop(port), *_forum(port, today), *_wiki(port), *_reports(port, today)]
    return [*pages, *_feeds(port, pages)]


def _news(port: int, told: Sequence[Story]) -> Iterator[Made]:
    for story in told:
        first, second = (paper for paper in PAPERS if paper.language == story.language)
        words = WORDS[story.language][story.kind]
        yield article(port, first, story, words.key, (words.more[0], words.more[1]), related=told[:3])
        other = CONTRADICTED.get((story.kind, story.number))
        yield article(port, second, story, words.again, (words.more[2], words.more[0]), n=other, related=told[3:6])


def _earlier(port: int, told: Sequence[Story]) -> Iterator[Made]:
    """A year ago the ticket had another price."""
    for story in told:
        if story.kind == "ticket":
            first = next(paper for paper in PAPERS if paper.language == story.language)
            before = Story(
                story.kind, story.number, story.language, story.town, story.who, story.day - timedelta(days=365)
            )
            words = WORDS[story.language][story.kind]
            yield article(port, first, before, words.key, (words.more[1], words.more[2]), n=EARLIER[story.number])


def article(
    port: int,
    paper: Paper,
    story: Story,
    key: str,
    more: tuple[str, str],
    *,
    n: str | None = None,
    related: Sequence[Story] = (),
) -> Made:
    """A report of an event in one paper, dated as the paper dates."""
    words = WORDS[story.language][story.kind]
    headline, sentence = story.told(words.headline, n), story.told(key, n)
    author = PEOPLE[story.language][2 + (KINDS.index(story.kind) + story.number) % 4]
    slug = f"{story.kind}-{story.number + 1}"
    folder = f"{story.day:%Y/%m/%d}" if paper.dated == "url" else f"artikel/{(story.day - date(2000, 1, 1)).days}"
    url = f"http://{paper.host}:{port}/{folder}/{slug}.html"
    moment = datetime.combine(story.day, time(7, 30), timezone(timedelta(hours=2)))
    paragraphs = [f"{sentence} {story.told(more[0])}", story.told(more[1]), filler(story)]
    text = "".join(f"<p>{escape(paragraph)}</p>" for paragraph in paragraphs)
    shown = f'<time datetime="{moment.isoformat()}">{written(story.day, story.language)}</time>'
    line = f'<p class="byline">{escape(author)}{", " + shown if paper.dated == "time" else ""}</p>'
    body = f"<article><h1>{escape(headline)}</h1>{line}{text}<h2>{_further(story.language)}</h2>"
    body += f"<ul><li>{escape(story.town)} 1</li><li>{escape(story.town)} 2</li></ul></article>"
    links = tuple((f"/{each.kind}", each.told(WORDS[each.language][each.kind].headline)) for each in related)
    head = _dates(paper.dated, moment, headline, author, paper.name)
    return Made(
        url,
        framed(headline, body, story.language, site=paper.name, head=head, related=links),
        headline,
        story.language,
        story.day,
        paper.dated,
        flat(sentence),
        lost=(links[0][1],) if links and links[0][1] != headline else (),
        story=story.id,
        author=author,
    )


def _dates(dated: Dated, moment: datetime, headline: str, author: str, site: str) -> str:
    match dated:
        case "json":
            data = {
                "@context": "https://schema.org",
                "@graph": [
                    {"@type": "WebSite", "name": site, "dateModified": "2001-01-01"},
                    {
                        "@type": "NewsArticle",
                        "headline": headline,
                        "datePublished": moment.isoformat(),
                        "dateModified": (moment + timedelta(hours=3)).isoformat(),
                        "author": [{"@type": "Person", "name": author}],
                    },
                ],
            }
            return f'<script type="application/ld+json">{orjson.dumps(data).decode()}</script>'
        case "meta":
            return (
                f'<meta property="article:published_time" content="{moment.isoformat()}">'
                f'<meta name="author" content="{escape(author)}">'
            )
        case _:
            return f'<meta name="author" content="{escape(author)}">'


_FILLER: dict[Language, str] = {
    "de": "In {town} war die Nachricht am Morgen überall zu hören, auf dem Markt, im Bus und vor der Schule; viele "
    "Leute sagten, sie hätten seit Wochen damit gerechnet, andere waren überrascht.",
    "fr": "À {town}, on ne parlait que de cela dans la matinée, au marché, dans le bus et devant l'école ; beaucoup "
    "disaient s'y attendre depuis des semaines, d'autres se montraient surpris.",
    "en": "In {town} people talked of little else that morning, at the market, on the bus and in front of the school; "
    "many said they had expected it for weeks, others were surprised.",
}


def filler(story: Story) -> str:
    return _FILLER[story.language].format(town=story.town)


def _further(language: Language) -> str:
    return {"de": "Weiteres aus der Gegend", "fr": "Aussi dans la région", "en": "More from the area"}[language]


def _briefs(port: int, today: date) -> Iterator[Made]:
    """Short news of no weight, so that what is searched is not alone."""
    for paper in PAPERS:
        for at, town in enumerate(TOWNS[paper.language]):
            for which in range(3):
                sentence = BRIEF[paper.language][(at + which) % 6].format(town=town)
                day = today - timedelta(days=3 + at * 11 + which)
                story = Story("bridge", 0, paper.language, town, "", day)
                moment = datetime.combine(day, time(6), UTC)
                title = f"{town}: {sentence.split(',')[0].rstrip('.')}"
                text = f"<article><h1>{escape(title)}</h1><p>{escape(sentence)}</p><p>{escape(filler(story))}</p>"
                if paper.dated == "time":
                    text += f'<p><time datetime="{day}">{written(day, paper.language)}</time></p>'
                folder = f"{day:%Y/%m/%d}" if paper.dated == "url" else "kurz"
                yield Made(
                    f"http://{paper.host}:{port}/{folder}/{at}-{which}.html",
                    framed(
                        title,
                        text + "</article>",
                        paper.language,
                        site=paper.name,
                        head=_dates(paper.dated, moment, title, "", paper.name),
                    ),
                    title,
                    paper.language,
                    day,
                    paper.dated,
                    flat(sentence),
                    kind="brief",
                )


PRODUCTS: tuple[tuple[str, str, str, str], ...] = (
    ("Wanderrucksack Elme 40", "Sac de randonnée Elme 40", "Elme 40 hiking pack", "89.90"),
    ("Kochtopf Vesta 5 Liter", "Marmite Vesta 5 litres", "Vesta 5 litre pot", "64.50"),
    ("Fahrradlampe Lumo 3", "Lampe de vélo Lumo 3", "Lumo 3 bicycle light", "37.20"),
    ("Regenjacke Fjordis", "Veste de pluie Fjordis", "Fjordis rain jacket", "129.00"),
)
_SHOP: dict[Language, tuple[str, str]] = {
    "de": ("kaufhaus.example", "{name} kostet {price} Euro und wird in drei Tagen geliefert."),
    "fr": ("boutique.example", "{name} coûte {price} euros, livraison en trois jours."),
    "en": ("emporium.example", "{name} costs {price} euros and is delivered within three days."),
}


def _shop(port: int) -> Iterator[Made]:
    for at, language in enumerate(LANGUAGES):
        host, sentence = _SHOP[language]
        for which, product in enumerate(PRODUCTS):
            name, price = product[at], number(product[3], language)
            key = sentence.format(name=name, price=price)
            rows = "".join(f"<tr><td>{what}</td><td>{value}</td></tr>" for what, value in (("EAN", 4006381), ("kg", 2)))
            body = f"<h1>{name}</h1><p>{key}</p><table>{rows}</table><h2>★★★★☆</h2><p>{name}: 4,2 / 5 (318)</p>"
            data = {"@context": "https://schema.org", "@type": "Product", "name": name}
            head = f'<script type="application/ld+json">{orjson.dumps(data).decode()}</script>'
            url = f"http://{host}:{port}/p/{which}"
            page = framed(name, f"<article>{body}</article>", language, site=host, head=head)
            yield Made(url, page, name, language, key=key, kind="shop")


_FORUM: dict[Language, tuple[str, str, str, str]] = {
    "de": (
        "forum-de.example",
        "Heizung gluckert in {town}",
        "Meine Heizung gluckert seit gestern, was kann ich tun?",
        "Bei mir in {town} half es, den obersten Heizkörper {n} Minuten lang zu entlüften.",
    ),
    "fr": (
        "forum-fr.example",
        "Radiateur bruyant à {town}",
        "Mon radiateur fait du bruit depuis hier, que faire ?",
        "Chez moi à {town}, il a suffi de purger le radiateur du haut pendant {n} minutes.",
    ),
    "en": (
        "forum-en.example",
        "Gurgling radiator in {town}",
        "My radiator has been gurgling since yesterday, what can I do?",
        "At my place in {town} it helped to bleed the top radiator for {n} minutes.",
    ),
}


def _forum(port: int, today: date) -> Iterator[Made]:
    for language in LANGUAGES:
        host, title, ask, answer = _FORUM[language]
        for at, town in enumerate(TOWNS[language]):
            day = today - timedelta(days=200 + at)
            named, key = title.format(town=town), answer.format(town=town, n=at + 3)
            posts = "".join(
                f'<div class="post" id="p{n}"><span class="user">user{n}</span><time datetime="{day}T09:0{n}">'
                f"{written(day, language)}</time><p>{text}</p></div>"
                for n, text in enumerate((ask, key, "+1"))
            )
            page = framed(named, f"<h1>{named}</h1><div class='thread'>{posts}</div>", language, site=host)
            yield Made(f"http://{host}:{port}/t/{at}", page, named, language, day, "time", key, kind="forum")


_WIKI: dict[Language, tuple[str, str]] = {
    "de": (
        "{town} ist eine Stadt an der Elme mit {n} Einwohnern.",
        "Der Ort wurde im Jahr {m} zum ersten Mal erwähnt.",
    ),
    "fr": (
        "{town} est une ville au bord de l'Elme qui compte {n} habitants.",
        "Le lieu est mentionné pour la première fois en {m}.",
    ),
    "en": ("{town} is a town on the river Elme with {n} inhabitants.", "It is first mentioned in the year {m}."),
}


def _wiki(port: int) -> Iterator[Made]:
    for language in LANGUAGES:
        key, history = _WIKI[language]
        for at, town in enumerate(TOWNS[language]):
            people = number(f"{11 + at * 7},{204 + at * 31}", language)
            sentence = key.format(town=town, n=people)
            body = f"<h1>{town}</h1><p>{sentence}</p><h2>1</h2><p>{history.format(town=town, m=1103 + at * 17)}</p>"
            body += f"<table><tr><th>km²</th><th>m</th></tr><tr><td>{40 + at}</td><td>{310 + at}</td></tr></table>"
            url = f"http://{language}.lexikon.example:{port}/wiki/{quote(town.replace(' ', '_'))}"
            page = framed(town, f"<article>{body}</article>", language, site="Lexikon")
            yield Made(url, page, town, language, key=flat(sentence), kind="wiki")


REPORT: dict[Language, tuple[str, str]] = {
    "de": ("Wasserbericht der Elme", "Im Berichtsjahr lag der Nitratwert der Elme bei 17 Milligramm je Liter."),
    "fr": ("Rapport sur l'eau de l'Elme", "Cette année, l'Elme contenait 17 milligrammes de nitrates par litre."),
    "en": ("Water report of the Elme", "In the year reported the Elme held 17 milligrams of nitrate per litre."),
}


def _reports(port: int, today: date) -> Iterator[Made]:
    for language in LANGUAGES:
        title, key = REPORT[language]
        body = pdf([[(60, 90, 22, "*" + title), (60, 140, 11, key)], [(60, 90, 11, f"{title}, 2.")]])
        url = f"http://wasseramt.example:{port}/{today.year - 1}/{language}.pdf"
        yield Made(url, body, title, language, key=key, kind="report", media="application/pdf")


def _feeds(port: int, pages: Sequence[Made]) -> Iterator[Made]:
    """The newest of each paper: RSS for those that date in JSON-LD or in `time`, Atom for the others."""
    for paper in PAPERS:
        theirs = [page for page in pages if page.url.startswith(f"http://{paper.host}:") and page.day is not None]
        newest = sorted(theirs, key=lambda page: (page.day or date.min, page.url), reverse=True)[:20]
        rss = paper.dated in ("json", "time")
        body = (_rss if rss else _atom)(f"http://{paper.host}:{port}", paper, newest)
        yield Made(
            f"http://{paper.host}:{port}/feed.xml",
            body.encode(),
            paper.name,
            paper.language,
            newest[0].day,
            kind="feed",
            media="application/rss+xml" if rss else "application/atom+xml",
        )


def _moment(day: date | None) -> datetime:
    return datetime.combine(day or date.min, time(7, 30), UTC)


def _rss(root: str, paper: Paper, pages: Sequence[Made]) -> str:
    items = "".join(
        f"<item><title>{escape(page.title)}</title><link>{page.url}</link><guid>{page.url}</guid>"
        f"<description>{escape(page.key)}</description><pubDate>{format_datetime(_moment(page.day))}</pubDate></item>"
        for page in pages
    )
    return (
        f'<?xml version="1.0" encoding="utf-8"?><rss version="2.0"><channel><title>{paper.name}</title><link>{root}/'
        f"</link><description>{paper.name}</description><language>{paper.language}</language>{items}</channel></rss>"
    )


def _atom(root: str, paper: Paper, pages: Sequence[Made]) -> str:
    entries = "".join(
        f"<entry><title>{escape(page.title)}</title><link href='{page.url}'/><id>{page.url}</id>"
        f"<updated>{_moment(page.day).isoformat()}</updated><published>{_moment(page.day).isoformat()}</published>"
        f"<summary>{escape(page.key)}</summary></entry>"
        for page in pages
    )
    return (
        f'<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom" xml:lang="{paper.language}">'
        f"<title>{paper.name}</title><id>{root}/</id><updated>{_moment(pages[0].day).isoformat()}</updated>{entries}"
        "</feed>"
    )
