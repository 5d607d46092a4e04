"""Find sentences: of streamed Markdown, and of plain text.

A sentence ends with a stop; so do a heading, a row of a table, and a list item without a stop. Fenced code and a
table's head are left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from eclair.text.lexicon.loader import load_lexicons, merge_words

MAX_SENTENCE_CHARS = 4000
"""A sentence ends here even if no stop has come."""

ABBREVIATION_LOOKBACK_CHARS = 40
ORDINAL_LOOKBACK_CHARS = 80
STOP_LOOKBACK_CHARS = 80
MAX_NEXT_WORD_CHARS = 30
"""So much of the next word must be there, if it isn't whole, before its first letter counts."""

Span = tuple[int, int]
"""Start and end offsets of a sentence, end exclusive."""

_QUESTION_MARKS = ("?", "？", "؟")
_GREEK_QUESTION_MARKS = (";", "\u037e")
"""A semicolon elsewhere."""
_GREEK_LETTER = re.compile(r"[\u0370-\u037d\u037f-\u03ff\u1f00-\u1fff]")
_CLOSING_MARKS = " \t\r\n\"'”“’‘»«)]*_」』】"

_STOP = re.compile(r"[.!?…]+|[。！？｡؟۔।]+|\n")
_FULL_STOP = re.compile(r"[。！？｡؟۔।]")
_FOOTNOTE = r"[ \u00a0\u202f]?[\[【]\^?\d{1,3}(?:[,;–-][ ]?\d{1,3})*[\]】]|[⁰¹²³⁴-⁹]"
_TAIL = re.compile(rf"(?:{_FOOTNOTE}|[\"'”’“»›)\]*_~`」』】）]|[ \u00a0\u202f][»›])*")
_MAY_GO_ON = re.compile(r"[ \t\u00a0\u202f]*(?:[\[【][\^\d,; –-]*)?\Z")
_ENDS_LINE = re.compile(rf"(?<![.!?…])([.!?…]++){_TAIL.pattern}+[ \t]*+\Z")
_LAST_STOP = re.compile(r"(?<![\w.])([^\W\d_]{3,})[.!?]\Z")
_UNIT_BEFORE = re.compile(r"(?<![\d.,])(?!(?:1\d|20)\d\d[ \u00a0\u202f]?[a-zµ]\Z)[\d.,]*\d[ \u00a0\u202f]?[ghlmstµ]\Z")
"""A measure ends with one small letter, as `275 t`; a year such as `1999 m.` may be abbreviated so."""
_SPACE = re.compile(r"[ \t\u00a0\u202f\u3000]*")
_NEXT_WORD = re.compile(r"[\"'“”„‚«‹»›‘’(\[*_~`¿¡ \u00a0\u202f]*(\w*)")

_BULLETS = re.compile(r"[ \t]*(?:(?:>|[-*+•](?=[ \t])|\d{1,3}[.)](?=[ \t]))[ \t]*)*")
_MAY_BE_BLOCK = re.compile(r"[-=*_+ \t]*|\d{1,3}[.)]?|#{1,6}|`{1,2}|~{1,2}|#{1,6}[ \t].*|`{3}.*|~{3}.*|\|.*")
_RULE = re.compile(r"[-=*_](?:[ \t]*[-=*_])*[ \t]*")
_WORD = re.compile(r"\w++")
_WORD_BEFORE = re.compile(r"\W*+(\w++)")
_FENCE = re.compile(r"(`{3,}+)[^`]*+|(~{3,}+).*+")
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


