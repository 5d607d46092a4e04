"""Éclair beside Open WebUI and LiteLLM: the same loads and the same tasks through each, in front of the same engine.

Loads come from `fast_upstream.py`; every word is checked, and one server runs at a time. Tasks are those of `words.py`,
with the embedded model in Éclair's engine, which all ask; each door puts a line of its own before a question, so that
none finds in the engine's cache what another had read. As their answers then differ, and with them the engine's work,
it is told of each door how much of the engine's own pace is left, and how much later than the engine's the first word
comes; nothing is guessed ahead. A door is a way in: Éclair's page and Open WebUI's keep the
conversation, Éclair's `/v1`, Open WebUI's API and LiteLLM pass on. Open WebUI sends each event to every page of a
person, so that each of its streams is a person of its own. The peers are installed in virtual environments.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import tempfile
import time
import uuid
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import aiohttp
import orjson
from client import CONTENT, DELTA, PATIENCE, SSE, begin, call, native_message, openai_text, quiet
from fast_upstream import words
from harness import (
    Goals,
    Others,
    Process,
    eclair,
    foreign,
    link_models,
    median,
    options,
    quantile,
    run,
    shown,
    table,
    upstream,
)
from openwebui import openwebui
from words import CORRECT, Rates, changed, only, tasks, text_with_mistakes

from eclair.llm.local.endpoint_file import endpoint_path
from eclair.llm.openai.dialects import DIALECTS
from eclair.llm.openai.openai_engine import OpenAIEngine
from eclair.models import catalog
from eclair.schema.ids import new_id

ECLAIR_PAGE, ECLAIR_API = "Éclair, page", "Éclair, /v1"
WEBUI_PAGE, WEBUI_API, LITELLM = "Open WebUI, page", "Open WebUI, API", "LiteLLM"
DOORS = (ECLAIR_PAGE, WEBUI_PAGE, ECLAIR_API, WEBUI_API, LITELLM)
PAIRS = ((ECLAIR_PAGE, WEBUI_PAGE), (ECLAIR_API, WEBUI_API), (ECLAIR_API, LITELLM))
"""Whose rows are held against whose."""
LONG_ENOUGH, MOST_ROUNDS = 3.0, 30
"""Rounds of a load go on for so many seconds, and there are no more than this."""
WARM_UP = 5
TICK = 1 / os.sysconf("SC_CLK_TCK")
AFTERWARDS = 0.1
"""Seconds after a round whose work still counts."""
FAILED = (OSError, TimeoutError, aiohttp.ClientError, RuntimeError)


@dataclass(frozen=True, slots=True)
class Asked:
    """One question, how many words or tokens the answer may have, and what else the engine is told."""

    model: str
    question: str
    count: int
    more: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Taken:
    """One answer's times, and how its text is read once the clock has stopped; ValueError where it failed."""

    began: float
    first: float
    ended: float
    read: Callable[[], str]


class Door(Protocol):
    """A way into a server. Before each round it is told how many will ask at once."""

    name: str
    server: Process

    async def ready(self, people: int) -> None: ...

    async def ask(self, person: int, asked: Asked) -> Taken: ...


class Completions:
    """Chat completions in OpenAI's form."""

    def __init__(self, name: str, server: Process, path: str = "/v1/chat/completions", key: str = "none") -> None:
        self.name = name
        self.server = server
        self._path = path
        self._headers = f"Authorization: Bearer {key}\r\n"

    async def ready(self, people: int) -> None:
        """Nothing is needed."""

    async def ask(self, person: int, asked: Asked) -> Taken:
        del person
        body = {
            "model": asked.model,
            "messages": [{"role": "user", "content": asked.question}],
            "max_tokens": asked.count,
            "stream": True,
            **asked.more,
        }
        began = time.perf_counter()
        port = self.server.port
        exchange = await begin(port, "POST", self._path, body, accept=SSE, first=CONTENT, headers=self._headers)
        reply = await exchange.reply()
        if reply.status != 200:
            raise RuntimeError(f"{self.name} answers {reply.status}: {reply.body[:200]!r}")
        return Taken(began, reply.first or reply.ended, reply.ended, lambda: openai_text(reply.body))


