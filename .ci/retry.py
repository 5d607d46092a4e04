"""Run each failed test once more by itself: FLAKY if it passes then, failed if it fails twice.

Reads what pytest's last run left in .pytest_cache. Exits with 1 if a test fails again, if too many failed to be
flaky, or if nothing is recorded, since then the run broke for another reason.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

LAST_FAILED = Path(".pytest_cache", "v", "cache", "lastfailed")
MAX_RETRIED_TESTS = 20


def main() -> int:
    failed: list[str] = sorted(json.loads(LAST_FAILED.read_text("utf-8"))) if LAST_FAILED.is_file() else []
    if not failed or len(failed) > MAX_RETRIED_TESTS:
        print(f"{len(failed)} tests are recorded as failed; nothing is retried.", flush=True)
        return 1
    again = [test for test in failed if not _passes(test)]
    for test in failed:
        print(f"FAILED TWICE {test}" if test in again else f"FLAKY {test}", flush=True)
    print(f"{len(failed) - len(again)} passed, {len(again)} failed", flush=True)
    return 1 if again else 0


def _passes(test: str) -> bool:
    """Run one test in a process of its own; pytest's cache of failures stays as it is."""
    command = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", test)
    return subprocess.run(command, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
