"""Runs Python in the sandbox for conversations, and keeps the files that it makes. It knows nothing of models."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import mimetypes
import os
import time
from collections.abc import AsyncGenerator, Container, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from types import MappingProxyType
from weakref import WeakValueDictionary

from eclair.errors import InvalidInput, NotFound, StoreError, TooBusy, TooLarge
from eclair.office.workbook import is_workbook_name
from eclair.python.data_tools import DataTools
from eclair.python.python_protocol import (
    MAX_CODE_CHARS,
    MAX_FILE_BYTES,
    MAX_FILES,
    MAX_FILES_BYTES,
    TIMEOUT_S,
    AttachedFile,
    CodeRun,
    FileWritten,
    Interpreter,
    KeptFile,
    RunCode,
)
from eclair.python.python_sessions import (
    GRACE_S,
    PythonSession,
    PythonSessions,
    ReportPrinted,
    SessionResult,
    monty_version,
)
from eclair.schema.messages import Attachment
from eclair.schema.principal import Principal
from eclair.storage.base import Storage
from eclair.storage.blobs import Blobs
from eclair.storage.jobs import hold_when_free
from eclair.storage.workspaces import NewWorkspaceFile, PythonState, WorkspaceFile
from eclair.util.lru import LruCache

MONTY_MODULES = ("asyncio", "collections", "csv", "datetime", "decimal", "json", "math", "random", "re", "time")
DATA_MODULES = (
    *("numpy", "pandas", "scipy", "matplotlib", "seaborn", "sklearn", "statsmodels", "sympy", "networkx"),
    *("openpyxl", "xlsxwriter", "docx", "pypdf", "reportlab", "PIL", "lxml"),
)
"""Modules that a model is told of."""

MAX_INPUTS = 64
MAX_WAIT_S = TIMEOUT_S + GRACE_S
"""For code of the same conversation that another process runs."""
MAX_GIVEN = 8
"""Conversations whose given files are kept."""
PREVIEW_BYTES, PREVIEW_LINES, PREVIEW_LINE_CHARS = 4096, 4, 160
"""Of a file's beginning, which a model is shown."""
MAX_PREVIEWS, MAX_PREVIEWS_AT_ONCE = 64, 2
"""Of workbooks, which are kept since they have to be opened for that."""
NO_SPACE = os.strerror(errno.ENOSPC)
_PLAIN_TEXT = {".csv": "text/csv", ".md": "text/markdown", ".json": "application/json", ".svg": "image/svg+xml"}


_READ_WORKBOOK = """
for sheet, rows in read_workbook({name!r}, None).items():
    print(f"sheet {{sheet!r}}:")
    for row in rows[:3]:
        print(row)
"""


@dataclass(frozen=True, slots=True)
class PythonRun:
    """Results of a call.

    `output` has what was printed, and the value of a last expression. `line` is that of the error in the code. `lost`
    says that variables of earlier calls were gone; files never are. `wants` names the data tool that was missing.
    """

    interpreter: Interpreter
    output: str
    error: str | None
    line: int | None
    files: tuple[WorkspaceFile, ...]
    removed: tuple[str, ...]
    lost: bool
    wants: str | None
    milliseconds: int


@dataclass(frozen=True, slots=True)
class FilePreview:
    """A file that code can read, with its first lines if it is a text, or its first rows if it is a workbook."""

    name: str
    lines: tuple[str, ...]


