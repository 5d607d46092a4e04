"""The web, on a small internet on loopback: how soon a first source, a word and an end, and sixty known answers.

`speed`: three search services and every page answer after 20 to 800 ms, a tenth of all addresses fails, and a model
that costs nothing answers; the least possible is the second service to answer and the fastest page then read, with the
robots.txt of a server that has not been asked before.
`questions`: twenty in German, French and English each, whose answers and pages are known, by the embedded model and by
one that quotes what fits best from the passages it is shown, so that our part and the model's can be told apart.
"""

from __future__ import annotations

import asyncio
import random
import re
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urljoin

from harness import ROOT, Goals, link_models, options, quantile, run, shown, table

from eclair.schema.principal import LOCAL_PRINCIPAL, Principal

sys.path.insert(0, str(ROOT))

from tests.llm.servers import Speaking
from tests.llm.standin import Call, standing_in
from tests.web.internet import Internet, Weather, internet, names
from tests.web.questions import Question, questions

from eclair.app import App, open_app
from eclair.chat.tree import NewMessage
from eclair.chat.turn_options import TurnOptions
from eclair.network.gate import CallContext
from eclair.schema.events import PartDelta, SourceFound, StepFinished, StepStarted, decode
from eclair.schema.messages import Message
from eclair.schema.web import WebHit, WebQuery
from eclair.settings import EngineSettings, Settings
from eclair.text.facts import content_stems
from eclair.text.sentences import split_sentences
from eclair.web.open import Environment
from eclair.web.providers import SearchProvider

LEAST, MOST, FAILING = 0.02, 0.8, 0.1
BUDGET = 6.0
PARTS = ("speed", "questions")
_PASSAGE = re.compile(r"^\[\d+\] .*\n", re.MULTILINE)


@dataclass
class Finder:
    """A search service on the small internet's index, as late as `latency` says."""

    world: Internet
    name: str = "newsroom"
    latency: random.Random | None = None
    waited: list[float] = field(default_factory=list[float])
    title: str = "Finder"
    jurisdiction: str = "EU"
    needs_key: bool = False
    terms: str = "https://finder.example/terms"
    is_ready: bool = True
    is_local: bool = False

    async def serves(self, principal: Principal) -> bool:
        return True

    async def search(self, query: WebQuery, limit: int, context: CallContext, timeout_s: float) -> list[WebHit]:
        if self.latency is not None:
            self.waited.append(LEAST + (MOST - LEAST) * self.latency.random())
            await asyncio.sleep(self.waited[-1])
        found = self.world.find(query.text, limit)
        return [WebHit(page.url, page.title, page.key, page.day, (self.name,)) for page in found]


class Quoting(Speaking):
    """A model that answers with the sentence of its passages that has most of the question's words."""

    async def chat(self, call: Call) -> None:
        asked = call.json["messages"][-1]["content"]
        shown, _, question = asked.rpartition("</passages>")
        wanted = set(content_stems(question))
        lines = [text[start:end] for text in _PASSAGE.split(shown)[1:] for start, end in split_sentences(text)]
        fitting = sorted(lines, key=lambda line: -len(wanted & set(content_stems(line))))
        self.says = " ".join(fitting[0].split()) if fitting else "The passages do not say."
        await super().chat(call)


@dataclass
class Told:
    """One answer: seconds to the first page read, to the first word, to the end, and its message."""

    page: float | None
    word: float | None
    gathered: float
    end: float
    message: Message


async def ask(app: App, question: str) -> Told:
    began = time.perf_counter()
    asked = await app.turns.ask(
        LOCAL_PRINCIPAL, app.turns.new_conversation(LOCAL_PRINCIPAL), NewMessage(question), TurnOptions(web="on"), began
    )
    pages: dict[str, str] = {}
    page = word = None
    gathered = 0.0
    async with aclosing(app.runs.follow(asked.run, 0)) as batches:
        async for batch in batches:
            now = time.perf_counter() - began
            for event in map(decode, batch.lines):
                match event:
                    case StepStarted(step=step, kind="fetch", title=url):
                        pages[step] = url
                    case StepFinished(step=step, outcome="done") if step in pages:
                        page = page or now
                    case StepFinished() | SourceFound():
                        gathered = now
                    case PartDelta():
                        word = word or now
                    case _:
                        pass
    _, messages = await app.storage.conversations.get_tree(LOCAL_PRINCIPAL, asked.run.conversation)
    message = next(each for each in messages if each.id == asked.run.message)
    return Told(page, word, gathered, time.perf_counter() - began, message)


@asynccontextmanager
async def product(world: Internet, services: Sequence[SearchProvider], model: str | None) -> AsyncGenerator[App]:
    """Éclair on the small internet, with the embedded model or one at that address."""
    with tempfile.TemporaryDirectory(prefix="eclair-bench-") as folder:
        data = Path(folder)
        link_models(data)
        settings = Settings(
            data_dir=data,
            embedded=model is None,
            titles=False,
            tune=False,
            engines={} if model is None else {"one": EngineSettings(model, context=8192)},
            model=None if model is None else "muse",
            web_search=tuple(service.name for service in services),
            web_seconds=BUDGET,
            private_addresses=world.private,
            max_tokens=128,
        )
        around = Environment(names, lambda browser: services, world.now)
        async with open_app(settings, around) as app:
            yield app


