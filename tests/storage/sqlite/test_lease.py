from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from eclair.storage.sqlite.lease import Lease, is_held

HOLDER = """
import sys, time
from pathlib import Path
import pytest

from eclair.storage.sqlite.lease import Lease
lease = Lease.acquire(Path(sys.argv[1]))
print(lease.name, flush=True)
time.sleep(60)
"""


def test_a_lease_is_held_until_it_is_released(tmp_path: Path) -> None:
    lease = Lease.acquire(tmp_path)
    assert is_held(tmp_path, lease.name)
    lease.release()
    assert not is_held(tmp_path, lease.name)
    assert not list(tmp_path.glob("*.lease"))


def test_a_lease_ends_with_its_process_however_that_ends(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        name = process.stdout.readline().strip()
        mine = Lease.acquire(tmp_path)
        assert is_held(tmp_path, name), "taking one sweeps none away that is held"
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert not is_held(tmp_path, name)
    assert is_held(tmp_path, mine.name)
    Lease.acquire(tmp_path).release()
    assert [path.stem for path in tmp_path.glob("*.lease")] == [mine.name], "what the dead left is swept away"
    mine.release()


def test_looking_at_a_lease_does_not_take_it(tmp_path: Path) -> None:
    lease = Lease.acquire(tmp_path)
    for _ in range(100):
        assert is_held(tmp_path, lease.name)
    lease.release()
    assert not is_held(tmp_path, "process_none")


def test_one_that_cannot_be_removed_is_released_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    lease = Lease.acquire(tmp_path)

    def refuse(path: Path, *, missing_ok: bool = False) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "unlink", refuse)
    lease.release()
    assert not is_held(tmp_path, lease.name)
    assert "Read-only file system" in caplog.text