class PythonService:
    """Runs Python. `files` has the bytes of uploaded files. Call `close` at the end."""

    def __init__(self, storage: Storage, files: Blobs, tools: DataTools) -> None:
        self.tools = tools
        self._storage = storage
        self._files = files
        self._sessions = PythonSessions(tools.folder)
        self._locks = WeakValueDictionary[str, asyncio.Lock]()
        self._given = LruCache[str, Mapping[str, Mapping[str, bytes]]](MAX_GIVEN)
        self._previewing = asyncio.Semaphore(MAX_PREVIEWS_AT_ONCE)
        self._workbooks = LruCache[str, tuple[str, ...]](MAX_PREVIEWS)

    @property
    def interpreter(self) -> Interpreter:
        """The interpreter of new sessions."""
        return "wasi" if self.tools.is_ready else "monty"

    @property
    def modules(self) -> tuple[str, ...]:
        """The modules that a model should know of, besides the usual ones of Python."""
        return DATA_MODULES if self.tools.is_ready else MONTY_MODULES

    async def run(
        self,
        principal: Principal,
        conversation: str,
        code: str,
        report: ReportPrinted | None = None,
        *,
        model: str = "",
    ) -> PythonRun:
        """Run code in the session of a conversation; what it wrote is stored before this returns.

        `report` is told of what it prints while it runs; `model` wrote it, if any did. Raises NotFound, InvalidInput,
        TooBusy, TooLarge where files have no room, and StoreError when the disk is full.
        """
        if len(code) > MAX_CODE_CHARS:
            raise InvalidInput(f"The code has {len(code):,} characters; the limit is {MAX_CODE_CHARS:,}.")
        began = time.perf_counter()
        async with self._alone(conversation):
            stored = await self._storage.workspaces.list_workspace_files(principal, conversation)
            session, state, lost = await self._session(principal, conversation)
            async with self._sessions.using(session):
                inputs = await self._find_inputs(principal, conversation, {file.name for file in stored})
                async with self._open_inputs(inputs) as attached:
                    request = await self._request(principal, conversation, code, session, stored, state)
                    request = replace(request, inputs=attached, model=model)
                    result = await self._ask(conversation, session, request, report)
            return await self._keep(principal, conversation, session, result, lost=lost, began=began)

    def give_files(self, conversation: str, folder: str, files: Mapping[str, bytes]) -> None:
        """Have a folder of files in the sessions of a conversation, for code to read. They are none of its own files.

        They are kept in memory, for the conversations that were given some last.
        """
        self._given.put(conversation, {**(self._given.get(conversation) or {}), folder: files})

    def has_container(self, key: str) -> bool:
        """Tell if a container of that key is there."""
        return self._sessions.find(key) is not None

    async def run_in_container(
        self,
        key: str,
        code: str,
        inputs: Mapping[str, str] = MappingProxyType({}),
        report: ReportPrinted | None = None,
        *,
        model: str = "",
    ) -> tuple[PythonRun, tuple[FileWritten, ...]]:
        """Run code in a session that belongs to no conversation; return the results and the files that it wrote.

        `inputs` are files that it can read: their names, each with that of its bytes. `report` and `model` are as in
        `run`. Nothing is stored, and a session that isn't used for 15 minutes is gone. Raises InvalidInput.
        """
        if len(code) > MAX_CODE_CHARS:
            raise InvalidInput(f"The code has {len(code):,} characters; the limit is {MAX_CODE_CHARS:,}.")
        began = time.perf_counter()
        async with self._locks.setdefault(key, asyncio.Lock()):
            session = self._sessions.find(key) or await self._sessions.open(key, self.interpreter)
            async with self._sessions.using(session), self._open_inputs(inputs) as attached:
                request = RunCode(code, attached, tools=str(self.tools.folder), model=model)
                result = await self._ask(key, session, request, report)
        now = int(time.time() * 1000)
        files = [
            WorkspaceFile(each.name, 1, len(each.data), media_type(each.name), now, "", each.alt)
            for each in result.written
        ]
        return _described(session, result, files, lost=False, began=began), tuple(result.written)

    async def list_files(self, principal: Principal, conversation: str) -> list[WorkspaceFile]:
        """List the current files of a conversation. Raises NotFound."""
        return await self._storage.workspaces.list_workspace_files(principal, conversation)

    async def list_names(self, principal: Principal, conversation: str) -> list[str]:
        """List the names of all files that code can read. Raises NotFound."""
        made = {file.name for file in await self.list_files(principal, conversation)}
        return sorted({*made, *await self._find_inputs(principal, conversation, made)})

    async def preview_files(
        self, principal: Principal, conversation: str, attached: Sequence[Attachment]
    ) -> list[FilePreview]:
        """Return what code can read once these files are attached, too: those, and what earlier code made."""
        try:
            made = {file.name for file in await self.list_files(principal, conversation)}
        except NotFound:  # it is stored with its first question
            made = set[str]()
        named = await self._named(principal, attached)
        texts = [(name, sha256) for name, sha256 in named.items() if name not in made]
        shown: list[FilePreview] = []
        for name, sha256 in texts:
            with contextlib.suppress(NotFound):  # it was deleted meanwhile
                shown.append(FilePreview(name, await self._preview(name, sha256)))
        return [*shown, *(FilePreview(name, ()) for name in sorted(made))]

    async def _preview(self, name: str, sha256: str) -> tuple[str, ...]:
        """Return the first lines of a text, or the first rows of a workbook as code without data tools reads them."""
        if not is_workbook_name(name) or self.interpreter != "monty":
            return _first_lines(await self._files.read_head(sha256, PREVIEW_BYTES))
        if (lines := self._workbooks.get(sha256)) is not None:
            return lines
        async with (
            self._previewing,
            self._open_inputs({name: sha256}) as attached,
            self._sessions.single("monty") as session,
        ):
            run = (await session.run(RunCode(_READ_WORKBOOK.format(name=name), attached))).run
        lines = _first_lines(run.output.encode())
        if run.error is None:
            self._workbooks.put(sha256, lines)
        return lines

    async def _named(self, principal: Principal, attached: Sequence[Attachment]) -> dict[str, str]:
        """Return the names of files in the workspace, each with the hash of its bytes."""
        found: dict[str, str] = {}
        for id in dict.fromkeys(each.id for each in attached[:MAX_INPUTS]):
            with contextlib.suppress(NotFound):
                file = (await self._storage.files.get_file(principal, id)).file
                found[_workspace_name(file.name, found.keys())] = file.sha256
        return found

    async def read_file(
        self, principal: Principal, conversation: str, name: str, version: int | None = None
    ) -> tuple[WorkspaceFile, bytes]:
        """Return a file with its bytes. Raises NotFound."""
        return await self._storage.workspaces.read_workspace_file(principal, conversation, name, version)

    async def delete_file(self, principal: Principal, conversation: str, name: str) -> None:
        """Erase a file in all its versions. Raises NotFound."""
        await self._storage.workspaces.delete_workspace_file(principal, conversation, name)

    async def remove_tools(self) -> int:
        """Remove the data tools, and end the sessions that use them; return the bytes freed."""
        await self._sessions.end_all("wasi")
        return await self.tools.remove()

    async def close(self) -> None:
        await self._sessions.close()

    async def _session(self, principal: Principal, conversation: str) -> tuple[PythonSession, bytes | None, bool]:
        """Return the session, the state that a fresh one begins with, and whether variables were lost."""
        found = self._sessions.find(conversation)
        number = await self._storage.workspaces.get_python_number(principal, conversation)
        if found is not None and found.interpreter == self.interpreter and found.number == number:
            return found, None, False
        kept = await self._storage.workspaces.get_python_state(principal, conversation)
        session = await self._sessions.open(conversation, self.interpreter)
        if kept is None:
            return session, None, False
        session.number = kept.number
        if self.interpreter == "monty" and kept.interpreter == monty_version() and kept.data:
            return session, kept.data, False
        return session, None, True

    @asynccontextmanager
    async def _alone(self, conversation: str) -> AsyncGenerator[None]:
        """Let one call at a time run in a conversation, here and in other processes. Raises TooBusy."""
        jobs, processes = self._storage.jobs, self._storage.processes
        async with (
            self._locks.setdefault(conversation, asyncio.Lock()),
            hold_when_free(jobs, processes, "python", conversation, MAX_WAIT_S) as ours,
        ):
            if not ours:
                raise TooBusy("Other code still runs in this conversation; try again once it has ended.")
            yield

    async def _ask(
        self, key: str, session: PythonSession, request: RunCode, report: ReportPrinted | None
    ) -> SessionResult:
        """Run code in a session, and end the session with it if it is over or nobody waits for the code any more."""
        result: SessionResult | None = None
        try:
            result = await session.run(request, report)
            return result
        finally:
            if result is None or result.run.is_over:
                await self._sessions.end(key)

    async def _request(
        self,
        principal: Principal,
        conversation: str,
        code: str,
        session: PythonSession,
        stored: list[WorkspaceFile],
        state: bytes | None,
    ) -> RunCode:
        kept: list[KeptFile] = []
        total = 0
        for file in sorted(stored, key=lambda file: file.created, reverse=True):
            if session.versions.get(file.name) != file.version and total + file.size <= MAX_FILES_BYTES:
                total += file.size
                _, data = await self.read_file(principal, conversation, file.name, file.version)
                kept.append(KeptFile(file.name, data))
        names = {file.name for file in stored}
        removed = [name for name in session.versions if name not in names]
        session.versions = {file.name: file.version for file in stored}
        given = self._new_given(conversation, session)
        return RunCode(code, (), tuple(kept), tuple(removed), state, str(self.tools.folder), given)

    def _new_given(self, conversation: str, session: PythonSession) -> tuple[KeptFile, ...]:
        """Return the given files that a session doesn't have yet."""
        all = self._given.get(conversation) or {}
        new = {folder: files for folder, files in all.items() if session.given.get(folder) != files}
        session.given.update(new)
        return tuple(
            KeptFile(f"{folder}/{path}", data) for folder, files in new.items() for path, data in files.items()
        )

    @asynccontextmanager
    async def _open_inputs(self, inputs: Mapping[str, str]) -> AsyncGenerator[tuple[AttachedFile, ...]]:
        """Have files that code can read within the block. Raises StoreError."""
        async with AsyncExitStack() as stack:
            opened: list[AttachedFile] = []
            for name, sha256 in inputs.items():
                path = await stack.enter_async_context(self._files.open_path(sha256, check=False))
                opened.append(AttachedFile(name, str(path)))
            yield tuple(opened)

    async def _find_inputs(self, principal: Principal, conversation: str, taken: set[str]) -> dict[str, str]:
        """Find the files that the person attached in the conversation: a name of its own, and that of its bytes."""
        attached = await self._storage.files.list_attached_files(principal, conversation)
        found: dict[str, str] = {}
        seen = set[str]()
        for file in (file for files in attached.values() for file in files):
            if file.id in seen or len(found) >= MAX_INPUTS:
                continue
            seen.add(file.id)
            found[_workspace_name(file.name, found.keys())] = file.sha256
        return {name: sha256 for name, sha256 in found.items() if name not in taken}

    async def _keep(
        self,
        principal: Principal,
        conversation: str,
        session: PythonSession,
        result: SessionResult,
        *,
        lost: bool,
        began: float,
    ) -> PythonRun:
        state = _state(session, result.run)
        new = [NewWorkspaceFile(each.name, each.data, media_type(each.name), each.alt) for each in result.written]
        try:
            files = await self._storage.workspaces.update_workspace(principal, conversation, new, result.removed, state)
        except (TooLarge, StoreError, NotFound):
            await self._sessions.end(conversation)  # what it has would differ from what is stored
            raise
        session.number = session.number if state is None else state.number
        session.versions.update({file.name: file.version for file in files})
        for name in result.removed:
            session.versions.pop(name, None)
        return _described(session, result, files, lost=lost, began=began)