class SentenceSplitter:
    """Splits streamed Markdown into sentences; how it is cut into deltas makes no difference."""

    def __init__(self) -> None:
        self._text = ""
        self._offset = 0
        self._position: int = 0
        self._searched: int = 0
        self._is_prose = False
        self._is_quoted = False
        self._is_table = False
        self._fence = ""

    def add(self, delta: str) -> list[Span]:
        """Return the sentences finished by this delta, as offsets in the whole text.

        They don't include bullets, white space around them or a row's outer bars; a heading keeps its `#`.
        """
        self._text += delta
        return self._read(last=False)

    def finish(self) -> list[Span]:
        """Return the sentences that remain when nothing more comes."""
        return self._read(last=True)

    def _read(self, *, last: bool) -> list[Span]:
        found: list[Span] = []
        goes_on = True
        while goes_on and self._position < len(self._text):
            goes_on = self._read_sentence(found, last) if self._is_prose else self._read_line_start(found, last)
        self._text, self._offset = self._text[self._position :], self._offset + self._position
        self._searched -= self._position
        self._position = 0
        return found

    def _read_line_start(self, found: list[Span], last: bool) -> bool:
        """Read the beginning of a line. Returns False if more of it must come first."""
        text = self._text
        end = text.find("\n", self._position)
        whole = end >= 0 or last
        end = len(text) if end < 0 else end
        bullets = _BULLETS.match(text, self._position, end)
        begin = bullets.end() if bullets else self._position
        line = text[begin:end]
        if not whole and (self._fence or _MAY_BE_BLOCK.fullmatch(line)):
            return False
        after = min(end + 1, len(text))
        table, self._is_table = self._is_table, False
        if self._fence:
            if line.startswith(self._fence) and not line.strip(self._fence[0] + " \t\r"):
                self._fence = ""
        elif fence := _FENCE.fullmatch(line):
            self._fence = fence[1] or fence[2]
        elif line.startswith("|"):
            self._is_table = True
            if table and not _DIVIDER.fullmatch(line):
                bars = len(line) - len(line.lstrip("| \t"))
                self._append(found, begin + bars, begin + len(line.rstrip("| \t\r")))
        elif _HEADING.match(line):
            self._append(found, begin, end)
        elif line.strip() and not _RULE.fullmatch(line.rstrip("\r")):
            self._is_prose, self._is_quoted = True, bullets is not None and ">" in bullets[0]
            self._position = self._searched = begin
            return True
        self._position = after
        return True

    def _read_sentence(self, found: list[Span], last: bool) -> bool:
        """Look for the end of the current sentence. Returns False if more must come first."""
        text = self._text
        stop = _STOP.search(text, self._searched)
        if (stop.start() if stop else len(text)) > self._position + MAX_SENTENCE_CHARS:
            return self._finish_sentence(found, self._position + MAX_SENTENCE_CHARS)
        if stop is None:
            self._searched = len(text)
            return self._finish_sentence(found, len(text)) if last else False
        self._searched = stop.start()
        if stop[0] == "\n":
            return self._read_newline(found, stop.start(), last)
        tail = _TAIL.match(text, stop.end())
        after = tail.end() if tail else stop.end()
        if not last and _MAY_GO_ON.match(text, after):
            return False
        space = _SPACE.match(text, after)
        begin = space.end() if space else after
        if begin == len(text) or text[begin] == "\n":
            self._searched = begin
            return True
        if not _FULL_STOP.match(stop[0]):
            if begin == after:
                self._searched = stop.end()
                return True
            ends = _is_sentence_end(text, self._position, stop.start(), stop[0], begin, last)
            if ends is None:
                return False
            if not ends:
                self._searched = stop.end()
                return True
        return self._finish_sentence(found, after, begin)

    def _read_newline(self, found: list[Span], end: int, last: bool) -> bool:
        """End the sentence with its line, unless a plain line of the same paragraph follows."""
        text = self._text
        begins = _BULLETS.match(text, end + 1)
        begin = begins.end() if begins else end + 1
        newline = text.find("\n", begin)
        line = text[begin : newline if newline >= 0 else len(text)]
        if newline < 0 and not last and _MAY_BE_BLOCK.fullmatch(line):
            return False
        bullets = text[end + 1 : begin].strip()
        block = bullets != (">" if self._is_quoted else "") and bullets != ""
        if (
            block
            or not line.strip()
            or line[0] == "|"
            or _HEADING.match(line)
            or _FENCE.fullmatch(line)
            or (_RULE.fullmatch(line.rstrip("\r")))
        ):
            self._is_prose = False
            return self._finish_sentence(found, end, end + 1)
        ended = _ENDS_LINE.search(text, max(self._position, end - STOP_LOOKBACK_CHARS), end)
        if ended:
            ends = _is_sentence_end(text, self._position, ended.start(), ended[1], begin, last)
            if ends is None:
                return False
            if ends:
                return self._finish_sentence(found, end, begin)
        self._searched = begin
        return True

    def _finish_sentence(self, found: list[Span], end: int, begin: int | None = None) -> bool:
        self._append(found, self._position, end)
        self._position = self._searched = end if begin is None else begin
        return True

    def _append(self, found: list[Span], start: int, end: int) -> None:
        piece = self._text[start:end]
        start += len(piece) - len(piece.lstrip())
        end -= len(piece) - len(piece.rstrip())
        if re.search(r"\w", piece):
            found.append((self._offset + start, self._offset + end))


def seems_ended(text: str) -> bool:
    """Tell whether a text that may go on seems to end a sentence: behind a word of three letters, no abbreviation."""
    stop = _LAST_STOP.search(text[-ABBREVIATION_LOOKBACK_CHARS:])
    return stop is not None and stop[1].casefold() not in _rules().abbreviations


