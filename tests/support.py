"""What several test modules share: a door to knock at, a process that can be killed, work that is told what to say."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import io
import os
import platform
import signal
import socket
import sys
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Self

import aiohttp
import orjson
import psutil
import uvicorn
from fastapi._compat import v2 as fastapi_fields
from pydantic import TypeAdapter
from pydantic.fields import FieldInfo
from sse_starlette.sse import AppStatus

from eclair.app import App, open_app
from eclair.llm.base import Engine
from eclair.llm.scripted import ScriptedEngine
from eclair.sandbox import seccomp
from eclair.schema.events import (
    END,
    Event,
    PartDelta,
    PartFinished,
    PartStarted,
    RunFinished,
    RunInterrupted,
    RunStarted,
    decode,
)
from eclair.schema.messages import Conversation, Message, Part
from eclair.schema.principal import LOCAL_PRINCIPAL, Principal
from eclair.server.app import create_app
from eclair.server.http_server import SHUTDOWN_TIMEOUT_S, server_config
from eclair.server.owner_session import OwnerSession
from eclair.server.serve import serve
from eclair.server.settings_reload import SettingsSource
from eclair.settings import Settings
from eclair.storage.base import Storage
from eclair.storage.runs import EventChunk, NewTurn, RunRecord
from eclair.storage.sqlite.database import SQLiteDatabase
from eclair.storage.sqlite.open import DATABASE_FILE
from eclair.util.port import listen
from eclair.web.open import REAL_ENVIRONMENT, Environment
from tests import forked

JSON = dict[str, Any]
ENDLESS = 1_000_000
"""A longest answer that no test waits for."""

BLOCKED = 0.5
"""Seconds of computing in one turn of the event loop that count as blocking it: two hundred runs that begin at once
may take half of that."""


ACCOUNTS = "own" if platform.system() == "Linux" else "all"
"""Whom servers of tests let in: where the system doesn't say who connects, everybody."""


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return orjson.loads(self.raw)

    @property
    def error(self) -> JSON:
        """The error that the reply is, which names its fault in one sentence."""
        error: JSON = self.body["error"]
        assert isinstance(error["message"], str)
        assert error["message"].rstrip().endswith((".", "?")), error
        return error


class Door:
    """A client of the HTTP API at `address`."""

    def __init__(self, address: str, http: aiohttp.ClientSession) -> None:
        self.address = address
        self.http = http

    def open(self, path: str, headers: Mapping[str, str] | None = None) -> Any:
        """A GET whose body is still to be read."""
        return self.http.get(self.address + path, headers=headers)

    async def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        data: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        if body is not None:
            data = orjson.dumps(body)
        if isinstance(data, bytes) and len(data) > 1 << 20:
            data = io.BytesIO(data)  # else aiohttp warns of a blocked loop
        headers = {**({"Content-Type": "application/json"} if data is not None else {}), **(headers or {})}
        async with self.http.request(method, self.address + path, data=data, headers=headers) as response:
            return Reply(response.status, response.headers, await response.read())

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> Reply:
        return await self.call("GET", path, headers=headers)

    async def post(self, path: str, body: object = None, **more: Any) -> Reply:
        return await self.call("POST", path, body, **more)

    async def begin(self, **body: Any) -> str:
        """A new conversation."""
        reply = await self.post("/api/conversations", body)
        assert reply.status == 201, reply
        return str(reply.body["id"])

    async def turn(self, conversation: str, **body: Any) -> JSON:
        """Begin a turn: its `run`, `message`, `answer` and `model`."""
        reply = await self.post(f"/api/conversations/{conversation}/turns", body)
        assert reply.status == 202, reply
        begun: JSON = reply.body
        return begun

    async def ask(self, conversation: str, text: str, **more: Any) -> JSON:
        return await self.turn(conversation, text=text, **more)

    async def stream(self, run: str, after: int | None = None, headers: Mapping[str, str] | None = None) -> bytes:
        """The run's event stream to its end."""
        query = "" if after is None else f"?after={after}"
        reply = await self.get(f"/api/runs/{run}/events{query}", headers)
        assert reply.status == 200, reply
        return reply.raw

    async def answered(self, run: str) -> JSON:
        """Wait for the end of the run, whose log must be sound; its message comes back."""
        check_log([event for _, event in parse(await self.stream(run))])
        return await self.message(run)

    async def say(self, conversation: str, text: str, **more: Any) -> JSON:
        """Ask and wait; the answer comes back."""
        begun = await self.ask(conversation, text, **more)
        return await self.answered(str(begun["run"]))

    async def message(self, run: str) -> JSON:
        return dict((await self.get(f"/api/runs/{run}")).body["message"])

    async def tree(self, conversation: str) -> JSON:
        return dict((await self.get(f"/api/conversations/{conversation}")).body)


