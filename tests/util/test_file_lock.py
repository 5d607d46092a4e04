from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from pathlib import Path

from eclair.util import file_lock
from eclair.util.file_lock import hold, is_locked, try_hold, try_lock

HOLDER = """
import sys, time
from pathlib import Path
from eclair.util.file_lock import hold
with hold(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_one_holds_a_file_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    assert not is_locked(path)
    with hold(path):
        assert is_locked(path)
        assert try_hold(path) is None
        with try_lock(path) as ours:
            assert not ours
    assert not is_locked(path)
    with try_lock(path) as ours:
        assert ours
        assert is_locked(path)


def test_nobody_holds_a_file_that_is_missing(tmp_path: Path) -> None:
    with try_lock(tmp_path / "none") as ours:
        assert ours
    assert not (tmp_path / "none").exists()


def test_a_lock_ends_with_its_process(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with subprocess.Popen([sys.executable, "-c", HOLDER, path], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        assert try_hold(path) is None
        process.send_signal(signal.SIGKILL)
        process.wait()
    held = try_hold(path)
    assert held is not None
    held.release()


def test_a_file_that_is_removed_on_release_is_made_again_for_the_next_holder(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    first = try_hold(path, remove=True)
    assert first is not None
    assert try_hold(path, remove=True) is None
    first.release()
    assert not path.exists()
    second = try_hold(path, remove=True)
    assert second is not None
    assert is_locked(path)
    second.release()


async def test_who_waits_comes_next(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "lock"
    order: list[str] = []

    async def wait() -> None:
        async with file_lock.lock(path):
            order.append("second")

    async with file_lock.lock(path):
        waiting = asyncio.create_task(wait())
        await asyncio.sleep(3 * file_lock.RETRY_INTERVAL_S)
        order.append("first")
    await waiting
    assert order == ["first", "second"]
