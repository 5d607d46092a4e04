"""Attacks on Éclair, and how many succeed: hostile texts, files that break out of a sandbox, other accounts.

Every row names what was tried and how often it worked. On a system that lacks a wall, its row says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import stat
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import aiohttp
import psutil
from harness import ROOT, Goals, eclair, options, run, table
from redos import all_patterns, steady_growth

sys.path.append(str(ROOT))

from tests import hostile

SECRETS = {"ECLAIR_API_KEY": "k" * 32, "HF_TOKEN": "hf_of-the-hub", "OPENAI_API_KEY": "sk-of-another-program"}


def patterns(goals: Goals) -> None:
    """Time each regular expression on the most hostile texts that are found for it."""
    tried = all_patterns()
    growths = [growth.exponent for pattern in tried if (growth := steady_growth(pattern)) is not None]
    goals.at_most(
        f"{len(tried)} regular expressions: worst growth of time, as an exponent", max(growths, default=0.0), 1.5
    )


def escapes(goals: Goals) -> None:
    """Try each way out of a sandbox, behind each wall alone and behind all."""
    present = hostile.present_walls()
    rows: list[list[str]] = []
    for walls in ((), *((wall,) for wall in hostile.WALLS), hostile.WALLS):
        missing = [wall for wall in walls if not any(name.split()[0] == wall for name in present)]
        attempts = [] if missing else attempts_behind(walls)
        refused = sum(attempt.is_refused for attempt in attempts)
        name = " + ".join(walls) or "none"
        rows.append([name, "not on this system" if missing else f"{refused} of {len(attempts)}"])
        if walls == hostile.WALLS and not missing:
            goals.at_most("ways out of a sandbox that are open", len(attempts) - refused, 0)
    table(["walls around a hostile reader", "ways out that are refused"], rows)


def attempts_behind(walls: Sequence[str]) -> list[hostile.Attempt]:
    """Try each way out behind these walls alone, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder), hostile.outside(Path(folder)) as targets:
        return hostile.attempts_behind(targets, walls)


def held(goals: Goals, what: str, module: str) -> None:
    """Run a module of tests, each of which is an attack, and count those that succeeded."""
    with tempfile.NamedTemporaryFile(suffix=".xml") as report:
        command = [sys.executable, "-m", "pytest", "-q", f"--junitxml={report.name}", module]
        subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=False)
        (suite,) = ElementTree.parse(report.name).getroot()
    count = int(suite.attrib["tests"])
    goals.at_most(f"{what} ({count} tried)", sum(int(suite.attrib[name]) for name in ("failures", "errors")), 0)


async def children(goals: Goals) -> None:
    """Look for secrets in the environments of what a server starts, and for files that other accounts can read."""
    with tempfile.TemporaryDirectory(prefix="eclair-bench-") as folder:
        data = Path(folder)
        async with eclair(data, scripted=True, engine=None, **SECRETS) as server, aiohttp.ClientSession() as http:
            headers = {"Authorization": f"Bearer {SECRETS['ECLAIR_API_KEY']}"}
            body, kind = b"a line of text\n" * 1000, "application/octet-stream"
            url = f"{server.url}/api/files?name=lines.txt"
            async with http.post(url, data=body, headers={**headers, "Content-Type": kind}) as reply:
                reply.raise_for_status()
            environments: list[bytes] = []
            async with asyncio.timeout(30):
                while not environments:
                    environments = [found for child in server.tree()[1:] if (found := environment(child))]
                    await asyncio.sleep(0.01)
            found = sum(secret.encode() in each for each in environments for secret in SECRETS.values())
        readable = await asyncio.to_thread(files_of_others, data)
    goals.at_most(f"secrets found in the environments of {len(environments)} children", found, 0)
    goals.at_most("files of the data folder that another account can read", len(readable), 0)


def environment(process: psutil.Process) -> bytes:
    """Return a process's environment as the system shows it; empty for one that has ended."""
    with contextlib.suppress(psutil.Error, OSError):
        return "\0".join(f"{name}={value}" for name, value in process.environ().items()).encode()
    return b""


def files_of_others(data: Path) -> list[Path]:
    """List the files of a data folder that another account can read."""
    return [path for path in [data, *data.rglob("*")] if is_readable_by_others(path, data)]


def is_readable_by_others(path: Path, data: Path) -> bool:
    """Return whether modes let another account read a file, all the way from the data folder."""
    way = [*(part for part in path.parents if part.is_relative_to(data)), path]
    return all(each.lstat().st_mode & (stat.S_IROTH | stat.S_IXOTH) for each in way)


async def main() -> None:
    options(__doc__ or "").parse_args()
    goals = Goals()
    await asyncio.to_thread(escapes, goals)
    await children(goals)
    await asyncio.to_thread(held, goals, "injections that did something", "tests/generation/test_injections.py")
    await asyncio.to_thread(held, goals, "acts that foreign text brought about", "tests/chat/test_injected_acts.py")
    await asyncio.to_thread(held, goals, "tools that it had called", "tests/chat/test_injected_tools.py")
    await asyncio.to_thread(held, goals, "erased texts that were found on the disk", "tests/server/test_erasure.py")
    await asyncio.to_thread(held, goals, "routes that strangers reach", "tests/server/test_access.py")
    await asyncio.to_thread(patterns, goals)
    goals.print()


if __name__ == "__main__":
    run(main())
