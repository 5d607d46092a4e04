"""Questions on documents and on the web whose answers are known, asked of Éclair and of its bare model.

Each model answers through Éclair's API, and then by itself, greedy too: the attached document, or the passages that
Éclair chose, are put before the question. Of a document's questions some are asked of it as an attached file, in one
conversation, and some of a library of all documents of the language; pages are served on loopback. Before a question
on a file the server is told that it is being written, as the web app does, `--typing` seconds ahead, and its answer is
read for `--reading` seconds. The sets are in `answers/`: `tune` and `develop` to improve by, `report` to report on.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import urllib.parse
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import asynccontextmanager
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from answer_log import Answer, AnswerLog, Way, claims_of, told
from answer_sets import LANGUAGES, SETS, Document, Question, documents, web_questions, xquad
from client import DELTA, SSE, begin, call, native_events, quiet
from harness import ROOT, Goals, Process, link_models, options, quantile, run, running, settings, shown, table

from eclair.llm.local.endpoint_file import endpoint_path
from eclair.models import catalog

MAX_TOKENS = 200
ATTACHED = 3
"""Questions of each document that are asked of it as an attached file."""
MIN_WEB_RIGHT = 0.6
MIN_SOURCE_CITED = 0.9
MAX_WRONG_SUPPORTED = 0.2
"""Of a wrong answer's sentences that claim the contrary, one in five may pass (`claims.py`), and no more of answers."""
PARTS = ("documents", "web", "chat")
CHAT = (
    "What should I wear to a job interview at a bakery?",
    "Nenne mir drei Namen für eine Katze.",
    "Comment dire non poliment à une invitation ?",
    "¿Qué puedo cocinar con dos huevos y una patata?",
    "Dammi un consiglio per dormire meglio.",
    "Jak podziękować sąsiadce za pomoc?",
)


