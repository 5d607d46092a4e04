"""Projects in SQL."""

from __future__ import annotations

from itertools import count
from typing import Any

import orjson

from eclair.errors import Conflict, NotFound
from eclair.schema.principal import Principal
from eclair.storage.libraries import Library
from eclair.storage.projects import Project, ProjectOrder, ProjectSummary
from eclair.storage.sharing import Access
from eclair.storage.sql.audit import append_act
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.sharing import OWNED, PROJECTS, SQLSharedStore, describe, find_shared
from eclair.storage.sql.store import first_row, overwrite, read, snapshot, write
from eclair.storage.sql.stored_rows import decode_list, decode_rows, row_decoder
from eclair.text.name_match import NameQuery

_COLUMNS = "id, owner, name, created, instructions, model, web, tools, libraries, memory, library"


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
        found = [
            ProjectSummary(project, *counts.get(project.id, (0, project.created)))
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
        if project.library is not None:
            return project.library
        if first_row(db, "SELECT 1 FROM library WHERE id = ? AND owner = ?", (new.id, principal.id)) is not None:
            db.execute("UPDATE project SET library = ? WHERE id = ?", (new.id, id))
            return new.id
        taken = {name for (name,) in db.execute("SELECT name FROM library WHERE owner = ?", (project.owner,))}
        names = (new.name if number == 1 else f"{new.name}-{number}" for number in count(1))
        name = next(name for name in names if name not in taken)
        db.execute(
            "INSERT INTO library (id, owner, name, created) VALUES (?, ?, ?, ?)",
            (new.id, project.owner, name, new.created),
        )
        db.execute("UPDATE project SET library = ? WHERE id = ?", (new.id, id))
        return new.id

    @overwrite
    def delete_project(self, db: Connection, principal: Principal, id: str) -> None:
        require_project(db, principal, id, needs="own")
        db.execute("DELETE FROM project WHERE id = ?", (id,))
        append_act(db, principal, "project.deleted", id)

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