class Native:
    """A new conversation with its first turn, as Éclair's page makes it."""

    def __init__(self, name: str, server: Process) -> None:
        self.name = name
        self.server = server

    async def ready(self, people: int) -> None:
        """Nothing is needed."""

    async def ask(self, person: int, asked: Asked) -> Taken:
        del person
        turn = {"text": asked.question, "model": asked.model, "max_tokens": asked.count, **asked.more}
        body = {"id": new_id("conv"), "turn": turn}
        began = time.perf_counter()
        exchange = await begin(self.server.port, "POST", "/api/conversations", body, accept=SSE, first=DELTA)
        reply = await exchange.reply()
        if reply.status not in (200, 202):
            raise RuntimeError(f"{self.name} answers {reply.status}: {reply.body[:200]!r}")
        return Taken(began, reply.first or reply.ended, reply.ended, lambda: native_message(reply.body).text)


class WebUIPage:
    """A new chat as Open WebUI's page makes it: asked by a request, answered by events of a socket open before."""

    def __init__(self, name: str, server: Process, client: aiohttp.ClientSession, token: str) -> None:
        self.name = name
        self.server = server
        self._client = client
        self._tokens = [token]
        self._sockets: list[aiohttp.ClientWebSocketResponse] = []
        self._ids: list[str] = []

    async def ready(self, people: int) -> None:
        """As many people as will ask, each with a page open."""
        missing = range(len(self._tokens), people)
        self._tokens += await asyncio.gather(*(self._person(number) for number in missing))
        await self.close()
        opened = await asyncio.gather(*(self._page(token) for token in self._tokens[:people]))
        self._sockets, self._ids = [socket for socket, _ in opened], [id for _, id in opened]
        await asyncio.sleep(0.2 + people / 50)  # joining goes on for a while

    async def close(self) -> None:
        await asyncio.gather(*(socket.close() for socket in self._sockets))

    async def ask(self, person: int, asked: Asked) -> Taken:
        own, answer = str(uuid.uuid4()), str(uuid.uuid4())
        said = {"role": "user", "content": asked.question}
        body = {
            "model": asked.model,
            "messages": [said],
            "stream": True,
            "params": {"max_tokens": asked.count, **_params(asked.more)},
            "session_id": self._ids[person],
            "id": answer,
            "parent_id": None,
            "user_message": {
                **said,
                "id": own,
                "timestamp": int(time.time()),
                "models": [asked.model],
                "parentId": None,
                "childrenIds": [answer],
            },
            "background_tasks": {},
            "features": {},
        }
        headers = f"Authorization: Bearer {self._tokens[person]}\r\n"
        began = time.perf_counter()
        listening = asyncio.ensure_future(_listen(self._sockets[person]))
        try:
            exchange = await begin(self.server.port, "POST", "/api/chat/completions", body, headers=headers)
            reply = await exchange.reply()
            if reply.status != 200:
                raise RuntimeError(f"{self.name} answers {reply.status}: {reply.body[:200]!r}")
            first, events = await asyncio.wait_for(listening, PATIENCE)
        finally:
            listening.cancel()
        ended = time.perf_counter()
        return Taken(began, first or ended, ended, lambda: _said(events))

    async def _person(self, number: int) -> str:
        body = {"name": f"p{number}", "email": f"p{number}@example.org", "password": uuid.uuid4().hex, "role": "admin"}
        headers = {"Authorization": f"Bearer {self._tokens[0]}"}
        async with self._client.post(f"{self.server.url}/api/v1/auths/add", json=body, headers=headers) as reply:
            reply.raise_for_status()
            return (await reply.json())["token"]

    async def _page(self, token: str) -> tuple[aiohttp.ClientWebSocketResponse, str]:
        """Socket.io's handshake, by hand: an opening, a login, and joining as its page does."""
        socket = await self._client.ws_connect(
            f"{self.server.url}/ws/socket.io/?EIO=4&transport=websocket", max_msg_size=0
        )
        await socket.receive_str()
        await socket.send_str("40" + json.dumps({"token": token}))
        id: str = json.loads((await socket.receive_str()).removeprefix("40"))["sid"]
        await socket.send_str("42" + json.dumps(["user-join", {"auth": {"token": token}}]))
        return socket, id


def _params(more: Mapping[str, Any]) -> dict[str, Any]:
    """Open WebUI's page has fields of the engine's own apart. `legacy` leaves out its own tools, to its advantage."""
    known = {name: value for name, value in more.items() if name == "temperature"}
    return {
        **known,
        "function_calling": "legacy",
        "custom_params": {name: value for name, value in more.items() if name not in known},
    }


