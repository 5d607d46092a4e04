"""Tools of MCP clients that search and read the documents of a person."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from eclair.app import App
from eclair.schema.principal import Principal
from eclair.server.mcp.readable_files import ReadableFiles
from eclair.server.mcp.tool import CallReply, ServedTool, TellProgress, ToolArguments
from eclair.server.mcp.uris import file_uri
from eclair.server.sharing_routes import find_owner_name
from eclair.server.subject_names import SubjectNames
from eclair.storage.chunks import SearchScope
from eclair.storage.sharing import Access

MAX_NAMED = 50
DocumentNames = Annotated[list[Annotated[str, Field(min_length=1, max_length=100)]], Field(max_length=MAX_NAMED)]


class SearchDocumentsArguments(ToolArguments):
    query: Annotated[str, Field(min_length=1, max_length=2000, description="Words or a question, in any language.")]
    libraries: Annotated[
        DocumentNames, Field(default_factory=list, description="Names or ids of libraries; all of them by default.")
    ]
    limit: Annotated[int, Field(ge=1, le=30, description="The most passages to return.")] = 8


class FoundPassage(BaseModel):
    """A passage of a file. `page` and `label` name the page it begins on; they are null if the text has no pages."""

    file: str
    uri: str
    name: str
    page: int | None
    label: str | None
    heading: list[str]
    start: int
    end: int
    text: str
    score: float


class FoundPassages(BaseModel):
    passages: list[FoundPassage]


class ReadDocumentArguments(ToolArguments):
    file: Annotated[str, Field(min_length=1, max_length=200, description="The id or address of a file.")]
    page: Annotated[int | None, Field(ge=1, description="Read from this page on.")] = None
    start: Annotated[int, Field(ge=0, description="Read from this character on; `next` of the reply before.")] = 0


class DocumentText(BaseModel):
    """Characters `start` to `end` of a file's text. `next` is the `start` of the rest, null at the end."""

    file: str
    uri: str
    name: str
    media: str
    pages: int | None
    text: str
    start: int
    end: int
    of: int
    next: int | None


class NoArguments(ToolArguments):
    """There is nothing to say."""


class ListedLibrary(BaseModel):
    """A library. Of one that is shared, `owner` is the name of whoever shares it."""

    id: str
    name: str
    files: int
    bytes: int
    waiting: int
    access: Access
    owner: str | None


class ListedLibraries(BaseModel):
    libraries: list[ListedLibrary]


class DocumentTools:
    """The tools of documents, over the services of `app`."""

    def __init__(self, app: App, files: ReadableFiles) -> None:
        self._app = app
        self._files = files

    def tools(self) -> list[ServedTool]:
        return [
            ServedTool(
                "search_documents",
                "Search documents",
                "Searches the person's own documents by words and by meaning, across languages, and returns passages "
                "word for word with file and page.",
                SearchDocumentsArguments,
                FoundPassages,
                self._search,
            ),
            ServedTool(
                "read_document",
                "Read a document",
                "Reads the text of one of the person's documents, from a page or a character on.",
                ReadDocumentArguments,
                DocumentText,
                self._read,
            ),
            ServedTool(
                "list_libraries",
                "List libraries",
                "Lists the person's libraries, the named collections of documents that can be searched.",
                NoArguments,
                ListedLibraries,
                self._list,
            ),
        ]

    async def _search(
        self, principal: Principal, arguments: SearchDocumentsArguments, report: TellProgress
    ) -> CallReply:
        libraries = await self._files.get_libraries(principal, arguments.libraries)
        if not libraries:
            return CallReply(FoundPassages(passages=[]), "There are no libraries yet.")
        scope = SearchScope(principal, (), tuple(libraries))
        found = await self._app.search.find(scope, arguments.query, arguments.limit)
        passages = [
            FoundPassage(
                file=each.file,
                uri=file_uri(each.file, None if each.label == "" else each.chunk.page),
                name=each.name,
                page=None if each.label == "" else each.chunk.page,
                label=each.label or None,
                heading=list(each.chunk.heading),
                start=each.chunk.start,
                end=each.chunk.end,
                text=each.chunk.text,
                score=round(each.score, 4),
            )
            for each in found
        ]
        texts = [f"{_place(each)} ({each.uri})\n{each.text}" for each in passages]
        return CallReply(FoundPassages(passages=passages), "\n\n".join(texts) or "Nothing was found.")

    async def _read(self, principal: Principal, arguments: ReadDocumentArguments, report: TellProgress) -> CallReply:
        state, page = await self._files.get_file(principal, arguments.file)
        wanted = arguments.page if arguments.page is not None or arguments.start else page
        part = await self._files.read(state, wanted, arguments.start)
        file = state.file
        result = DocumentText(
            file=file.id,
            uri=file_uri(file.id),
            name=file.name,
            media=file.media,
            pages=state.document.pages,
            text=part.text,
            start=part.start,
            end=part.end,
            of=part.of,
            next=part.next,
        )
        return CallReply(result, part.text + more_note(part.next))

    async def _list(self, principal: Principal, arguments: NoArguments, report: TellProgress) -> CallReply:
        names = SubjectNames(self._app.storage)
        libraries = [
            ListedLibrary(
                id=each.library.id,
                name=each.library.name,
                files=each.files,
                bytes=each.bytes,
                waiting=each.waiting,
                access=each.library.access,
                owner=await find_owner_name(names, each.library.owner, is_own=each.library.access == "own"),
            )
            for each in await self._files.list_libraries(principal)
        ]
        lines = [f"{each.name}: {each.files:,} files ({each.id})" for each in libraries]
        return CallReply(ListedLibraries(libraries=libraries), "\n".join(lines) or "There are no libraries yet.")


def more_note(next: int | None) -> str:
    """Say where the rest of a text begins, if there is any."""
    return "" if next is None else f"\n\n[The text goes on; read on with start={next}.]"


def _place(passage: FoundPassage) -> str:
    page = passage.label or (None if passage.page is None else f"page {passage.page}")
    return " › ".join([passage.name, *filter(None, [page]), *passage.heading])
