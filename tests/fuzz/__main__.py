"""`make fuzz`: tries changed inputs of each target for a time, and keeps in `tests/corpus/` what broke it.

Each target has a process of its own, so that one which dies or never ends is a finding too.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

from tests.fuzz.campaign import explore, keep, trying
from tests.fuzz.targets import TARGETS

EXAMPLES_PER_ROUND = 200
GRACE_S = 120.0
"""For the last round to end, and its failure to be simplified."""


def main() -> int:
    options = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    options.add_argument("targets", nargs="*", metavar="TARGET", help=f"of {', '.join(TARGETS)}; all by default")
    options.add_argument("--seconds", type=float, default=60, help="for each target (60)")
    options.add_argument("--seed", type=int, default=1, help="another one tries other inputs (1)")
    options.add_argument("--current", type=Path, help=argparse.SUPPRESS)
    given = options.parse_args()
    if unknown := set(given.targets) - set(TARGETS):
        options.error(f"no target {', '.join(sorted(unknown))}")
    if given.current is not None:
        return fuzz(given.targets[0], given.seconds, given.seed, given.current)
    return max([supervise(target, given.seconds, given.seed) for target in given.targets or TARGETS])


def supervise(target: str, seconds: float, number: int) -> int:
    """Fuzz a target in a process, and keep the input that it died of."""
    with tempfile.TemporaryDirectory() as folder:
        current = Path(folder, "current")
        command = [sys.executable, "-m", "tests.fuzz", target, "--seconds", str(seconds), "--seed", str(number)]
        try:
            status = subprocess.run([*command, "--current", current], check=False, timeout=seconds + GRACE_S).returncode
        except subprocess.TimeoutExpired:
            status = -1
        if status < 0 and current.exists():
            name, _, data = current.read_bytes().partition(b"\n")
            print(f"{target}: the process died ({status}) of {keep(target, name.decode(), data)}", flush=True)
    return abs(status)


def fuzz(target: str, seconds: float, number: int, current: Path) -> int:
    """Fuzz a target in this process; the input that is being tried is in `current`."""
    sys.excepthook = _keep_quiet  # readers report with it what is wrong in a file
    began, count = time.monotonic(), 0
    last = "", b""

    with tempfile.TemporaryDirectory() as folder, trying(target, Path(folder)) as (seeds, tried):

        def one(name: str, data: bytes) -> bool:
            nonlocal count, last
            count += 1
            last = name, data
            current.write_bytes(name.encode() + b"\n" + data)
            return tried(name, data)

        rounds = 0
        while time.monotonic() - began < seconds:
            try:
                explore(seeds, one, EXAMPLES_PER_ROUND, number + 1_000_000 * rounds)
            except Exception as error:
                traceback.print_exception(error)
                print(f"{target}: broken by {keep(target, *last)}", flush=True)
                return 1
            rounds += 1
    print(f"{target}: {count:,} inputs in {time.monotonic() - began:.0f} s, nothing found.", flush=True)
    return 0


def _keep_quiet(*_: object) -> None:
    pass


if __name__ == "__main__":
    sys.exit(main())