WORD = '"response.output_text.delta"'


async def _listen(socket: aiohttp.ClientWebSocketResponse) -> tuple[float | None, list[str]]:
    """When the first word came, and every event until the answer is done."""
    first: float | None = None
    events: list[str] = []
    while True:
        event = await socket.receive_str()
        if event == "2":
            await socket.send_str("3")
            continue
        events.append(event)
        if first is None and WORD in event:
            first = time.perf_counter()
        if '"done":true' in event or '"chat:message:error"' in event:
            return first, events


def _said(events: Sequence[str]) -> str:
    said: list[str] = []
    for event in events:
        what: dict[str, Any] = orjson.loads(event.removeprefix("42"))[1]["data"]
        if what["type"] == "chat:message:error":
            raise ValueError(str(what["data"])[:200])
        if WORD in event and what["type"] == "response:completion":
            said.append(what["data"]["delta"])
    return "".join(said)


@dataclass(frozen=True, slots=True)
class Engine:
    """What all servers stand in front of."""

    url: str
    key: str
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Peers:
    """Virtual environments; None where a peer is left out."""

    openwebui: Path | None
    litellm: Path | None


@asynccontextmanager
async def webui_doors(venv: Path, engine: Engine) -> AsyncGenerator[list[Door]]:
    connector = aiohttp.TCPConnector(limit=0)
    async with (
        openwebui(venv, engine.url, engine.key) as server,
        aiohttp.ClientSession(connector=connector) as client,
    ):
        nobody = {"email": "", "password": ""}
        token: str = (await call(server.port, "POST", "/api/v1/auths/signin", nobody))["token"]
        headers = {"Authorization": f"Bearer {token}"}
        async with client.get(f"{server.url}/api/models", headers=headers) as reply:
            reply.raise_for_status()  # it answers with models that it has listed once
        page = WebUIPage(WEBUI_PAGE, server, client, token)
        yield [page, Completions(WEBUI_API, server, "/api/chat/completions", token)]
        await page.close()


@asynccontextmanager
async def litellm_doors(venv: Path, engine: Engine) -> AsyncGenerator[list[Door]]:
    with tempfile.TemporaryDirectory(prefix="litellm-bench-") as folder:
        key = f"sk-{os.urandom(16).hex()}"
        _configure(Path(folder, "config.yaml"), engine)
        program = str(venv / "bin" / "litellm")
        command = (program, "--config", "config.yaml", "--host", "127.0.0.1", "--telemetry", "False")
        environ = {"LITELLM_MASTER_KEY": key, "LITELLM_LOCAL_MODEL_COST_MAP": "True", "DO_NOT_TRACK": "true"}
        async with foreign("LiteLLM", command, Path(folder), "/health/liveliness", environ) as server:
            yield [Completions(LITELLM, server, key=key)]


def _configure(file: Path, engine: Engine) -> None:
    behind = {"api_base": f"{engine.url}/v1", "api_key": engine.key}
    listed = [
        {"model_name": model, "litellm_params": {"model": f"openai/{model}", **behind}} for model in engine.models
    ]
    file.write_text(json.dumps({"model_list": listed}))


@asynccontextmanager
async def eclair_doors(engine: Process) -> AsyncGenerator[list[Door]]:
    async with eclair(engine=engine) as server:
        yield [Native(ECLAIR_PAGE, server), Completions(ECLAIR_API, server)]


@dataclass(frozen=True, slots=True)
class Load:
    """So many answers at once, of so many words."""

    model: str
    streams: int
    count: int

    @property
    def name(self) -> str:
        pace = "full speed" if self.model == "full" else f"{self.model.removeprefix('paced-')} words/s"
        return f"{self.streams} at {pace}"


LOADS = (Load("full", 1, 2000), Load("full", 10, 2000), Load("full", 50, 500), Load("paced-100", 200, 300))
QUICK_LOADS = (Load("full", 1, 500), Load("full", 10, 500), Load("paced-100", 20, 100))