class Server(Door):
    """A door to a server in this process, and what is behind it."""

    def __init__(self, address: str, http: aiohttp.ClientSession, app: App) -> None:
        super().__init__(address, http)
        self.app = app

    @property
    def engine(self) -> ScriptedEngine:
        engine: Engine = self.app.registry.engines["scripted"]
        assert isinstance(engine, ScriptedEngine)
        return engine


class UnsignalledServer(uvicorn.Server):
    """A server that takes no signals: of several in a process, one that has ended would be found as their receiver."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        AppStatus.should_exit = False  # a server that ended by a signal earlier would end every stream of this one

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        yield


class _Uvicorn(UnsignalledServer):
    """Ends when it is told to rather than at its next tick, and when its connections have rather than a tenth of a
    second later."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self.end = asyncio.Event()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        self.ready.set()
        await self.end.wait()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for server in self.servers:
            server.close()
        for connection in list(self.server_state.connections):
            connection.shutdown()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SHUTDOWN_TIMEOUT_S):
                while self.server_state.connections or self.server_state.tasks:  # noqa: ASYNC110 (no event tells)
                    await asyncio.sleep(0.001)
        for task in self.server_state.tasks:
            task.cancel()


def lay_database(folder: Path) -> None:
    """Make a data folder with an empty database, unless the folder is there: fifty migrations take 60 ms each time."""
    if not folder.exists():
        folder.mkdir(mode=0o700, parents=True)
        (folder / DATABASE_FILE).write_bytes(_empty_database())


@functools.cache
def _empty_database() -> bytes:
    """The file of a database that is migrated and has no rows."""
    with TemporaryDirectory() as folder, ThreadPoolExecutor(1) as thread:  # the caller may be on a loop
        path = Path(folder) / DATABASE_FILE
        thread.submit(lambda: asyncio.run(SQLiteDatabase.open(path).close())).result()
        return path.read_bytes()


_adapters: dict[object, TypeAdapter[Any]] = {}


def _adapt(annotated: Any, *, config: Any = None) -> TypeAdapter[Any]:
    """Return pydantic's validator of a field of a route: that of an earlier server where its field was the same."""
    key = (annotated.__origin__, repr(annotated.__origin__), repr(config), *map(_facts, annotated.__metadata__))
    try:
        if key not in _adapters:
            _adapters[key] = TypeAdapter(annotated, config=config)
        return _adapters[key]
    except TypeError:  # what cannot be a key, such as a list of examples
        return TypeAdapter(annotated, config=config)


def _facts(metadata: object) -> object:
    """Return what two fields have in common if they are the same."""
    if not isinstance(metadata, FieldInfo):
        return metadata
    every = metadata.asdict()
    attributes: dict[str, object] = every["attributes"]
    return (*every["metadata"], *((name, repr(type(value)), value) for name, value in attributes.items()))


setattr(fastapi_fields, "TypeAdapter", _adapt)  # noqa: B010 (making them is most of what the routes of a server take)


@contextlib.asynccontextmanager
async def serving(
    settings: Settings, around: Environment = REAL_ENVIRONMENT, session: OwnerSession | None = None
) -> AsyncGenerator[Server]:
    """A real server in this process. Fails if it blocked the event loop or left a task behind."""
    if ACCOUNTS == "all" and session is None:
        settings = replace(settings, loopback_accounts="all")
    if settings.database_url is None:
        lay_database(settings.data_dir)
    before = asyncio.all_tasks()
    with listen("127.0.0.1", 0) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with open_app(settings, around) as app:
            server = _Uvicorn(server_config(create_app(app, session), app.live_settings))
            async with _watched():
                task = asyncio.create_task(server.serve(sockets=[listener]))
                await server.ready.wait()
                try:
                    async with aiohttp.ClientSession() as http:
                        yield Server(address, http, app)
                finally:
                    await app.end_streams()
                    server.end.set()
                    await task
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    if left:
        await asyncio.wait(left, timeout=10)
    unfinished = [task for task in left if not task.done()]
    assert not unfinished, unfinished


