"""How soon Éclair is there, how little it holds, how little it installs.

A start counts from the launch of the process. The first start on a fresh folder makes the database and is not
counted. Sizes are those of the files that each package in `requirements.lock` records, models apart.
"""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from client import DELTA, SSE, begin
from harness import (
    ROOT,
    SERVE,
    Goals,
    Process,
    launch,
    link_models,
    median,
    options,
    run,
    settings,
    shown,
    table,
)

SETTLE = 3.0


@dataclass(frozen=True, slots=True)
class Start:
    """Seconds from the launch: to a page, to a first word; CPU seconds; bytes of the idle server process."""

    page: float
    word: float
    cpu: float
    idle: int


async def start(data: Path, *, embedded: bool, settle: float) -> Start:
    """Start, fetch the page, ask a question at once, wait and weigh."""
    environ = settings(data, scripted=not embedded, ECLAIR_EMBEDDED=str(embedded).lower())
    server = await launch(SERVE, data, **environ)
    try:
        await _page(server)
        page = time.perf_counter() - server.started
        cpu = server.tree()[0].cpu_times()
        word = await _first_word(server)
        await asyncio.sleep(settle)
        return Start(page, word, cpu.user + cpu.system, server.tree()[0].memory_info().rss)
    finally:
        server.popen.terminate()
        await asyncio.to_thread(server.popen.wait, 15)


async def _page(server: Process) -> None:
    reply = await (await begin(server.port, "GET", "/", accept="text/html")).reply()
    if reply.status != 200:
        raise SystemExit(f"GET / answers {reply.status}: {reply.body.decode().strip()}")


async def _first_word(server: Process) -> float:
    body = {"turn": {"text": "Name a colour.", "max_tokens": 8, "temperature": 0}}
    reply = await (await begin(server.port, "POST", "/api/conversations", body, accept=SSE, first=DELTA)).reply()
    if reply.first is None:
        raise SystemExit(f"No word came: {reply.body[-300:]!r}")
    return reply.first - server.started


async def starts(count: int, *, embedded: bool, settle: float) -> list[Start]:
    with tempfile.TemporaryDirectory(prefix="eclair-bench-") as folder:
        data = Path(folder)
        if embedded:
            link_models(data)
        await start(data, embedded=embedded, settle=0.0)
        return [await start(data, embedded=embedded, settle=settle) for _ in range(count)]


def imports() -> list[tuple[str, float]]:
    """Milliseconds that importing the server takes in each package's own modules, most first."""
    code = "import eclair.cli, eclair.server.serve, eclair.app, eclair.server.app, uvloop"
    times: Counter[str] = Counter()
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-X", "importtime", "-c", code],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONPATH": str(ROOT / "src")},
        )
        for own, name in re.findall(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)", done.stderr):
            package = name.split(".")[0]
            times[package if package not in sys.stdlib_module_names else "(standard library)"] += int(own)
    return [(name, total / 3000) for name, total in times.most_common()]


def installed() -> list[tuple[str, float]]:
    """MB that each locked package has on disk, most first; those of other platforms are not there."""
    sizes: dict[str, float] = {}
    for name in re.findall(r"^([\w.-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE):
        try:
            files = metadata.distribution(name).files or []
        except metadata.PackageNotFoundError:
            continue
        paths = [Path(str(file.locate())) for file in files]
        sizes[name] = sum(path.stat().st_size for path in paths if path.exists()) / 1e6
    return sorted(sizes.items(), key=lambda item: -item[1])


async def main() -> None:
    quick: bool = options(__doc__ or "").parse_args().quick
    bare = await starts(3 if quick else 7, embedded=False, settle=1.0 if quick else SETTLE)
    whole = await starts(1 if quick else 5, embedded=True, settle=0.0 if quick else SETTLE)
    rows = [
        (
            name,
            str(len(group)),
            f"{median([one.page for one in group]):.2f}",
            f"{max(one.page for one in group):.2f}",
            f"{median([one.word for one in group]):.2f}",
            f"{max(one.word for one in group):.2f}",
            f"{median([one.cpu for one in group]):.2f}",
            f"{median([one.idle for one in group]) / 2**20:.0f}",
        )
        for name, group in (("without the engine", bare), ("with the engine", whole))
    ]
    head = ("second start", "starts", "page s", "most", "first word s", "most", "CPU s to the page", "server idle MiB")
    table(head, rows)
    sizes = installed()
    print(f"\nImports, ms: {_listed(imports())}")
    print(f"Installed, MB: {_listed(sizes)}")
    goals = Goals()
    goals.at_most("page without the engine, median", median([one.page for one in bare]), 1.5, " s")
    goals.at_most("first word with the engine, median", median([one.word for one in whole]), 2.5, " s")
    goals.at_most("idle server process", median([one.idle for one in bare]) / 2**20, 120, " MiB")
    goals.at_most(f"installed, {len(sizes)} packages", sum(size for _, size in sizes), 400, " MB")
    goals.print()


def _listed(amounts: list[tuple[str, float]]) -> str:
    shown_here = ", ".join(f"{name} {shown(amount)}" for name, amount in amounts[:8])
    return f"{shown(sum(amount for _, amount in amounts))} in all; {shown_here}"


if __name__ == "__main__":
    run(main())
