"""Libraries and files of an Éclair elsewhere: lists, removals, and uploads."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eclair.cli._logins import ServerLogin
from eclair.cli._progress import ProgressCounter
from eclair.cli._remote_ask import wait_until_read
from eclair.cli._server import EclairServer
from eclair.cli._terminal import Terminal
from eclair.documents import folder_sync
from eclair.errors import NotFound, RemoteRefusal, UserError
from eclair.settings import Settings
from eclair.util.humanize import format_size

LIBRARY_COLUMNS = ("NAME", "FILES", "SIZE", "OWNER", "STATE")
FILE_COLUMNS = ("ID", "NAME", "SIZE", "PAGES", "LIBRARY", "STATE")
CONFLICT = 409

ListingThere = tuple[tuple[str, ...], list[tuple[str, ...]], list[dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class RemovalThere:
    """A path to delete, and what is there."""

    path: str
    description: str


async def list_there(settings: Settings, login: ServerLogin, library: str | None, *, files: bool) -> ListingThere:
    """List libraries, or files with the name of their library. Raises NotFound for a library that isn't there."""
    async with EclairServer.open(settings, login) as server:
        libraries: list[dict[str, Any]] = await server.get("/api/libraries")
        if not files:
            return LIBRARY_COLUMNS, [_library_cells(each) for each in libraries], libraries
        names = {each["id"]: str(each["name"]) for each in libraries}
        only = None if library is None else _library_id(libraries, library)
        async with aclosing(_files(server, only)) as listed:
            found = [{**each, "library": names.get(each["library"])} async for each in listed]
        return FILE_COLUMNS, [_file_cells(each) for each in found], found


async def find_there(settings: Settings, login: ServerLogin, which: str, *, files: bool) -> RemovalThere:
    """Find a file by its id, or a library by its name. Raises NotFound and RemoteRefusal."""
    async with EclairServer.open(settings, login) as server:
        if files:
            file = await server.get(f"/api/files/{which}")
            return RemovalThere(f"/api/files/{file['id']}", f"the file {file['name']}")
        libraries: list[dict[str, Any]] = await server.get("/api/libraries")
        id = _library_id(libraries, which)
        count = next(int(each["files"]) for each in libraries if each["id"] == id)
        return RemovalThere(
            f"/api/libraries/{id}", f"the library {which} with its {count:,} file{'' if count == 1 else 's'}"
        )


async def remove_there(settings: Settings, login: ServerLogin, removal: RemovalThere) -> None:
    async with EclairServer.open(settings, login) as server:
        await server.delete(removal.path)


async def add_there(settings: Settings, login: ServerLogin, roots: list[Path], library: str, terminal: Terminal) -> int:
    """Upload files to a library, but for those that it has by name and size; return an exit code."""
    found = folder_sync.scan(roots)
    for why in found.unread.values():
        terminal.warn(why)
    if left_out := found.left_out():
        terminal.warn(left_out)
    async with EclairServer.open(settings, login) as server:
        terminal.note(f"at {server.host}")
        id = await _open_library(server, library)
        async with aclosing(_files(server, id)) as listed:
            present = {(each["name"], each["size"]) async for each in listed}
        wanted = [file for file in found.files.values() if (file.name, file.size) not in present]
        counting = ProgressCounter(terminal, "Sending")
        sent: list[str] = []
        failed = len(found.unread)
        for number, file in enumerate(wanted, 1):
            counting.show(number, len(wanted))
            try:
                sent.append((await server.upload(Path(file.path), file.name, id))["id"])
            except UserError as error:
                failed += 1
                terminal.warn(f"{file.name}: {error.message}")
        for file_id in sent:
            try:
                await wait_until_read(server, [file_id], terminal)
            except UserError as error:
                failed += 1
                terminal.warn(error.message)
    terminal.status("")
    same = len(found.files) - len(wanted)
    parts = [f"{count:,} {word}" for count, word in ((len(sent), "added"), (same, "unchanged")) if count]
    terminal.line(f"{library}: {', '.join(parts) or 'nothing to add'}.")
    return 2 if failed else 0


async def _open_library(server: EclairServer, name: str) -> str:
    """Return the id of the library of that name, which is made if there is none."""
    libraries: list[dict[str, Any]] = await server.get("/api/libraries")
    found = next((each["id"] for each in libraries if each["name"] == name), None)
    if found is not None:
        return str(found)
    try:
        return str((await server.post("/api/libraries", {"name": name}))["id"])
    except RemoteRefusal as error:
        if error.reply_status != CONFLICT:
            raise
        return _library_id(await server.get("/api/libraries"), name)


async def _files(server: EclairServer, library: str | None) -> AsyncGenerator[dict[str, Any], None]:
    before: str | None = None
    while True:
        page = await server.get("/api/files", library=library, limit=200, before=before)
        for each in page["files"]:
            yield each
        if (before := page["next"]) is None:
            return


def _library_id(libraries: list[dict[str, Any]], name: str) -> str:
    found = next((each["id"] for each in libraries if each["name"] == name), None)
    if found is None:
        raise NotFound(f"There is no library {name!r} there; `eclair libraries` lists them.")
    return str(found)


def _library_cells(each: dict[str, Any]) -> tuple[str, ...]:
    states = [
        f"{each['waiting']:,} to be read" if each["waiting"] else "",
        f"{each['failed']:,} unreadable" if each["failed"] else "",
    ]
    state = ", ".join(filter(None, states)) or "ready"
    return each["name"], f"{each['files']:,}", format_size(each["bytes"]), each["owner"] or "", state


def _file_cells(each: dict[str, Any]) -> tuple[str, ...]:
    pages = each["pages"] or each["pages_read"]
    state = each["state"] if each["fault"] is None else each["fault"]["message"]
    size = format_size(each["size"])
    return each["id"], each["name"], size, f"{pages:,}" if pages else "", each["library"] or "", str(state)
