"""`eclair export` works on a full disk and from a read-only one, real ones that the test mounts."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import apsw
import pytest

from eclair.settings import Settings
from tests.support import environment, serving

MOUNTING = """
set -e
mount -t tmpfs -o size=8m tmpfs "$1"
cp -r "$2"/. "$1"
rm "$1/eclair.db-shm"
%s
exec "$3" -m eclair.cli export --output "$4"
"""
FULL = 'head -c 20m /dev/zero >"$1/filling" 2>/dev/null || true'
READ_ONLY = 'mount -o remount,ro "$1"'


async def fill(folder: Path) -> None:
    settings = Settings(data_dir=folder, embedded=False, scripted=True, port=0, embedder="off")
    async with serving(settings) as server:
        await server.say(await server.begin(), "How do bees dance?")


@pytest.mark.parametrize("state", [FULL, READ_ONLY], ids=["full", "read-only"])
def test_everything_is_exported(tmp_path: Path, state: str) -> None:
    whole, mounted, out = (tmp_path / name for name in ("whole", "mounted", "all.zip"))
    mounted.mkdir()
    asyncio.run(fill(whole))
    db = apsw.Connection(str(whole / "eclair.db"))  # a snapshot of a running one has a log
    db.execute("PRAGMA wal_autocheckpoint = 0")
    db.execute("UPDATE conversation SET title = 'Only in the log'")
    done = subprocess.run(
        ["unshare", "-rm", "sh", "-c", MOUNTING % state, "sh", mounted, whole, sys.executable, out],
        env={**os.environ, **environment(mounted), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    db.close()
    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(out) as archive:
        (name,) = [name for name in archive.namelist() if name.startswith("markdown/")]
        text = archive.read(name).decode()
    assert "Only in the log" in text
    assert "How do bees dance?" in text
    assert not list(tmp_path.glob("eclair-reading-*"))
