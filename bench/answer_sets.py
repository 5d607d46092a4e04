"""Question sets of `answers.py`: their documents and pages, and how an answer is judged.

`answers/tune`, `answers/develop` and `answers/practice` are there to improve Éclair by, `answers/report` to report on;
each has documents and questions of its own, and all but `practice`, whose documents are as long as the report's, pages
of the web. Everything in them is made up. A pattern of `right` is a regular expression for text
without accents and Markdown, and may hold `{1250}` for a number, `{14.3.}` for a date, `{17:30}` for a time, `{yes}`
and `{no}`. An answer is `{no}` if one of its first two sentences negates, and it neither begins with yes nor says
that the sources don't tell. Where an answer must be computed, `held` has the patterns of the figures in its source.
"""

from __future__ import annotations

import re
import tomllib
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import orjson

LANGUAGES = ("en", "de", "fr", "es", "it", "pl")
SETS = ("tune", "develop", "practice", "report")
FOLDER = Path(__file__).parent / "answers"

_PLACEHOLDER = re.compile(r"\{(yes|no|[\d.:]+)\}")
_DATE = re.compile(r"(\d+)\.(\d+)\.")
_MONTHS = (
    "januar|january|janvier|enero|gennaio|stycz|1",
    "februar|february|fevrier|febrero|febbraio|lut(?:y|ego)|2",
    "marz|march|mars|marzo|mar(?:zec|ca)|3",
    "april|avril|abril|aprile|kwie|4",
    "mai|may|mayo|maggio|maj|5",
    "juni|june|juin|junio|giugno|czerw|6",
    "juli|july|juillet|julio|luglio|lip(?:iec|ca)|7",
    "august|aout|agosto|sierp|8",
    "september|septembre|septiembre|settembre|wrze|9",
    "oktober|october|octobre|octubre|ottobre|pazdz|10",
    "november|novembre|noviembre|listopad|11",
    "dezember|december|decembre|diciembre|dicembre|grud|12",
)
_WORDS: Mapping[str, tuple[str, ...]] = {
    "en": ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    "de": ("zwei", "drei", "vier", "funf", "sechs", "sieben", "acht", "neun", "zehn", "elf", "zwolf"),
    "fr": ("deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf", "dix", "onze", "douze"),
    "es": ("dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve", "diez", "once", "doce"),
    "it": ("due", "tre", "quattro", "cinque", "sei", "sette", "otto", "nove", "dieci", "undici", "dodici"),
    "pl": (
        *("dw(?:a|ie|och|om|oma|iema)", "trz(?:y|ech|em|ema)", "czter(?:y|ech|em|ema)", "piec(?:iu)?"),
        *("szesc(?:iu)?", "siedem|siedmiu", "osiem|osmiu", "dziewiec(?:iu)?", "dziesiec(?:iu)?"),
        *("jedena(?:scie|stu)", "dwana(?:scie|stu)"),
    ),
}
_YES = {"en": "yes", "de": "ja|doch", "fr": "oui|si", "es": "si", "it": "si", "pl": "tak"}
_NOT = {
    "en": r"no|not|never|none|without|cannot|\w+n't",
    "de": r"nein|nicht|nie|kein\w*|ohne|untersagt|verboten|ausgeschlossen",
    "fr": r"non|ne|n'\w+|pas|aucune?|sans|interdit\w*|exclue?s?",
    "es": r"no|nunca|ningun\w*|sin|prohibid\w+|excluid\w+",
    "it": r"no|non|mai|nessun\w*|senza|vietat\w+|esclus\w+",
    "pl": r"nie|nigdy|bez|zaden|zadn\w+|zabron\w+|wykluczon\w+",
}
_NOTHING = "nothing|nichts|rien|nada|nulla|nic|brak"
_SOURCE = "documents?|dokument\\w*|documento|documenti|documentos|textes?|texts?|texto|testo|tekst|sources?|quellen?"
_TELLS = {
    "en": r"mention|stat|specif|provid|contain|say|said|includ|given|information|find|found|answer|indicat|document",
    "de": r"erwahn|genannt|nenn|angegeben|angabe|enthalt|enthal|information|hervor|gefunden|find|steht|sag|beantwort",
    "fr": r"mention|indiqu|precis|contien|information|fourni|trouv|document|disent|dit|repon|figur|specif",
    "es": r"mencion|indic|especific|contien|informacion|proporcion|encuentr|documento|dice|respon|aparec|figur|consta",
    "it": r"menzion|indic|specific|contien|contengono|informazion|forni|trov|document|dicono|dice|rispo|riport|precis",
    "pl": r"wspomin|wspomnian|poda|okresl|zawiera|informacj|znajd|dokument|mow|odpow|wskaz|tekst|wynika",
}


