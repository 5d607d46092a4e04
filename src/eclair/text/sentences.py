"""Where the sentences of a text are: of Markdown while it streams, and of a document's plain text.

A sentence is what ends with a stop, a heading, a row of a table, or an item of a list that has no stop. Code in fences
and a table's head are none. It is known where sentences stand, not what they say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from eclair.text.lexicon.loader import load_lexicons, merge_words

LONGEST = 4000
"""Characters after which a sentence ends though no stop has come."""

Span = tuple[int, int]

_STOP = re.compile(r"[.!?…]+|[。！？｡؟۔।]+|\n")
_FULL = re.compile(r"[。！？｡؟۔।]")
_MARK = r"[ \u00a0\u202f]?[\[【]\^?\d{1,3}(?:[,;–-][ ]?\d{1,3})*[\]】]|[⁰¹²³⁴-⁹]"
_TAIL = re.compile(rf"(?:{_MARK}|[\"'”’“»›)\]*_~`」』】）]|[ \u00a0\u202f][»›])*")
_UNSURE = re.compile(r"[ \t\u00a0\u202f]*(?:[\[【][\^\d,; –-]*)?\Z")
_ENDED = re.compile(rf"([.!?…]+){_TAIL.pattern}[ \t]*\Z")
_SPACE = re.compile(r"[ \t\u00a0\u202f\u3000]*")
_NEXT = re.compile(r"[\"'“”„‚«‹»›‘’(\[*_~`¿¡ \u00a0\u202f]*(\w*)")

_BULLETS = re.compile(r"[ \t]*(?:(?:>|[-*+•](?=[ \t])|\d{1,3}[.)](?=[ \t]))[ \t]*)*")
_UNSETTLED = re.compile(r"[-=*_+ \t]*|\d{1,3}[.)]?|#{1,6}|`{1,2}|~{1,2}|#{1,6}[ \t].*|`{3}.*|~{3}.*|\|.*")
_RULE = re.compile(r"[-=*_](?:[ \t]*[-=*_])*[ \t]*")
_FENCE = re.compile(r"(`{3,})[^`]*|(~{3,}).*")
_HEADING = re.compile(r"#{1,6}[ \t]")
_DIVIDER = re.compile(r"[|:\- \t]*")


@dataclass(frozen=True, slots=True)
class _Rules:
    """Words, of any language, that decide whether a stop ends a sentence."""

    abbreviations: frozenset[str]
    numbered_abbreviations: frozenset[str]
    openers: frozenset[str]
    ordinal_nouns: frozenset[str]
    ordinal_articles: frozenset[str]


@cache
def _rules() -> _Rules:
    months = frozenset(
        name.casefold()
        for lexicon in load_lexicons()
        if lexicon.sentences.ordinal_nouns
        for names in lexicon.dates.months
        for name in names
    )
    return _Rules(
        merge_words(lambda lexicon: lexicon.sentences.abbreviations),
        merge_words(lambda lexicon: lexicon.sentences.numbered_abbreviations),
        merge_words(lambda lexicon: lexicon.sentences.openers),
        months | merge_words(lambda lexicon: lexicon.sentences.ordinal_nouns),
        merge_words(lambda lexicon: lexicon.sentences.ordinal_articles),
    )


class Sentences:
    """Finds the sentences of Markdown that comes in pieces. How it is cut into pieces makes no difference."""

    def __init__(self) -> None:
        self._text = ""
        self._base = 0
        self._at: int = 0
        self._look: int = 0
        self._prose = False
        self._quoted = False
        self._table = False
        self._fence = ""

    def add(self, delta: str) -> list[Span]:
        """The sentences that are finished now, as offsets in the whole text: end exclusive, without bullets, white
        space at the ends and a row's outer bars; a heading with its `#`."""
        self._text += delta
        return self._read(last=False)

    def finish(self) -> list[Span]:
        """What is left when nothing more comes."""
        return self._read(last=True)

    def _read(self, *, last: bool) -> list[Span]:
        found: list[Span] = []
        while self._at < len(self._text) and (self._in_sentence if self._prose else self._at_line)(found, last):
            pass
        self._text, self._base = self._text[self._at :], self._base + self._at
        self._look -= self._at
        self._at = 0
        return found

    def _at_line(self, found: list[Span], last: bool) -> bool:
        """Look at the line that begins. False where more of it must come first."""
        text = self._text
        end = text.find("\n", self._at)
        whole = end >= 0 or last
        end = len(text) if end < 0 else end
        bullets = _BULLETS.match(text, self._at, end)
        begin = bullets.end() if bullets else self._at
        line = text[begin:end]
        if not whole and (self._fence or _UNSETTLED.fullmatch(line)):
            return False
        after = min(end + 1, len(text))
        table, self._table = self._table, False
        if self._fence:
            if line.startswith(self._fence) and not line.strip(self._fence[0] + " \t\r"):
                self._fence = ""
        elif fence := _FENCE.fullmatch(line):
            self._fence = fence[1] or fence[2]
        elif line.startswith("|"):
            self._table = True
            if table and not _DIVIDER.fullmatch(line):
                bars = len(line) - len(line.lstrip("| \t"))
                self._give(found, begin + bars, begin + len(line.rstrip("| \t\r")))
        elif _HEADING.match(line):
            self._give(found, begin, end)
        elif line.strip() and not _RULE.fullmatch(line.rstrip("\r")):
            self._prose, self._quoted = True, bullets is not None and ">" in bullets[0]
            self._at = self._look = begin
            return True
        self._at = after
        return True

    def _in_sentence(self, found: list[Span], last: bool) -> bool:
        """Look for the end of the sentence that has begun. False where more must come first."""
        text = self._text
        stop = _STOP.search(text, self._look)
        if (stop.start() if stop else len(text)) > self._at + LONGEST:
            return self._cut(found, self._at + LONGEST)
        if stop is None:
            self._look = len(text)
            return self._cut(found, len(text)) if last else False
        self._look = stop.start()
        if stop[0] == "\n":
            return self._at_newline(found, stop.start(), last)
        tail = _TAIL.match(text, stop.end())
        after = tail.end() if tail else stop.end()
        if not last and _UNSURE.match(text, after):
            return False
        space = _SPACE.match(text, after)
        begin = space.end() if space else after
        if begin == len(text) or text[begin] == "\n":
            self._look = begin
            return True
        if not _FULL.match(stop[0]):
            if begin == after:
                self._look = stop.end()
                return True
            ends = _ends(text, self._at, stop.start(), stop[0], begin, last)
            if ends is None:
                return False
            if not ends:
                self._look = stop.end()
                return True
        return self._cut(found, after, begin)

    def _at_newline(self, found: list[Span], end: int, last: bool) -> bool:
        """The line ends; the sentence goes on in the next one where that is a plain line of the same paragraph."""
        text = self._text
        begins = _BULLETS.match(text, end + 1)
        begin = begins.end() if begins else end + 1
        newline = text.find("\n", begin)
        line = text[begin : newline if newline >= 0 else len(text)]
        if newline < 0 and not last and _UNSETTLED.fullmatch(line):
            return False
        bullets = text[end + 1 : begin].strip()
        block = bullets != (">" if self._quoted else "") and bullets != ""
        if (
            block
            or not line.strip()
            or line[0] == "|"
            or _HEADING.match(line)
            or _FENCE.fullmatch(line)
            or (_RULE.fullmatch(line.rstrip("\r")))
        ):
            self._prose = False
            return self._cut(found, end, end + 1)
        ended = _ENDED.search(text, max(self._at, end - 80), end)
        if ended:
            ends = _ends(text, self._at, ended.start(), ended[1], begin, last)
            if ends is None:
                return False
            if ends:
                return self._cut(found, end, begin)
        self._look = begin
        return True

    def _cut(self, found: list[Span], end: int, begin: int | None = None) -> bool:
        self._give(found, self._at, end)
        self._at = self._look = end if begin is None else begin
        return True

    def _give(self, found: list[Span], start: int, end: int) -> None:
        piece = self._text[start:end]
        start += len(piece) - len(piece.lstrip())
        end -= len(piece) - len(piece.rstrip())
        if re.search(r"\w", piece):
            found.append((self._base + start, self._base + end))


