"""Servers by command: a program behind walls, with which JSON lines are exchanged, within bounds.

It has a process group, with which it ends, and a scratch folder as its home. What it writes elsewhere than to standard
output is its log.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream
from mcp.client import Transport
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCMessage
from mcp_types.jsonrpc import jsonrpc_message_adapter
from pydantic import ValidationError

from eclair.sandbox.program import COMMAND_NOT_FOUND, ProgramWalls, program_command, program_folders
from eclair.util.child_environment import child_environment
from eclair.util.child_process import LogTail
from eclair.util.scratch import ScratchFolder

MAX_MESSAGE_BYTES = 4 << 20
MAX_UNASKED_BYTES = 32 << 20
"""Of output since the last request."""
MAX_ODD_LINES = 100
"""Lines of output that are no messages; programs greet there."""
STOP_TIMEOUT_S = 2.0


@dataclass(frozen=True, slots=True)
class ServerProgram:
    """A command, its variables beyond the usual ones, its bounds, and a folder that it may keep packages in."""

    command: tuple[str, ...]
    variables: Mapping[str, str]
    folders: tuple[str, ...] = ()
    readable: tuple[str, ...] = ()
    network: bool = False
    cache: Path | None = None


class CommandTransport:
    """Runs one server. `fault` says in the middle of a sentence why it ended, if it did by itself."""

    def __init__(self, program: ServerProgram) -> None:
        self._program = program
        self._log = LogTail()
        self._unasked = 0
        self._odd_lines = 0
        self.fault: str | None = None

    @property
    def log(self) -> Sequence[str]:
        """The last lines of its log."""
        return tuple(self._log.lines)

    @asynccontextmanager
    async def run(
        self,
    ) -> AsyncGenerator[
        tuple[
            MemoryObjectReceiveStream[SessionMessage | Exception],
            MemoryObjectSendStream[SessionMessage],
        ]
    ]:
        """Start the server, and yield the streams of its messages; the end of the block ends it. Raises OSError."""
        with ScratchFolder("mcp") as scratch:
            process = await self._start(scratch.path)
            received, inbox = anyio.create_memory_object_stream[SessionMessage | Exception](0)
            outbox, sent = anyio.create_memory_object_stream[SessionMessage](0)
            assert process.stderr is not None
            tasks = [
                asyncio.create_task(self._receive(process, received), name="output of an MCP server"),
                asyncio.create_task(self._send(process, sent), name="input of an MCP server"),
                asyncio.create_task(self._log.read(process.stderr), name="log of an MCP server"),
            ]
            try:
                yield inbox, outbox
            finally:
                with anyio.CancelScope(shield=True):
                    for task in tasks[:2]:
                        task.cancel()
                    await asyncio.gather(*tasks[:2], return_exceptions=True)
                    for stream in (received, inbox, outbox, sent):
                        stream.close()
                    await _end(process)
                    await asyncio.wait(tasks, timeout=STOP_TIMEOUT_S)
                    tasks[2].cancel()

    def transport(self) -> Transport:
        """Return it as the MCP library takes one."""
        return self.run()

    async def _start(self, home: Path) -> Process:
        program = self._program
        own = {"HOME": str(home), "TMPDIR": str(home), "PYTHONDONTWRITEBYTECODE": "1", "NO_UPDATE_NOTIFIER": "1"}
        write, run = [str(home), *program.folders], [*program.readable, *program.folders]
        if program.cache is not None:
            cache = str(program.cache)
            await asyncio.to_thread(program.cache.mkdir, parents=True, exist_ok=True)
            own |= {"XDG_CACHE_HOME": cache, "npm_config_cache": f"{cache}/npm", "UV_CACHE_DIR": f"{cache}/uv"}
            write.append(cache)
            run.append(cache)
        environment = child_environment(*(("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY") if program.network else ()))
        for name in [name for name in environment if name.startswith(("PYTHON", "XDG_", "VIRTUAL_ENV"))]:
            del environment[name]
        environment |= own | dict(program.variables)
        found = await asyncio.to_thread(program_folders, program.command, environment.get("PATH"))
        bounds = ProgramWalls((*found, *run), tuple(write), program.network)
        return await asyncio.create_subprocess_exec(
            *program_command(program.command, bounds),
            stdin=PIPE,
            stdout=PIPE,
            stderr=PIPE,
            env=environment,
            cwd=home,
            start_new_session=True,
            limit=MAX_MESSAGE_BYTES,
        )

    async def _receive(self, process: Process, received: MemoryObjectSendStream[SessionMessage | Exception]) -> None:
        """Read messages until there are no more, or there is something wrong with them."""
        assert process.stdout is not None
        with contextlib.suppress(anyio.BrokenResourceError, anyio.ClosedResourceError):
            async with received:
                while self.fault is None and (line := await self._read_line(process.stdout)):
                    message = self._parse(line)
                    if message is not None:
                        await received.send(SessionMessage(message))
                await self._explain(process)
        if process.returncode is None and self.fault is not None:
            _signal(process, signal.SIGKILL)

    async def _read_line(self, output: asyncio.StreamReader) -> bytes:
        try:
            line = await output.readuntil(b"\n")
        except asyncio.IncompleteReadError as error:
            line = error.partial
        except asyncio.LimitOverrunError:
            self.fault = f"it sent a message larger than {MAX_MESSAGE_BYTES >> 20} MB"
            return b""
        self._unasked += len(line)
        if self._unasked > MAX_UNASKED_BYTES:
            self.fault = f"it sent more than {MAX_UNASKED_BYTES >> 20} MB without being asked"
            return b""
        return line

    def _parse(self, line: bytes) -> JSONRPCMessage | None:
        try:
            return jsonrpc_message_adapter.validate_json(line, by_name=False)
        except ValidationError:
            shown = line[:200].decode(errors="replace").strip()
            if shown:
                self._odd_lines += 1
                self._log.lines.append(shown)
            if self._odd_lines > MAX_ODD_LINES:
                self.fault = f"it wrote more than {MAX_ODD_LINES} lines that are no JSON-RPC messages"
            return None

    async def _explain(self, process: Process) -> None:
        """Say why there are no more messages."""
        if self.fault is not None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await process.wait()
        status = process.returncode
        if status == COMMAND_NOT_FOUND and any("There is no command" in line for line in self._log.lines):
            self.fault = f"there is no command {self._program.command[0]!r}"
        elif status is None:
            self.fault = "it closed its output"
        else:
            self.fault = f"it ended with {f'signal {-status}' if status < 0 else f'exit status {status}'}"

    async def _send(self, process: Process, sent: MemoryObjectReceiveStream[SessionMessage]) -> None:
        assert process.stdin is not None
        with contextlib.suppress(ConnectionError, anyio.ClosedResourceError):
            async with sent:
                async for message in sent:
                    self._unasked = 0
                    body = message.message.model_dump_json(by_alias=True, exclude_unset=True)
                    process.stdin.write(body.encode() + b"\n")
                    await process.stdin.drain()


async def _end(process: Process) -> None:
    """Close its input, which ends it; otherwise terminate its group, and then kill it."""
    assert process.stdin is not None
    process.stdin.close()
    draining = asyncio.create_task(_drain(process), name="rest of an MCP server's output")
    for harder in (signal.SIGTERM, signal.SIGKILL):
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await process.wait()
            break
        except TimeoutError:
            _signal(process, harder)
    _signal(process, signal.SIGKILL)  # what it started and left behind
    await process.wait()
    await draining


async def _drain(process: Process) -> None:
    """Read what nobody wants; asyncio waits forever where a pipe still holds something."""
    assert process.stdout is not None
    with contextlib.suppress(ConnectionError):
        while await process.stdout.read(65536):
            pass


def _signal(process: Process, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