def wait(weather: Weather, url: str, known: set[str]) -> float | None:
    """Seconds after which a page can be there: a server that is not `known` is first asked for its rules. None where it
    does not come."""
    rules = urljoin(url, "/robots.txt")
    if weather.failure(url) is not None or weather.failure(rules) is not None:
        return None
    return weather.latency(url) + (0 if rules in known else weather.latency(rules))


async def speed(goals: Goals, count: int) -> None:
    """Rounds with bad weather."""
    drawn = random.Random(1)
    async with internet(weather=Weather(LEAST, MOST, FAILING)) as world, standing_in() as stand:
        finders = [Finder(world, name, drawn) for name in ("newsroom", "wikipedia", "gdelt")]
        model = Quoting(stand)
        told: list[Told] = []
        late: list[float] = []
        known = set[str]()
        async with product(world, finders, model.url) as app:
            for question in questions(world)[:count]:
                told.append(await ask(app, question.text))
                second = sorted(finder.waited[-1] for finder in finders)[1]
                urls = {step.title for step in told[-1].message.steps if step.kind == "fetch"}
                fastest = min(filter(None, (wait(world.weather, url, known) for url in urls)), default=0)
                known |= {urljoin(url, "/robots.txt") for url in urls}
                if told[-1].page is not None:
                    late.append(told[-1].page - second - fastest)
    rows = [
        (name, *(shown(quantile(values, share)) for share in (0.5, 0.95, 1)))
        for name, values in (
            ("first page read", [each.page for each in told if each.page is not None]),
            ("that, after the second service and the fastest page", late),
            ("first word", [each.word for each in told if each.word is not None]),
            ("everything gathered", [each.gathered for each in told]),
            ("the end", [each.end for each in told]),
        )
    ]
    table((f"{len(told)} questions, seconds", "p50", "p95", "most"), rows)
    goals.at_most("first source after the least possible, p95, s", quantile(late, 0.95), 0.1)
    goals.at_most("beyond the budget, most, s", max(each.gathered for each in told) - BUDGET, 0.2)


def fits(text: str, words: Sequence[str]) -> bool:
    flat = " ".join(text.split())
    return all(word in flat for word in words)


def verdicts(question: Question, message: Message) -> dict[str, bool | None]:
    """What was right about an answer; None where that is not asked."""
    passages = {each.number: each for each in message.passages}
    cited = [passages[each.passage] for each in message.citations]
    codes = {remark.code for remark in message.remarks}
    right = [each for each in cited if each.url in question.pages]
    text = "".join(part.text for part in message.parts if part.kind == "text")
    if not question.supported:
        return {"refused": "nothing_found" in codes}
    day = question.day.isoformat() if question.day is not None else None
    any_answer = any(fits(text, [word]) for word in question.answer)
    return {
        "right page read": any(each.url in question.pages for each in message.passages),
        "right answer": any_answer if question.contradicted else fits(text, question.answer),
        "right page cited": bool(right),
        "right day": None if day is None else any(each.published == day for each in right),
        "contradiction noticed": "contradicted" in codes if question.contradicted else None,
        "no contradiction where there is none": None if question.contradicted else "contradicted" not in codes,
        "not refused": "nothing_found" not in codes,
    }


async def known(goals: Goals, count: int) -> None:
    """The sixty questions by both models."""
    shares: dict[str, list[str]] = {}
    async with internet() as world, standing_in() as stand:
        finder = Finder(world)
        model = Quoting(stand)
        asked = questions(world)
        asked = asked if count >= len(asked) else random.Random(2).sample(asked, count)
        for name, url in (("quoting", model.url), ("embedded", None)):
            found: dict[str, list[bool]] = {}
            async with product(world, [finder], url) as app:
                for question in asked:
                    told = await ask(app, question.text)
                    for what, right in verdicts(question, told.message).items():
                        if right is not None:
                            found.setdefault(what, []).append(right)
                        if right is False:
                            print(f"  {name}: not “{what}”: {question.text}", file=sys.stderr)
            for what, rights in found.items():
                share = sum(rights) / len(rights)
                shares.setdefault(what, [str(len(rights))]).append(shown(share))
                if name == "quoting" and what in ("right page read", "right page cited", "refused"):
                    goals.at_least(f"{what}, share", share, 0.9)
    table(("", "questions", "quoting model", "embedded model"), [(what, *row) for what, row in shares.items()])


async def main() -> None:
    parser = options(__doc__ or "")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="measure these alone")
    chosen = parser.parse_args()
    goals = Goals()
    count = 6 if chosen.quick else 60
    if "speed" in chosen.parts:
        await speed(goals, count)
    if "questions" in chosen.parts:
        await known(goals, count)
    goals.print()


if __name__ == "__main__":
    run(main())