@contextlib.asynccontextmanager
async def served_in_process(
    settings: Settings, source: SettingsSource | None = None, say_code: Callable[[str], None] | None = None
) -> AsyncGenerator[str]:
    """`eclair serve` in this process: the address that it prints. Raises what keeps it from starting."""
    printed: asyncio.Queue[str] = asyncio.Queue()
    task = asyncio.create_task(serve(settings, printed.put_nowait, source, say_code=say_code))
    printing = asyncio.create_task(printed.get())
    await asyncio.wait([task, printing], return_when=asyncio.FIRST_COMPLETED)
    if task.done():
        printing.cancel()
        await task
    try:
        yield await printing
    finally:
        signal.raise_signal(signal.SIGTERM)
        await task


@contextlib.asynccontextmanager
async def _watched() -> AsyncGenerator[None]:
    """Measures how long the loop computes without a pause, in time of its own thread: a loaded machine is no fault, nor
    is the garbage of a thousand tests, which is collected in between."""
    worst = collecting = began = 0.0

    async def watch() -> None:
        nonlocal worst, collecting
        while True:
            before, collecting = time.thread_time(), 0.0
            await asyncio.sleep(0.02)
            worst = max(worst, time.thread_time() - before - collecting)

    def collect(phase: str, info: dict[str, int]) -> None:
        nonlocal collecting, began
        if phase == "start":
            began = time.thread_time()
        else:
            collecting += time.thread_time() - began

    gc.callbacks.append(collect)
    task = asyncio.create_task(watch())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])
        gc.callbacks.remove(collect)
    assert worst < BLOCKED, f"the event loop was blocked for {worst:.3f} s"


class Process(Door):
    """A server in a process of its own."""

    def __init__(self, address: str, http: aiohttp.ClientSession, process: BaseProcess) -> None:
        super().__init__(address, http)
        self.process = process

    @classmethod
    async def start(cls, folder: Path, http: aiohttp.ClientSession, **environ: str) -> Self:
        env = {**os.environ, **environment(folder), "ECLAIR_MAX_TOKENS": str(ENDLESS), **environ}
        address, process = await asyncio.to_thread(served, folder, env)
        return cls(address, http, process)

    async def kill(self) -> None:
        self.process.kill()
        await asyncio.to_thread(self.process.join)

    async def close(self) -> None:
        if self.process.exitcode is None:
            self.process.terminate()
            await asyncio.to_thread(self.process.join)


def served(folder: Path, env: Mapping[str, str]) -> tuple[str, BaseProcess]:
    """Start `eclair serve`: where it is, and its process."""
    configuration = Path(env["ECLAIR_CONFIG"])
    configuration.parent.mkdir(parents=True, exist_ok=True)
    configuration.touch()
    hearing, saying = os.pipe()
    said = open(hearing, encoding="utf-8")  # noqa: SIM115 (the thread closes it)
    with open(os.devnull, "rb") as nothing, (folder / "server.log").open("ab") as log, open(saying, "wb") as out:
        process = forked.start(("serve",), env, nothing, out, log)
    line = said.readline()
    threading.Thread(target=read_out, args=(said,), daemon=True).start()
    assert "http://" in line, (folder / "server.log").read_text()
    return line.split()[-1], process


def read_out(said: io.TextIOBase) -> None:
    """Read what a process says later, such as the code of the first account; it fails where nobody listens."""
    with said:
        said.read()


