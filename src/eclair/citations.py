"""Whether a sentence of an answer stands in the passages that it was given, and where: a citation, a doubt or nothing.

Words decide first: which sentence of a passage, or which two that follow each other, has the most of the sentence's
words. Where that is not enough, the meaning of both is compared, in another language too. Then what can be compared to
the letter is: a number, date, name or negation that differs is a doubt, however much alike the sentences are. A
passage is text and nothing else; what it says is never followed. What is shown of the result is for others to say.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from heapq import nlargest
from typing import TYPE_CHECKING, Literal, Protocol

from eclair.errors import UpstreamError
from eclair.facts import Facts, Number, Term, fold, read, roman, scope, sure, tells
from eclair.languages import language_of
from eclair.messages import Passage
from eclair.sentences import LONGEST, Span, listed, split

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

ASKED = 2000
"""Characters of what the person wrote that are looked at."""

CONTEXT = 200
"""Characters of the question, and before a short sentence, that are read along with it."""

BATCH = 8
"""Sentences of passages that are embedded in one call, so that a question need not wait long for its turn."""


class Embedder(Protocol):
    """Texts as vectors of unit length, [n, dimensions]; never blocks the event loop."""

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> NDArray[float32]: ...


@dataclass(frozen=True, slots=True)
class Supported:
    """`quote`, characters `start` to `end` of the document of passage number `passage`, says it. `support` is how
    likely that is right, from 0 to 1; `page` and `label` are where the quote begins, as a citation has them."""

    passage: int
    start: int
    end: int
    quote: str
    support: float
    page: int | None
    label: str | None


@dataclass(frozen=True, slots=True)
class Doubted:
    """No passage says it. `about` is what of the sentence differs from passage number `passage`, the nearest, or
    empty."""

    about: str
    passage: int | None


def sentences_of(passage: Passage) -> list[Span]:
    """Where the sentences of a passage are in its text, its headings apart from what stands below them."""
    body = passage.body
    below = [(body + start, body + end) for start, end in split(passage.text[body:])]
    return [*split(passage.text[:body]), *below]


class Checker:
    """Holds the sentences of an answer against its passages.

    `asked` is what the person wrote, so that its words repeated claim nothing. Without an embedder, words alone
    decide: what is said in other words or in another language is then doubted.
    """

    def __init__(self, passages: Sequence[Passage], embedder: Embedder | None, asked: str = "") -> None:
        self._passages = tuple(passages)
        self._embedder = embedder
        self._asked = asked[:ASKED]
        self._known = _bare(self._asked)
        self._book: asyncio.Task[_Book] | None = None
        self._vectors: asyncio.Task[list[NDArray[float32]]] | None = None

    async def warm(self) -> None:
        """Do now what the first sentence would have to wait for that words alone do not decide. Raises
        UpstreamError."""
        await self._read()
        if self._embedder:
            await self._embedded(self._embedder)

    async def check(self, sentence: str, before: str = "") -> Supported | Doubted | None:
        """What the passages say to a sentence of Markdown, which stands after `before` in the answer: None where it
        claims nothing, as a greeting, a question or a heading does. Where the embedder fails, words alone decide."""
        sentence = sentence[:LONGEST]
        if not claims(sentence) or _bare(sentence) in self._known:
            return None
        if not self._passages:
            return Doubted("", None)
        book = await self._read()
        claim = book.claim(_plain(sentence), _plain(f"{self._asked[-CONTEXT:]} {before[-CONTEXT:]}"))
        nearest = book.by_words(claim)
        if self._embedder and not (nearest and nearest[0].support >= CLEAR):
            try:
                parts = await self._embedded(self._embedder)
                vector = (await self._embedder.embed([claim.text], "query"))[0]
            except UpstreamError:
                self._embedder = None
            else:
                nearest = book.by_meaning(claim, [cosine for part in parts for cosine in (part @ vector).tolist()])
        return book.judge(claim, nearest)

    async def _read(self) -> _Book:
        self._book = self._book or asyncio.create_task(asyncio.to_thread(_Book, self._passages))
        return await asyncio.shield(self._book)

    async def _embedded(self, embedder: Embedder) -> list[NDArray[float32]]:
        self._vectors = self._vectors or asyncio.create_task(self._embed(embedder))
        return await asyncio.shield(self._vectors)

    async def _embed(self, embedder: Embedder) -> list[NDArray[float32]]:
        texts = [line.text for line in (await self._read()).lines]
        return [await embedder.embed(texts[at : at + BATCH], "query") for at in range(0, len(texts), BATCH)]


# What claims nothing

_FENCE_OR_HEADING = re.compile(r"\s*(?:#{1,6}\s|```|~~~)")
_BOLD_ALONE = re.compile(r"\s*(\*\*|__)[^*_]+\1\s*:?\s*")
_ASKS = re.compile(r"[?？؟;]\W*\Z")
_ANNOUNCES = re.compile(r"[:：]\W*\Z")
_GREETINGS = (
    "hello|hi|hey|sure|certainly|of course|okay|ok|thanks|thank you|you['’]re welcome|great|sorry|please",
    "hallo|guten (?:tag|morgen|abend)|gerne?|natürlich|klar|selbstverständlich|danke|bitte",
    "bonjour|salut|bien sûr|merci|d['’]accord|hola|claro|por supuesto|gracias",
    "ciao|certo|grazie|bună|desigur|mulțumesc",
)
"""Nothing is claimed by one of these with at most three words after it, no figures among them."""

_ANSWERS = "yes|no|ja|nein|oui|non|sí|si|da|nu|ok"
"""Nothing that a passage could say is claimed by one of these alone."""

_SOURCE = "(?:passage|document|text|source|file|excerpt)s?"
_THE = r"(?:the|this|these|your|none of the)(?: \w+)?"
_QUELLE = r"(?:dokument\w*|text\w*|passagen?|quellen?|datei(?:en)?|ausz[uü]g\w*|abschnitt\w*)"
_EMPTY = (
    r"(?:i|we) (?:do not|don['’]t|cannot|can['’]t|could(?: not|n['’]t)|am (?:not|sorry)|hope|can (?:help|also)|will)\b",
    r"(?:i|we)['’](?:m|ll|d)\b|let me\b|let['’]s\b|feel free\b|if you\b.*\b(?:let me|ask|tell|want|need|like)\b",
    r"here (?:is|are)\b.{0,80}\Z|here['’]s\b.{0,80}\Z",
    rf"(?:unfortunately,? )?{_THE} {_SOURCE} (?:do(?:es)? not|do(?:es)?n['’]t|never|contains? no|says? nothing)\b",
    r"there is (?:no|not enough) (?:information|mention)\b",
    rf"(?:that|this|it) is not (?:mentioned|stated|said|in the {_SOURCE})\b",
    r"ich (?:weiß|kann|konnte|habe|hoffe|werde|finde)\b|(?:es )?tut mir leid\b",
    r"leider (?:kann|konnte|weiß|habe|steht|enth[aä]lt|gibt)\b",
    rf"(?:das|der|die|den|im|in de[nmr]) (?:\w+ )?{_QUELLE} .{{0,40}}\b(?:nicht|keine?\w*|nichts)\b",
    r"hier (?:ist|sind|kommt|folgt)\b.{0,80}\Z|lassen sie\b|wenn (?:sie|du) .*(?:fragen|möchte|brauch|willst)",
    r"je (?:ne|n['’]|suis|peux|vais|regrette)|désolée?\b|n['’]hésitez\b|voici\b.{0,80}\Z",
    r"(?:malheureusement,? )?(?:les?|ces?) (?:documents?|passages?|textes?|extraits?|sources?) (?:ne|n['’])",
    r"no (?:lo )?(?:sé|puedo|encuentro)\b|lo siento\b|(?:el|los|este) (?:documentos?|textos?|pasajes?) no\b",
    r"non (?:lo )?so\b|mi dispiace\b|nu (?:știu|pot)\b|îmi pare rău\b",
)
"""What one says of oneself, of what follows, or of what the passages do not say."""

_NO_CLAIM = re.compile(
    rf"\W*(?:(?:{'|'.join(_GREETINGS)})\b\W*(?:[^\W\d]+\W*){{0,3}}\Z|(?:{_ANSWERS})\W*\Z|{'|'.join(_EMPTY)})",
    re.IGNORECASE,
)


def claims(sentence: str) -> bool:
    """Whether a sentence of Markdown claims anything that could be true or false."""
    if _FENCE_OR_HEADING.match(sentence) or _BOLD_ALONE.fullmatch(sentence):
        return False
    text = _plain(sentence)
    if _ASKS.search(text) or _ANNOUNCES.search(text) or _NO_CLAIM.match(text):
        return False
    return any(sign.isdigit() for sign in text) or bool([term for term in read(text).terms if tells(term)])


_MARKUP = re.compile(
    r"\[\^?\d{1,3}(?:[,;–-] ?\d{1,3})*\]|!?\[([^\]\n]{0,300})\]\([^)\s]{0,500}\)"
    r"|[*_~`]{1,3}(?=\S)|(?<=\S)[*_~`]{1,3}|\n[ \t]*>+"
)


def _plain(markdown: str) -> str:
    """The words without the marks of Markdown and of footnotes."""
    return " ".join(_MARKUP.sub(lambda found: found[1] or " ", markdown).split())


def _bare(text: str) -> str:
    return " ".join(re.findall(r"\w+", fold(text)))


# The passages, and a sentence held against them

CLEAR = 0.9
"""Support by words from which the meaning need not be asked."""

LEAST = 0.5
"""Support under which a sentence is doubted."""

NEAR = 0.12
"""Support that a place may have less than the best and still be looked at when the best differs in a fact."""

USUAL = 0.79
FEW = 12
"""The cosine of sentences that have nothing to do with each other, and how many of them it stands for beside those at
hand: in a single short passage, all may be near."""

HALF = 0.5
"""Share of a claim's words under which it may be in another language, where that cannot be told."""

