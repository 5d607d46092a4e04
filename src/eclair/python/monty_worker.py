"""Runs Python with Monty inside a sandbox: sums, dates, texts and small tables.

Monty is a program of its own, which this process starts behind the same walls. Files are this process's to give.
"""

from __future__ import annotations

import errno
import itertools
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from pydantic_monty import (
    AbstractOS,
    CollectString,
    Monty,
    MontyCrashedError,
    MontyError,
    MontyFileHandle,
    MontyRuntimeError,
    MontySession,
    MontySyntaxError,
    StatResult,
)

from eclair.office.workbook import is_workbook_name
from eclair.python import plain_charts, plain_workbooks
from eclair.python.plain_charts import chart_functions, describe_chart, drop_matplotlib
from eclair.python.plain_workbooks import convert_text, is_archive, no_workbook, workbook_functions
from eclair.python.printed_output import OutputReporter, SendPrinted
from eclair.python.python_protocol import (
    MAX_STATE_BYTES,
    MONTY_PROTOCOL,
    TIMEOUT_S,
    CodeResult,
    CodeRun,
    FileWritten,
    RunCode,
    shorten_output,
)
from eclair.python.session_files import SessionFiles
from eclair.sandbox.protocol import ProcessLimits
from eclair.sandbox.worker import serve_sending

FOLDER = PurePosixPath("/work")
MEMORY_BYTES = 256 << 20
PROCESS_MEMORY_BYTES = 4 << 30
FEED_LIMIT_S = 10.0
CPU_LIMIT_S = 600.0
"""Of the whole session; a call has `FEED_LIMIT_S`."""
MAX_OUTPUT_BYTES = 1 << 20
MAX_SUSPENSIONS = 100_000

_NAME = re.compile(r'File "<python-input-\d+>"')
_LINE = re.compile(r'File "<code>", line (\d+)')

Path = PurePosixPath | MontyFileHandle


def main() -> None:
    serve_sending(
        MONTY_PROTOCOL,
        lambda send: _Interpreter(send).run,
        lambda _: ProcessLimits(PROCESS_MEMORY_BYTES, CPU_LIMIT_S, renewed=True),
    )


class _Interpreter:
    def __init__(self, send: SendPrinted) -> None:
        self._send = send
        self._files = SessionFiles()
        self._session: MontySession | None = None

    def run(self, request: RunCode) -> Iterator[CodeResult]:
        self._files.receive(request)
        session = self._session or self._open(request.state)
        run = self._feed(session, request)
        if run.error is None:
            run = self._convert_texts(run, request.model)
        for change in self._files.changes():
            if isinstance(change, FileWritten) and change.name.endswith(".svg"):
                change = replace(change, alt=describe_chart(change.data))
            yield change
        yield run

    def _convert_texts(self, run: CodeRun, model: str) -> CodeRun:
        """Make workbooks of the tables that code wrote as text under the name of one, as small models' code does.

        Return the run with a line on each. Other text under such a name stays, and is the run's error.
        """
        for change in [*self._files.changes()]:
            if not isinstance(change, FileWritten) or not is_workbook_name(change.name):
                continue
            try:
                if (made := convert_text(change.name, change.data, model)) is not None:
                    self._files.write(change.name, made)
                    run = replace(run, output=f"{run.output}{change.name}: the text was stored as a workbook\n")
            except (ValueError, OSError) as error:
                run = replace(run, error=f"{type(error).__name__}: {error}")
        return run

    def _save_chart(self, svg: str, name: str) -> None:
        """Write a chart under its name, or the next free one."""
        free = (f"chart-{number}.svg" if number > 1 else "chart.svg" for number in itertools.count(1))
        name = (
            f"{PurePosixPath(name).stem}.svg" if name else next(each for each in free if not self._files.has_file(each))
        )
        self._files.write(name, svg.encode())

    def _functions(self, model: str) -> dict[str, Callable[..., Any]]:
        """Return what the preludes call."""
        workbooks = workbook_functions(
            lambda name: self._files.read(_name(FOLDER / name)),
            lambda name, data: self._files.write(_name(FOLDER / name), data),
            model,
        )
        return {**chart_functions(self._save_chart), **workbooks}

    def _open(self, state: bytes | None) -> MontySession:
        pool = Monty(max_processes=1, request_timeout=TIMEOUT_S).__enter__()
        self._session = pool.checkout(
            limits={
                "max_feed_duration_secs": FEED_LIMIT_S,
                "max_memory": MEMORY_BYTES,
                "max_suspensions": MAX_SUSPENSIONS,
                "max_total_sleep_secs": FEED_LIMIT_S,
            }
        ).__enter__()
        if state is not None:
            self._session.load_session(state)
        self._session.feed_run(plain_charts.PRELUDE + plain_workbooks.PRELUDE)
        return self._session

    def _feed(self, session: MontySession, request: RunCode) -> CodeRun:
        printed = CollectString(max_bytes=MAX_OUTPUT_BYTES)
        try:
            with OutputReporter(lambda: printed.output, self._send):
                value = session.feed_run(
                    drop_matplotlib(request.code),
                    print_callback=printed,
                    os=_Files(self._files),
                    cwd=str(FOLDER),
                    external_lookup=self._functions(request.model),
                )
            shown = "" if value is None else f"{value!r}\n"
        except (MontyRuntimeError, MontySyntaxError) as error:
            text = _NAME.sub('File "<code>"', error.display())
            lines = _LINE.findall(text)
            is_late = text.rpartition("\n")[2].startswith("TimeoutError: feed")
            run = CodeRun(shorten_output(printed.output), shorten_output(text), int(lines[0]) if lines else None)
            return replace(run, is_over=True) if is_late else _with_state(run, session)
        except MontyCrashedError:
            return CodeRun(shorten_output(printed.output), "The interpreter crashed.", is_over=True)
        except RecursionError:
            shown = "(a value nested too deeply to be shown)\n"
        return _with_state(CodeRun(shorten_output(printed.output + shown)), session)


