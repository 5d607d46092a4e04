"""Files and libraries that somebody may read, as MCP clients see them."""

from __future__ import annotations

from dataclasses import dataclass

from eclair.app import App
from eclair.errors import InvalidInput, NotFound
from eclair.schema.principal import Principal
from eclair.server.mcp.uris import parse_file_uri
from eclair.storage.files import FileState
from eclair.storage.libraries import LibrarySummary

MAX_READ_CHARS = 50_000
"""The most of a text that one call or one read returns."""


@dataclass(frozen=True, slots=True)
class TextSlice:
    """Characters `start` to `end` of a text that has `of` of them; `next` is where the rest begins, if any is left."""

    text: str
    start: int
    end: int
    of: int

    @property
    def next(self) -> int | None:
        return self.end if self.end < self.of else None


def cut_text(text: str, start: int) -> TextSlice:
    """Return what is read of a text at once, from a character on. Raises InvalidInput past its end."""
    _check_start(start, len(text))
    part = text[start : start + MAX_READ_CHARS]
    return TextSlice(part, start, start + len(part), len(text))


class ReadableFiles:
    """Files and libraries that a principal may read, by access and by the rights of their account."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def list_libraries(self, principal: Principal) -> list[LibrarySummary]:
        listed = await self._app.storage.libraries.list_libraries(principal)
        return [each for each in listed if self._may_use(principal, each.library.id)]

    async def get_libraries(self, principal: Principal, names: list[str]) -> list[str]:
        """Return the ids of libraries by name or id, of all where none is named. Raises NotFound and RightMissing."""
        if names:
            return [each.id for each in await self._app.documents.get_libraries(principal, names)]
        return [each.library.id for each in await self.list_libraries(principal)]

    async def get_file(self, principal: Principal, address: str) -> tuple[FileState, int | None]:
        """Return a file by id or address, and the page that the address names. Raises NotFound and InvalidInput."""
        id, page = parse_file_uri(address)
        found = await self._app.storage.files.get_file(principal, id)
        if found.file.library is not None and not self._may_use(principal, found.file.library):
            raise NotFound(f"There is no file {id!r}; search_documents names those that there are.")
        return found, page

    async def read(self, state: FileState, page: int | None, start: int) -> TextSlice:
        """Return a part of a file's text, from a page or a character on.

        Raises NotFound for a page it hasn't, and InvalidInput for what can't be read, now or ever.
        """
        file, document = state.file, state.document
        if document.fault is not None:
            raise InvalidInput(f"{file.name} can't be read: {document.fault.message}")
        if page is not None:
            found = await self._app.storage.documents.list_pages(file.sha256, page, page)
            if not found:
                raise NotFound(f"{file.name} has no page {page}, or it has not been read yet.")
            start = found[0].start
        elif document.state != "ready" and start >= document.characters:
            raise InvalidInput(f"{file.name} is still being read; try again in a moment.")
        _check_start(start, document.characters)
        text = await self._app.storage.documents.read_text(file.sha256, start, start + MAX_READ_CHARS)
        return TextSlice(text, start, start + len(text), document.characters)

    def _may_use(self, principal: Principal, library: str) -> bool:
        return self._app.rights.may(principal, f"library:{library}")


def _check_start(start: int, length: int) -> None:
    if start and start >= length:
        raise InvalidInput(f"The text ends at character {length:,}; start before that.", param="start")