@dataclass(slots=True)
class Row:
    """The rounds of one load through one door."""

    load: Load
    door: str
    each: list[float] = field(default_factory=list[float])
    """Words a second and stream, by rounds, the wait for the first included."""
    first: list[float] = field(default_factory=list[float])
    cpu: float = 0.0
    said: int = 0
    wrong: list[str] = field(default_factory=list[str])
    others: float = 0.0

    @property
    def per_million(self) -> float:
        """CPU seconds; a tick at least, for CPU time is counted no finer."""
        return max(self.cpu, TICK) / max(1, self.said) * 1e6

    def cells(self) -> list[str]:
        asked = self.load.streams * len(self.each)
        return [
            self.load.name,
            self.door,
            str(len(self.each)),
            shown(median(self.each)),
            shown(1000 * median(self.first)),
            shown(1000 * quantile(self.first, 0.95)),
            f"{self.per_million:.1f}",
            f"{len(self.wrong)} of {asked}",
            f"{self.others:.2f}",
        ]


LOAD_HEAD = (
    "load",
    "door",
    "rounds",
    "words/s each",
    "first word p50 ms",
    "p95",
    "CPU s/1M words",
    "failed",
    "others' cores",
)


async def loaded(door: Door, load: Load, *, quick: bool) -> Row:
    await door.ready(WARM_UP)
    await asyncio.gather(*(door.ask(person, Asked("full", "Go on.", 50)) for person in range(WARM_UP)))
    row = Row(load, door.name)
    others = Others()
    began = time.perf_counter()
    while not row.each or (not quick and time.perf_counter() - began < LONG_ENOUGH and len(row.each) < MOST_ROUNDS):
        await _round(door, row)
    row.others = others.cores()
    for fault in sorted(set(row.wrong))[:3]:
        print(f"{load.name}, {door.name}: {fault}")
    return row


async def _round(door: Door, row: Row) -> None:
    load = row.load
    await door.ready(load.streams)
    cpu = door.server.cpu()
    began = time.perf_counter()
    asked = Asked(load.model, "Go on.", load.count)
    results = await asyncio.gather(*(door.ask(person, asked) for person in range(load.streams)), return_exceptions=True)
    await asyncio.sleep(AFTERWARDS)
    row.cpu += door.server.cpu() - cpu
    sound = [result for result in results if isinstance(result, Taken) and _whole(result, words(load.count), row)]
    row.wrong += [_fault(result) for result in results if isinstance(result, BaseException)]
    row.said += load.count * len(sound)
    row.first += [taken.first - taken.began for taken in sound]
    seconds = max((taken.ended for taken in sound), default=began + 1) - began
    row.each.append(load.count * len(sound) / seconds / load.streams)


def _fault(error: BaseException) -> str:
    if not isinstance(error, FAILED):
        raise error
    return f"{type(error).__name__}: {error}"


def _whole(taken: Taken, expected: str, row: Row) -> bool:
    """Whether every word is there, in order, once; the row is told why not."""
    try:
        if taken.read() == expected:
            return True
        row.wrong.append("the text is not what was said")
    except ValueError as error:
        row.wrong.append(str(error))
    return False


async def loads(peers: Peers, *, quick: bool, goals: Goals) -> None:
    rows: list[Row] = []
    async with upstream() as engine:
        known = Engine(engine.url, "none", ("full", "paced-100"))
        servers = [eclair_doors(engine)]
        if peers.openwebui is not None:
            servers.append(webui_doors(peers.openwebui, known))
        if peers.litellm is not None:
            servers.append(litellm_doors(peers.litellm, known))
        for server in servers:
            async with server as doors:
                for load in QUICK_LOADS if quick else LOADS:
                    rows += [await loaded(door, load, quick=quick) for door in doors]
    rows.sort(key=lambda row: (row.load.streams, DOORS.index(row.door)))
    table(LOAD_HEAD, [row.cells() for row in rows])
    print()
    _load_goals({(row.load, row.door): row for row in rows}, goals)


