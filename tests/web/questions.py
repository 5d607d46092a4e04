"""Sixty questions whose answers stand in the small internet, or are known to stand nowhere in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Literal

from tests.web.internet import Internet
from tests.web.page_values import Made, flat
from tests.web.pages import CONTRADICTED, PRODUCTS, Story, stories
from tests.web.story_texts import LANGUAGES, TOWNS, VALUES, WORDS, Language, number

Sort = Literal["plain", "contradicted", "changed", "timeless", "unsupported"]


@dataclass(frozen=True, slots=True)
class Question:
    """A question with all that its answer must hold. `pages` are the URLs of the right pages, any of which will do, all
    of which are needed where they contradict each other; `wrong` is what an answer from the wrong page would hold.

    `day` is that of the newest right page. Where nothing supports an answer, there is neither answer nor page.
    """

    text: str
    language: Language
    sort: Sort
    answer: tuple[str, ...] = ()
    pages: tuple[str, ...] = ()
    day: date | None = None
    wrong: tuple[str, ...] = ()

    @property
    def contradicted(self) -> bool:
        return self.sort == "contradicted"

    @property
    def supported(self) -> bool:
        return self.sort != "unsupported"


PLAIN = (
    *(("bridge", 0), ("bridge", 1), ("mayor", 0), ("mayor", 1), ("flood", 0), ("flood", 1)),
    *(("match", 0), ("museum", 0), ("museum", 1), ("heat", 0), ("heat", 1), ("train", 1)),
)


def questions(world: Internet) -> list[Question]:
    """Twenty in each language: twelve plain, two contradicted, two whose answer has changed, two on what has no date,
    two that nothing supports."""
    told = {(each.language, each.kind, each.number): each for each in stories(world.today)}
    found: list[Question] = []
    for language in LANGUAGES:
        found += [_plain(world, told[language, kind, which]) for kind, which in PLAIN]
        found += [_contradicted(world, told[language, kind, which]) for kind, which in CONTRADICTED]
        found += [_changed(world, told[language, "ticket", which]) for which in (0, 1)]
        found += [*_timeless(world, language), *_unsupported(language)]
    return found


def _asked(story: Story) -> str:
    return story.told(WORDS[story.language][story.kind].question)


def _plain(world: Internet, story: Story) -> Question:
    answer = flat(story.told(WORDS[story.language][story.kind].answer))
    pages = tuple(each.url for each in world.story(story.id))
    return Question(_asked(story), story.language, "plain", (answer,), pages, story.day)


def _contradicted(world: Internet, story: Story) -> Question:
    values = (VALUES[story.kind][story.number][0], CONTRADICTED[story.kind, story.number])
    both = tuple(flat(number(value, story.language)) for value in values)
    pages = tuple(each.url for each in world.story(story.id))
    return Question(_asked(story), story.language, "contradicted", both, pages, story.day)


def _changed(world: Internet, story: Story) -> Question:
    pages = world.story(story.id)
    new = [each for each in pages if each.day == story.day]
    old = next(each for each in pages if each.day == story.day - timedelta(days=365))
    answer = number(VALUES["ticket"][story.number][0], story.language)
    urls = tuple(each.url for each in new)
    return Question(_asked(story), story.language, "changed", (answer,), urls, story.day, _values(old))


def _values(page: Made) -> tuple[str, ...]:
    return tuple(word for word in page.key.split() if word[0].isdigit())


_PRICE: dict[Language, str] = {
    "de": "Was kostet der Artikel {name} im Kaufhaus?",
    "fr": "Combien coûte l'article {name} dans la boutique ?",
    "en": "What does the {name} cost at the emporium?",
}
_NITRATE: dict[Language, str] = {
    "de": "Wie hoch war der Nitratwert der Elme laut Wasserbericht?",
    "fr": "Combien de nitrates contenait l'Elme selon le rapport sur l'eau ?",
    "en": "How much nitrate did the Elme hold according to the water report?",
}


def _timeless(world: Internet, language: Language) -> Iterator[Question]:
    name, price = PRODUCTS[0][LANGUAGES.index(language)], number(PRODUCTS[0][3], language)
    shop = next(each.url for each in world.pages.values() if each.kind == "shop" and each.title == name)
    yield Question(_PRICE[language].format(name=name), language, "timeless", (price,), (shop,))
    report = next(
        each.url for each in world.pages.values() if each.kind == "report" and each.url.endswith(f"{language}.pdf")
    )
    yield Question(_NITRATE[language], language, "timeless", ("17",), (report,))


_NOWHERE: dict[Language, tuple[str, str]] = {
    "de": (
        "Wie viele Straßenbahnen fahren in {town} mit Wasserstoff?",
        "Welche Schauspielerin hat gestern den Filmpreis von {town} gewonnen?",
    ),
    "fr": (
        "Combien de tramways de {town} roulent à l'hydrogène ?",
        "Quelle actrice a reçu hier le prix du cinéma de {town} ?",
    ),
    "en": (
        "How many trams in {town} run on hydrogen?",
        "Which actress won the film prize of {town} yesterday?",
    ),
}


def _unsupported(language: Language) -> Iterator[Question]:
    for text, town in zip(_NOWHERE[language], TOWNS[language], strict=False):
        yield Question(text.format(town=town), language, "unsupported")
