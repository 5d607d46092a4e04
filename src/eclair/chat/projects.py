"""Projects as people use them: what is stored, within their rights, with each change published.

The files of a project are in a library of its own, which is made with the first of them.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from eclair.accounts.rights import OPEN_RULES, RightRules
from eclair.chat.conversations import RESTORE_PERIOD_S
from eclair.documents.ingest import Ingestor
from eclair.errors import HeldBack, NotFound
from eclair.schema.ids import Clock, new_id
from eclair.schema.principal import Principal
from eclair.storage.change_feed import ChangeFeed
from eclair.storage.libraries import Library, LibraryStore, own_library_name
from eclair.storage.projects import Project, ProjectOrder, ProjectStore, ProjectSummary

log = logging.getLogger(__name__)

DENIED = "This project isn't open to your account; ask an administrator."


class ProjectService:
    """Reads and changes projects. One that a right denies is as if it weren't shared."""

    def __init__(
        self,
        store: ProjectStore,
        libraries: LibraryStore,
        changes: ChangeFeed,
        ingestor: Ingestor,
        rights: RightRules = OPEN_RULES,
        *,
        clock: Clock = time.time,
        ids: Callable[[str], str] = new_id,
    ) -> None:
        self._store = store
        self._libraries = libraries
        self._changes = changes
        self._ingestor = ingestor
        self._rights = rights
        self._clock = clock
        self._ids = ids

    async def list(self, principal: Principal, words: str = "", order: ProjectOrder = "name") -> list[ProjectSummary]:
        """List the projects that the principal may use, whose names have the words."""
        found = await self._store.list_projects(principal, words, order)
        return [each for each in found if self._rights.may(principal, f"project:{each.project.id}")]

    async def get(self, principal: Principal, id: str) -> Project:
        """Return a project. Raises NotFound and RightMissing."""
        project = await self._store.get_project(principal, id)
        self._rights.require(principal, f"project:{id}", DENIED)
        return project

    async def find(self, principal: Principal, id: str | None) -> Project | None:
        """Return the project of a conversation; None without one, or where it is no longer open to the principal."""
        if id is None or not self._rights.may(principal, f"project:{id}"):
            return None
        try:
            return await self._store.get_project(principal, id)
        except NotFound:
            return None

    async def add(self, principal: Principal, name: str) -> Project:
        """Add a project. Raises Conflict where the principal has one of that name."""
        now = int(self._clock() * 1000)
        project = Project(id=self._ids("proj"), owner=principal.id, name=name, created=now)
        await self._store.add_project(principal, project)
        self._changes.publish(principal, None, "projects")
        return project

    async def edit(self, principal: Principal, project: Project) -> Project:
        """Replace name, instructions and settings. Raises what `ProjectStore.edit_project` raises, and RightMissing."""
        self._rights.require(principal, f"project:{project.id}", DENIED)
        edited = await self._store.edit_project(principal, replace(project, instructions=project.instructions.strip()))
        self._changes.publish_to_all("projects")
        return edited

    async def list_libraries(self, principal: Principal, id: str | None) -> Sequence[str]:
        """List the libraries that questions in a project search: those with files that the principal may use."""
        project = await self.find(principal, id)
        wanted = () if project is None else (project.library, *project.libraries)
        if not any(wanted):
            return ()
        there = {each.library.id for each in await self._libraries.list_libraries(principal) if each.files}
        return [library for library in wanted if library in there and self._rights.may(principal, f"library:{library}")]

    async def open_library(self, principal: Principal, id: str) -> str:
        """Return the id of the project's own library, made if needed. Raises NotFound, and Forbidden for viewers."""
        project = await self.get(principal, id)
        if project.library is not None and project.access == "view":
            return project.library
        name = own_library_name(project.name, "project")
        new = Library(self._ids("lib"), project.owner, name, int(self._clock() * 1000))
        library = await self._store.open_library(principal, id, new)
        if library == new.id:
            self._changes.publish_to_all("projects")
            self._changes.publish_to_all("files")
        return library

    async def delete(self, principal: Principal, id: str) -> None:
        """Delete a project with its files and memories, and keep its conversations; see `restore`.

        Raises NotFound, HeldBack, and Forbidden for all but its owner.
        """
        await self._store.delete_project(principal, id)
        self._publish_all_of(principal)

    async def restore(self, principal: Principal, id: str) -> Project:
        """Restore a deleted project with all that it had; does nothing if it wasn't deleted.

        Raises NotFound once it is too late, and Conflict where another has its name by now.
        """
        restored = await self._store.restore_project(principal, id, self._restorable_since())
        self._publish_all_of(principal)
        return restored

    async def erase_deleted(self) -> None:
        """Erase the projects that were deleted too long ago to be restored, with their files and memories."""
        before = self._restorable_since()
        for project in await self._store.list_deleted_projects(before):
            try:
                if project.library is not None:
                    await self._ingestor.delete_library(Principal(project.owner), project.library)
                await self._store.erase_project(project.id, before)
            except HeldBack:
                log.info("the project %s is kept: a legal hold is on something in it", project.id)
            else:
                self._changes.publish_to_all("projects")

    def _publish_all_of(self, owner: Principal) -> None:
        for kind in ("projects", "files", "memories"):
            self._changes.publish_to_all(kind)
        self._changes.publish(owner, None, "changed")

    def _restorable_since(self) -> int:
        return int((self._clock() - RESTORE_PERIOD_S) * 1000)
