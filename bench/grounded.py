"""Questions on a library, answered by the embedded model: Éclair's way against the same passages put before it.

Paragraphs of XQuAD (given by `--xquad FILE`) are a library of one file an article. An answer counts as right where it
holds one of the question's answers. The other way is a prompt with the very passages that Éclair chose, greedy too. Of
what the model claims by itself, each sentence should be cited or doubted.
"""

from __future__ import annotations

import asyncio
import random
import re
import tempfile
import unicodedata
import urllib.parse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson
from client import call
from harness import Goals, Process, eclair, link_models, options, run, shown, table

from eclair.citations.claims import makes_claim
from eclair.text.sentences import SentenceSplitter

LONGEST = 80
"""Tokens of an answer."""
SEED = 20261125


@dataclass(frozen=True, slots=True)
class Question:
    text: str
    answers: tuple[str, ...]


def articles(path: Path) -> tuple[dict[str, str], list[Question]]:
    """Each article's text by its title, and the questions on all of them."""
    texts: dict[str, str] = {}
    questions: list[Question] = []
    for article in orjson.loads(path.read_bytes())["data"]:
        title = article["title"].replace("_", " ")
        texts[title] = f"# {title}\n\n" + "\n\n".join(each["context"] for each in article["paragraphs"])
        questions += [
            Question(each["question"], tuple(answer["text"] for answer in each["answers"]))
            for paragraph in article["paragraphs"]
            for each in paragraph["qas"]
        ]
    return texts, questions


def right(text: str, question: Question) -> bool:
    return any(_plain(answer) in _plain(text) for answer in question.answers)


def _plain(text: str) -> str:
    words = re.findall(r"\w+", unicodedata.normalize("NFKD", text.casefold()))
    return f" {' '.join(words)} "


async def filled(server: Process, texts: dict[str, str]) -> None:
    """A library of the articles, once all of it is found by meaning."""
    library = await call(server.port, "POST", "/api/libraries", {"name": "articles"})
    async with aiohttp.ClientSession() as http:
        for title, text in texts.items():
            query = urllib.parse.urlencode({"name": f"{title}.md", "library": library["id"]})
            async with http.post(f"{server.url}/api/files?{query}", data=text.encode()) as reply:
                reply.raise_for_status()
    while True:
        files = (await call(server.port, "GET", f"/api/files?library={library['id']}&limit=200"))["files"]
        if all(file["state"] == "ready" and file["embedded"] == file["chunks"] for file in files):
            return
        await asyncio.sleep(0.5)


async def ours(server: Process, question: Question) -> dict[str, Any]:
    turn = {"text": question.text, "libraries": ["articles"], "temperature": 0, "max_tokens": LONGEST}
    begun = await call(server.port, "POST", "/api/conversations", {"turn": turn})
    while True:
        message = (await call(server.port, "GET", f"/api/runs/{begun['run']}"))["message"]
        if message["status"] != "running":
            return message
        await asyncio.sleep(0.05)


async def naive(server: Process, question: Question, passages: list[dict[str, Any]]) -> str:
    shown = "\n\n".join(passage["text"] for passage in passages)
    prompt = f"Answer the question from this text.\n\n{shown}\n\nQuestion: {question.text}"
    body = {"messages": [{"role": "user", "content": prompt}], "temperature": 0, "max_tokens": LONGEST}
    reply = await call(server.port, "POST", "/v1/chat/completions", {"model": "smollm2-135m-instruct", **body})
    return reply["choices"][0]["message"]["content"]


def unmarked(message: dict[str, Any]) -> list[str]:
    """The claims of the model that are neither cited nor doubted."""
    marks = [(mark["start"], mark["end"]) for mark in (*message["citations"], *message["doubts"])]
    text = "".join(part["text"] for part in message["parts"])
    sentences = SentenceSplitter()
    spans = [*sentences.add(text), *sentences.finish()]
    free = [span for span in spans if not any(start < span[1] and span[0] < end for start, end in marks)]
    return [text[start:end] for start, end in free if makes_claim(text[start:end])]


async def main() -> None:
    parser = options(__doc__ or "")
    parser.add_argument("--xquad", type=Path, required=True, help="xquad.en.json")
    parser.add_argument("--questions", type=int, default=40)
    chosen = parser.parse_args()
    texts, questions = articles(chosen.xquad)
    asked = random.Random(SEED).sample(questions, 4 if chosen.quick else chosen.questions)
    counts = dict.fromkeys(("found", "ours", "quoted", "naive", "wrong", "false", "cited", "doubted"), 0)
    goals = Goals()
    with tempfile.TemporaryDirectory(prefix="eclair-bench-") as folder:
        data = Path(folder)
        link_models(data)
        async with eclair(data, ECLAIR_EMBEDDED="true", ECLAIR_TUNE="false") as server:
            await filled(server, texts)
            for question in asked:
                message = await ours(server, question)
                text = "".join(part["text"] for part in message["parts"])
                other = await naive(server, question, message["passages"])
                blocks = text.split("\n\n")
                ends = next((at for at, block in enumerate(blocks) if not block.startswith(">")), len(blocks))
                quote, words = "\n\n".join(blocks[:ends]), "\n\n".join(blocks[ends:])
                good = right(text, question)
                counts["found"] += any(right(passage["text"], question) for passage in message["passages"])
                counts["ours"] += good
                counts["quoted"] += right(quote, question)
                counts["naive"] += right(other, question)
                counts["wrong"] += not right(words, question)
                counts["false"] += not right(words, question) and bool(unmarked(message))
                counts["cited"] += len(message["citations"])
                counts["doubted"] += len(message["doubts"])
    share = {name: count / len(asked) for name, count in counts.items()}
    table(
        ("of the answers", "share"),
        [
            ("the passages hold the answer", shown(share["found"])),
            ("Éclair's answer does", shown(share["ours"])),
            ("of that what it quotes first", shown(share["quoted"])),
            ("the model's with the same passages", shown(share["naive"])),
            ("the model's own words do not, and one of its claims has no mark", shown(share["false"])),
        ],
    )
    print(f"{counts['cited']} sentences cited, {counts['doubted']} doubted, {len(asked)} questions.")
    goals.at_least("right answers, of the naive way's", counts["ours"] / max(1, counts["naive"]), 2)
    goals.at_most("answers with a wrong claim that has no mark", share["false"], 0.1)
    goals.print()


if __name__ == "__main__":
    run(main())