def _described(
    session: PythonSession, result: SessionResult, files: Sequence[WorkspaceFile], *, lost: bool, began: float
) -> PythonRun:
    run = result.run
    return PythonRun(
        interpreter=session.interpreter,
        output=run.output,
        error=_with_quota(run.error),
        line=run.line,
        files=tuple(files),
        removed=tuple(result.removed),
        lost=lost,
        wants=_missing_tool(run) if session.interpreter == "monty" else None,
        milliseconds=round((time.perf_counter() - began) * 1000),
    )


def _state(session: PythonSession, run: CodeRun) -> PythonState | None:
    """Return what is kept of a session: the state before for one that is over, none for one that can't be restored."""
    if session.interpreter == "monty":
        return None if run.is_over else PythonState(monty_version(), run.state or b"", session.number + 1)
    return PythonState("wasi", b"", session.number + 1)


def _with_quota(error: str | None) -> str | None:
    """Return an error, with how much code may write where it wrote too much."""
    if error is None or NO_SPACE not in error.rpartition("\n")[2]:
        return error
    most = f"{MAX_FILES} files of {MAX_FILE_BYTES >> 20} MB each, {MAX_FILES_BYTES >> 20} MB in all"
    return f"{error} (code may write {most}; remove some, or write less)"


def _missing_tool(run: CodeRun) -> str | None:
    """Return the data tool that the code lacked."""
    last = (run.error or "").rpartition("\n")[2]
    if not last.startswith("ModuleNotFoundError: No module named '"):
        return None
    name = last.split("'")[1].partition(".")[0]
    return name if name in DATA_MODULES else None


def _workspace_name(name: str, taken: Container[str]) -> str:
    return free_name(PurePosixPath(name.replace("\\", "/")).name or "file", taken)


def _first_lines(data: bytes) -> tuple[str, ...]:
    """Return the first lines of a text by its first PREVIEW_BYTES; none of anything else."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if error.start < len(data) - 4:  # a character that is cut off isn't meant
            return ()
        text = data[: error.start].decode("utf-8-sig")
    if "\0" in text:
        return ()
    return tuple(line[:PREVIEW_LINE_CHARS] for line in text.splitlines()[:PREVIEW_LINES])


def free_name(name: str, taken: Container[str]) -> str:
    """Return the name, with a number if it is taken."""
    path, number = PurePosixPath(name), 2
    while name in taken:
        name, number = f"{path.stem} ({number}){path.suffix}", number + 1
    return name


def media_type(name: str) -> str:
    """Return the media type that a file's name stands for."""
    suffix = PurePosixPath(name).suffix.lower()
    return _PLAIN_TEXT.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
