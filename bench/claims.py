"""Sentences written by hand, each held against its passages: how many true ones are doubted, how many false ones pass.

`claims/tune.toml` is what the check is tuned on, `claims/report.toml` what is reported; they share no text. A sentence
that claims nothing follows those before it, as in an answer.
"""

from __future__ import annotations

import time
import tomllib
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness import Goals, quantile, table

from eclair.citations.checker import CitationChecker, SentenceEmbedder
from eclair.citations.evidence import Doubtful, Supported
from eclair.generation.citation_review import OpenDoubt
from eclair.schema.messages import Doubt, Passage

FOLDER = Path(__file__).parent / "claims"
LANGUAGES = ("en", "de", "fr", "es")
MOST_DOUBTED = {
    "plain": 0.05,
    "source": 0.05,
    "form": 0.05,
    "row": 0.05,
    "sum": 0.05,
    "unclaimed": 0.05,
    "paraphrase": 0.12,
    "translated": 0.12,
}
"""The goal for each kind of true sentence."""

MOST_PASSED = {"changed": 0.05, "row": 0.05, "sum": 0.05, "mixed": 0.05, "elsewhere": 0.2, "antonym": 0.2, "roles": 0.2}
"""The goal for each kind of false sentence."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence of an answer, whether it is true, and what it is held against."""

    language: str
    kind: str
    is_true: bool
    sentence: str
    before: str
    question: str
    passages: tuple[Passage, ...]


@dataclass(slots=True)
class Tally:
    """Verdicts on the sentences of one kind, by language."""

    wrong: defaultdict[str, list[Claim]] = field(default_factory=lambda: defaultdict[str, list[Claim]](list))
    counts: defaultdict[str, int] = field(default_factory=lambda: defaultdict[str, int](int))
    cited: int = 0

    @property
    def share(self) -> float:
        return sum(map(len, self.wrong.values())) / max(1, sum(self.counts.values()))


def load_claims(name: str) -> list[Claim]:
    cases: list[dict[str, Any]] = tomllib.loads((FOLDER / f"{name}.toml").read_text("utf-8"))["case"]
    return [claim for case in cases for claim in _claims_of(case)]


def _claims_of(case: dict[str, Any]) -> list[Claim]:
    passages = tuple(_passage(number, page) for number, page in enumerate(case["passages"], 1))
    claims: list[Claim] = []
    before = ""
    kinds = [(kind, True, said) for kind, said in case.get("true", {}).items()]
    kinds += [(kind, False, said) for kind, said in case.get("false", {}).items()]
    for kind, is_true, sentences in sorted(kinds, key=lambda each: each[0] != "unclaimed"):
        for sentence in sentences:
            claims.append(Claim(case["language"], kind, is_true, sentence, before, case["question"], passages))
            before += f"{sentence}\n\n" if kind == "unclaimed" else ""
    return claims


def _passage(number: int, page: dict[str, Any]) -> Passage:
    text = page["text"].strip()
    heading, url = tuple(page.get("heading", ())), page.get("url")
    return Passage(
        number,
        page["name"],
        page["name"],
        1,
        page.get("label"),
        heading,
        0,
        len(text),
        text,
        url=url,
        published=page.get("published"),
    )


Judge = Callable[[OpenDoubt], Awaitable[bool]]


async def measure(
    name: str,
    embedder: SentenceEmbedder | None,
    goals: Goals | None,
    *,
    show: bool = False,
    judge: Judge | None = None,
) -> None:
    """Print the table of one file; with `show`, the sentences judged wrongly too.

    With a `judge` the doubts that name no difference are looked at again, as after an answer.
    """
    reviews: list[float] = []
    tallies: dict[tuple[bool, str], Tally] = {}
    seconds: list[float] = []
    for claim in load_claims(name):
        checker = CitationChecker(claim.passages, embedder, claim.question)
        await checker.warm()
        if embedder:
            await embedder.embed([claim.sentence], "query")
        started = time.perf_counter()
        verdict = await checker.check(claim.sentence, claim.before)
        seconds.append(time.perf_counter() - started)
        if judge is not None and isinstance(verdict, Doubtful) and verdict.nearest and not verdict.about:
            started = time.perf_counter()
            doubt = OpenDoubt(Doubt(0, 0, 0, ""), claim.sentence, verdict.nearest)
            verdict = verdict.nearest if await judge(doubt) else verdict
            reviews.append(time.perf_counter() - started)
        tally = tallies.setdefault((claim.is_true, claim.kind), Tally())
        tally.counts[claim.language] += 1
        tally.cited += isinstance(verdict, Supported)
        if isinstance(verdict, Doubtful) == claim.is_true:
            tally.wrong[claim.language].append(claim)
            if show:
                print(f"{claim.language} {claim.kind:10} {claim.is_true!s:5} {claim.sentence}  {_short(verdict)}")
    _print(name, tallies, goals)
    print(
        f"\nA sentence, its own vector apart: p50 {quantile(seconds, 0.5) * 1000:.2f} ms, "
        f"p95 {quantile(seconds, 0.95) * 1000:.2f} ms"
    )
    if reviews:
        print(
            f"Looked at again: {len(reviews)}, p50 {quantile(reviews, 0.5):.1f} s, p95 {quantile(reviews, 0.95):.1f} s"
        )


def _short(verdict: Supported | Doubtful | None) -> str:
    match verdict:
        case Supported():
            return f"[{verdict.support:.2f} {verdict.quote[:90]!r}]"
        case Doubtful():
            return f"[doubt {verdict.about!r}]"
        case None:
            return "[nothing]"


def _print(name: str, tallies: dict[tuple[bool, str], Tally], goals: Goals | None) -> None:
    rows: list[Sequence[str]] = []
    for (is_true, kind), tally in sorted(tallies.items(), key=lambda each: (not each[0][0], each[0][1])):
        most = (MOST_DOUBTED if is_true else MOST_PASSED)[kind]
        by_language = [f"{len(tally.wrong[code])}/{tally.counts[code]}" for code in LANGUAGES]
        what = "true, doubted" if is_true else "false, passed"
        count = sum(tally.counts.values())
        rows.append((what, kind, str(count), f"{tally.share:.1%}", f"{most:.0%}", *by_language, str(tally.cited)))
        if goals is not None:
            goals.at_most(f"{name}: {what}: {kind}", tally.share, most)
    print(f"\nWritten by hand, {name}.toml:\n")
    table(("", "kind", "sentences", "wrong", "goal", *LANGUAGES, "cited"), rows)
