"""Projects in SQL."""

from __future__ import annotations

from typing import Any

import orjson

from eclair.errors import Conflict, NotFound
from eclair.schema.principal import Principal
from eclair.storage.libraries import Library
from eclair.storage.projects import DeletedProject, Project, ProjectOrder, ProjectSummary, ShownConversation
from eclair.storage.sharing import Access
from eclair.storage.sql.audit import append_act
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.own_libraries import open_own_library
from eclair.storage.sql.sharing import OWNED, PROJECTS, SQLSharedStore, describe, find_shared
from eclair.storage.sql.store import erase, first_row, overwrite, read, snapshot, write
from eclair.storage.sql.stored_rows import decode_list, decode_rows, row_decoder
from eclair.text.name_match import NameQuery

_COLUMNS = "id, owner, name, created, instructions, model, web, tools, libraries, memory, library"


_SHOWN = (
    "SELECT conversation.id, owner, title, updated, project FROM project_conversation"
    " JOIN conversation ON conversation.id = conversation"
)
_THERE = "deleted IS NULL AND project_id = project"


class SQLProjectStore(SQLSharedStore):
    """Implements `ProjectStore`."""

    table = PROJECTS

    @write
    def add_project(self, db: Connection, principal: Principal, project: Project) -> None:
        if first_row(db, "SELECT 1 FROM project WHERE id = ?", (project.id,)) is not None:
            raise Conflict(f"The id {project.id!r} is taken; leave it out to be given one.")
        _refuse_taken_name(db, principal.id, project.name, project.id)
        db.execute(
            f"INSERT INTO project ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, NULL)",
            (project.id, principal.id, project.name, project.created, *_settings(project)),
        )

    @read
    def get_project(self, db: Connection, principal: Principal, id: str) -> Project:
        return require_project(db, principal, id)

    @read
    def get_project_by_name(self, db: Connection, principal: Principal, name: str) -> Project:
        row = first_row(
            db,
            f"SELECT {_COLUMNS}, {PROJECTS.access} FROM project WHERE name = ?2 AND {PROJECTS.visible}"
            f" ORDER BY {OWNED} DESC, created LIMIT 1",
            (describe(principal), name),
        )
        if row is None:
            raise NotFound(f"There is no project {name!r}.")
        return _project(row)

    @read
    def list_projects(
        self, db: Connection, principal: Principal, words: str = "", order: ProjectOrder = "name"
    ) -> list[ProjectSummary]:
        query = NameQuery.parse(words)
        with snapshot(db):
            rows = db.execute(
                f"SELECT {_COLUMNS}, {PROJECTS.access} FROM project WHERE {PROJECTS.visible}", (describe(principal),)
            )
            projects = decode_rows(rows, _project, self.database.damage.noting("conversations"))
            counts: dict[Any, tuple[int, int]] = {
                id: (count, used)
                for id, count, used in db.execute(
                    "SELECT project_id, count(*) FILTER (WHERE shelf <> 'archive'), max(updated) FROM conversation"
                    " WHERE owner = ? AND project_id IS NOT NULL AND shelf IN ('list', 'pinned', 'archive')"
                    " GROUP BY project_id",
                    (principal.id,),
                )
            }
            shared = {id for (id,) in db.execute("SELECT DISTINCT project FROM project_share")}
        found = [
            ProjectSummary(project, *counts.get(project.id, (0, project.created)), is_shared=project.id in shared)
            for project in projects
            if not query.words or query.score(project.name)
        ]
        found.sort(key=lambda each: (each.project.name.casefold(), each.project.name, each.project.id))
        if order == "recent":
            found.sort(key=lambda each: -each.used)
        return found

    @overwrite
    def edit_project(self, db: Connection, principal: Principal, project: Project) -> Project:
        owner = require_project(db, principal, project.id, needs="edit").owner
        _refuse_taken_name(db, owner, project.name, project.id)
        db.execute(
            "UPDATE project SET name = ?, instructions = ?, model = ?, web = ?, tools = ?, libraries = ?, memory = ?"
            " WHERE id = ?",
            (project.name, *_settings(project), project.id),
        )
        return require_project(db, principal, project.id)

    @write
    def open_library(self, db: Connection, principal: Principal, id: str, new: Library) -> str:
        project = require_project(db, principal, id, needs="edit")
        return project.library or open_own_library(db, PROJECTS, id, project.owner, new)

    @write
    def show_conversation(self, db: Connection, principal: Principal, id: str, conversation: str) -> None:
        require_project(db, principal, id)
        mine = (conversation, principal.id)
        if first_row(db, "SELECT 1 FROM conversation WHERE id = ? AND owner = ? AND deleted IS NULL", mine) is None:
            raise NotFound(f"There is no conversation {conversation!r}.")
        db.execute(
            "UPDATE conversation SET project_id = ? WHERE id = ? AND owner = ? AND project_id IS DISTINCT FROM ?",
            (id, *mine, id),
        )
        db.execute(
            "INSERT INTO project_conversation (conversation, project, shown) VALUES (?1, ?2, ?3)"
            " ON CONFLICT (conversation) DO UPDATE SET project = ?2, shown = ?3",
            (conversation, id, self.now()),
        )
        append_act(db, principal, "share.made", conversation, details={"of": id})

    @write
    def hide_conversation(self, db: Connection, principal: Principal, conversation: str) -> None:
        db.execute(
            "DELETE FROM project_conversation WHERE conversation = ?1 AND (conversation IN"
            " (SELECT id FROM conversation WHERE owner = ?2) OR project IN (SELECT id FROM project WHERE owner = ?2))",
            (conversation, principal.id),
        )
        if not db.changes():
            raise NotFound(f"The conversation {conversation!r} isn't shown in a project of yours.")
        append_act(db, principal, "share.revoked", conversation)

    @read
    def list_shown_conversations(self, db: Connection, principal: Principal, id: str) -> list[ShownConversation]:
        require_project(db, principal, id)
        rows = db.execute(f"{_SHOWN} WHERE project = ? AND {_THERE} ORDER BY updated DESC, id DESC", (id,))
        return decode_rows(rows, _shown, self.database.damage.noting("conversations"))

    @read
    def find_shown_conversation(self, db: Connection, principal: Principal, conversation: str) -> ShownConversation:
        row = first_row(db, f"{_SHOWN} WHERE conversation = ? AND {_THERE}", (conversation,))
        try:
            found = _shown(row) if row is not None else None
            if found is not None and require_project(db, principal, found.project):
                return found
        except NotFound:
            pass
        raise NotFound(f"There is no conversation {conversation!r} that is shown to you.")

    @write
    def delete_project(self, db: Connection, principal: Principal, id: str) -> None:
        require_project(db, principal, id, needs="own")
        db.execute(
            "UPDATE project SET deleted = ?, deleted_name = name, name = id WHERE id = ? AND owner = ?",
            (self.now(), id, principal.id),
        )
        append_act(db, principal, "project.deleted", id)

    @write
    def restore_project(self, db: Connection, principal: Principal, id: str, since: int) -> Project:
        row = first_row(
            db,
            "SELECT deleted_name FROM project WHERE id = ? AND owner = ? AND deleted >= ?",
            (id, principal.id, since),
        )
        if row is not None:
            _refuse_taken_name(db, principal.id, row[0], id)
            db.execute(
                "UPDATE project SET deleted = NULL, name = deleted_name, deleted_name = NULL WHERE id = ?", (id,)
            )
            append_act(db, principal, "project.restored", id)
        try:
            return require_project(db, principal, id, needs="own")
        except NotFound:
            raise NotFound(
                f"Project {id!r} cannot be restored; that is possible for ten minutes after deletion."
            ) from None

    @read
    def list_deleted_projects(self, db: Connection, before: int) -> list[DeletedProject]:
        rows = db.execute(
            "SELECT id, owner, library FROM project WHERE deleted < ? AND NOT EXISTS (SELECT 1 FROM legal_hold"
            " WHERE (scope, subject) IN (VALUES ('person', owner), ('project', id))) ORDER BY deleted",
            (before,),
        )
        return [DeletedProject(*row) for row in rows]

    @erase
    def erase_project(self, db: Connection, id: str, before: int) -> None:
        db.execute("DELETE FROM project WHERE id = ? AND deleted < ?", (id, before))

    def require_own(self, db: Connection, principal: Principal, id: str) -> None:
        require_project(db, principal, id, needs="own")


