"""Turns the Markdown of an answer, as it streams, into sentences to speak, each with its language.

Code blocks are left out; links say their text, tables their cells, formulas their words if they are short. Numbers and
abbreviations stay as they are written, for `write_out` to turn into words.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from functools import cache

from eclair.speech.written_out import speak_formula, spoken_words
from eclair.text.language import identify_language
from eclair.text.sentences import SentenceSplitter, seems_ended

MAX_CODE_CHARS = 40
"""Longer code within a sentence is left out."""
MIN_PHRASE_CHARS = 15
"""A shorter beginning isn't spoken by itself, unless it seems to be a whole sentence. Each further phrase is as long as
all before it at least: a voice computes about twice as fast as it speaks."""

_HEADING = re.compile(r"\A#{1,6}[ \t]++")
_IMAGE_OR_LINK = re.compile(r"!?\[([^\[\]\n]*+)\]\([^()\s]*+(?:\([^()\s]*+\)[^()\s]*+)*+(?:[ \t]++\"[^\"\n]*+\")?\)")
_REFERENCE_LINK = re.compile(r"\[([^\[\]\n]++)\]\[[^\[\]\n]*+\]")
_CITATION = re.compile(r"[ \u00a0\u202f]?(?:[\[【]\^?\d{1,3}(?:[ ]?[,;–-][ ]?\d{1,3})*+[\]】]|\[\^[\w-]++\])|[⁰¹⁴-⁹]++")
_URL = re.compile(r"<?\b(?:https?|ftp)://(?:www\.)?([^/\s<>()\[\]]++)[^\s<>()\[\]]*+>?")
_CODE = re.compile(r"(?<!`)(`++)([^`]++)\1(?!`)")
_FORMULA = re.compile(
    r"\$\$([^$]++)\$\$|\\\[((?:[^\\]|\\(?!\])){0,300}+)\\\]|\\\(((?:[^\\]|\\(?!\))){0,300}+)\\\)"
    r"|\$(?=[^\s$])([^$\n]*+)(?<!\s)\$(?!\d)"
)
_TAG = re.compile(r"</?[a-zA-Z][^<>]*+>|<!--[^>]{0,300}+-->")
_ESCAPE_OR_EMPHASIS = re.compile(r"\\([!-/:-@\[-`{-~])|\*++|~~|(?<!\w)_++|_++(?!\w)")
_TASK = re.compile(r"\A\[[ xX]\][ \t]++")
_CELL = re.compile(r"(?<!\\)\|[ \t|]*+")
_SPACE = re.compile(r"\s++")
_BEFORE_STOP = re.compile(r" ([.,;:!?])")
_STOPS = ".,;:!?"
_SENTENCE_STOPS = (".", "!", "?")
_MARKUP = re.compile(r"[\n`$|\[\]()*_<>#~【】\\]")
_LAST_COMMA = re.compile(r"[^\W\d_],\Z")
_SAID = re.compile(r"[^\W_]")
_CODE_SIGNS = re.compile(r"[={}();<>|\\$]")


@dataclass(frozen=True, slots=True)
class SpokenSentence:
    """A sentence to speak. `start` and `end` are its place in the Markdown; `language` is None where unknown."""

    start: int
    end: int
    text: str
    language: str | None


class SpokenTextReader:
    """Cuts streamed Markdown into sentences to speak; `language` is that of the text where a sentence tells none.

    With `early`, the first sentence comes phrase by phrase, since somebody waits for its sound; a comma says that it
    goes on. A stop or a comma at the end of what there is so far is taken for the end of a phrase. What is before
    `start` was spoken already.
    """

    def __init__(self, language: str | None = None, *, early: bool = False, start: int = 0) -> None:
        self._splitter = SentenceSplitter()
        self._text = ""
        self._language = language
        self._phrase_end = _phrase_end(language)
        self._in_first = early
        self._cut: int = start

    def add(self, delta: str) -> list[SpokenSentence]:
        """Return the sentences that this delta finished."""
        self._text += delta
        return self._speak(self._splitter.add(delta))

    def finish(self) -> list[SpokenSentence]:
        """Return the sentences that remain when nothing more comes."""
        return self._speak(self._splitter.finish())

    def _speak(self, spans: list[tuple[int, int]]) -> list[SpokenSentence]:
        phrases = self._cut_first(spans)
        rest = [(max(start, self._cut), end) for start, end in spans]
        return [
            *(replace(each, text=_end_phrase(each.text)) for each in self._sentences(phrases)),
            *self._sentences(rest),
        ]

    def _cut_first(self, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
        """Return the phrases of the first sentence, finished or not, but its last."""
        phrases: list[tuple[int, int]] = []
        if self._in_first:
            sentence = self._text[: spans[0][1]] if spans else self._text
            while (end := self._find_phrase_end(sentence)) is not None:
                if _MARKUP.search(sentence, 0, end):  # text before the cut could change as more is written
                    break
                phrases.append((self._cut, end))
                self._cut = end
            self._in_first = not spans
        return phrases

    def _find_phrase_end(self, sentence: str) -> int | None:
        """Return where the next phrase of the first sentence ends; None if it goes on."""
        least = self._cut + max(MIN_PHRASE_CHARS, self._cut)
        found = self._phrase_end.search(sentence, least)
        if found is not None:
            return found.end()
        is_all = len(sentence) == len(self._text) > self._cut
        seems_over = seems_ended(sentence[self._cut :]) or (len(sentence) > least and _LAST_COMMA.search(sentence))
        return len(sentence) if is_all and seems_over else None

    def _sentences(self, spans: list[tuple[int, int]]) -> list[SpokenSentence]:
        found: list[SpokenSentence] = []
        for start, end in spans:
            markdown = self._text[start:end]
            language = identify_language(markdown) or self._language
            if self._language is None:
                self._language = language or identify_language(self._text[:end])
                language = self._language
            text = speak_markdown(markdown, language)
            if _SAID.search(text):
                text += "," * markdown.endswith(",")  # it goes on
                found.append(SpokenSentence(start, end, text, language))
        return found


def _end_phrase(text: str) -> str:
    return text if text.endswith(_SENTENCE_STOPS) else f"{text.rstrip(_STOPS)},"


@cache
def _phrase_end(language: str | None) -> re.Pattern[str]:
    """Return where a phrase ends: after a stop within the sentence, or before a word that begins another."""
    words = spoken_words().get(language or "")
    begins = "|".join(map(re.escape, words.phrase_beginnings)) if words is not None else ""
    return re.compile(rf"[,;:](?= )|(?<=\w)(?= (?:{begins}) )" if begins else r"[,;:](?= )", re.IGNORECASE)


def read_spoken_text(markdown: str, language: str | None = None) -> list[SpokenSentence]:
    """Return the sentences to speak of a whole text."""
    reader = SpokenTextReader(language)
    return [*reader.add(markdown), *reader.finish()]


def speak_markdown(markdown: str, language: str | None = None) -> str:
    """Return a sentence of Markdown as it is to be spoken; empty if nothing of it can be."""
    text = _HEADING.sub("", markdown.strip())
    text = _TASK.sub("", text)
    text = _CODE.sub(_speak_code, text)
    text = _FORMULA.sub(lambda found: f" {speak_formula(next(filter(None, found.groups()), ''), language)} ", text)
    text = _IMAGE_OR_LINK.sub(r"\1", text)
    text = _REFERENCE_LINK.sub(r"\1", text)
    text = _URL.sub(_speak_host, text)
    text = _CITATION.sub("", text)
    text = _TAG.sub(" ", text)
    text = _CELL.sub(", ", text)
    text = _ESCAPE_OR_EMPHASIS.sub(lambda found: found[1] or "", text)
    text = "".join(letter for letter in text if not _is_picture(letter))
    return _BEFORE_STOP.sub(r"\1", _SPACE.sub(" ", text)).strip(" ,")


def _speak_code(found: re.Match[str]) -> str:
    code = found[2].strip()
    if len(code) > MAX_CODE_CHARS or _CODE_SIGNS.search(code):
        return " "
    return code.replace("_", " ")


def _speak_host(found: re.Match[str]) -> str:
    address = found[0].rstrip(">")
    return found[1].rstrip(_STOPS) + address[len(address.rstrip(_STOPS)) :]


def _is_picture(letter: str) -> bool:
    """Tell whether a character is an emoji or another sign that no voice says."""
    kind = unicodedata.category(letter)
    return (kind == "So" and letter not in "°№") or kind in ("Cn", "Co", "Cs") or letter in "\ufe0f\u200d"