def split(text: str) -> list[Span]:
    """The sentences of a document's plain text, in which a line may end anywhere: offsets, end exclusive."""
    found: list[Span] = []
    for start, end in _paragraphs(text):
        at = start
        for stop in _STOP.finditer(text, start, end):
            tail = _TAIL.match(text, stop.end(), end)
            after = tail.end() if tail else stop.end()
            begin = after
            while begin < end and text[begin].isspace():
                begin += 1
            full = _FULL.match(stop[0]) is not None
            if stop[0] == "\n" or stop.start() < at or (begin == after and not full) or begin == end:
                continue
            if full or _ends(text, at, stop.start(), stop[0], begin, last=True):
                found.append((at, after))
                at = begin
        found.append((at, end))
    return [span for start, end in found if (span := _trimmed(text, start, end))]


def _paragraphs(text: str) -> list[Span]:
    """Stretches between blank lines and before bullets; the lines of one that has no stop, such as a table."""
    breaks = [found.start() for found in re.finditer(r"\n(?=[ \t]*\n|[ \t]*[-*•‣–][ \t])", text)]
    found: list[Span] = []
    for start, end in zip([0, *breaks], [*breaks, len(text)], strict=True):
        if re.search(r"[.!?…。！？؟]", text[start:end]):
            found.append((start, end))
        else:
            lines = [start + at for at, sign in enumerate(text[start:end]) if sign == "\n"]
            found += zip([start, *lines], [*lines, end], strict=True)
    return found


def _trimmed(text: str, start: int, end: int) -> Span | None:
    piece = text[start:end]
    if not re.search(r"\w", piece):
        return None
    return start + len(piece) - len(piece.lstrip()), end - len(piece) + len(piece.rstrip())


def _ends(text: str, start: int, at: int, stop: str, begin: int, last: bool) -> bool | None:
    """Whether the sentence from `start` ends with the stop `stop` at `at`, when `begin` is where it goes on or the next
    one begins. None where more must come before that is known."""
    following = _NEXT.match(text, begin)
    word = following[1] if following else ""
    if following and following.end() == len(text) and len(word) < 30 and not last:
        return None
    if word[:1].islower():
        return False
    if stop != ".":
        return True
    head = re.search(r"(?:\w\.[ ]?)*\w+\Z", text[max(start, at - 40) : at])
    if head is None:
        return True
    before = head[0].rsplit(".", 1)[-1].strip()
    if before.isdecimal():
        return not _ordinal(text[start : at - len(before)], before, word)
    known = before.casefold()
    if word[:1].isdigit() and known in _rules().numbered_abbreviations:
        return False
    if len(before) == 1 and text[at - 2 : at - 1] in ("", " ", "\u00a0", "\u202f", "\n", ".", "(", "-"):
        return before.isupper() and word.casefold() in _rules().openers
    return known not in _rules().abbreviations


def _ordinal(head: str, number: str, word: str) -> bool:
    """Whether `number.` before `word` is a German ordinal, as in "am 3. Mai"."""
    if len(number) > 2:
        return False
    before = re.search(r"(\w+)\W*\Z", head)
    known = word.casefold()
    rules = _rules()
    return known in rules.ordinal_nouns or (
        before is not None and before[1].casefold() in rules.ordinal_articles and known not in rules.openers
    )
