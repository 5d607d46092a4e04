"""Words a second on four tasks: llama.cpp's server with its defaults and at its best, and Éclair on the same model.

Chat, first-seen questions on a document, and code: greedy answers to the same messages by turns, from the first word
to the last, each compared with the defaults' answer. Editing: a text with ten mistakes is to come back corrected. The
small model cannot do that, so its output is forced by a grammar that admits one answer: for the bare engine the whole
text, for Éclair the list of changes that its edits ask for, which is then put into the text. There the clock runs from
the question to the text's last word, and the text must be the same to the byte.
"""

from __future__ import annotations

import json
import random
import re
import tempfile
import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bare import Bare
from client import CONTENT, SSE, begin, openai_text, quiet
from harness import ROOT, Goals, Process, eclair, link_models, options, run, running, shown, table

from eclair.chat.text_edits import EditTask, TextChange, split_pieces
from eclair.llm.base import Finish, PromptMessage, Request, Text
from eclair.llm.local.endpoint_file import endpoint_path
from eclair.llm.openai.dialects import DIALECTS
from eclair.llm.openai.openai_engine import OpenAIEngine
from eclair.models import catalog
from eclair.models.installed import model_path
from eclair.schema.messages import Sampling
from eclair.settings import Settings

DEFAULT = "bare, defaults"
ECLAIR = "Éclair"
BARE = {
    DEFAULT: {},
    "bare, 1 thread": {"threads": 1},
    "bare, guesses 12/48": {"lookup": 12, "draft": 48},
    "bare, 1 thread, guesses 12/48": {"threads": 1, "lookup": 12, "draft": 48},
}
GOALS = {"chat": 1.2, "documents": 1.6, "code": 1.6, "edits": 2.5}
MISTAKES = 10
CORRECT = "Correct the spelling and return the whole text.\n\n"


@dataclass(frozen=True, slots=True)
class Server:
    """Where one contender listens."""

    name: str
    url: str
    model: str

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])


@dataclass(slots=True)
class Rates:
    """One contender at one task."""

    words: int = 0
    seconds: float = 0.0
    same: int = 0
    answers: int = 0

    @property
    def rate(self) -> float:
        return self.words / self.seconds


def tasks() -> dict[str, list[str]]:
    """The questions. Documents and code are this repository's own, which no model has seen."""
    whole = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    page = whole[whole.index("## The life of a turn") : whole.index("## Left out on purpose")]
    moving = (ROOT / "docs" / "import-export.md").read_text(encoding="utf-8")[:3000]
    idle = (ROOT / "src" / "eclair" / "util" / "background.py").read_text(encoding="utf-8")
    small = "\n\n".join(
        (ROOT / "src" / "eclair" / name).read_text(encoding="utf-8") for name in ("util/humanize.py", "schema/ids.py")
    )
    return {
        "chat": [
            "Write a short story about a lighthouse keeper.",
            "Explain to a child why the sky is blue.",
            "Give me five tips for a job interview.",
            "What should I pack for a week in Norway in autumn?",
        ],
        "documents": [
            f"{page}\n\nWhat happens when a message does not fit? Quote the sentence.",
            f"{page}\n\nWhich contract speaks of a dead process, and what does it say?",
            f"{moving}\n\nHow is a conversation exported? Answer with sentences of the text.",
            f"{moving}\n\nWhat can be imported?",
        ],
        "code": [
            f"Rename the class and return the whole file:\n\n```python\n{idle}\n```",
            f"Add a function and return the whole file:\n\n```python\n{small}\n```",
            f"Explain this file, quoting each function:\n\n```python\n{small}\n```",
        ],
    }