def has_walls(pid: int) -> bool:
    """Whether a process can gain no privileges and its system calls are filtered, as far as this system can do that."""
    if sys.platform != "linux":
        return True
    lines = dict(line.split(":\t") for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return lines["NoNewPrivs"] == "1" and (lines["Seccomp"] == "2" or not seccomp.is_supported())


def live_children(*, recursive: bool = False) -> list[psutil.Process]:
    """Return the processes beneath this one that have not ended."""
    found: list[psutil.Process] = []
    for each in psutil.Process().children(recursive=recursive):
        with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended
            if each.is_running() and each.status() != psutil.STATUS_ZOMBIE:
                found.append(each)
    return found


def environment(folder: Path) -> dict[str, str]:
    """A data folder of its own, the scripted engine, any free port."""
    return {
        "ECLAIR_CONFIG": str(folder / "none.toml"),
        "ECLAIR_DATA_DIR": str(folder),
        "ECLAIR_EMBEDDED": "false",
        "ECLAIR_SCRIPTED": "true",
        "ECLAIR_PORT": "0",
        "ECLAIR_LOOPBACK_ACCOUNTS": ACCOUNTS,
    }


def parse(stream: bytes) -> list[tuple[int, Event]]:
    """The numbers and events of an event stream, which has nothing else but comments."""
    found: list[tuple[int, Event]] = []
    blocks = stream.decode().split("\n\n")
    assert blocks.pop() == "", "an event stream ends with an empty line"
    for block in blocks:
        if block.startswith(":"):
            continue
        first, second = block.split("\n")
        number = int(first.removeprefix("id: "))
        event = decode(second.removeprefix("data: "))
        assert event.seq == number
        found.append((number, event))
    return found


def check_log(events: list[Event]) -> None:
    """A whole log: numbered from 1 without a gap, one start, one end, parts opened, grown and closed in order."""
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    assert isinstance(events[0], RunStarted)
    assert isinstance(events[-1], END)
    opened: set[int] = set()
    count = 0
    for event in events[1:-1]:
        assert not isinstance(event, (RunStarted, *END))
        if isinstance(event, PartStarted):
            assert event.index == count
            count += 1
            opened.add(event.index)
        elif isinstance(event, PartDelta):
            assert event.index in opened
        elif isinstance(event, PartFinished):
            opened.remove(event.index)
    assert not opened or isinstance(events[-1], RunInterrupted)  # whose process could not close them


def text_of(message: JSON) -> str:
    return "".join(part["text"] for part in message["parts"] if part["kind"] == "text")


class Told:
    """The work of a run that says what the test tells it to; `None` ends it, an error is raised."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Event | BaseException | None] = asyncio.Queue()
        self.begun = asyncio.Event()
        self.closed = asyncio.Event()

    def say(self, *events: Event | BaseException | None) -> None:
        for event in events:
            self.queue.put_nowait(event)

    async def events(self) -> AsyncGenerator[Event, None]:
        self.begun.set()
        try:
            while (event := await self.queue.get()) is not None:
                if isinstance(event, BaseException):
                    raise event
                yield event
        finally:
            self.closed.set()

    def closing_events(self, end: Event | None) -> list[Event]:
        return [end or RunFinished("stop")]


def an_hour_ago(_: object) -> float:
    """Return the time of a clock that is slow."""
    return time.time() - 3600


class Ids:
    """Identifiers that count: conv_1, msg_2."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}_{self._count}"


async def messages_of(storage: Storage, conversation: str, owner: str = "local") -> list[Message]:
    """The conversation's messages, oldest first."""
    return (await storage.conversations.get_tree(Principal(owner), conversation))[1]


async def conversation(storage: Storage, id: str = "conv_a", owner: str = "local", at: int = 1) -> Conversation:
    return await storage.conversations.add_conversation(Principal(owner), Conversation(id, owner, "", at, at))


def new_turn(
    storage: Storage,
    ids: Callable[[str], str],
    conversation: str = "conv_a",
    text: str = "Hello",
    parent: str | None = None,
) -> tuple[NewTurn, RunStarted]:
    """A question and an answer-to-be, as `Turns` would make them."""
    question = Message(ids("msg"), conversation, parent, "user", (Part("text", text),), 1)
    started = RunStarted(ids("run"), ids("msg"), conversation, question.id, "scripted", 2)
    answer = Message(
        started.message, conversation, question.id, "assistant", (), 2, "running", started.run, started.model
    )
    record = RunRecord(started.run, conversation, started.message, storage.processes.current, "running")
    return NewTurn(LOCAL_PRINCIPAL, question, answer, record, EventChunk(started.run, 0, b""), text), started