class Asker:
    """Asks one served Éclair, and its engine."""

    def __init__(
        self,
        server: Process,
        model: str,
        http: aiohttp.ClientSession,
        log: AnswerLog,
        *,
        typing_s: float,
        reading_s: float,
        alone: bool,
    ) -> None:
        self._server = server
        self._model = model
        self._http = http
        self._log = log
        self._typing_s = typing_s
        self._reading_s = reading_s
        self._alone = alone

    async def upload(self, document: Document, library: str | None) -> str:
        """The id of the document as a file, once it is read and found by meaning."""
        query = urllib.parse.urlencode({"name": document.name, **({"library": library} if library else {})})
        async with self._http.post(f"{self._server.url}/api/files?{query}", data=document.text.encode()) as reply:
            reply.raise_for_status()
            id = (await reply.json())["id"]
        while True:
            file = await call(self._server.port, "GET", f"/api/files/{id}")
            if file["state"] == "failed":
                raise SystemExit(f"{document.name}: {file['fault']}")
            if file["state"] == "ready" and (library is None or file["embedded"] == file["chunks"]):
                return id
            await asyncio.sleep(0.2)

    async def ask(
        self, question: Question, way: Way, conversation: str | None = None, *, is_next: bool = False, **turn: Any
    ) -> Answer:
        turn = {"text": question.text, "temperature": 0, "max_tokens": MAX_TOKENS, **turn}
        if way == "file":
            writing = {"conversation": conversation, "text": question.text[:20], "files": turn.get("files", [])}
            await call(self._server.port, "POST", "/api/prefill", writing)
            await asyncio.sleep(self._typing_s)
        path, body = "/api/conversations", {"turn": turn}
        if conversation is not None:
            path, body = f"/api/conversations/{conversation}/turns", turn
        exchange = await begin(self._server.port, "POST", path, body, accept=SSE, first=DELTA)
        reply = await exchange.reply()
        if reply.status not in (200, 202):
            raise SystemExit(f"{path} answers {reply.status}: {reply.body[:300]!r}")
        started = orjson.loads(native_events(reply.body)[0][1])
        if way == "file":  # what is read for the next question may take longer
            await asyncio.sleep(self._reading_s)
        else:
            await self._settle()
        message = (await call(self._server.port, "GET", f"/api/runs/{started['run']}"))["message"]
        first = None if reply.first is None else reply.first - reply.began
        answer = Answer(question, way, is_next, message, first)
        answer.claims = list(claims_of(message))
        self._log.add(answer)
        print(f"  {way}, {first or 0:.1f} s: {question.text} {answer.text[:200]!r}", file=sys.stderr)
        return answer

    async def ask_naively(self, answer: Answer, document: Document | None) -> None:
        """Ask the engine itself, with the attached document or the same passages before the question."""
        if self._alone or answer.naive:
            return
        texts = [document.text] if document else [passage["text"] for passage in answer.message["passages"]]
        asked = "\n\n".join((*texts, answer.question.text))
        body = {"messages": [{"role": "user", "content": asked}], "temperature": 0, "max_tokens": MAX_TOKENS}
        url, key = self._engine()
        headers = {"Authorization": f"Bearer {key}"}
        async with self._http.post(f"{url}/v1/chat/completions", json=body, headers=headers) as reply:
            reply.raise_for_status()
            answer.naive = (await reply.json())["choices"][0]["message"]["content"]
        self._log.add(answer)

    async def _settle(self) -> None:
        """Wait for what the model does after an answer."""
        await quiet(*self._engine())

    def _engine(self) -> tuple[str, str]:
        shared = orjson.loads(endpoint_path(self._server.data, self._model).read_bytes())
        return shared["url"], shared["key"]

    async def ask_all(self, shelf: Sequence[Document], count: int) -> AsyncGenerator[Answer]:
        """Ask so many questions on the documents of one language."""
        asked = plan(shelf, count)
        answers = [each for _, question, way in asked if (each := self._log.find(question, way)) is not None]
        known = {answer.question.text for answer in answers}
        missing = [each for each in asked if each[1].text not in known]
        if missing:
            library = await call(self._server.port, "POST", "/api/libraries", {"name": shelf[0].language})
            for document in shelf:
                await self.upload(document, library["id"])
            for document in shelf:
                conversation: str | None = None
                for of, question, way in missing:
                    if of is document and way == "library":
                        answers.append(await self.ask(question, way, libraries=[library["id"]]))
                    elif of is document:
                        files = [] if conversation else [await self.upload(document, None)]
                        answers.append(
                            await self.ask(question, way, conversation, is_next=bool(conversation), files=files)
                        )
                        conversation = answers[-1].message["conversation"]
        attached = {question.text: document for document, question, way in asked if way == "file"}
        for answer in answers:
            await self.ask_naively(answer, attached.get(answer.question.text))
            yield answer

    async def ask_web(self, questions: Sequence[Question]) -> AsyncGenerator[Answer]:
        known = [self._log.find(question, "web") for question in questions]
        answers = [
            before or await self.ask(question, "web", web="on")
            for question, before in zip(questions, known, strict=True)
        ]
        for answer in answers:
            await self.ask_naively(answer, None)
            yield answer

    async def ask_chat(self) -> AsyncGenerator[Answer]:
        for language, text in zip(LANGUAGES, CHAT, strict=True):
            yield await self.ask(Question(text, language, None), "chat")


