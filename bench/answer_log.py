"""Answers of `answers.py`: how each is judged, told to people, and kept so that an interrupted run goes on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import orjson
from answer_sets import LANGUAGES, Question

from eclair.citations.claims import makes_claim
from eclair.text.lexicon.loader import load_lexicon
from eclair.text.sentences import split_sentences

Way = Literal["file", "library", "web", "chat"]


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence of an answer that claims something."""

    text: str
    cited: bool
    doubted: bool


@dataclass(slots=True)
class Answer:
    """Éclair's answer to a question, and in `naive` the bare model's. `is_next` follows another on the same file."""

    question: Question
    way: Way
    is_next: bool
    message: dict[str, Any]
    first_word_s: float | None
    naive: str = ""
    claims: list[Claim] = field(default_factory=list[Claim])

    @property
    def text(self) -> str:
        return "".join(part["text"] for part in self.message["parts"] if part["kind"] == "text")

    @property
    def own_text(self) -> str:
        """The model's words, without the quotes that stand below an answer that nothing supports."""
        return self.text[: _own_length(self.text)]

    @property
    def is_answerable(self) -> bool:
        return self.question.source is not None

    @property
    def is_right(self) -> bool:
        """Tell whether it has the answer, or says that there is none where there is none."""
        if not self.is_answerable:
            return self.question.is_refused_by(self.text) or (self.is_marked and not self.claims)
        return self.question.is_right(self.own_text)

    @property
    def is_naive_right(self) -> bool:
        if not self.is_answerable:
            return self.question.is_refused_by(self.naive)
        return self.question.is_right(self.naive)

    @property
    def is_marked(self) -> bool:
        return any(remark["code"] == "nothing_found" for remark in self.message["remarks"])

    @property
    def cites_source(self) -> bool:
        cited = {citation["passage"] for citation in _own_citations(self.message)}
        return any(passage["number"] in cited and self._is_source(passage) for passage in self.message["passages"])

    @property
    def has_source(self) -> bool:
        """Tell whether a passage that the model was shown holds the answer."""
        return any(
            self._is_source(passage) and self.question.is_held_by(passage["text"])
            for passage in self.message["passages"]
        )

    @property
    def is_falsely_supported(self) -> bool:
        """Tell whether it is wrong, cited, and not doubted anywhere."""
        return not self.is_right and bool(_own_citations(self.message)) and not self.message["doubts"]

    @property
    def is_invented(self) -> bool:
        """Tell whether it is wrong and neither says so nor is marked."""
        refuses = self.question.is_refused_by(self.text) or not self.claims
        return not (self.is_right or refuses or self.is_marked or self.message["doubts"])

    def _is_source(self, passage: dict[str, Any]) -> bool:
        if passage["url"] is None:
            return passage["name"] == self.question.source
        url = urlsplit(str(passage["url"]))
        return f"{url.hostname}{url.path}" in (self.question.source or "").split()


@cache
def _says_closest() -> re.Pattern[str]:
    """Match the sentence that stands above what is closest to a question."""
    lexicons = map(load_lexicon, LANGUAGES)
    return re.compile("|".join(re.escape(each.not_stated) for each in lexicons if each is not None))


def _own_length(text: str) -> int:
    found = _says_closest().search(text)
    return len(text) if found is None else found.start()


def _own_citations(message: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the citations of the model's words."""
    lengths = [_own_length(part["text"]) for part in message["parts"]]
    return [each for each in message["citations"] if each["start"] < lengths[each["index"]]]


def claims_of(message: dict[str, Any]) -> Iterator[Claim]:
    for index, part in enumerate(message["parts"]):
        if part["kind"] != "text":
            continue
        for start, end in split_sentences(part["text"][: _own_length(part["text"])]):
            if makes_claim(part["text"][start:end]):
                marks = [
                    any(
                        mark["index"] == index and start < mark["end"] and mark["start"] < end for mark in message[kind]
                    )
                    for kind in ("citations", "doubts")
                ]
                yield Claim(part["text"][start:end], *marks)


def told(model: str, answer: Answer) -> str:
    """An answer for people to read, each claim with its mark."""
    verdict = "right" if answer.is_right else "WRONG"
    beside = "right" if answer.is_naive_right else "WRONG"
    word = "-" if answer.first_word_s is None else f"{answer.first_word_s:.1f} s"
    marks = [
        f"  {'cited' if claim.cited else '     '} {'DOUBTED' if claim.doubted else '       '} {claim.text!r}"
        for claim in answer.claims
    ]
    doubts = [f"  doubt about {doubt['about']!r}" for doubt in answer.message["doubts"]]
    passages = sorted({passage["name"] for passage in answer.message["passages"]})
    remarks = [remark["code"] for remark in answer.message["remarks"]]
    lines = [
        f"## {answer.question.language} {answer.way}: {answer.question.text}",
        f"{model}, first word after {word}; source {answer.question.source}, wanted {list(answer.question.right)}",
        f"passages: {passages}; remarks: {remarks}",
        f"{verdict}: {answer.text}",
        *marks,
        *doubts,
        *([f"naive, {beside}: {answer.naive}"] if answer.naive else []),
    ]
    return "\n".join(lines) + "\n\n"


class AnswerLog:
    """The answers of a run, one JSON line each in `file`; without one, only those of now. A later line counts."""

    def __init__(self, file: Path | None, model: str) -> None:
        self._file = file
        self._model = model
        self._lines: dict[str, dict[str, Any]] = {}
        if file is not None and file.exists():
            for line in file.read_bytes().splitlines():
                row = orjson.loads(line)
                if row["model"] == model:
                    self._lines[row["key"]] = row

    def find(self, question: Question, way: Way) -> Answer | None:
        """The answer that was given before."""
        row = self._lines.get(_key(question, way))
        if row is None:
            return None
        answer = Answer(question, way, row["is_next"], row["message"], row["first_word_s"], row["naive"])
        answer.claims = list(claims_of(answer.message))
        return answer

    def add(self, answer: Answer) -> None:
        """Keep an answer; those of chat are only for their speed."""
        if self._file is None or answer.way == "chat":
            return
        row = {
            "model": self._model,
            "key": _key(answer.question, answer.way),
            "is_next": answer.is_next,
            "message": answer.message,
            "first_word_s": answer.first_word_s,
            "naive": answer.naive,
        }
        with self._file.open("ab") as file:
            file.write(orjson.dumps(row) + b"\n")


def _key(question: Question, way: Way) -> str:
    return f"{question.language} {way} {question.text}"