def require_project(db: Connection, principal: Principal, id: str, *, needs: Access = "view") -> Project:
    """Return a project to which the principal has that access. Raises NotFound, and Forbidden for less access."""
    return find_shared(db, principal, PROJECTS, id, _COLUMNS, _project, needs=needs)


def _settings(project: Project) -> tuple[str | None, ...]:
    tools = None if project.tools is None else orjson.dumps(project.tools).decode()
    libraries = orjson.dumps(project.libraries).decode()
    return project.instructions, project.model, project.web, tools, libraries, project.memory


def _refuse_taken_name(db: Connection, owner: str, name: str, id: str) -> None:
    values = (owner, name, id)
    if first_row(db, "SELECT 1 FROM project WHERE owner = ? AND name = ? AND id <> ?", values) is not None:
        raise Conflict(f"There is already a project {name!r}; choose another name.")


@row_decoder
def _shown(row: Any) -> ShownConversation:
    return ShownConversation(*row)


@row_decoder
def _project(row: tuple[Any, ...]) -> Project:
    id, owner, name, created, instructions, model, web, tools, libraries, memory, library, access = row
    return Project(
        id=id,
        owner=owner,
        name=name,
        created=created,
        instructions=instructions,
        model=model,
        web=web,
        tools=None if tools is None else decode_list(tools),
        library=library,
        libraries=decode_list(libraries),
        memory=memory,
        access=access,
    )