def text_with_mistakes(count: int) -> tuple[str, str]:
    """So many words of this repository's prose, and the same with ten words spoilt."""
    raw = "\n\n".join(
        (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")
        for name in ("architecture", "start", "web", "import-export")
    )
    prose = [part for part in re.split(r"\n\s*\n", raw) if part[:1].isalpha() and len(part) > 100]
    words = re.sub(r"[`*\[\]]", "", " ".join(prose)).split()[:count]
    spoilt = list(words)
    whole = [place for place, word in enumerate(words) if word.isalpha()]
    for place in random.Random(4).sample(whole, MISTAKES):
        spoilt[place] = spoilt[place][::-1] + "x"
    return " ".join(words), " ".join(spoilt)


async def ask(server: Server, question: str, count: int, rates: Rates, reference: str | None) -> str:
    body = {
        "model": server.model,
        "messages": [{"role": "user", "content": question}],
        "temperature": 0,
        "max_tokens": count,
        "stream": True,
    }
    reply = await (await begin(server.port, "POST", "/v1/chat/completions", body, accept=SSE, first=CONTENT)).reply()
    if reply.status != 200:
        raise SystemExit(f"{server.name} answers {reply.status}: {reply.body[:300]!r}")
    text = openai_text(reply.body)
    seconds = reply.ended - (reply.first or reply.began)
    rates.words += len(text.split())
    rates.seconds += seconds
    rates.answers += 1
    rates.same += text == (reference if reference is not None else text)
    return text


async def asked(servers: Sequence[Server], questions: Sequence[str], count: int) -> dict[str, Rates]:
    """Every question to every contender; whose turn comes first changes, but for the defaults, which set the answer."""
    found = {server.name: Rates() for server in servers}
    for number, question in enumerate(questions):
        reference = await ask(servers[0], question, count, found[servers[0].name], None)
        others = servers[1:] if number % 2 == 0 else servers[:0:-1]
        for server in others:
            await ask(server, question, count, found[server.name], reference)
    return found


def only(text: str) -> dict[str, str]:
    """What has llama.cpp say this text and nothing else."""
    return {"grammar": f"root ::= {json.dumps(text, ensure_ascii=False)}"}


async def forced(
    engine: OpenAIEngine, model: str, messages: tuple[PromptMessage, ...], answer: str
) -> tuple[str, float]:
    """The answer, which is `answer`, and the seconds it took."""
    request = Request(model, messages, sampling=Sampling(0.0, max_tokens=6000), extra=only(answer))
    began = time.perf_counter()
    said: list[str] = []
    async with aclosing(engine.stream(request)) as pieces:
        async for piece in pieces:
            if isinstance(piece, Text):
                said.append(piece.text)
            elif isinstance(piece, Finish) and piece.reason != "stop":
                raise SystemExit(f"An edit ended with {piece.reason}; its text does not fit the window.")
    return "".join(said), time.perf_counter() - began


async def edited(servers: Sequence[Server], engine: OpenAIEngine, count: int) -> dict[str, Rates]:
    """A text of so many words comes back corrected, from each contender in its own way."""
    good, bad = text_with_mistakes(count)
    found: dict[str, Rates] = {}
    for server in servers[:-1]:
        client = OpenAIEngine(server.name, f"{server.url}/v1", dialect=DIALECTS[0])
        try:
            text, seconds = await forced(client, server.model, (PromptMessage("user", CORRECT + bad),), good)
        finally:
            await client.close()
        found[server.name] = Rates(count, seconds, int(text == good), 1)
    found[ECLAIR] = await changed(engine, servers[-1].model, good, bad)
    return found


async def changed(engine: OpenAIEngine, model: str, good: str, bad: str) -> Rates:
    """What Éclair's edits take to make `good` of `bad`."""
    task = EditTask(bad, "Correct the spelling.")
    pairs = zip(split_pieces(bad), split_pieces(good), strict=True)
    changes = [TextChange(at, old.text, new.text) for at, (old, new) in enumerate(pairs, 1) if old != new]
    reply, seconds = await forced(engine, model, task.messages, task.reply(changes))
    return Rates(len(good.split()), seconds, int(task.apply(reply).text == good), 1)


@asynccontextmanager
async def contenders(
    model: Path | None, names: Sequence[str], tuned: Path | None
) -> AsyncGenerator[tuple[list[Server], OpenAIEngine]]:
    """The bare servers and Éclair last, and Éclair's engine itself."""
    async with AsyncExitStack() as stack:
        data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="eclair-bench-")))
        id = catalog.STARTER_MODEL
        path = model or model_path(catalog.starter_entry(), Settings().data_dir)
        if model is None:
            link_models(data)
        else:
            (data / "models").mkdir()
            (data / "models" / model.name).symlink_to(model)
            id = model.stem.lower()
        if tuned is not None:
            for made in ("tuned", "compiled"):
                (data / made).symlink_to(tuned / made)
        servers: list[Server] = []
        for name in names:
            order = json.dumps(asdict(Bare(str(path), **BARE[name])))
            process = await stack.enter_async_context(running([str(ROOT / "bench" / "bare.py"), order]))
            servers.append(Server(name, process.url, id))
        ours: Process = await stack.enter_async_context(eclair(data, ECLAIR_EMBEDDED="true", ECLAIR_MODEL=id))
        servers.append(Server(ECLAIR, ours.url, id))
        await ask(servers[-1], "Hello?", 4, Rates(), None)
        shared: dict[str, Any] = json.loads(endpoint_path(data, id).read_bytes())
        engine = OpenAIEngine("bench", f"{shared['url']}/v1", shared["key"], dialect=DIALECTS[0])
        stack.push_async_callback(engine.close)
        await quiet(shared["url"], shared["key"])
        yield servers, engine


