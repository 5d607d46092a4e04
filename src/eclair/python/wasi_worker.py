"""Runs CPython with the data tools, compiled to WebAssembly, inside a sandbox.

The WebAssembly has no network, no programs and no files but those that `SessionFiles` gives it. This process has walls
of its own around it, and reads the data tools' folder, which it gets as its first request's state.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

from eclair.python import chart_prelude, output_prelude
from eclair.python.printed_output import MAX_READ_CHARS, OutputReporter, SendPrinted
from eclair.python.python_protocol import (
    TIMEOUT_S,
    WASI_PACKAGE,
    WASI_PROTOCOL,
    CodeResult,
    CodeRun,
    RunCode,
    shorten_output,
)
from eclair.python.session_files import SessionFiles
from eclair.sandbox.protocol import ProcessLimits
from eclair.sandbox.worker import serve_sending

MEMORY_BYTES = 768 << 20
CPU_LIMIT_S = 90.0
"""CPU time of a call, which ends the process; the clock of `TIMEOUT_S` runs on while others have the processor."""
MAX_SCRATCH_FILE_BYTES = 128 << 20
MAX_OUTPUT_BYTES = 1 << 20
MAX_FILE_CALLS = 100_000
MAX_OPEN_FILES = 64
MAX_PRINTED_BYTES = 4 * MAX_READ_CHARS + 4
"""Kept of what code has printed; one more character than is read, so that a cut is known."""
ENDLESS = -1
"""`RLIMIT_INFINITY`: WebAssembly reserves more addresses than a process may have; its memory has its own bound."""

_NAME = re.compile(r'File "<turn \d+>"')
_OWN = re.compile(r'  File "/usr/local/lib/python\d+\.zip/ast\.py", line \d+, in parse\n')
_LINE = re.compile(r'File "<code>", line (\d+)')


def main() -> None:
    serve_sending(
        WASI_PROTOCOL,
        lambda send: _Interpreter(send).run,
        lambda _: ProcessLimits(ENDLESS, CPU_LIMIT_S, MAX_SCRATCH_FILE_BYTES, renewed=True),
    )


class _Interpreter:
    def __init__(self, send: SendPrinted) -> None:
        self._send = send
        self._printed = b""
        self._files = SessionFiles()
        self._session: Any = None

    def run(self, request: RunCode) -> Iterator[CodeResult]:
        self._files.receive(request)
        if self._session is None:
            self._session = self._open(Path(request.tools))
        self._printed = b""
        with OutputReporter(lambda: self._printed.decode(errors="replace"), self._send):
            done = self._session.run(request.code, deadline_s=TIMEOUT_S)
        if self._session.ended is None:
            self._finish_charts()
        yield from self._files.changes()
        yield _code_run(done, is_over=self._session.ended is not None)

    def _open(self, tools: Path) -> Any:
        os.chmod = _leave_rights
        sys.path.insert(0, str(tools))
        package: Any = importlib.import_module(WASI_PACKAGE)
        session = package.Session(
            root=True,
            host=self._note_printed,
            mounts=[package.Mount(_Files(self._files, package.Stat), chart_prelude.FOLDER, writable=True)],
            env={"MPLCONFIGDIR": "/tmp/matplotlib", "MPLBACKEND": f"module://{chart_prelude.BACKEND}"},  # noqa: S108
            deadline_s=TIMEOUT_S,
            memory_bytes=MEMORY_BYTES,
            output_bytes=MAX_OUTPUT_BYTES,
            max_file_calls=MAX_FILE_CALLS,
            max_open_files=None,
            cache_dir=str(tools / "compiled"),
            idle_s=None,
            lifetime_s=None,
        )
        prepared = session.run(f"{chart_prelude.PRELUDE}\n{output_prelude.PRELUDE}")
        if prepared.exit_code != 0:
            raise RuntimeError(prepared.stderr.decode(errors="replace"))
        return session

    def _note_printed(self, printed: bytes) -> bytes:
        """Keep the end of what code prints, as it prints it."""
        self._printed = (self._printed + printed)[-MAX_PRINTED_BYTES:]
        return b""

    def _finish_charts(self) -> None:
        """Save the charts that the code left open, and note how they are described."""
        self._session.run(f"{chart_prelude.FINISH}\n{output_prelude.FINISH}", deadline_s=TIMEOUT_S)
        if self._files.has_file(chart_prelude.DESCRIPTIONS):
            self._files.alts.update(orjson.loads(self._files.read(chart_prelude.DESCRIPTIONS)))
            self._files.remove(chart_prelude.DESCRIPTIONS)


def _code_run(done: Any, *, is_over: bool) -> CodeRun:
    output = done.stdout.decode(errors="replace")
    errors = _OWN.sub("", _NAME.sub('File "<code>"', done.stderr.decode(errors="replace"))).rstrip()
    if done.trapped == "deadline":
        return CodeRun(shorten_output(output), f"TimeoutError: stopped after {TIMEOUT_S:.0f} seconds", is_over=True)
    if done.trapped is not None:
        return CodeRun(shorten_output(output), f"The interpreter was stopped: {done.trapped}.", is_over=True)
    if done.exit_code:
        lines = _LINE.findall(errors)
        return CodeRun(
            shorten_output(output), shorten_output(errors), int(lines[0]) if lines else None, is_over=is_over
        )
    return CodeRun(shorten_output(output + (f"{errors}\n" if errors else "")), is_over=is_over)


class _Files:
    """The workspace as a provider of files. Its paths begin with a slash."""

    def __init__(self, files: SessionFiles, stat: Callable[..., Any]) -> None:
        self._files = files
        self._stat = stat

    def stat(self, path: str) -> Any:
        name = path[1:]
        if self._files.has_folder(name):
            return self._stat("dir")
        return self._stat("file", self._files.size(name))

    def list(self, path: str) -> Iterable[tuple[str, str]]:
        if not self._files.has_folder(path[1:]):
            self._files.size(path[1:])
            raise NotADirectoryError
        return [(name, "file" if is_file else "dir") for name, is_file in self._files.children(path[1:]).items()]

    def read(self, path: str) -> bytes:
        return self._files.read(path[1:])

    def write(self, path: str, data: bytes) -> None:
        self._files.write(path[1:], bytes(data))

    def mkdir(self, path: str) -> None:
        self._files.make_folder(path[1:])

    def remove(self, path: str) -> None:
        self._files.remove(path[1:])

    def rmdir(self, path: str) -> None:
        self._files.remove_folder(path[1:])

    def rename(self, src: str, dst: str) -> None:
        self._files.rename(src[1:], dst[1:])


def _leave_rights(*_: object, **__: object) -> None:
    """Stand in for `os.chmod`, which the walls refuse. New files are this account's alone as it is."""
