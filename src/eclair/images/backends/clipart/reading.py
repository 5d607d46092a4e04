"""A prompt is read: which things are to be seen, how many, in what colour and size, where, and what surrounds them.

No model is asked. Words that mean a picture are things, the small words of `grammar` say the rest, and what neither
knows is handed back as not drawn.
"""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from eclair.images.backends.clipart import grammar
from eclair.images.backends.clipart.book import book
from eclair.images.backends.clipart.finding import LABEL, OURS, Dictionary, Found, dictionary, lexicon, signs
from eclair.images.backends.clipart.grammar import Grammar, Token, Word
from eclair.images.backends.clipart.scene import MOST, Around, Link, Scene, Thing, chance_of
from eclair.text.language import is_small, language_of

FIRST = ("en", "de", "fr")
"""Languages that are tried before the others where a prompt is too short to tell."""

SURE, TOLD = 0.85, 2.5
"""The part of a prompt that a language must know for no other to be tried; and what its small words count for."""

READ = 600
"""Characters of a prompt that are read: nobody composes more by words."""
THINGS = 14
LETTERS = 80

_QUOTED = re.compile(r"„([^“”\n]+)[“”]|“([^”\n]+)”|\"([^\"\n]+)\"|«\s*([^»\n]+?)\s*»|(?<!\w)['‘]([^'’\n]+)['’](?!\w)")


@dataclass(slots=True)
class _Pending:
    """What was said of a thing that is still to come."""

    count: int | None = None
    colour: str | None = None
    size: float = 1.0
    negated: bool = False


@dataclass(slots=True)
class _Reading:
    """How far a prompt has been read."""

    language: str
    chance: random.Random
    things: list[Thing] = field(default_factory=list[Thing])
    links: list[Link] = field(default_factory=list[Link])
    around: Around = field(default_factory=Around)
    pending: _Pending = field(default_factory=_Pending)
    group: list[int] = field(default_factory=list[int])
    waiting: tuple[str, tuple[int, ...]] | None = None
    backdrop: bool = False
    adjacent: bool = False
    stray: bool = False
    """What was pending may have been for a word that nothing is known of."""
    removed: set[int] = field(default_factory=set[int])
    removed_around: set[str] = field(default_factory=set[str])
    undrawn: list[str] = field(default_factory=list[str])
    said: list[str] = field(default_factory=list[str])
    spare: list[tuple[str, Token]] = field(default_factory=list[tuple[str, Token]])


def read(prompt: str, seed: int = 0, negative: str = "") -> Scene:
    """The scene that the words tell; one without things or surroundings where they tell none."""
    text, lettering = _lettering(prompt[:READ])
    words = grammar.tokens(text)
    language = _language(text, words)
    reading = _Reading(language, chance_of(seed, "read"))
    _go(reading, words)
    _spare(reading)
    without = _Reading(language, chance_of(seed, "negative"))
    _go(without, grammar.tokens(negative[:READ]))
    removed = reading.removed | {thing.icon for thing in without.things} | without.removed
    gone = reading.removed_around | {each for each in _surroundings(without.around) if each}
    things = _fewer([thing for thing in reading.things if thing.icon not in removed])
    kept = {thing.icon for thing in things}
    numbers = {number: i for i, number in enumerate(n for n, t in enumerate(reading.things) if t.icon in kept)}
    links = [
        Link(tuple(numbers[n] for n in link.those if n in numbers), link.relation, numbers[link.other])
        for link in reading.links
        if link.other in numbers and any(n in numbers for n in link.those)
    ]
    around = _without(reading.around, gone)
    return Scene(language, tuple(things), tuple(links), around, lettering, tuple(reading.undrawn), tuple(reading.said))


def _lettering(prompt: str) -> tuple[str, str]:
    """The prompt without what stands in quotation marks, and that."""
    quoted = [next(group for group in match.groups() if group) for match in _QUOTED.finditer(prompt)]
    lettering = "".join(letter for letter in " ".join(" ".join(quoted).split()) if letter.isprintable())
    return _QUOTED.sub(" ", prompt), lettering.strip()[:LETTERS]


def _language(text: str, words: Sequence[Token]) -> str:
    """That of the prompt. A short one is in the language that knows most of it."""
    told = language_of(text)
    enough = SURE * 10 * max(1, len(words))
    likely = (str(told), *FIRST) if told in book().languages else FIRST
    best, most = likely[0], 0.0
    for language in dict.fromkeys((*likely, *book().languages)):
        if language not in likely and most >= enough:
            continue
        known = _known(words, language) + (TOLD * len(words) if language == told else 0)
        if known > most + 0.5:
            best, most = language, known
    return best


