"""People who use an Éclair all day, each on their own: what they do, what they wait, and what was wrong.

The upstream of `fast_upstream.py` answers with numbered words, so that every answer can be checked.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from client import DELTA, SSE, begin, native_message
from fast_upstream import words
from harness import Process, quantile

MODEL = "paced-200"
ANSWER_WORDS = 60
PAUSE_S = 1.0
"""The mean time between two things that a person does."""
MAX_CONVERSATIONS = 20
"""A person with more deletes the oldest, so that what is kept grows no further."""


class Times:
    """Milliseconds of what was waited for, by kind, with the moment of each; and what was wrong."""

    def __init__(self) -> None:
        self.found: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
        self.wrong: list[str] = []

    def add(self, kind: str, seconds: float) -> None:
        self.found[kind].append((time.perf_counter(), seconds * 1000))

    def between(self, kind: str, start: float, end: float) -> list[float]:
        """Milliseconds of those of a kind that ended within a span of `time.perf_counter`."""
        return [spent for at, spent in self.found[kind] if start <= at < end]

    def p50(self, kind: str, start: float, end: float) -> float:
        return quantile(self.between(kind, start, end), 0.5)

    def p95(self, kind: str, start: float, end: float) -> float:
        return quantile(self.between(kind, start, end), 0.95)


class UnexpectedReply(Exception):
    """A reply that is not what it should be."""


class Person:
    """Asks, reads on after leaving, lists, searches, uploads and deletes, in an order of its own."""

    def __init__(self, server: Process, number: int, times: Times) -> None:
        self._server = server
        self._number = number
        self._times = times
        self._chosen = random.Random(number)
        self._conversations: deque[str] = deque()
        self._files: deque[str] = deque()
        self._asked = 0

    async def live(self) -> None:
        """Do one thing after the other, without end."""
        doing = (self.ask, self.ask_and_leave, self.list, self.search, self.upload)
        while True:
            await asyncio.sleep(self._chosen.expovariate(1 / PAUSE_S))
            try:
                await self._chosen.choices(doing, weights=(6, 2, 4, 2, 1))[0]()
            except UnexpectedReply as error:
                self._times.wrong.append(str(error))

    async def ask(self) -> None:
        """Ask in a new conversation or the newest, and check every word."""
        exchange = await begin(self._server.port, "POST", *self._question(), accept=SSE, first=DELTA)
        reply = await exchange.reply()
        if reply.first is None or native_message(reply.body).text != words(ANSWER_WORDS):
            raise UnexpectedReply(f"an answer ({reply.status}): {reply.body[-300:]!r}")
        self._times.add("first word", reply.first - reply.began)
        self._times.add("answer", reply.ended - reply.first)
        await self._keep(native_message(reply.body).conversation)

    async def ask_and_leave(self) -> None:
        """Ask, lose the connection in mid-answer, and find the whole answer in the conversation."""
        exchange = await begin(self._server.port, "POST", *self._question(), accept=SSE, first=DELTA)
        while not DELTA.search(exchange.came):  # noqa: ASYNC110 (what comes sets no event)
            await asyncio.sleep(0.02)
        exchange.abort()
        message = native_message(exchange.came.rpartition(b"\n\n")[0] + b"\n\n")
        path = f"/api/runs/{message.run}/events"
        whole = native_message((await (await begin(self._server.port, "GET", path, accept=SSE)).reply()).body)
        if whole.text != words(ANSWER_WORDS):
            raise UnexpectedReply(f"an answer after a lost line: {whole.status}, {whole.text[-100:]!r}")
        await self._keep(message.conversation)

    async def list(self) -> None:
        await self._call("list", "GET", "/api/conversations?limit=50")

    async def search(self) -> None:
        hits = (await self._call("search", "GET", f"/api/search?q=question+{self._number}+numbe"))["hits"]
        if self._conversations and not hits:
            raise UnexpectedReply("a search that finds nothing")

    async def upload(self) -> None:
        text = f"A note of person {self._number}, {self._chosen.random()}. ".encode() * 200
        file = await self._call("upload", "POST", f"/api/files?name=note-{self._number}.txt", text)
        self._files.append(file["id"])
        if len(self._files) > MAX_CONVERSATIONS:
            await self._call("delete", "DELETE", f"/api/files/{self._files.popleft()}")

    def _question(self) -> tuple[str, dict[str, Any]]:
        self._asked += 1
        text = f"Question {self._number} numbered {self._asked}."
        turn = {"text": text, "model": MODEL, "max_tokens": ANSWER_WORDS}
        if self._conversations and self._chosen.random() < 0.5:
            return f"/api/conversations/{self._conversations[-1]}/turns", turn
        return "/api/conversations", {"turn": turn}

    async def _keep(self, conversation: str) -> None:
        if conversation not in self._conversations:
            self._conversations.append(conversation)
        if len(self._conversations) > MAX_CONVERSATIONS:
            await self._call("delete", "DELETE", f"/api/conversations/{self._conversations.popleft()}?forever=true")

    async def _call(self, kind: str, method: str, path: str, body: Any = None) -> Any:
        reply = await (await begin(self._server.port, method, path, body)).reply()
        if not 200 <= reply.status < 300:
            raise UnexpectedReply(f"{method} {path}: {reply.status} {reply.body[:300]!r}")
        self._times.add(kind, reply.ended - reply.began)
        return reply.json() if reply.body else None


@asynccontextmanager
async def at_work(server: Process, count: int, times: Times) -> AsyncGenerator[Sequence[asyncio.Task[None]]]:
    """So many people, for as long as the block lasts. Raises what one of them did not expect."""
    tasks = [asyncio.create_task(Person(server, number, times).live()) for number in range(count)]
    try:
        yield tasks
    finally:
        for task in tasks:
            if task.done():
                times.wrong.append(f"a person gave up: {task.exception()!r}")
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
