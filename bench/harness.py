"""What the benches share: servers in processes of their own, who used the CPU, and goals with their verdicts.

Everything stays on this machine: servers listen on free loopback ports, and what they keep goes to temporary
folders.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import json
import os
import platform
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncGenerator, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import uvloop

from eclair.models import catalog
from eclair.models.installed import model_path
from eclair.models.installed import models_folder as models_folder
from eclair.settings import Settings

ROOT = Path(__file__).parent.parent
START = 300.0
"""Seconds that a server gets to say its address; with `--pull` it may download a model before."""
FOREIGN_START = 180.0
"""Seconds that another's server gets to answer."""


@dataclass(slots=True)
class Process:
    """A server that we started. `url` is what it said on its first line."""

    popen: subprocess.Popen[bytes]
    url: str
    data: Path
    started: float

    @property
    def port(self) -> int:
        return int(self.url.rsplit(":", 1)[1])

    def tree(self) -> list[psutil.Process]:
        whole = psutil.Process(self.popen.pid)
        return [whole, *whole.children(recursive=True)]

    def cpu(self) -> float:
        """CPU seconds of the process and what it started."""
        return sum(sum(process.cpu_times()[:2]) for process in self.tree())

    def rss(self) -> int:
        """Bytes in memory of the process and what it started."""
        return sum(process.memory_info().rss for process in self.tree())

    def kill(self) -> None:
        """End it the hard way, it alone."""
        self.popen.kill()
        self.popen.wait()


async def launch(command: Sequence[str], data: Path, **environ: str) -> Process:
    """Start a server and wait until it prints its address. Its errors go to `data`/log."""
    started = time.perf_counter()
    popen = _spawn(command, data, environ)
    try:
        assert popen.stdout is not None
        line = await asyncio.wait_for(asyncio.to_thread(_address, popen), START)
    except BaseException:
        popen.kill()
        popen.wait()
        raise
    if not line:
        popen.wait()
        raise SystemExit(f"{' '.join(command)} does not start:\n{(data / 'log').read_text()[-2000:]}")
    return Process(popen, line, data, started)


def _spawn(command: Sequence[str], data: Path, environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("ECLAIR_")}
    with (data / "log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, *command],
            stdout=subprocess.PIPE,
            stderr=log,
            env={**own, "PYTHONPATH": str(ROOT / "src"), **environ},
        )


def _address(popen: subprocess.Popen[bytes]) -> str:
    assert popen.stdout is not None
    for line in popen.stdout:
        if b"http://" in line:
            return "http://" + line.decode().split("http://", 1)[1].split()[0].rstrip("/")
    return ""


@asynccontextmanager
async def running(command: Sequence[str], data: Path | None = None, **environ: str) -> AsyncGenerator[Process]:
    """A server for as long as the block lasts."""
    with contextlib.ExitStack() as stack:
        folder = data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="eclair-bench-")))
        process = await launch(command, folder, **environ)
        try:
            yield process
        finally:
            process.popen.terminate()
            try:
                await asyncio.to_thread(process.popen.wait, 15)
            except subprocess.TimeoutExpired:
                process.kill()