def _known(words: Sequence[Token], language: str) -> float:
    """How much of a prompt a language knows: 10 for each word that it has for sure."""
    rules, names, total, at = grammar.grammar(language), dictionary(language), 0.0, 0
    while at < len(words):
        word, found = rules.match(words, at), names.find(words, at)
        if word is not None and (found is None or found.length <= word[1]):
            total, at = total + 10 * word[1], at + word[1]
        elif found is not None:
            total, at = total + min(found.weight, 10) * found.length, at + found.length
        else:
            total, at = total + (9 if is_small(words[at].text, language) else 0), at + 1
    return total


def _go(reading: _Reading, words: Sequence[Token]) -> None:
    rules, names = grammar.grammar(reading.language), dictionary(reading.language)
    at = 0
    while at < len(words):
        at += _step(reading, rules, names, words, at)
    if reading.pending.colour and reading.things and not reading.backdrop:
        _colour_last(reading, reading.pending.colour)


def _step(reading: _Reading, rules: Grammar, names: Dictionary, words: Sequence[Token], at: int) -> int:
    """Read what stands there; how many words it were."""
    if words[at].text.isdecimal():
        reading.pending.count = max(1, min(MOST, int(words[at].text[:4])))
        return 1
    word, found = rules.match(words, at), names.find(words, at)
    text = _said(words[at : at + (found.length if found else 1)])
    if found is not None and found.length == 1 and found.weight < OURS and is_small(words[at].text, reading.language):
        found = None
    if found is not None and found.weight < LABEL and not _noun(reading, words, at):
        found = None
    if word is not None and _as_thing(word[0], found, reading, rules, names, words, at + word[1]):
        word = None
    if word is not None and (found is None or found.length <= word[1]):
        _grammatical(reading, rules, names, word[0], words, at, word[1])
        return word[1]
    if found is not None:
        if (setting := _settings().get(found.icon)) is not None and found.weight < OURS:
            _surround(reading, *setting, text)
        else:
            _thing(reading, found, text)
        return found.length
    token = words[at]
    if not is_small(token.text, reading.language) and len(token.folded) > 1:
        reading.spare.append((reading.language, token))
        reading.waiting, reading.adjacent, reading.stray = None, False, True
    return 1


def _said(words: Sequence[Token]) -> str:
    """As it is written."""
    return " ".join(token.text for token in words).replace("' ", "'")


def _noun(reading: _Reading, words: Sequence[Token], at: int) -> bool:
    """In German what is written small, among words that are not, is no thing."""
    return reading.language != "de" or words[at].capital or not any(token.capital for token in words[1:])


def _as_thing(
    word: Word,
    found: Found | None,
    reading: _Reading,
    rules: Grammar,
    names: Dictionary,
    words: Sequence[Token],
    after: int,
) -> bool:
    """Whether a word for a colour means a thing here: an orange, une rose."""
    if word.kind != "colour" or found is None or found.weight < OURS - 1:
        return False
    if rules.after:
        return not reading.adjacent
    return not _thing_follows(rules, names, words, after)


def _thing_follows(rules: Grammar, names: Dictionary, words: Sequence[Token], at: int) -> bool:
    """Whether adjectives alone stand between here and the next thing, surrounding or background."""
    while at < len(words):
        word, found = rules.match(words, at), names.find(words, at)
        if word is not None and word[0].kind in ("colour", "size", "ignore", "number"):
            if found is not None and found.weight >= OURS - 1:
                return True
            at += word[1]
            continue
        return found is not None or (word is not None and word[0].kind in ("background", "place", "time"))
    return False


def _grammatical(
    reading: _Reading,
    rules: Grammar,
    names: Dictionary,
    word: Word,
    words: Sequence[Token],
    at: int,
    length: int,
) -> None:
    text = _said(words[at : at + length])
    if reading.stray and word.kind in ("link", "relation"):
        reading.pending, reading.stray = _Pending(), False
    pending = reading.pending
    match word.kind:
        case "number":
            pending.count = min(MOST, int(word.value))
        case "many":
            pending.count = reading.chance.randint(5, 8)
        case "colour":
            _colour(reading, word.value, _thing_follows(rules, names, words, at + length), rules.after)
        case "size":
            if rules.after and reading.adjacent and not _thing_follows(rules, names, words, at + length):
                reading.things[-1] = replace(reading.things[-1], size=grammar.SIZES[word.value])
            else:
                pending.size = grammar.SIZES[word.value]
        case "relation":
            if reading.group:
                reading.waiting = word.value, tuple(reading.group)
            reading.adjacent = False
        case "without":
            pending.negated = True
        case "background":
            reading.around = replace(reading.around, colour=pending.colour or reading.around.colour)
            reading.backdrop = pending.colour is None
            reading.pending, reading.waiting, reading.adjacent = _Pending(), None, False
        case "time" | "place" | "weather" | "festive":
            _surround(reading, word.kind, word.value, text)
        case "link":
            reading.adjacent = False
        case "ignore":
            pass


