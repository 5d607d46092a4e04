"""`file_search` of `/v1/responses`: the tool's definition, and the libraries and files that it searches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from eclair.app import App
from eclair.errors import NotFound
from eclair.schema.messages import Attachment, LibraryName
from eclair.schema.principal import Principal
from eclair.server.request_body import ForeignModel

MAX_STORES = 64
MAX_SEARCH_RESULTS = 50


class FileSearchRanking(ForeignModel):
    """The ranking of results. There is one, so that the name of a `ranker` is ignored."""

    ranker: str | None = None


class FileSearchDefinition(ForeignModel):
    """Lets the model search libraries and files of the caller, which `vector_store_ids` names."""

    type: Literal["file_search"]
    vector_store_ids: Annotated[list[str], Field(min_length=1, max_length=MAX_STORES)]
    max_num_results: Annotated[int | None, Field(ge=1, le=MAX_SEARCH_RESULTS)] = None
    ranking_options: FileSearchRanking | None = None


@dataclass(frozen=True, slots=True)
class SearchedStores:
    """The libraries and files that a request has searched.

    `limit` is the most results of a call, None for as many as the model can use.
    """

    libraries: tuple[LibraryName, ...] = ()
    files: tuple[Attachment, ...] = ()
    limit: int | None = None

    @property
    def library_ids(self) -> list[str]:
        return [library.id for library in self.libraries]

    @property
    def file_ids(self) -> list[str]:
        return [file.id for file in self.files]


async def open_stores(app: App, principal: Principal, asked: FileSearchDefinition) -> SearchedStores:
    """Return what is searched: libraries by name or id, and files by id. Raises NotFound and RightMissing."""
    libraries: list[LibraryName] = []
    files: list[Attachment] = []
    for id in dict.fromkeys(asked.vector_store_ids):
        try:
            libraries += await app.documents.get_libraries(principal, [id])
            continue
        except NotFound:
            pass
        try:
            files += await app.documents.get_attachments(principal, [id])
        except NotFound:
            raise NotFound(f"There is no library or file {id!r} of yours.", param="tools") from None
    return SearchedStores(tuple(dict.fromkeys(libraries)), tuple(files), asked.max_num_results)