@asynccontextmanager
async def foreign(
    name: str, command: Sequence[str], folder: Path, health: str, environ: Mapping[str, str]
) -> AsyncGenerator[Process]:
    """Another's server, which takes `--port` and works in `folder`, once `health` answers and until the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    popen = _spawn_foreign([*command, "--port", port], folder, environ)
    server = Process(popen, f"http://127.0.0.1:{port}", folder, time.perf_counter())
    try:
        await _answering(name, server, health)
        yield server
    finally:
        popen.terminate()
        await asyncio.to_thread(popen.wait, 30)


def _spawn_foreign(command: Sequence[str], folder: Path, environ: Mapping[str, str]) -> subprocess.Popen[bytes]:
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, env={**os.environ, **environ})


async def _answering(name: str, server: Process, health: str) -> None:
    while server.popen.poll() is None and time.perf_counter() - server.started < FOREIGN_START:
        try:
            await asyncio.to_thread(urllib.request.urlopen, f"{server.url}{health}", timeout=2)
        except OSError:
            await asyncio.sleep(0.2)
        else:
            return
    raise SystemExit(f"{name} does not start:\n{(server.data / 'log').read_text()[-2000:]}")


def upstream(text: Path | None = None) -> contextlib.AbstractAsyncContextManager[Process]:
    """The OpenAI-shaped server of `fast_upstream.py`, which says numbered words, or `text`."""
    return running([str(ROOT / "bench" / "fast_upstream.py"), *([str(text)] if text is not None else [])])


def settings(data: Path, *, engine: Process | None = None, scripted: bool = False, **more: str) -> dict[str, str]:
    """The environment of an Éclair that keeps to `data` and to a free port."""
    (data / "eclair.toml").touch()
    chosen = {
        "ECLAIR_CONFIG": str(data / "eclair.toml"),
        "ECLAIR_DATA_DIR": str(data),
        "ECLAIR_PORT": "0",
        "ECLAIR_EMBEDDED": "false",
        "ECLAIR_MAX_TOKENS": "100000",
        "ECLAIR_SCRIPTED": str(scripted).lower(),
        "ECLAIR_LOG_LEVEL": "warning",
        "ECLAIR_TUNE": "false",
    }
    if engine is not None:
        chosen["ECLAIR_ENGINES"] = json.dumps({"fast": {"url": f"{engine.url}/v1"}})
    return {**chosen, **more}


SERVE = ("-m", "eclair.cli", "serve")


@asynccontextmanager
async def eclair(
    data: Path | None = None, *, engine: Process | None = None, scripted: bool = False, **more: str
) -> AsyncGenerator[Process]:
    """An Éclair of this checkout for as long as the block lasts."""
    with contextlib.ExitStack() as stack:
        folder = data or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="eclair-bench-")))
        environ = settings(folder, engine=engine, scripted=scripted, **more)
        async with running(SERVE, folder, **environ) as process:
            yield process


def link_models(data: Path) -> None:
    """Have the embedded model in `data` without a copy of it."""
    models = models_folder(Settings().data_dir)
    if model_path(catalog.starter_entry(), Settings().data_dir) is None:
        raise SystemExit("The embedded model is not there; `eclair pull` fetches it.")
    (data / "models").symlink_to(models)


class Others:
    """How much CPU everything but this bench used since it was made, in cores."""

    def __init__(self) -> None:
        self._at = time.perf_counter()
        self._busy = _busy()
        self._own = _own()

    def cores(self) -> float:
        spent = (_busy() - self._busy) - (_own() - self._own)
        return max(0.0, spent / (time.perf_counter() - self._at))


def _busy() -> float:
    times = psutil.cpu_times()
    return sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0)


def _own() -> float:
    """CPU seconds of this process, of those it started, and of those that have ended."""
    here = psutil.Process()
    total = 0.0
    for process in (here, *here.children(recursive=True)):
        with contextlib.suppress(psutil.NoSuchProcess):
            total += sum(process.cpu_times()[:4])
    return total


@dataclass(slots=True)
class Goals:
    """What was promised, what was measured, and whether that is enough."""

    rows: list[tuple[str, str, str, str]] = field(default_factory=list[tuple[str, str, str, str]])

    def at_least(self, what: str, value: float, goal: float, unit: str = "") -> None:
        self._add(what, value, f"≥ {goal:,g}{unit}", value >= goal, unit)

    def at_most(self, what: str, value: float, goal: float, unit: str = "") -> None:
        self._add(what, value, f"≤ {goal:,g}{unit}", value <= goal, unit)

    def _add(self, what: str, value: float, goal: str, ok: bool, unit: str) -> None:
        self.rows.append((what, shown(value) + unit, goal, "ok" if ok else "MISS"))

    def print(self) -> None:
        print()
        table(("goal", "measured", "wanted", ""), self.rows)


def shown(value: float) -> str:
    """Three figures, or whole thousands."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A Markdown table, its columns lined up."""
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"

    print(line(head))
    print(line(["-" * width for width in widths]))
    for row in rows:
        print(line(row), flush=True)


def median(values: Sequence[float]) -> float:
    return quantile(values, 0.5)


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of the values lie; NaN where there is none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))] if ordered else float("nan")


def options(about: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=about.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds, under 20 seconds")
    return parser


async def _until_told(main: Coroutine[Any, Any, None]) -> None:
    """Run `main`; SIGTERM cancels it, so that what it started is ended."""
    task = asyncio.ensure_future(main)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    await task


def run(main: Coroutine[Any, Any, None]) -> None:
    """Say on what machine, run the bench, and say how much others disturbed it."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 65536) if hard > 0 else 65536, hard))
    print(
        f"{time.strftime('%Y-%m-%d %H:%M')}, {os.cpu_count()} CPUs ({platform.machine()}, {platform.system()}), "
        f"Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}\n"
    )
    others = Others()
    started = time.perf_counter()
    uvloop.run(_until_told(main))
    print(f"\nOther programs used {others.cores():.2f} cores meanwhile ({time.perf_counter() - started:.0f} s).")