def plan(shelf: Sequence[Document], count: int) -> list[tuple[Document, Question, Way]]:
    """So many questions on some of the documents, two at least on each, and how each is asked."""
    rows: list[list[tuple[Document, Question, Way]]] = []
    for number, document in enumerate(shelf[: max(1, (count + 1) // 2)]):
        ways: list[tuple[Document, Question, Way]] = [
            (document, question, "file" if place < ATTACHED else "library")
            for place, question in enumerate(document.questions)
        ]
        nobody: list[tuple[Document, Question, Way]] = [
            (document, question, "library" if number % 2 else "file") for question in document.unanswered
        ]
        row = [*ways[:2], *ways[3:4], *nobody, *ways[2:3], *ways[4:]]
        turned = 2 * (number % 3)
        rows.append(row[turned:] + row[:turned])
    drawn = [each for each in chain.from_iterable(zip_longest(*rows)) if each is not None][:count]
    return sorted(drawn, key=lambda each: shelf.index(each[0]))


@asynccontextmanager
async def asker(
    model: str, sets: Sequence[str], log: AnswerLog, *, typing_s: float, reading_s: float, alone: bool
) -> AsyncGenerator[Asker]:
    with tempfile.TemporaryDirectory(prefix="eclair-bench-") as folder:
        data = Path(folder)
        link_models(data)
        environ = settings(data, ECLAIR_EMBEDDED="true", ECLAIR_MODEL=model, ECLAIR_TITLES="false")
        async with (
            running([str(ROOT / "bench" / "answer_server.py"), *sets], data, **environ) as server,
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(600)) as http,
        ):
            one = Asker(server, model, http, log, typing_s=typing_s, reading_s=reading_s, alone=alone)
            await one.ask(Question("Hello?", "en", None), "chat", max_tokens=1)  # loads the model
            yield one


def _shelves(chosen: argparse.Namespace) -> Iterator[list[Document]]:
    if chosen.xquad is not None:
        yield xquad(chosen.xquad)
        return
    for language in chosen.languages:
        yield list(chain.from_iterable(documents(name, language) for name in chosen.sets))


async def answered(model: str, chosen: argparse.Namespace) -> list[Answer]:
    answers: list[Answer] = []

    async def keep(coming: AsyncGenerator[Answer]) -> None:
        async for answer in coming:
            answers.append(answer)
            if chosen.answers is not None and answer.way != "chat":
                with chosen.answers.open("a", encoding="utf-8") as file:
                    file.write(told(model, answer))

    sets = () if chosen.xquad else chosen.sets
    log = AnswerLog(chosen.resume, model)
    pauses = {"typing_s": chosen.typing, "reading_s": chosen.reading}
    async with asker(model, sets, log, **pauses, alone=chosen.alone) as one:
        if "chat" in chosen.parts:
            await keep(one.ask_chat())
        if "documents" in chosen.parts:
            for shelf in _shelves(chosen):
                await keep(one.ask_all(shelf, chosen.questions))
        if "web" in chosen.parts and sets:
            asked = [each for name in sets for each in web_questions(name) if each.language in chosen.languages]
            step = max(1, len(asked) // chosen.questions)
            await keep(one.ask_web(asked[::step][: chosen.questions]))
    return answers


def share(flags: Sequence[bool]) -> float:
    return sum(flags) / len(flags) if flags else float("nan")


def measures(answers: Sequence[Answer]) -> dict[str, float]:
    """The shares of one group of answers; NaN where nothing counts."""
    known = [answer for answer in answers if answer.is_answerable]
    unknown = [answer for answer in answers if not answer.is_answerable]
    right = [answer for answer in known if answer.is_right]
    wrong = [answer for answer in known if not answer.is_right]
    asked = any(answer.naive for answer in answers)
    naive = share([answer.is_naive_right for answer in known if asked])
    return {
        "questions": len(answers),
        "right": share([answer.is_right for answer in known]),
        "naive": naive,
        "×": len(right) / len(known) / naive if known and naive else float("nan"),
        "shown the answer": share([answer.has_source for answer in known]),
        "source cited": share([answer.cites_source for answer in right]),
        "true doubted": share([claim.doubted for answer in right for claim in answer.claims]),
        "wrong supported": share([answer.is_falsely_supported for answer in wrong]),
        "refused": share([answer.is_right for answer in unknown]),
        "naive refused": share([answer.is_naive_right for answer in unknown if asked]),
        "invented, unmarked": share([answer.is_invented for answer in answers]),
    }


def report(model: str, answers: Sequence[Answer], languages: Sequence[str]) -> dict[str, dict[str, float]]:
    groups = {
        **{
            name: [each for each in answers if each.question.language == name and each.way in ("file", "library")]
            for name in languages
        },
        **{way: [each for each in answers if each.way == way] for way in ("file", "library", "web")},
        "all": [each for each in answers if each.way != "chat"],
    }
    found = {name: measures(group) for name, group in groups.items() if group}
    print(f"\n{model}: shares of answers\n")
    table(
        ("", *found["all"]),
        [(name, *("–" if value != value else shown(value) for value in row.values())) for name, row in found.items()],
    )
    return found


def waits(answers: Sequence[Answer]) -> dict[str, list[float]]:
    """Seconds to the first word."""

    def of(way: Way, *, is_next: bool = False) -> list[float]:
        return [
            each.first_word_s
            for each in answers
            if each.way == way and each.is_next == is_next and each.first_word_s is not None
        ]

    return {
        "a file asked for the first time": of("file"),
        "the next question on it": of("file", is_next=True),
        "a library": of("library"),
        "the web": of("web"),
        "chat": of("chat"),
    }


def judged(found: dict[str, dict[str, float]], seconds: dict[str, list[float]], goals: Goals) -> None:
    everything = found["all"]
    for name, row in found.items():
        if name in LANGUAGES:
            goals.at_least(f"{name}: right, share", row["right"], 0.75 if name == "en" else 0.6)
            _judge_source_cited(name, row, goals)
    if "web" in found:
        goals.at_least("the web: right, share", found["web"]["right"], MIN_WEB_RIGHT)
        _judge_source_cited("the web", found["web"], goals)
        if found["web"]["refused"] == found["web"]["refused"]:
            goals.at_least("the web: refused where nothing answers, share", found["web"]["refused"], 0.9)
    if everything["naive"] == everything["naive"]:
        goals.at_least("right, of the naive way's", everything["×"], 1.3)
    _judge_source_cited("all", everything, goals)
    if everything["wrong supported"] == everything["wrong supported"]:
        goals.at_most("wrong answers cited and not doubted, share", everything["wrong supported"], MAX_WRONG_SUPPORTED)
    goals.at_most("true sentences doubted, share", everything["true doubted"], 0.05)
    goals.at_least("refused where nothing answers, share", everything["refused"], 0.9)
    goals.at_most("invented without a mark, share of answers", everything["invented, unmarked"], 0.05)
    for what, goal in (("a file asked for the first time", 8), ("the next question on it", 3), ("chat", 1.5)):
        if seconds[what]:
            goals.at_most(f"{what}: first word p95", quantile(seconds[what], 0.95), goal, " s")


def _judge_source_cited(name: str, row: dict[str, float], goals: Goals) -> None:
    if row["source cited"] == row["source cited"]:  # NaN where no answer is right
        goals.at_least(f"{name}: source cited, share of right answers", row["source cited"], MIN_SOURCE_CITED)


async def main() -> None:
    parser = options(__doc__ or "")
    parser.add_argument("--model", nargs="+", default=[catalog.RECOMMENDED_MODEL], metavar="ID")
    parser.add_argument("--sets", nargs="+", choices=SETS, default=["report"])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS, help="ask these alone")
    parser.add_argument("--languages", nargs="+", choices=LANGUAGES, default=LANGUAGES)
    parser.add_argument(
        "--questions", type=int, default=1000, help="most on the documents of a language, and on the web"
    )
    parser.add_argument("--typing", type=float, default=5, help="seconds for which a question on a file is written")
    parser.add_argument("--reading", type=float, default=10, help="seconds for which an answer on a file is read")
    parser.add_argument("--alone", action="store_true", help="leave the bare model out")
    parser.add_argument("--answers", type=Path, metavar="FILE", help="append every answer, for reading")
    parser.add_argument(
        "--resume", type=Path, metavar="FILE", help="keep the answers here, and don't ask again what it has"
    )
    parser.add_argument("--xquad", type=Path, metavar="FILE", help="xquad.en.json in place of the documents")
    chosen = parser.parse_args()
    if chosen.quick:
        chosen.languages, chosen.questions, chosen.parts = ["en"], 2, ["documents"]
    goals = Goals()
    for number, model in enumerate(chosen.model):
        answers = await answered(model, chosen)
        seconds = waits(answers)
        found = report(model, answers, chosen.languages) if any(each.way != "chat" for each in answers) else {}
        pauses = f"{chosen.reading:g} s after an answer on a file, {chosen.typing:g} s of typing"
        print(f"\n{model}: seconds to the first word; {pauses}\n")
        table(
            ("", "answers", "p50", "p95"),
            [
                (what, str(len(each)), shown(quantile(each, 0.5)), shown(quantile(each, 0.95)))
                for what, each in seconds.items()
                if each
            ],
        )
        if number == 0 and found:
            judged(found, seconds, goals)
    goals.print()


if __name__ == "__main__":
    run(main())