SHORT = 3
"""Telling words under which the numbers of a sentence count as such."""

ALMOST = 0.85
"""Share of a claim's words from which it repeats a place rather than joins two."""

MEANT = 0.5
"""What a name counts for where only the rest of the passage has it: the sentence may say "he"."""

LIKELY = 4
"""Lines that are looked at, by words and by meaning."""

PAIR = 0.06
"""What a second sentence must add of the claim's words to be quoted too."""

_CAPITAL_NOUNS = listed("de lb")
"""Languages that write every noun with a capital."""

_PREPOSITIONS = listed("in von nach aus bei zwischen seit gegen durch als und")


@dataclass(frozen=True, slots=True)
class _Line:
    """A sentence of a passage: `passage` counts from 0, `start` and `end` from the passage's start."""

    passage: int
    start: int
    end: int
    text: str
    facts: Facts
    stems: frozenset[str]
    numbers: tuple[Number, ...]


@dataclass(frozen=True, slots=True)
class _Claim:
    """A sentence of the answer: what it says, its telling stems with their weights, and which of them are names."""

    text: str
    facts: Facts
    language: str | None
    weights: dict[str, float]
    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Place:
    """Lines `first` to `last` as what may support a claim. `share` of its words stand there."""

    first: int
    last: int
    share: float
    support: float


