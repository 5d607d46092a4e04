"""20 people for an hour: whether memory, descriptors and waiting stay what they were, and every answer is whole.

What is kept stops growing after some minutes, as each deletes the oldest. The figures of the last quarter of the time
are compared with those of the second.
"""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
from harness import Goals, Process, eclair, median, options, run, shown, table, upstream
from people import Times, at_work

PEOPLE = 20


@dataclass(frozen=True, slots=True)
class Sample:
    """The state of a server at a moment of `time.perf_counter`. Sizes are in MB."""

    moment: float
    memory: float
    descriptors: int
    threads: int
    database: float
    log: float


def sample(server: Process) -> Sample:
    memory = descriptors = threads = 0
    for process in server.tree():
        with contextlib.suppress(psutil.NoSuchProcess):
            memory += process.memory_info().rss
            descriptors += process.num_fds()
            threads += process.num_threads()
    database, log = (_megabytes(server.data / name) for name in ("eclair.db", "eclair.db-wal"))
    return Sample(time.perf_counter(), memory / 1e6, descriptors, threads, database, log)


def _megabytes(path: Path) -> float:
    return path.stat().st_size / 1e6 if path.exists() else 0.0


async def main() -> None:
    parser = options(__doc__ or "")
    parser.add_argument("--minutes", type=float, default=60)
    given = parser.parse_args()
    seconds = 12.0 if given.quick else given.minutes * 60
    times = Times()
    samples: list[Sample] = []
    with tempfile.TemporaryDirectory(prefix="eclair-bench-") as folder:
        async with upstream() as engine, eclair(Path(folder), engine=engine, ECLAIR_TITLES="false") as server:
            began = time.perf_counter()
            async with at_work(server, PEOPLE, times):
                while time.perf_counter() - began < seconds:
                    await asyncio.sleep(seconds / 120)
                    samples.append(sample(server))
        log = (Path(folder) / "log").read_text(encoding="utf-8")
    quarters = [(began + seconds * part / 4, began + seconds * (part + 1) / 4) for part in range(4)]
    rows = [_row(times, samples, quarter, number + 1) for number, quarter in enumerate(quarters)]
    head = ("quarter", "answers", "first word p50 / p95, ms", "list", "search", "upload", "delete")
    table((*head, "memory, MB", "descriptors", "threads", "database / log, MB"), rows)
    count = sum(len(each) for each in times.found.values())
    print(f"\n{count:,} operations, {len(times.wrong)} wrong, {len(log.splitlines())} lines in the log.")
    for line in (*times.wrong[:5], *log.splitlines()[:5]):
        print(f"  {line}")
    goals = Goals()
    goals.at_most("wrong answers and errors", len(times.wrong), 0)

    for state, most in (("memory", 1.05), ("descriptors", 1.05), ("database", 1.3)):
        growth = _middle(samples, quarters[3], state) / _middle(samples, quarters[1], state)
        goals.at_most(f"{state}, last quarter / second", growth, most)
    for kind in ("first word", "list", "search"):
        ratio = times.p50(kind, *quarters[3]) / times.p50(kind, *quarters[1])
        goals.at_most(f"{kind} p50, last quarter / second", ratio, 1.25)
    goals.print()


def _row(times: Times, samples: list[Sample], quarter: tuple[float, float], number: int) -> list[str]:
    waits = [
        f"{shown(times.p50(kind, *quarter))} / {shown(times.p95(kind, *quarter))}"
        for kind in ("first word", "list", "search", "upload", "delete")
    ]
    memory, descriptors, threads, database, log = (
        shown(_middle(samples, quarter, state)) for state in ("memory", "descriptors", "threads", "database", "log")
    )
    answers = str(len(times.between("first word", *quarter)))
    return [str(number), answers, *waits, memory, descriptors, threads, f"{database} / {log}"]


def _middle(samples: list[Sample], span: tuple[float, float], state: str) -> float:
    return median([getattr(each, state) for each in samples if span[0] <= each.moment < span[1]])


if __name__ == "__main__":
    run(main())
