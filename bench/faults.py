"""Makes the faults that an owner or a disk can cause, and counts what each of them loses.

Full and read-only disks are file systems of their own, in a mount namespace that ends with the bench. Answers come from
`fast_upstream.py`, whose words are numbered, so that a lost one shows. `resume.py` has `kill -9` and lost connections.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw
from client import DELTA, SSE, begin, native_message
from fast_upstream import words
from harness import ROOT, SERVE, Goals, Process, launch, options, run, settings, table, upstream

MODEL = "paced-200"
SMALL_DISK = "16m"
CONVERSATIONS = 40
"""In the databases that are damaged."""

_IN_NAMESPACE = "BENCH_NAMESPACE"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The message about a fault, and the number of things that should have survived it and did not."""

    said: str
    lost: int
    of: str


class Home:
    """A data folder, and the server on it."""

    def __init__(self, data: Path, engine: Process) -> None:
        self.data = data
        self.environ = settings(data.parent, engine=engine, ECLAIR_TITLES="false", ECLAIR_DATA_DIR=str(data))

    @asynccontextmanager
    async def served(self, **environ: str) -> AsyncGenerator[Process]:
        server = await launch(SERVE, self.data.parent, **{**self.environ, **environ})
        try:
            yield server
        finally:
            if server.popen.poll() is None:
                server.popen.terminate()
                await asyncio.to_thread(server.popen.wait, 30)

    async def command(self, *arguments: str) -> tuple[int, str]:
        """Exit status and output of a command of Éclair's."""
        done = await asyncio.to_thread(
            subprocess.run,
            [sys.executable, "-m", "eclair.cli", *arguments],
            env={**os.environ, "PYTHONPATH": str(ROOT / "src"), **self.environ},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        return done.returncode, " ".join(done.stdout.split())

    @property
    def log(self) -> str:
        return (self.data.parent / "log").read_text(encoding="utf-8")

    async def fill(self, count: int = CONVERSATIONS) -> None:
        """Ask so many questions, each in a conversation of its own."""
        async with self.served() as server:
            for _ in range(count):
                await ask(server, 20)


async def ask(server: Process, count: int, model: str = "full") -> str:
    """Ask for so many words in a new conversation, and wait for all of them; the conversation's id."""
    body = {"turn": {"text": "Hello", "model": model, "max_tokens": count}}
    reply = await (await begin(server.port, "POST", "/api/conversations", body, accept=SSE, first=DELTA)).reply()
    return native_message(reply.body).conversation


async def reply_to(server: Process, method: str, path: str, body: Any = None) -> tuple[int, Any]:
    reply = await (await begin(server.port, method, path, body)).reply()
    is_json = reply.body[:1] in (b"{", b"[")
    return reply.status, reply.json() if is_json else reply.body


async def sentence(server: Process, method: str, path: str, body: Any = None) -> str:
    """Status of a request, and what its error says."""
    status, reply = await reply_to(server, method, path, body)
    found: dict[str, Any] = {} if isinstance(reply, bytes) else reply
    return f"{status} {found.get('error', found).get('message') or ''}".strip()


async def count_answers(server: Process) -> int:
    """Conversations that can be opened with a whole answer."""
    found = 0
    _, listed = await reply_to(server, "GET", "/api/conversations?limit=200")
    for each in listed["conversations"]:
        status, tree = await reply_to(server, "GET", f"/api/conversations/{each['id']}")
        found += status == 200 and tree["messages"][-1]["parts"][0]["text"] == words(20)
    return found


async def until(condition: Callable[[], Awaitable[bool]], seconds: float = 20) -> bool:
    """Wait for a condition; return whether it came true in time."""
    limit = time.monotonic() + seconds
    while time.monotonic() < limit:
        if await condition():
            return True
        await asyncio.sleep(0.1)
    return False


@contextlib.contextmanager
def file_system(folder: Path, size: str) -> Generator[None]:
    """A file system of its own at a folder, for as long as the block lasts."""
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def fill_disk(folder: Path) -> Path:
    """Write until nothing more fits."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))
    return ballast


# The owner's disk and hands


async def database_moved_away(home: Home) -> Outcome:
    """The owner moves the database away, starts, and puts it back."""
    async with home.served() as server:
        for number in range(3):
            await reply_to(server, "POST", f"/api/files?name=note-{number}.txt", b"A note. " * (number + 1))
    before = sorted(path.name for path in (home.data / "files").rglob("*") if path.is_file())
    aside = home.data.parent / "aside"
    aside.mkdir()
    for path in home.data.glob("eclair.db*"):
        shutil.move(path, aside)
    status, said = await home.command("serve")
    for path in aside.iterdir():
        shutil.move(path, home.data)
    async with home.served() as server:
        _, listed = await reply_to(server, "GET", "/api/files")
        whole = [
            (await reply_to(server, "GET", f"/api/files/{each['id']}/content"))[0] == 200 for each in listed["files"]
        ]
    after = sorted(path.name for path in (home.data / "files").rglob("*") if path.is_file())
    return Outcome(f"exit {status}: {said}", len(set(before) - set(after)) + 3 - sum(whole), "3 files")


async def backup_restored(home: Home) -> Outcome:
    """The disk dies after a backup that was made beside a running server."""
    await home.fill()
    async with home.served():
        status, said = await home.command("backup", str(home.data.parent / "backup"))
    shutil.rmtree(home.data)
    await home.command("restore", str(home.data.parent / "backup"))
    async with home.served() as server:
        return Outcome(f"exit {status}: {said}", CONVERSATIONS - await count_answers(server), "40 answers")


async def migration_without_room(home: Home) -> Outcome:
    """A database of an older format on a disk that is too full for the copy before its migration, started thrice."""
    await home.fill(3)
    db = apsw.Connection(str(home.data / "eclair.db"))
    db.execute("CREATE TABLE ballast (data BLOB); INSERT INTO ballast VALUES (zeroblob(9000000)); VACUUM")
    version = db.pragma("user_version")
    db.execute(f"PRAGMA user_version = {int(str(version)) - 1}; PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    small = home.data.parent / "small"
    with file_system(small, SMALL_DISK):
        shutil.copytree(home.data, small / "data")
        home.environ["ECLAIR_DATA_DIR"] = str(small / "data")
        said = ""
        for _ in range(3):
            status, said = await home.command("serve")
            said = f"exit {status}: {said}"
        copies = [path for path in (small / "data" / "backups").glob("*") if path.is_file()]
    return Outcome(said, len(copies), "broken copies left")


async def disk_full_in_mid_answer(home: Home) -> Outcome:
    """The disk fills while an answer is made, and has room again later."""
    with file_system(home.data, SMALL_DISK):
        async with home.served() as server:
            body = {"turn": {"text": "Hello", "model": MODEL, "max_tokens": 400}}
            exchange = await begin(server.port, "POST", "/api/conversations", body, accept=SSE, first=DELTA)
            await asyncio.sleep(0.5)
            ballast = fill_disk(home.data)
            await asyncio.sleep(0.5)
            said = await sentence(server, "POST", "/api/conversations", {"turn": {"text": "And now?"}})
            ready = await sentence(server, "GET", "/api/health/ready")
            ballast.unlink()
            message = native_message((await exchange.reply()).body)
            server.popen.kill()
            server.popen.wait()
        async with home.served() as server:
            _, tree = await reply_to(server, "GET", f"/api/conversations/{message.conversation}")
            kept = tree["messages"][-1]["parts"][0]["text"]
    return Outcome(f"{said} / ready: {ready}", len(words(400).split()) - len(kept.split()), "400 words")


async def stopped_on_a_full_disk(home: Home) -> Outcome:
    """SIGTERM while the disk is full and an answer can't be saved."""
    with file_system(home.data, SMALL_DISK):
        async with home.served() as server:
            body = {"turn": {"text": "Hello", "model": MODEL, "max_tokens": 2000}}
            await begin(server.port, "POST", "/api/conversations", body, accept=SSE, first=DELTA)
            await asyncio.sleep(0.5)
            fill_disk(home.data)
            await asyncio.sleep(0.5)
            server.popen.terminate()
            status = await asyncio.to_thread(server.popen.wait, 30)
    said = next((line for line in home.log.splitlines() if "without its last" in line), "")
    return Outcome(f"exit {status}: {said}", int(status == 0 or not said), "silence about what is lost")


async def started_on(home: Home, *, is_full: bool) -> Outcome:
    """Start, read and export on a disk that is full, or mounted for reading alone."""
    await home.fill()
    disk = home.data.parent / "disk"
    with file_system(disk, "64m"):
        shutil.copytree(home.data, disk / "data")
        home.environ["ECLAIR_DATA_DIR"] = str(disk / "data")
        if is_full:
            fill_disk(disk)
        else:
            await asyncio.to_thread(subprocess.run, ["mount", "-o", "remount,ro", disk], check=True)
        async with home.served() as server:
            read = await count_answers(server)
            said = await sentence(server, "POST", "/api/conversations", {"turn": {"text": "And now?"}})
        status, exported = await home.command("export", "--out", str(home.data.parent / "export"))
        if status:
            return Outcome(f"export: exit {status}: {exported}", CONVERSATIONS, "40 answers to read and export")
    return Outcome(said, CONVERSATIONS - read, "40 answers to read and export")


# Damage


async def database_damaged(home: Home) -> Outcome:
    """The server is killed, and a page with messages is zeroed, as by a failing disk."""
    async with home.served() as server:
        for _ in range(CONVERSATIONS):
            await ask(server, 20)
        server.popen.kill()
        server.popen.wait()
    path = home.data / "eclair.db"
    db = apsw.Connection(str(path))
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    db.close()
    content = path.read_bytes()
    size = int.from_bytes(content[16:18], "big")
    page = content.rindex(words(20).encode()) // size
    with path.open("r+b") as file:
        file.seek(page * size)
        file.write(bytes(size))
    said = ""
    async with home.served() as server:

        async def is_noticed() -> bool:
            nonlocal said
            said = await sentence(server, "GET", "/api/health/ready")
            return said.startswith("503")

        noticed = await until(is_noticed, 30)
    status, repaired = await home.command("doctor", "--repair")
    async with home.served() as server:
        after = await count_answers(server)
    return Outcome(
        f"ready: {said} / repair, exit {status}: {repaired[:300]} / {after} of 40 answers", int(not noticed), "silence"
    )


async def file_changed(home: Home) -> Outcome:
    """An uploaded file is changed on the disk, and another is missing."""
    async with home.served() as server:
        ids = [
            (await reply_to(server, "POST", f"/api/files?name=note-{number}.txt", b"A note. " * (number + 1)))[1]["id"]
            for number in range(2)
        ]
        by_size = sorted((path.stat().st_size, path) for path in (home.data / "files").rglob("*") if path.is_file())
        by_size[0][1].chmod(0o600)
        by_size[0][1].write_bytes(b"a Note. ")
        by_size[1][1].unlink()
        said = [await sentence(server, "GET", f"/api/files/{id}/content") for id in ids]
    return Outcome(" / ".join(said), sum(each.startswith(("200", "500")) for each in said), "2 files served wrong")


# Engines and processes


async def silent_engine(home: Home) -> Outcome:
    """An engine lists its model, takes the question and says nothing."""

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        models = b'{"object":"list","data":[{"id":"mute","object":"model"}]}'
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(models)
        while data := await reader.read(1 << 16):
            if data.startswith(b"GET /v1/models"):
                writer.write(head + models)
        writer.close()

    silent = await asyncio.start_server(hear, "127.0.0.1", 0)
    port = silent.sockets[0].getsockname()[1]
    engines = f'{{"silent": {{"url": "http://127.0.0.1:{port}/v1", "models": ["mute"]}}}}'
    async with silent, home.served(ECLAIR_ENGINES=engines, ECLAIR_FIRST_WORD_SECONDS="5") as server:
        body = {"turn": {"text": "Hello", "model": "mute"}}
        began = time.perf_counter()
        exchange = await begin(server.port, "POST", "/api/conversations", body, accept=SSE)
        message = native_message((await exchange.reply()).body)
        took = time.perf_counter() - began
    said = message.fault.message if message.fault is not None else message.status
    return Outcome(f"{said} (after {took:.1f} s)", int(took > 8), "minutes of waiting")


async def two_servers(home: Home) -> Outcome:
    """Two servers on one folder: one stops what the other writes, and ends what it leaves when it is killed."""
    async with home.served() as first, home.served() as second:
        body = {"turn": {"text": "Hello", "model": MODEL, "max_tokens": 4000}}
        _, begun = await reply_to(first, "POST", "/api/conversations", body)
        status, stopped = await reply_to(second, "POST", f"/api/runs/{begun['run']}/stop")
        _, begun = await reply_to(first, "POST", "/api/conversations", body)
        await asyncio.sleep(0.3)
        first.popen.kill()
        first.popen.wait()
        _, left = await reply_to(second, "GET", f"/api/runs/{begun['run']}")
    wrong = (stopped["status"] != "stopped") + (left["status"] != "interrupted")
    return Outcome(
        f"stop at the other: {status} {stopped['status']}; after its death: {left['status']}", wrong, "2 runs"
    )


async def signals(home: Home) -> Outcome:
    """SIGHUP and SIGUSR1 come while an answer is made."""
    async with home.served() as server:
        body = {"turn": {"text": "Hello", "model": MODEL, "max_tokens": 200}}
        exchange = await begin(server.port, "POST", "/api/conversations", body, accept=SSE, first=DELTA)
        for number in (signal.SIGHUP, signal.SIGUSR1):
            await asyncio.sleep(0.2)
            server.popen.send_signal(number)
        message = native_message((await exchange.reply()).body)
    return Outcome("the answer goes on", 200 - len(message.text.split()), "200 words")


FAULTS: dict[str, Callable[[Home], Awaitable[Outcome]]] = {
    "the database is moved away and put back": database_moved_away,
    "the disk dies after a backup": backup_restored,
    "no room for the copy before a migration, 3 starts": migration_without_room,
    "the disk is full in mid-answer, then kill -9": disk_full_in_mid_answer,
    "SIGTERM while the disk is full": stopped_on_a_full_disk,
    "a start on a full disk": lambda home: started_on(home, is_full=True),
    "a start on a read-only disk": lambda home: started_on(home, is_full=False),
    "a page of the database is zeroed": database_damaged,
    "a file is changed, another missing": file_changed,
    "an engine says nothing": silent_engine,
    "two servers, one is killed": two_servers,
    "SIGHUP and SIGUSR1": signals,
}


async def main() -> None:
    parser = options(__doc__ or "")
    parser.add_argument("--only", metavar="WORDS", default="", help="the faults whose name has these words")
    only: str = parser.parse_args().only
    rows: list[list[str]] = []
    goals = Goals()
    async with upstream() as engine:
        for name, make in FAULTS.items():
            if only not in name:
                continue
            with tempfile.TemporaryDirectory(prefix="eclair-bench-") as folder:
                outcome = await make(Home(Path(folder, "data"), engine))
            rows.append([name, outcome.said])
            print(f"{name}: {outcome.said}", file=sys.stderr, flush=True)
            goals.at_most(f"{name}: {outcome.of}, lost or wrong", outcome.lost, 0)
    table(("fault", "what is said"), rows)
    goals.print()


if __name__ == "__main__":
    if _IN_NAMESPACE not in os.environ:
        os.environ[_IN_NAMESPACE] = "yes"
        rights = [] if os.geteuid() == 0 else ["--map-root-user"]
        os.execvp("unshare", ["unshare", *rights, "--mount", sys.executable, *sys.argv])
    run(main())