def _load_goals(rows: Mapping[tuple[Load, str], Row], goals: Goals) -> None:
    for ours, theirs in PAIRS:
        pairs = [(load, rows[load, ours], row) for (load, door), row in rows.items() if door == theirs]
        rate = {load.name: _times(median(a.each), median(b.each)) for load, a, b in pairs}
        first = {load.name: _times(median(b.first), median(a.first)) for load, a, b in pairs}
        cpu = {load.name: _times(b.per_million, a.per_million) for load, a, b in pairs}
        _ahead(goals, "words/s", ours, theirs, rate)
        _ahead(goals, "first word sooner", ours, theirs, first)
        _ahead(goals, "CPU less", ours, theirs, cpu, 10 if theirs == WEBUI_PAGE else 1)
        if theirs == WEBUI_PAGE:
            _ahead(goals, "words/s", ours, theirs, {name: rate[name] for name in rate if name.startswith("10 ")}, 4)
    for ours in (ECLAIR_PAGE, ECLAIR_API):
        goals.at_most(f"failed, {ours}", sum(len(row.wrong) for (_, door), row in rows.items() if door == ours), 0)


def _times(more: float, less: float) -> float:
    """How many times `less` makes `more`; without end where a peer got nothing through."""
    return more / less if less and not math.isnan(more) else math.inf


def _ahead(goals: Goals, what: str, ours: str, theirs: str, ratios: Mapping[str, float], goal: float = 1) -> None:
    """That we are ahead everywhere: the least of the ratios is told, and where it was."""
    if ratios:
        least = min(ratios, key=lambda name: ratios[name])
        goals.at_least(f"{what}, {ours} to {theirs}, least: {least}", ratios[least], goal)


@dataclass(slots=True)
class Work:
    """What one door made of one task: words/s, the engine's seconds of writing, and by how many seconds its first word
    came later than the engine's."""

    rates: Rates = field(default_factory=Rates)
    writing: float = 0.0
    later: list[float] = field(default_factory=list[float])

    @property
    def kept(self) -> float:
        return self.writing / self.rates.seconds

    def cells(self) -> list[str]:
        rate = shown(self.rates.rate) if self.rates.answers else ""
        return [rate, f"{self.kept:.3f}", shown(1000 * median(self.later))] if self.later else [rate, "", ""]


@dataclass(frozen=True, slots=True)
class Embedded:
    """Éclair's engine: where it listens, under which key, what it runs."""

    engine: Engine
    client: OpenAIEngine

    @property
    def model(self) -> str:
        return self.engine.models[0]

    async def work(self) -> tuple[float, float]:
        """The seconds for which it has read and written in all, once it is quiet."""
        await quiet(self.engine.url, self.engine.key)
        headers = f"Authorization: Bearer {self.engine.key}\r\n"
        reply = await (await begin(int(self.engine.url.rsplit(":", 1)[1]), "GET", "/metrics", headers=headers)).reply()
        rows = dict(line.split() for line in reply.body.decode().splitlines() if line and line[0] != "#")
        read, written = (float(rows[f"llamacpp:{name}_seconds_total"]) for name in ("prompt", "tokens_predicted"))
        return read, written


async def worked(door: Door, behind: Embedded, question: str, count: int, work: Work) -> None:
    """One question, greedily, when nobody else is answered. The clock of words runs from the first one."""
    await door.ready(1)
    read, written = await behind.work()
    taken = await door.ask(0, Asked(behind.model, f"I ask by {door.name}.\n\n{question}", count, {"temperature": 0}))
    read_then, written_then = await behind.work()
    work.rates.words += len(taken.read().split())
    work.rates.seconds += taken.ended - taken.first
    work.rates.answers += 1
    work.writing += written_then - written
    work.later.append(taken.first - taken.began - (read_then - read))


async def edited(door: Door, behind: Embedded, count: int) -> Work:
    """A text of so many words comes back corrected, from the question to its last word; the output is forced."""
    good, bad = text_with_mistakes(count)
    await quiet(behind.engine.url, behind.engine.key)
    if door.name == ECLAIR_PAGE:
        rates = await changed(behind.client, behind.model, good, bad)
    else:
        await door.ready(1)
        taken = await door.ask(0, Asked(behind.model, CORRECT + bad, 6000, {"temperature": 0, **only(good)}))
        rates = Rates(count, taken.ended - taken.began, int(taken.read() == good), 1)
    if not rates.same:
        raise SystemExit(f"{door.name}: the edited text is not the one that was forced.")
    return Work(rates)


EDIT = "editing a text"
NAMES = {"chat": "chat", "documents": "a document", "code": "editing code"}


