"""A book of 300 pages from the upload to the first answer, through the door, with the embedded model.

The book is Debian's reference in English, given by `--book` or downloaded. The first question is asked as soon as it
was sent up, so that it meets a book that is still being read.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
import urllib.parse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
from client import call
from harness import Goals, Process, eclair, link_models, options, run, shown, table
from parse import fetch

PACKAGE, BOOK = "debian-reference-en", "debian-reference.en.pdf"
QUESTIONS = ("Whom is the Debian Reference written for?", "What is the purpose of /etc/fstab?")
"""In the book's language, so that words find its passages before there are vectors, and in one that the embedded model
knows; the first pages answer the first one."""
LONGEST = 40
"""Tokens of an answer."""
TALK, TALKS, LONG = "Tell me a long story about a lighthouse.", 3, 128
"""What is asked to see how fast answers come while chunks are embedded, how often, and their tokens."""


@dataclass(frozen=True, slots=True)
class Answered:
    """Seconds from the question to its passages and to the model's first word."""

    passages: float
    first_word: float
    message: dict[str, Any]


async def sent(server: Process, book: Path) -> dict[str, Any]:
    query = urllib.parse.urlencode({"name": book.name})
    data = await asyncio.to_thread(book.read_bytes)
    async with aiohttp.ClientSession() as http, http.post(f"{server.url}/api/files?{query}", data=data) as reply:
        reply.raise_for_status()
        return await reply.json()


async def ask(server: Process, conversation: str, question: str, file: dict[str, Any] | None) -> Answered:
    turn: dict[str, Any] = {"text": question, "temperature": 0, "max_tokens": LONGEST}
    turn |= {"files": [file["id"]]} if file is not None else {}
    began = time.perf_counter()
    run = (await call(server.port, "POST", f"/api/conversations/{conversation}/turns", turn))["run"]
    passages = 0.0
    while True:
        message = (await call(server.port, "GET", f"/api/runs/{run}"))["message"]
        if not passages and message["passages"]:
            passages = time.perf_counter() - began
        if message["status"] != "running":
            assert passages or file is None, f"nothing was found that fits “{question}”"
            return Answered(passages, message["usage"]["first_word_ms"] / 1000, message)
        await asyncio.sleep(0.01)


async def talk(server: Process) -> float:
    """Words a second of an answer that rests on nothing."""
    conversation = (await call(server.port, "POST", "/api/conversations", {}))["id"]
    turn = {"text": TALK, "temperature": 0, "max_tokens": LONG}
    run = (await call(server.port, "POST", f"/api/conversations/{conversation}/turns", turn))["run"]
    while True:
        message = (await call(server.port, "GET", f"/api/runs/{run}"))["message"]
        if message["status"] != "running":
            return message["usage"]["words_per_second"]
        await asyncio.sleep(0.05)


async def until(server: Process, file: dict[str, Any], count: str, of: str) -> float:
    """Seconds until as many are done as there are."""
    began = time.perf_counter()
    while True:
        now = await call(server.port, "GET", f"/api/files/{file['id']}")
        if now["state"] == "ready" and now[count] == now[of]:
            return time.perf_counter() - began
        await asyncio.sleep(0.05)


async def main() -> None:
    parser = options(__doc__ or "")
    parser.add_argument("--book", type=Path)
    chosen = parser.parse_args()
    goals = Goals()
    with tempfile.TemporaryDirectory(prefix="eclair-bench-") as folder:
        data = Path(folder) / "data"
        data.mkdir()
        link_models(data)
        book = chosen.book or fetch(Path(folder), (PACKAGE,), (BOOK,))[0]
        async with eclair(data, ECLAIR_EMBEDDED="true", ECLAIR_TUNE="false") as server:
            warm = (await call(server.port, "POST", "/api/conversations", {}))["id"]
            await ask(server, warm, "Hello?", None)
            peace = sorted([await talk(server) for _ in range(TALKS)])[TALKS // 2]
            began = time.perf_counter()
            file = await sent(server, book)
            upload = time.perf_counter() - began
            conversation = (await call(server.port, "POST", "/api/conversations", {}))["id"]
            asking = asyncio.ensure_future(ask(server, conversation, QUESTIONS[0], file))
            read = upload + await until(server, file, "pages_read", "pages")
            first = await asking
            state = await call(server.port, "GET", f"/api/files/{file['id']}")
            fresh = (await call(server.port, "POST", "/api/conversations", {}))["id"]
            whole = await ask(server, fresh, QUESTIONS[0], file)
            second = await ask(server, fresh, QUESTIONS[1], None)
            third = await ask(server, fresh, QUESTIONS[0], None)
            beside = sorted([await talk(server) for _ in range(TALKS)])[TALKS // 2]
            left = await call(server.port, "GET", f"/api/files/{file['id']}")
            assert left["embedded"] < left["chunks"], "everything was embedded already; give a longer book"
            embedding = 0.0 if chosen.quick else await until(server, file, "embedded", "chunks")
    pages = state["pages"]
    table(
        ("step", "seconds"),
        [
            (f"{book.name}, {pages} pages, sent up", shown(upload)),
            ("read whole", shown(read)),
            ("a question asked at once: its passages", shown(first.passages)),
            ("the model's first word, while the book was read", shown(first.first_word)),
            ("asked again once it was read", shown(whole.first_word)),
            ("another question on it", shown(second.first_word)),
            ("the first one once more", shown(third.first_word)),
            (f"vectors of {state['chunks']} chunks, in the background", shown(embedding)),
        ],
    )
    goals.at_least("an answer's speed while chunks wait to be embedded, of that in peace", beside / peace, 0.9)
    goals.at_most("upload of the book to the first question's passages, s", upload + first.passages, 3)
    goals.at_least("pages a second, from the upload to the index, without vectors", pages / read, 150)
    goals.at_most(
        "a question whose passages were read: first word, of the first one's", third.first_word / whole.first_word, 0.5
    )
    goals.print()


if __name__ == "__main__":
    run(main())