def _with_state(run: CodeRun, session: MontySession) -> CodeRun:
    """Return a run with the state of its session; the session is over if it has no memory left for that."""
    try:
        state = session.dump()
    except MontyError:
        return replace(run, is_over=True)
    return replace(run, state=state) if len(state) <= MAX_STATE_BYTES else run


class _Files(AbstractOS):
    """The workspace as Monty's file system; everything else doesn't exist."""

    def __init__(self, files: SessionFiles) -> None:
        self._files = files

    def path_exists(self, path: PurePosixPath) -> bool:
        return self.path_is_file(path) or self.path_is_dir(path)

    def path_is_file(self, path: PurePosixPath) -> bool:
        return (name := _inside(path)) is not None and self._files.has_file(name)

    def path_is_dir(self, path: PurePosixPath) -> bool:
        return str(path) == "/" or ((name := _inside(path)) is not None and self._files.has_folder(name))

    def path_is_symlink(self, path: PurePosixPath) -> bool:
        return False

    def path_open(self, path: PurePosixPath, mode: str) -> MontyFileHandle:
        handle = MontyFileHandle(str(path), mode)
        name = _name(path)
        if handle.mode.startswith("r"):
            self._files.size(name)
        elif handle.mode.startswith("w") or not self._files.has_file(name):
            self._files.write(name, b"")
        return handle

    def path_read_text(self, path: Path) -> str:
        return self._files.read(_name(path)).decode().replace("\r\n", "\n")

    def path_read_bytes(self, path: Path) -> bytes:
        return self._files.read(_name(path))

    def path_write_text(self, path: Path, data: str) -> int:
        self._files.write(_name(path), data.encode())
        return len(data)

    def path_write_bytes(self, path: Path, data: bytes) -> int:
        self._files.write(_name(path), data)
        return len(data)

    def path_append_text(self, path: Path, data: str) -> int:
        name = _name(path)
        if is_workbook_name(name) and self._files.has_file(name) and is_archive(self._files.read(name)):
            raise no_workbook(name)
        self.path_append_bytes(path, data.encode())
        return len(data)

    def path_append_bytes(self, path: Path, data: bytes) -> int:
        name = _name(path)
        before = self._files.read(name) if self._files.has_file(name) else b""
        self._files.write(name, before + data)
        return len(data)

    def path_mkdir(self, path: PurePosixPath, parents: bool, exist_ok: bool) -> None:
        if exist_ok and self.path_is_dir(path):
            return
        name = _name(path)
        if parents:
            for parent in reversed(PurePosixPath(name).parents[:-1]):
                if not self._files.has_folder(str(parent)):
                    self._files.make_folder(str(parent))
        self._files.make_folder(name)

    def path_unlink(self, path: PurePosixPath) -> None:
        self._files.remove(_name(path))

    def path_rmdir(self, path: PurePosixPath) -> None:
        self._files.remove_folder(_name(path))

    def path_iterdir(self, path: PurePosixPath) -> list[PurePosixPath]:
        if str(path) == "/":
            return [FOLDER]
        if not self.path_is_dir(path):
            raise _error(errno.ENOTDIR if self.path_is_file(path) else errno.ENOENT, path)
        return [path / name for name in sorted(self._files.children(_name(path)))]

    def path_stat(self, path: PurePosixPath) -> StatResult:
        return StatResult.dir_stat() if self.path_is_dir(path) else StatResult.file_stat(self._files.size(_name(path)))

    def path_rename(self, path: PurePosixPath, target: PurePosixPath) -> None:
        self._files.rename(_name(path), _name(target))

    def path_resolve(self, path: PurePosixPath) -> str:
        return str(path)

    def path_absolute(self, path: PurePosixPath) -> str:
        return str(path if path.is_absolute() else FOLDER / path)

    def getenv(self, key: str, default: str | None = None) -> str | None:
        return default

    def get_environ(self) -> dict[str, str]:
        return {}


def _inside(path: PurePosixPath) -> str | None:
    """Return the name of a path within the workspace, None for one outside."""
    if path == FOLDER:
        return ""
    return str(path.relative_to(FOLDER)) if path.is_relative_to(FOLDER) and ".." not in path.parts else None


def _name(path: Path) -> str:
    """Return the name within the workspace. Raises OSError for a path outside."""
    plain = PurePosixPath(path.path) if isinstance(path, MontyFileHandle) else path
    name = _inside(plain)
    if name is None:
        raise _error(errno.ENOENT, plain)
    return name


def _error(code: int, path: PurePosixPath) -> OSError:
    return OSError(code, os.strerror(code), str(path))
