"""A backup of 100,000 conversations and 10 GB of files while 20 people write: what they notice, and what comes back.

The first backup is made by `eclair backup` beside the server while the people are at work; their waits are compared
with those of the minute before. When they have left, a second one copies what is new; it is restored, and every row and
every file are compared.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import apsw
import conversations
from harness import ROOT, Goals, eclair, options, run, settings, shown, table, upstream
from people import Times, at_work

from eclair.schema.ids import new_id
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.sqlite.open import DATABASE_FILE

PEOPLE = 20
FILE_BYTES = 5_000_000
BEFORE_S = 60.0
"""How long the people are watched before the backup begins."""


def add_files(folder: Path, size: int) -> None:
    """Add a library with files of `size` bytes together, as if they had been uploaded and read."""
    body = os.urandom(FILE_BYTES)
    db = apsw.Connection(str(folder / DATABASE_FILE))
    with db:
        db.execute("INSERT INTO library VALUES ('library', ?, 'Everything', 1)", (LOCAL_PRINCIPAL.id,))
        for number in range(size // FILE_BYTES):
            data = number.to_bytes(8, "big") + body
            name = hashlib.sha256(data).hexdigest()
            path = folder / "files" / name[:2] / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            db.execute("INSERT INTO document (sha256, state, reader) VALUES (?, 'ready', 1000)", (name,))
            db.execute(
                "INSERT INTO file (id, owner, library, name, size, document, media, created)"
                " VALUES (?, ?, 'library', ?, ?, ?, 'text/plain', 1)",
                (new_id("file"), LOCAL_PRINCIPAL.id, f"{number}.txt", len(data), db.last_insert_rowid()),
            )
    db.close()


async def command(home: Path, data: Path, *arguments: str) -> float:
    """Run a command of Éclair's on a data folder; return the seconds that it took."""
    began = time.perf_counter()
    environ = {**os.environ, "PYTHONPATH": str(ROOT / "src"), **settings(home), "ECLAIR_DATA_DIR": str(data)}
    line = [sys.executable, "-m", "eclair.cli", *arguments]
    await asyncio.to_thread(subprocess.run, line, env=environ, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def rows(folder: Path) -> dict[str, tuple[int, str]]:
    """Number and hash of the rows of every table of a database."""
    db = apsw.Connection(str(folder / DATABASE_FILE), flags=apsw.SQLITE_OPEN_READONLY)
    names = (
        "SELECT name FROM sqlite_schema"
        " WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%' AND name NOT LIKE 'sqlite_%'"
    )
    shadows = ("_data", "_idx", "_docsize", "_config", "_content")
    found: dict[str, tuple[int, str]] = {}
    for (name,) in list(db.execute(names)):
        if name.endswith(shadows):  # of the indexes of words, which are compared by what they find
            continue
        columns = len(list(db.execute(f"PRAGMA table_info({name})")))
        digest, count = hashlib.sha256(), 0
        for row in db.execute(f"SELECT * FROM {name} ORDER BY {', '.join(map(str, range(1, columns + 1)))}"):
            digest.update(repr(row).encode())
            count += 1
        found[name] = count, digest.hexdigest()
    word = conversations.words()[0]
    digest = hashlib.sha256(repr(list(db.execute("SELECT rowid FROM message_text(?)", (word,)))).encode())
    found["message_text"] = 0, digest.hexdigest()
    db.close()
    return found


def files(folder: Path) -> dict[str, str]:
    """The hash of every file that belongs to the data, by its path."""
    found: dict[str, str] = {}
    for name in ("files", "pictures", "marks"):
        for path in sorted((folder / name).rglob("*")):
            if path.is_file():
                with path.open("rb") as content:
                    found[str(path.relative_to(folder))] = hashlib.file_digest(content, "sha256").hexdigest()
    return found


async def main() -> None:
    parser = options(__doc__ or "")
    parser.add_argument("--gigabytes", type=float, default=10)
    given = parser.parse_args()
    size = int((0.2 if given.quick else given.gigabytes) * 1e9)
    before = 5.0 if given.quick else BEFORE_S
    times, goals = Times(), Goals()
    with contextlib.ExitStack() as stack:
        home, source, target, restored = (
            Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="eclair-bench-"))) for _ in range(4)
        )
        await conversations.fill(source, 2_000 if given.quick else conversations.COUNT)
        add_files(source, size)
        async with (
            upstream() as engine,
            eclair(source, engine=engine, ECLAIR_TITLES="false") as server,
            at_work(server, PEOPLE, times),
        ):
            await asyncio.sleep(3)
            began = time.perf_counter()
            await asyncio.sleep(before)
            middle = time.perf_counter()
            took = await command(home, source, "backup", str(target))
            ended = time.perf_counter()
        again = await command(home, source, "backup", str(target))
        back = await command(home, restored, "restore", str(target))
        expected, found = rows(source), rows(restored)
        stored, copied = files(source), files(restored)
    print(f"{size / 1e9:.3g} GB of files and {expected['conversation'][0]:,} conversations: backed up in {took:.0f} s")
    print(f"({size / 1e6 / took:,.0f} MB/s), what was new in {again:.0f} s, restored in {back:.0f} s.\n")
    kinds = ("first word", "answer", "list", "search", "upload")
    waits = [
        [
            kind,
            *(
                f"{shown(times.p50(kind, *span))} / {shown(times.p95(kind, *span))}"
                for span in ((began, middle), (middle, ended))
            ),
        ]
        for kind in kinds
    ]
    table(("p50 / p95, ms", "before", "meanwhile"), waits)

    def whole(span: tuple[float, float]) -> float:
        return times.p50("first word", *span) + times.p50("answer", *span)

    goals.at_most("an answer meanwhile, of one before, p50", whole((middle, ended)) / whole((began, middle)), 1.1)
    goals.at_most("wrong answers and errors", len(times.wrong), 0)
    goals.at_most("tables that differ", sum(expected[name] != found.get(name) for name in expected), 0)
    goals.at_most("files that differ", len(stored.items() ^ copied.items()), 0)
    goals.print()
    for line in (
        *times.wrong[:5],
        *(f"{name}: {expected[name]} {found.get(name)}" for name in expected if expected[name] != found.get(name)),
    ):
        print(line)


if __name__ == "__main__":
    run(main())
