"""Search of what somebody has: conversations, files and libraries by name, messages, and in a project its files too."""

from __future__ import annotations

from dataclasses import dataclass

from eclair.chat.projects import ProjectService
from eclair.schema.messages import Hit, NameHit, PassageHit
from eclair.schema.principal import Principal
from eclair.storage.base import Storage
from eclair.storage.chunks import SearchScope
from eclair.storage.conversations import ProjectScope
from eclair.text.excerpts import cut_excerpt
from eclair.text.search_terms import parse_query

MAX_NAMES = 12
"""Names that one search returns, which stand above the messages."""
MAX_PASSAGES_PER_FILE = 3


@dataclass(frozen=True, slots=True)
class FoundInChats:
    """The results of a search; each list is ordered best first. Without a project there are no `passages`."""

    names: list[NameHit]
    hits: list[Hit]
    passages: list[PassageHit]


class ChatSearch:
    """Searches all that a person has, or one project."""

    def __init__(self, storage: Storage, projects: ProjectService) -> None:
        self._storage = storage
        self._projects = projects

    async def find(self, principal: Principal, words: str, limit: int, project_id: str | None = None) -> FoundInChats:
        """Find names, and up to `limit` messages and passages. Raises NotFound and RightMissing for the project."""
        project: ProjectScope | None = None
        if project_id is not None:
            id = (await self._projects.get(principal, project_id)).id
            project = ProjectScope(id, tuple(await self._projects.list_libraries(principal, id)))
        conversations = self._storage.conversations
        names = await conversations.search_names(principal, words, MAX_NAMES, project)
        hits = await conversations.search_messages(principal, words, limit, project)
        passages = [] if project is None else await self._find_passages(principal, words, limit, project)
        return FoundInChats(names, hits, passages)

    async def _find_passages(
        self, principal: Principal, words: str, limit: int, project: ProjectScope
    ) -> list[PassageHit]:
        """Find passages in the files of a project, by words."""
        terms = parse_query(words)
        if not terms or not project.libraries:
            return []
        scope = SearchScope(principal, libraries=project.libraries)
        hits = await self._storage.chunks.search_words(scope, words, MAX_PASSAGES_PER_FILE * limit)
        located = await self._storage.chunks.locate_chunks(scope, hits)
        found: list[PassageHit] = []
        per_file: dict[str, int] = {}
        for hit in hits:
            place = located.get((hit.key, hit.number))
            if place is None or per_file.get(place.file, 0) == MAX_PASSAGES_PER_FILE:
                continue
            per_file[place.file] = per_file.get(place.file, 0) + 1
            chunk = place.chunk
            excerpt = cut_excerpt(chunk.text, terms)
            found.append(PassageHit(place.file, place.name, chunk.page, place.label, chunk.start, chunk.end, excerpt))
        return found[:limit]