class _Book:
    """The passages' sentences, by their words."""

    def __init__(self, passages: tuple[Passage, ...]) -> None:
        self.passages = passages
        self.lines: list[_Line] = []
        self._languages = [language_of(passage.text) for passage in passages]
        self._holds: dict[str, list[int]] = defaultdict(list)
        self._titles: list[frozenset[str]] = []
        self._names = set[str]()
        self._common = set[str]()
        for place, passage in enumerate(passages):
            title = read(" . ".join((passage.name, *passage.heading)))
            self._titles.append(frozenset(term.stem for term in title.terms))
            for start, end in sentences_of(passage):
                self._add(place, start, end, passage.text[start:end])
        nexts = [line.passage for line in self.lines[1:]]
        self._joined = [line.passage == after for line, after in zip(self.lines, [*nexts, None], strict=False)]

    def _add(self, place: int, start: int, end: int, text: str) -> None:
        facts = read(text, self._languages[place])
        stems = frozenset(term.stem for term in facts.terms if tells(term))
        numbers = (*facts.numbers, *roman(text))
        values = {value for number in numbers for value in number.values} | _years(facts)
        for stem in stems | {_figure(value) for value in values}:
            self._holds[stem].append(len(self.lines))
        for term in facts.terms:
            if term.capital and not term.first:
                self._names.add(term.stem)
            elif not term.capital:
                self._common.add(term.stem)
        self.lines.append(_Line(place, start, end, text, facts, stems, numbers))

    def claim(self, text: str, context: str) -> _Claim:
        """The sentence `text`; where it says little by itself, as "In 1943." does, `context` says what it is about."""
        language = language_of(text)
        facts = read(text, language)
        stems = list(dict.fromkeys(term.stem for term in facts.terms if tells(term)))
        weigh = dict.fromkeys(stems, 1.0)
        if len(stems) < SHORT:
            for number in facts.numbers:
                known = (_figure(value) for value in number.values)
                weigh[next((key for key in known if key in self._holds), _figure(min(number.values)))] = 2.0
            for date in facts.dates:
                weigh |= {_figure(float(year)): 2.0 for year, _, _ in date.readings if year is not None}
        if len(weigh) < 2:
            weigh |= {term.stem: 0.5 for term in read(context).terms if tells(term) and term.stem not in weigh}
            text = f"{context} {text}".strip()
        lines = len(self.lines)
        for stem, by in weigh.items():
            weigh[stem] = by * min(3.0, math.log(1 + lines / (len(self._holds.get(stem, ())) + 0.5)))
        names = frozenset(term.stem for term in facts.terms if term.capital)
        return _Claim(text, facts, language, weigh, names)

    def _shares(self, claim: _Claim) -> tuple[list[float], list[float]]:
        """Of the claim's words, by weight, what each line has, and each with the next of the same passage."""
        total = sum(claim.weights.values()) or 1.0
        alone, pairs = [0.0] * len(self.lines), [0.0] * len(self.lines)
        for stem, weight in claim.weights.items():
            lines = set(self._holds.get(stem, ()))
            begins = {begin for line in lines for begin in (line - 1, line) if begin >= 0 and self._joined[begin]}
            for line in lines:
                alone[line] += weight / total
            for begin in begins:
                pairs[begin] += weight / total
            if stem in claim.names:
                for line in self._around(stem, lines):
                    alone[line] += 0 if line in lines else MEANT * weight / total
                    pairs[line] += 0 if line in begins else MEANT * weight / total
        return alone, pairs

    def _around(self, stem: str, lines: set[int]) -> list[int]:
        """The lines of the passages that have the stem, or in whose title it stands."""
        within = {self.lines[line].passage for line in lines}
        within |= {place for place, title in enumerate(self._titles) if stem in title}
        return [at for at, line in enumerate(self.lines) if line.passage in within]

    def by_words(self, claim: _Claim) -> list[_Place]:
        """The places that have most of the claim's words, best first."""
        return self._places(claim, None)

    def by_meaning(self, claim: _Claim, cosines: Sequence[float]) -> list[_Place]:
        """The places that have most of the claim's words or come nearest to its meaning, best first."""
        usual = (
            (sorted(cosines)[len(cosines) // 2] * len(cosines) + USUAL * FEW) / (len(cosines) + FEW) if cosines else 0
        )
        return self._places(claim, [cosine - usual for cosine in cosines])

    def _places(self, claim: _Claim, nearness: Sequence[float] | None) -> list[_Place]:
        alone, pairs = self._shares(claim)
        every = range(len(self.lines))
        likely = set(nlargest(LIKELY, every, alone.__getitem__))
        if nearness is not None:
            likely.update(nlargest(LIKELY, every, nearness.__getitem__))
        found: dict[tuple[int, int], _Place] = {}
        for line in likely:
            first, last, share = line, line, alone[line]
            for begin in (line - 1, line):
                if begin >= 0 and pairs[begin] > share + (PAIR if first == last else 0):
                    first, last, share = begin, begin + 1, pairs[begin]
            if first < last and max(alone[first], alone[last]) > share - PAIR:
                continue  # the other line says it alone
            support = _support(share, None if nearness is None else nearness[line])
            found[first, last] = max(
                _Place(first, last, share, support),
                found.get((first, last), _Place(0, 0, 0, -1)),
                key=_by_support,
            )
        return sorted(found.values(), key=_by_support, reverse=True)

    def judge(self, claim: _Claim, places: list[_Place]) -> Supported | Doubted:
        """The best place that differs in no fact; else the doubt about the best."""
        if not places or places[0].support < LEAST:
            return Doubted(self._foreign(claim), self._number(places[0]) if places else None)
        differs: list[str] = []
        for place in places:
            if place is not places[0] and not self._rivals(place, places[0]):
                continue
            about = self._difference(claim, place)
            if about is None:
                return self._supported(place)
            differs.append(about)
        return Doubted(differs[0], self._number(places[0]))

    def _rivals(self, place: _Place, best: _Place) -> bool:
        """Whether a place may be the one that is meant although another has more of the words."""
        apart = place.first > best.last or place.last < best.first
        return apart and place.support >= max(LEAST, best.support - NEAR) and place.share >= best.share - NEAR / 2

    def _number(self, place: _Place) -> int:
        return self.passages[self.lines[place.first].passage].number

    def _supported(self, place: _Place) -> Supported:
        first, last = self.lines[place.first], self.lines[place.last]
        passage = self.passages[first.passage]
        begin, quote = passage.start + first.start, passage.text[first.start : last.end]
        support = round(place.support, 3)
        return Supported(passage.number, begin, passage.start + last.end, quote, support, *passage.named_at(begin))

    def _foreign(self, claim: _Claim) -> str:
        """The number or date of a claim that stands in no passage at all."""
        numbers = [number for line in self.lines for number in line.numbers]
        dates = [date for line in self.lines for date in line.facts.dates]
        for date in claim.facts.dates:
            if not any(date.same(other) for other in dates):
                return date.text
        for number in claim.facts.numbers:
            if sure(number) and not number.spelled and not _found(number, numbers, _date_numbers(self.lines)):
                return number.text
        return ""

    # Facts

    def _difference(self, claim: _Claim, place: _Place) -> str | None:
        """What of the claim differs from what stands at the place; empty where that is a negation the claim lacks."""
        lines = self.lines[place.first : place.last + 1]
        whole = [line for line in self.lines if line.passage == lines[0].passage]
        language = self._languages[lines[0].passage]
        foreign = place.share < HALF if None in (claim.language, language) else claim.language != language
        return (
            self._other_date(claim, lines, whole)
            or self._other_number(claim, lines, whole, foreign, place.share)
            or (None if foreign else self._other_name(claim, lines, whole, language))
            or _other_polarity(claim, lines, foreign, place.share)
        )

    def _other_date(self, claim: _Claim, lines: list[_Line], whole: list[_Line]) -> str | None:
        for date in claim.facts.dates:
            if any(date.same(other) for line in lines for other in line.facts.dates):
                continue
            parts = {value for reading in date.readings for value in reading if value is not None}
            said = {value for line in lines for number in line.numbers for value in number.values}
            years = {value for value in parts if value > 31}
            if years and years <= said and not any(line.facts.dates for line in lines):
                continue
            if any(date.same(other) for line in whole for other in line.facts.dates) and not any(
                line.facts.dates for line in lines
            ):
                continue
            return date.text
        return None

    def _other_number(
        self, claim: _Claim, lines: list[_Line], whole: list[_Line], foreign: bool, share: float
    ) -> str | None:
        said = [number for line in lines for number in line.numbers]
        parts = _date_numbers(lines)
        left: list[Number] = []
        unused = list(said)
        for number in claim.facts.numbers:
            match = next((other for other in unused if number.same(other)), None)
            if match:
                unused.remove(match)
            elif sure(number) and number.values.isdisjoint(parts):
                left.append(number)
        spare = [other for other in unused if sure(other) and not other.spelled and not _found(other, left, set())]
        elsewhere = [number for line in whole for number in line.numbers]
        for number in left:
            if number.spelled and not any(sure(other) for other in said):
                continue
            if not spare and _found(number, elsewhere, _date_numbers(whole)):
                continue
            if not foreign and share < ALMOST and self._said_elsewhere(claim, number, lines):
                continue
            return number.text
        return None

    def _said_elsewhere(self, claim: _Claim, number: Number, lines: list[_Line]) -> bool:
        """Whether another line has the number and words of the claim that these lines lack: the claim joins two."""
        here = frozenset[str]().union(*(line.stems for line in lines))
        missing = {stem for stem in claim.weights if stem not in here}
        return any(
            line not in lines and _found(number, line.numbers, _date_numbers([line])) and missing & line.stems
            for line in self.lines
        )

    def _other_name(self, claim: _Claim, lines: list[_Line], whole: list[_Line], language: str | None) -> str | None:
        here = frozenset[str]().union(*(line.stems for line in lines))
        around = frozenset[str]().union(*(line.stems for line in whole), self._titles[lines[0].passage])
        mine = set(claim.weights)
        spare = any(
            term.capital and tells(term) and term.stem not in mine and self._is_name(term)
            for line in lines
            for term in line.facts.terms
        )
        for place, term in enumerate(claim.facts.terms):
            if not term.capital or not tells(term):
                continue
            if _exchanged(claim.facts.terms, place, lines):
                return term.text
            if term.stem in here or _alike(term, here) or not self._is_name(term) or _shortens(term, whole):
                continue
            if language in _CAPITAL_NOUNS and not _bare_name(claim.facts.terms, place):
                continue
            if not spare and (term.stem in around or _alike(term, around)):
                continue
            return term.text
        return None

    def _is_name(self, term: Term) -> bool:
        if term.stem in self._common:
            return False
        return not term.first or term.stem in self._names or (len(term.text) > 1 and term.text.isupper())


def _by_support(place: _Place) -> tuple[float, float]:
    return place.support, place.share


def _figure(value: float) -> str:
    """What stands for a number among the stems."""
    return f"#{value:g}"


def _years(facts: Facts) -> set[float]:
    """The years and days of dates, which may be named alone."""
    parts = (value for date in facts.dates for year, _, day in date.readings for value in (year, day))
    return {float(value) for value in parts if value is not None}


def _date_numbers(lines: Sequence[_Line]) -> set[float]:
    return set[float]().union(*(_years(line.facts) for line in lines))


def _found(number: Number, said: Sequence[Number], parts: set[float]) -> bool:
    return any(number.same(other) for other in said) or not number.values.isdisjoint(parts)


def _alike(term: Term, stems: frozenset[str]) -> bool:
    """Whether one of the stems is an inflection of the name: they share most of their beginning."""
    need = max(4, math.ceil(len(term.stem) * 0.7))
    return len(term.stem) >= 4 and any(stem[:need] == term.stem[:need] for stem in stems)


def _exchanged(terms: Sequence[Term], place: int, lines: Sequence[_Line]) -> bool:
    """Whether the lines have another word with a capital between the same neighbours, and this word nowhere beside
    either of them."""
    stem, before, after = terms[place].stem, _near(terms, place - 1), _near(terms, place + 1)
    other = False
    for line in lines:
        theirs = line.facts.terms
        for at, term in enumerate(theirs):
            left, right = _near(theirs, at - 1) == before, _near(theirs, at + 1) == after
            if term.stem == stem and (left or right):
                return False
            other |= left and right and term.capital and term.stem != stem and not _alike(term, frozenset((stem,)))
    return other


def _shortens(term: Term, lines: Sequence[_Line]) -> bool:
    """Whether it is the initials of words with a capital that follow each other, as EU is of European Union."""
    if not term.text.isupper() or len(term.text) < 2:
        return False
    return any(term.text in "".join(word.text[0] for word in line.facts.terms if word.capital) for line in lines)


def _bare_name(terms: Sequence[Term], place: int) -> bool:
    """Whether a German word with a capital is a name rather than a noun, as far as that can be told: the word before
    it is a preposition or a name, or there is none."""
    return place == 0 or terms[place - 1].capital or terms[place - 1].key in _PREPOSITIONS


def _near(terms: Sequence[Term], place: int) -> str:
    return terms[place].stem if 0 <= place < len(terms) else ""


def _other_polarity(claim: _Claim, lines: list[_Line], foreign: bool, share: float) -> str | None:
    """What denies, where one of claim and lines denies what the other says. Empty where the lines do."""
    mine = claim.facts
    theirs = [(line.facts, cue) for line in lines for cue in line.facts.cues]
    if foreign:
        return mine.terms[mine.cues[0]].text if mine.cues and not theirs else None
    left = [cue for cue in mine.cues if not _pair_off(theirs, lambda facts, other: _beside(mine, cue, facts, other))]  # noqa: B023
    for cue in left:
        denied = scope(mine, cue, 5)
        if share >= ALMOST or not _pair_off(theirs, lambda facts, other: bool(denied & scope(facts, other, 6))):  # noqa: B023
            return mine.terms[cue].text
    joined = {(_near(mine.terms, at), _near(mine.terms, at + 1)) for at in range(-1, len(mine.terms))}
    stems = set(claim.weights)
    for facts, cue in theirs:
        denied = scope(facts, cue, 3)
        if (_near(facts.terms, cue - 1), _near(facts.terms, cue + 1)) in joined or (
            len(denied) > 1 and denied <= stems and not mine.cues
        ):
            return ""
    return None


def _beside(mine: Facts, cue: int, theirs: Facts, other: int) -> bool:
    """Whether both negations have the same word before or after them."""
    return _near(mine.terms, cue - 1) == _near(theirs.terms, other - 1) or (
        _near(mine.terms, cue + 1) == _near(theirs.terms, other + 1)
    )


def _pair_off(cues: list[tuple[Facts, int]], fits: Callable[[Facts, int], bool]) -> bool:
    """Take the first that fits off the list; whether there was one."""
    for pair in cues:
        if fits(*pair):
            cues.remove(pair)
            return True
    return False


def _support(share: float, nearness: float | None) -> float:
    """How likely it is that a claim is supported where `share` of its words stand, and whose meaning is so much nearer
    than usual. The weights were fitted to the half of `bench/cite.py` that it does not report."""
    return _logistic(14 * share - 8 if nearness is None else 4.9 * share + 69 * nearness - 8.6)


def _logistic(value: float) -> float:
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, value))))