async def all_tasks(peers: Peers, *, quick: bool, goals: Goals) -> None:
    found: dict[str, dict[str, Work]] = {}
    async with AsyncExitStack() as stack:
        behind, doors = await _embedded(stack)
        if peers.openwebui is not None:
            doors += await stack.enter_async_context(webui_doors(peers.openwebui, behind.engine))
        if peers.litellm is not None:
            doors += await stack.enter_async_context(litellm_doors(peers.litellm, behind.engine))
        for door in doors:
            await worked(door, behind, "Hello?", 4, Work())
        for part, questions in tasks().items():
            works = found[NAMES[part]] = {door.name: Work() for door in doors}
            for turn, question in enumerate(questions[:1] if quick else questions[::2]):
                for door in doors if turn % 2 == 0 else doors[::-1]:
                    await worked(door, behind, question, 40 if quick else 200, works[door.name])
            _tell(NAMES[part], works)
        editing = [door for door in doors if door.name != ECLAIR_API]
        found[EDIT] = {door.name: await edited(door, behind, 60 if quick else 600) for door in editing}
        _tell(EDIT, found[EDIT])
    _task_table(found, [door.name for door in doors])
    _task_goals(found, goals)


def _task_table(found: Mapping[str, Mapping[str, Work]], doors: Sequence[str]) -> None:
    head = [name for task in found for name in (f"{task}: words/s", "of the engine's pace", "first word later, ms")]
    rows = [[door, *(cell for works in found.values() for cell in works.get(door, Work()).cells())] for door in doors]
    table(("door", *head[:-2]), [row[:-2] for row in rows])


def _task_goals(found: Mapping[str, Mapping[str, Work]], goals: Goals) -> None:
    answered = {task: works for task, works in found.items() if task != EDIT}
    for ours, theirs in PAIRS:
        pairs = {task: (works[ours], works[theirs]) for task, works in answered.items() if theirs in works}
        kept = {task: a.kept / b.kept for task, (a, b) in pairs.items()}
        later = {task: _times(max(0.0, median(b.later)), max(0.0, median(a.later))) for task, (a, b) in pairs.items()}
        _ahead(goals, "of the engine's pace", ours, theirs, kept)
        _ahead(goals, "first word later than the engine's", ours, theirs, later)
    for name, work in found[EDIT].items():
        if name != ECLAIR_PAGE:
            goals.at_least(f"{EDIT}, Éclair to {name}", found[EDIT][ECLAIR_PAGE].rates.rate / work.rates.rate, 1)


def _tell(task: str, works: Mapping[str, Work]) -> None:
    print(f"{task}: {'; '.join(f'{name} {shown(work.rates.rate)} words/s' for name, work in works.items())}")


async def _embedded(stack: AsyncExitStack) -> tuple[Embedded, list[Door]]:
    data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="eclair-bench-")))
    link_models(data)
    server = await stack.enter_async_context(
        eclair(data, ECLAIR_EMBEDDED="true", ECLAIR_TITLES="false", ECLAIR_SPECULATION="off")
    )
    doors: list[Door] = [Native(ECLAIR_PAGE, server), Completions(ECLAIR_API, server)]
    await doors[1].ask(0, Asked(catalog.STARTER_MODEL, "Hello?", 4))
    shared: dict[str, Any] = json.loads(endpoint_path(data, catalog.STARTER_MODEL).read_bytes())
    engine = Engine(shared["url"], shared["key"], (shared["model"],))
    client = OpenAIEngine("bench", f"{engine.url}/v1", engine.key, dialect=DIALECTS[0])
    stack.push_async_callback(client.close)
    return Embedded(engine, client), doors


async def main(peers: Peers, parts: Sequence[str], *, quick: bool) -> None:
    goals = Goals()
    if "loads" in parts:
        await loads(peers, quick=quick, goals=goals)
    if "tasks" in parts:
        await all_tasks(peers, quick=quick, goals=goals)
    goals.print()


def _venv(name: str) -> Path:
    return Path(name).absolute()


if __name__ == "__main__":
    parser = options(__doc__ or "")
    parser.add_argument("--openwebui", type=_venv, metavar="VENV", help="where `open-webui` is installed")
    parser.add_argument("--litellm", type=_venv, metavar="VENV", help="where `litellm[proxy]` is installed")
    parser.add_argument("--parts", nargs="+", choices=("loads", "tasks"), default=("loads", "tasks"))
    given = parser.parse_args()
    run(main(Peers(given.openwebui, given.litellm), given.parts, quick=given.quick))