def has_question_mark(text: str) -> bool:
    """Tell whether there is a question mark anywhere in a text, or a Greek one at the end of a Greek text."""
    return any(mark in text for mark in _QUESTION_MARKS) or _is_greek_question(text)


def ends_with_question_mark(text: str) -> bool:
    """Tell whether a text ends with a question mark, within closing quotes or brackets too."""
    return text.rstrip(_CLOSING_MARKS).endswith(_QUESTION_MARKS) or _is_greek_question(text)


def _is_greek_question(text: str) -> bool:
    return text.rstrip(_CLOSING_MARKS).endswith(_GREEK_QUESTION_MARKS) and _GREEK_LETTER.search(text) is not None


def split_sentences(text: str) -> list[Span]:
    """Return the sentences of plain text, in which a line may end anywhere."""
    found: list[Span] = []
    for start, end in _paragraphs(text):
        at = start
        for stop in _STOP.finditer(text, start, end):
            tail = _TAIL.match(text, stop.end(), end)
            after = tail.end() if tail else stop.end()
            begin = after
            while begin < end and text[begin].isspace():
                begin += 1
            full = _FULL_STOP.match(stop[0]) is not None
            if stop[0] == "\n" or stop.start() < at or (begin == after and not full) or begin == end:
                continue
            if full or _is_sentence_end(text, at, stop.start(), stop[0], begin, last=True):
                found.append((at, after))
                at = begin
        found.append((at, end))
    return [span for start, end in found if (span := _trim(text, start, end))]


def _paragraphs(text: str) -> list[Span]:
    """Stretches between blank lines and before bullets; single lines where there is no stop, as in a table."""
    breaks = [found.start() for found in re.finditer(r"\n(?=[ \t]*\n|[ \t]*[-*•‣–][ \t])", text)]
    found: list[Span] = []
    for start, end in zip([0, *breaks], [*breaks, len(text)], strict=True):
        if re.search(r"[.!?…。！？؟]", text[start:end]):
            found.append((start, end))
        else:
            lines = [start + at for at, sign in enumerate(text[start:end]) if sign == "\n"]
            found += zip([start, *lines], [*lines, end], strict=True)
    return found


def _trim(text: str, start: int, end: int) -> Span | None:
    piece = text[start:end]
    if not re.search(r"\w", piece):
        return None
    return start + len(piece) - len(piece.lstrip()), end - len(piece) + len(piece.rstrip())


def _is_sentence_end(text: str, start: int, at: int, stop: str, begin: int, last: bool) -> bool | None:
    """Tell whether the sentence from `start` ends with the stop at `at`; None if more must come first.

    `begin` is where the text goes on after the stop.
    """
    following = _NEXT_WORD.match(text, begin)
    word = following[1] if following else ""
    if following and following.end() == len(text) and len(word) < MAX_NEXT_WORD_CHARS and not last:
        return None
    if word[:1].islower():
        return False
    if stop != ".":
        return True
    before = _last_word(text[max(start, at - ABBREVIATION_LOOKBACK_CHARS) : at])
    if not before:
        return True
    if before.isdecimal():
        head = text[max(start, at - len(before) - ORDINAL_LOOKBACK_CHARS) : at - len(before)]
        return not _is_ordinal(head, before, word)
    known = before.casefold()
    if word[:1].isdigit() and known in _rules().numbered_abbreviations:
        return False
    if _UNIT_BEFORE.search(text, max(start, at - ABBREVIATION_LOOKBACK_CHARS), at):
        return True
    if len(before) == 1 and text[at - 2 : at - 1] in ("", " ", "\u00a0", "\u202f", "\n", ".", "(", "-"):
        is_half_day = text[max(start, at - 3) : at].casefold() in ("a.m", "p.m")
        return (before.isupper() or is_half_day) and word.casefold() in _rules().openers
    return known not in _rules().abbreviations


def _is_ordinal(head: str, number: str, word: str) -> bool:
    """Tell whether `number.` before `word` is an ordinal, as in "am 3. Mai"."""
    if len(number) > 2:
        return False
    known = word.casefold()
    rules = _rules()
    before = _WORD_BEFORE.match(head[::-1])
    return known in rules.ordinal_nouns or (
        before is not None and before[1][::-1].casefold() in rules.ordinal_articles and known not in rules.openers
    )


def _last_word(text: str) -> str:
    """Return the word that a text ends with; empty where it ends otherwise."""
    found = _WORD.match(text[::-1])
    return found[0][::-1] if found else ""
