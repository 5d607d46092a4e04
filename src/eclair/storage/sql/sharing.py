"""Sharing in SQL: the access of owners, and of those with whom something is shared."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeVar

import orjson

from eclair.errors import Forbidden, NotFound
from eclair.schema.principal import Principal
from eclair.storage.grants import subjects_of
from eclair.storage.sharing import Access, AccessShare
from eclair.storage.sql.audit import append_act
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.store import SQLStore, first_row, read, write
from eclair.storage.sql.stored_rows import decode_rows, row_decoder

OWNED = "owner = ?1 ->> 'owner'"
"""The condition on a row that it belongs to the principal whom ?1 describes; see `describe`."""

_MINE = "subject IN (SELECT value FROM json_each(?1, '$.subjects'))"
_RANKS: dict[Access, int] = {"view": 0, "edit": 1, "own": 2}
_SUBJECT_TABLES = {"person": "person", "group": "person_group"}


def _is_allowed(thing: str, every: str) -> str:
    """Return the condition that rights let the principal use an object, as `RightRules.decide` does.

    `thing` and `every` are the object and all of its kind, as SQL.
    """
    denied = f"SELECT 1 FROM access_grant WHERE effect = 'deny' AND object IN ({thing}, {every}) AND {_MINE}"
    allowed = [
        f"(SELECT max(CASE WHEN {_MINE} THEN 1 ELSE 0 END) FROM access_grant WHERE effect = 'allow'"
        f" AND object = {each} AND ({_MINE} OR subject <> 'role:guest'))"
        for each in (thing, every)
    ]
    return f"(NOT EXISTS ({denied}) AND coalesce({', '.join(allowed)}, 1) = 1)"


@dataclass(frozen=True, slots=True)
class SharedTable:
    """A table of what people share; the shares of its rows are in a table named after it.

    `more` selects further shares: the id of a row, the subject and its access, and the object of rights that they rest
    on, by itself and with all of its kind. `hidden` is the condition on rows that nobody sees, since they were deleted.
    """

    name: str
    more: str = ""
    hidden: str = ""

    @property
    def _shares(self) -> str:
        own = (
            f"SELECT {self.name} AS object, subject, access, '{self.name}:' || {self.name} AS thing,"
            f" '{self.name}:*' AS every FROM {self.name}_share"
        )
        return f"({own} UNION ALL {self.more})" if self.more else f"({own})"

    @property
    def shared(self) -> str:
        """The ids that are shared with the principal whom ?1 describes."""
        return f"(SELECT object FROM {self._shares} WHERE {_MINE})"

    @property
    def usable(self) -> str:
        """The ids that are shared with them, and that no right denies, neither itself nor what it is shared with."""
        itself = _is_allowed(f"'{self.name}:' || shares.object", f"'{self.name}:*'")
        allowed = f"{_is_allowed('shares.thing', 'shares.every')} AND {itself}"
        return f"(SELECT object FROM {self._shares} AS shares WHERE {_MINE} AND {allowed})"

    @property
    def editable(self) -> str:
        """The usable ones that are shared with them to be changed."""
        return f"(SELECT object FROM {self._shares} WHERE {_MINE} AND access = 'edit' AND object IN {self.usable})"

    @property
    def visible(self) -> str:
        """The condition on a row that it is theirs or shared with them."""
        visible = f"({self.name}.{OWNED} OR {self.name}.id IN {self.shared})"
        return f"({visible} AND NOT {self.hidden})" if self.hidden else visible

    @property
    def access(self) -> str:
        """Their access to a row: own, edit, view, or NULL."""
        shared = f"SELECT min(access) FROM {self._shares} WHERE object = {self.name}.id AND {_MINE}"
        access = f"iif({self.name}.{OWNED}, 'own', ({shared}))"
        return f"CASE WHEN NOT {self.hidden} THEN {access} END" if self.hidden else access


_OF_DELETED_PROJECT = "EXISTS (SELECT 1 FROM project WHERE project.library = {} AND project.deleted IS NOT NULL)"
"""The condition that a library is that of a deleted project."""


LIBRARIES = SharedTable(
    "library",
    more="SELECT project.library, subject, access, 'project:' || project.id, 'project:*' FROM project_share"
    " JOIN project ON project.id = project_share.project"
    " WHERE project.library IS NOT NULL AND project.deleted IS NULL"
    " UNION ALL SELECT assistant.library, subject, access, 'assistant:' || assistant.id, 'assistant:*'"
    " FROM assistant_share JOIN assistant ON assistant.id = assistant_share.assistant"
    " WHERE assistant.library IS NOT NULL",
    hidden=_OF_DELETED_PROJECT.format("library.id"),
)
"""Members of a project, and those with whom an assistant is shared, have that access to its own library too.