def _colour(reading: _Reading, colour: str, follows: bool, after: bool) -> None:
    if reading.pending.negated:
        reading.pending = _Pending()
    elif reading.backdrop:
        reading.around, reading.backdrop = replace(reading.around, colour=colour), False
    elif (after and reading.adjacent) or (not follows and reading.things and not after):
        _colour_last(reading, colour)
    else:
        reading.pending.colour = colour


def _colour_last(reading: _Reading, colour: str) -> None:
    reading.things[-1] = replace(reading.things[-1], colour=colour)


def _surround(reading: _Reading, kind: str, value: str, text: str) -> None:
    if reading.pending.negated:
        reading.removed_around.add(value)
    else:
        reading.around = _surrounded(reading.around, kind, value)
        reading.said.append(text)
    reading.pending, reading.waiting, reading.adjacent = _Pending(), None, False


def _surrounded(around: Around, kind: str, value: str) -> Around:
    """With one more thing told of it. Where there is snow elsewhere than in a wide field, it falls."""
    if value == "snow" and around.place not in (None, "snow"):
        return replace(around, weather="snowing")
    if kind == "place" and around.place == "snow" and value != "snow":
        return replace(around, place=value, weather="snowing")  # pyright: ignore[reportArgumentType]
    return replace(around, **{kind: True if kind == "festive" else value})


def _thing(reading: _Reading, found: Found, text: str) -> None:
    pending, reading.pending = reading.pending, _Pending()
    reading.backdrop = reading.stray = False
    if pending.negated:
        reading.removed.add(found.icon)
        return
    if len(reading.things) == THINGS:
        reading.undrawn.append(text)
        return
    if (members := _families().get(found.icon)) is not None and pending.count is None:
        for member in members:
            _thing(reading, replace(found, icon=member), text)
        return
    if _again(reading, found, pending):
        reading.waiting, reading.adjacent = None, True
        return
    count = pending.count if pending.count is not None else reading.chance.randint(3, 4) if found.several else 1
    size = pending.size * (0.8 if found.small else 1.0)
    number = len(reading.things)
    reading.things.append(Thing(found.icon, text, count, pending.colour, size))
    if reading.waiting is not None:
        relation, those = reading.waiting
        reading.links.append(Link(those, relation, number))  # pyright: ignore[reportArgumentType]
        reading.waiting, reading.group = None, [number]
    else:
        reading.group.append(number)
    reading.adjacent = True


def _again(reading: _Reading, found: Found, pending: _Pending) -> bool:
    """Whether it is said only in other words: a coffee cup is one thing."""
    return (pending.count, pending.colour) == (None, None) and any(thing.icon == found.icon for thing in reading.things)


def _spare(reading: _Reading) -> None:
    """What the language does not know may be English, which is in all of them; else it is not drawn."""
    for language, token in reading.spare:
        found = dictionary("en").find([token], 0) if language != "en" else None
        if found is not None and found.weight >= LABEL - 1:
            _thing(reading, found, token.text)
        else:
            reading.undrawn.append(token.text)


def _fewer(things: list[Thing]) -> list[Thing]:
    """No more of each than there is room for."""
    total = sum(thing.count for thing in things)
    if total <= MOST:
        return things
    return [replace(thing, count=max(1, thing.count * MOST // total)) for thing in things]


def _surroundings(around: Around) -> tuple[str | None, ...]:
    return around.place, around.time, around.weather, "festive" if around.festive else None


def _without(around: Around, gone: set[str]) -> Around:
    return Around(
        None if around.place in gone else around.place,
        None if around.time in gone else around.time,
        None if around.weather in gone else around.weather,
        around.colour,
        around.festive and "festive" not in gone,
    )


@cache
def _families() -> dict[int, tuple[int, ...]]:
    """Pictures in whose place several are drawn."""
    rows = {sign: signs(row) for sign, row in lexicon()["families"].items()}
    pairs = ((book().number(sign), tuple(map(book().number, row))) for sign, row in rows.items())
    return {one: tuple(n for n in several if n is not None) for one, several in pairs if one is not None}


@cache
def _settings() -> dict[int, tuple[str, str]]:
    """What the pictures that stand for surroundings say."""
    kinds = {"night": "time", "sunset": "time", "rain": "weather", "snowing": "weather"}
    return {
        number: (kinds.get(value, "place"), value)
        for value, row in lexicon()["settings"].items()
        for sign in signs(row)
        if (number := book().number(sign)) is not None
    }