@dataclass(frozen=True, slots=True)
class Question:
    """A question; `source` is the document or the page that answers it, None where none does.

    All of `right` must be in an answer, and none of `wrong`. `held` must be in the source, in place of `right`.
    """

    text: str
    language: str
    source: str | None
    right: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()
    held: tuple[str, ...] = ()

    def is_right(self, text: str) -> bool:
        plain = fold(text)
        return all(_compiled(each, self.language).search(plain) for each in self.right) and not any(
            _compiled(each, self.language).search(plain) for each in self.wrong
        )

    def is_held_by(self, text: str) -> bool:
        """Tell whether a source's text has what the answer needs, but for its yes or no."""
        plain = fold(text)
        told = [each for each in self.held or self.right if "{yes}" not in each and "{no}" not in each]
        return all(_compiled(each, self.language).search(plain) for each in told)

    def is_refused_by(self, text: str) -> bool:
        """Tell whether an answer says that the sources do not tell."""
        return _refusal(self.language).search(fold(text)) is not None


@dataclass(frozen=True, slots=True)
class Document:
    name: str
    language: str
    text: str
    questions: tuple[Question, ...]
    unanswered: tuple[Question, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """A page of the small internet: `address` is host and path, `day` ISO 8601, `html` what stands in its body."""

    address: str
    title: str
    language: str
    html: str
    day: str | None = None
    head: str = ""


def documents(set_name: str, language: str) -> list[Document]:
    path = FOLDER / set_name / f"{language}.toml"
    more = _more_unanswered(set_name).get(language, {})
    found: list[Document] = []
    for entry in tomllib.loads(path.read_text("utf-8"))["documents"]:
        name = entry["name"]
        asked = tuple(_question(each, language, name) for each in entry["questions"])
        nobody = (*entry["unanswered"], *more.get(name, ()))
        unanswered = tuple(Question(text, language, None) for text in nobody)
        found.append(Document(name, language, entry["text"].strip() + "\n", asked, unanswered))
    return found


def _more_unanswered(set_name: str) -> dict[str, dict[str, list[str]]]:
    """Further questions that no document answers, by language and document."""
    path = FOLDER / set_name / "unanswered.toml"
    return tomllib.loads(path.read_text("utf-8")) if path.exists() else {}


def pages(set_name: str) -> list[Page]:
    return [Page(**entry) for entry in _web(set_name).get("pages", ())]


def web_questions(set_name: str) -> list[Question]:
    return [_question(each, each["language"], each.get("page")) for each in _web(set_name).get("questions", ())]


def xquad(path: Path) -> list[Document]:
    """The articles of an XQuAD file such as `xquad.de.json`, with their questions."""
    language = path.name.split(".")[-2]
    found: list[Document] = []
    for article in orjson.loads(path.read_bytes())["data"]:
        title = article["title"].replace("_", " ")
        name = f"{title}.md"
        text = f"# {title}\n\n" + "\n\n".join(each["context"] for each in article["paragraphs"])
        asked = tuple(
            Question(each["question"], language, name, ("|".join(re.escape(said["text"]) for said in each["answers"]),))
            for paragraph in article["paragraphs"]
            for each in paragraph["qas"]
        )
        found.append(Document(name, language, text, asked))
    return found


def fold(text: str) -> str:
    """The text without accents and emphasis, its spaces and apostrophes plain."""
    bare = "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))
    return re.sub(r"[ \t]+", " ", re.sub(r"[*_`]", "", bare).replace("’", "'"))


def _web(set_name: str) -> dict[str, Any]:
    path = FOLDER / set_name / "web.toml"
    return tomllib.loads(path.read_text("utf-8")) if path.exists() else {}


def _question(entry: Mapping[str, Any], language: str, source: str | None) -> Question:
    patterns = [tuple(entry.get(name, ())) for name in ("right", "wrong", "held")]
    return Question(entry["ask"], language, source, *patterns)


@cache
def _compiled(pattern: str, language: str) -> re.Pattern[str]:
    whole = _PLACEHOLDER.sub(lambda found: _expanded(found[1], language), pattern)
    return re.compile(fold_pattern(whole), re.IGNORECASE | re.MULTILINE)


def fold_pattern(pattern: str) -> str:
    """The pattern without accents; its own marks are left alone."""
    return "".join(char for char in unicodedata.normalize("NFKD", pattern) if not unicodedata.combining(char))


def _expanded(value: str, language: str) -> str:
    if value == "yes":
        return rf"(?:^\W*(?:{_YES[language]})\b|\A(?![\s\S]*\b(?:{_NOT[language]})(?!\w)))"
    if value == "no":
        first = rf"\A(?!\W*(?:{_YES[language]})[,.;:!\n])(?!{_silent_source(language)})"
        return rf"{first}(?:[^.!?\n]*[.!?\n]+\W*(?:\d+\]\W*)?)?[^.!?\n]*\b(?:{_NOT[language]})(?!\w)"
    if (date := _DATE.fullmatch(value)) is not None:
        return _date(int(date[1]), int(date[2]))
    if ":" in value:
        return _time(*map(int, value.split(":")))
    return _number(value, language)


def _date(day: int, month: int) -> str:
    names = _MONTHS[month - 1].rpartition("|")[0]
    return (
        rf"(?:\b0?{day}(?:\.|er|o|st|nd|rd|th|º|°)? ?(?:de |of |)(?:{names})|\b(?:{names})\w* (?:the )?{day}(?!\d)"
        rf"|\b0?{day}[./-] ?0?{month}(?!\d)|-{month:02}-{day:02}(?!\d))"
    )


def _time(hour: int, minute: int) -> str:
    minutes = rf" ?[:.h]\s?{minute:02}" if minute else r"(?: ?[:.h]\s?00)?"
    late = rf"|(?<![\d:.]){hour - 12}{minutes}\s*(?:p\.? ?m|abends|du soir|de la tarde|di sera)" if hour > 12 else ""
    return rf"(?:(?<![\d:.])0?{hour}{minutes}(?!\d|[:.]\d){late})"


def _number(value: str, language: str) -> str:
    whole, _, part = value.partition(".")
    grouped = r"[., ']?".join(_thousands(whole))
    decimals = rf"[.,]{part.rstrip('0')}0*" if part else r"(?:[.,]0+(?!\d))?"
    figure = rf"(?<!\d)(?<!\d[.,]){grouped}{decimals}(?![.,]?\d)"
    if not part and 2 <= int(whole) <= 12:
        return rf"(?:{figure}|\b(?:{_WORDS[language][int(whole) - 2]})\b)"
    return f"(?:{figure})"


def _thousands(whole: str) -> list[str]:
    first = len(whole) % 3
    return [each for each in (whole[:first], *(whole[at : at + 3] for at in range(first, len(whole), 3))) if each]


def _silent_source(language: str) -> str:
    """A first sentence that says of the sources, as such, that they don't tell."""
    no = rf"(?:n'|\b(?:{_NOT[language]}|{_NOTHING})[^.!?\n]{{0,40}}\b)"
    return rf"[^.!?\n]*?\b(?:{_SOURCE})\b[^.!?\n]{{0,40}}{no}(?:{_TELLS[language]})"


@cache
def _refusal(language: str) -> re.Pattern[str]:
    no = rf"\b(?:{_NOT[language]}|{_NOTHING})(?!\w)"
    tells = rf"\b(?:{_TELLS[language]})"
    return re.compile(rf"{no}[^.!?\n]{{0,60}}{tells}|{tells}[^.!?\n]{{0,60}}{no}", re.IGNORECASE)