The library of a project is hidden with it once it is deleted.
"""
FILE_THERE = f"NOT {_OF_DELETED_PROJECT.format('file.library')}"
"""The condition on a file that it isn't one of a deleted project."""
PROJECTS = SharedTable("project", hidden="(project.deleted IS NOT NULL)")
PROMPTS = SharedTable("prompt")
ASSISTANTS = SharedTable("assistant")


class _Shared(Protocol):
    @property
    def name(self) -> str: ...

    @property
    def access(self) -> Access: ...


T = TypeVar("T", bound=_Shared)


def describe(principal: Principal, **more: Any) -> str:
    """Describe a principal as the parameter of the conditions above; `more` is for further ones."""
    return orjson.dumps({"owner": principal.id, "subjects": subjects_of(principal), **more}).decode()


def find_shared(
    db: Connection,
    principal: Principal,
    table: SharedTable,
    id: str,
    columns: str,
    build: Callable[[Any], T],
    *,
    needs: Access,
) -> T:
    """Return what the principal has that access to. Raises NotFound, and Forbidden for less access."""
    query = f"SELECT {columns}, {table.access} FROM {table.name} WHERE id = ?2 AND {table.access} IS NOT NULL"
    row = first_row(db, query, (describe(principal), id))
    if row is None:
        raise NotFound(f"There is no {table.name} {id!r}.")
    found = build(row)
    if _RANKS[found.access] < _RANKS[needs]:
        name = f"the {table.name} {found.name!r}"
        raise Forbidden(
            f"You may read {name} but not change it; ask its owner to let you."
            if needs == "edit"
            else f"T{name[1:]} is shared with you; only its owner may do this."
        )
    return found


class SQLSharedStore(SQLStore, ABC):
    """A store of what can be shared. Only the owner shares, ends shares and sees them."""

    table: ClassVar[SharedTable]

    @write
    def share(self, db: Connection, principal: Principal, share: AccessShare) -> None:
        self.require_own(db, principal, share.object)
        kind, _, id = share.subject.partition(":")
        table = _SUBJECT_TABLES.get(kind)
        if table is not None and first_row(db, f"SELECT 1 FROM {table} WHERE id = ?", (id,)) is None:
            raise NotFound(f"There is no {kind} {id!r}; choose another.")
        name = self.table.name
        db.execute(
            f"INSERT INTO {name}_share ({name}, subject, access, created) VALUES (?1, ?2, ?3, ?4)"
            f" ON CONFLICT ({name}, subject) DO UPDATE SET access = ?3",
            (share.object, share.subject, share.access, share.created),
        )
        append_act(db, principal, "share.made", share.subject, details={"of": share.object, "access": share.access})

    @write
    def unshare(self, db: Connection, principal: Principal, id: str, subject: str) -> None:
        self.require_own(db, principal, id)
        name = self.table.name
        db.execute(f"DELETE FROM {name}_share WHERE {name} = ? AND subject = ?", (id, subject))
        if not db.changes():
            raise NotFound(f"This {name} isn't shared with {subject!r}.")
        append_act(db, principal, "share.revoked", subject, details={"of": id})

    @read
    def list_shares(self, db: Connection, principal: Principal, id: str) -> list[AccessShare]:
        self.require_own(db, principal, id)
        name = self.table.name
        rows = db.execute(
            f"SELECT {name}, subject, access, created FROM {name}_share WHERE {name} = ? ORDER BY created, subject",
            (id,),
        )
        return decode_rows(rows, _share, self.database.damage.noting("shares"))

    @abstractmethod
    def require_own(self, db: Connection, principal: Principal, id: str) -> None:
        """Raise NotFound, or Forbidden where it is another's that is shared with the principal."""


@row_decoder
def _share(row: Any) -> AccessShare:
    return AccessShare(*row)