async def main(
    model: Path | None, parts: Sequence[str], count: int, words: int, names: Sequence[str], tuned: Path | None
) -> None:
    results: dict[str, dict[str, Rates]] = {}
    async with contenders(model, names, tuned) as (servers, engine):
        for part, questions in tasks().items():
            if part in parts:
                results[part] = await asked(servers, questions, count)
                print(f"{part}: {', '.join(f'{name} {shown(rates.rate)}' for name, rates in results[part].items())}")
        if "edits" in parts:
            results["edits"] = await edited(servers, engine, words)
    print(f"Words a second (answers equal to the defaults'); edits: {words} words back, output forced\n")
    rows = [
        [
            name,
            *(f"{shown(rates[name].rate)} ({rates[name].same} of {rates[name].answers})" for rates in results.values()),
        ]
        for name in (*names, ECLAIR)
    ]
    table(("", *results), rows)
    goals = Goals()
    for part, rates in results.items():
        ours, best = rates[ECLAIR].rate, max(rates[name].rate for name in names)
        goals.at_least(f"{part}: Éclair to the bare defaults", ours / rates[DEFAULT].rate, GOALS[part])
        goals.at_least(f"{part}: Éclair to the bare best", ours / best, 0.98)
    goals.print()


def _file(name: str) -> Path:
    return Path(name).resolve()


if __name__ == "__main__":
    parser = options(__doc__ or "")
    parser.add_argument("--model", type=_file, metavar="FILE", help="a GGUF in place of the embedded model")
    parser.add_argument("--parts", nargs="+", choices=GOALS, default=list(GOALS), help="measure these alone")
    parser.add_argument("--words", type=int, default=1500, help="length of the edited text")
    parser.add_argument("--bare", nargs="+", choices=BARE, help="bare contenders; the defaults are always one")
    parser.add_argument("--tuned", type=_file, metavar="FOLDER", help="a data folder in which `eclair tune` was run")
    given = parser.parse_args()
    wanted = [name for name in BARE if given.bare is None or name in (DEFAULT, *given.bare)]
    quick = given.quick
    run(
        main(
            given.model,
            given.parts,
            24 if quick else 80,
            60 if quick else given.words,
            wanted[::2] if quick else wanted,
            given.tuned,
        )
    )
