"""Assistants in SQL."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import orjson
from pydantic import TypeAdapter

from eclair.errors import Conflict, NotFound
from eclair.schema.assistants import MAX_ASSISTANTS, Assistant, AssistantProfile
from eclair.schema.principal import Principal
from eclair.storage.libraries import Library
from eclair.storage.sharing import Access
from eclair.storage.sql.audit import append_act
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.own_libraries import open_own_library
from eclair.storage.sql.sharing import ASSISTANTS, SQLSharedStore, describe, find_shared
from eclair.storage.sql.store import first_row, overwrite, read, write
from eclair.storage.sql.stored_rows import decode_rows, row_decoder

_COLUMNS = "id, owner, created, changed, profile, library"
_PROFILE = TypeAdapter(AssistantProfile)


class SQLAssistantStore(SQLSharedStore):
    """Implements `AssistantStore`."""

    table = ASSISTANTS

    @write
    def add_assistant(self, db: Connection, principal: Principal, assistant: Assistant) -> None:
        if first_row(db, "SELECT 1 FROM assistant WHERE id = ?", (assistant.id,)) is not None:
            raise Conflict(f"The id {assistant.id!r} is taken; leave it out to be given one.")
        _refuse_taken_name(db, principal.id, assistant.name, assistant.id)
        db.execute(
            "INSERT INTO assistant (id, owner, created, changed, name, profile) VALUES (?, ?, ?, ?, ?, ?)",
            (
                *(assistant.id, principal.id, assistant.created, assistant.changed),
                *(assistant.name, _encode(assistant.profile)),
            ),
        )

    @read
    def get_assistant(self, db: Connection, principal: Principal, id: str) -> Assistant:
        return _find(db, principal, id, needs="view")

    @read
    def list_assistants(self, db: Connection, principal: Principal) -> list[Assistant]:
        rows = db.execute(
            f"SELECT {_COLUMNS}, {ASSISTANTS.access} FROM assistant WHERE {ASSISTANTS.visible}", (describe(principal),)
        )
        found = decode_rows(rows, _assistant, self.database.damage.noting("assistants"))
        return sorted(found, key=lambda each: (each.name.casefold(), each.created, each.id))

    @overwrite
    def edit_assistant(
        self, db: Connection, principal: Principal, id: str, profile: AssistantProfile, changed: int
    ) -> Assistant:
        owner = _find(db, principal, id, needs="edit").owner
        _refuse_taken_name(db, owner, profile.name, id)
        db.execute(
            "UPDATE assistant SET name = ?, profile = ?, changed = ? WHERE id = ?",
            (profile.name, _encode(profile), changed, id),
        )
        return _find(db, principal, id, needs="edit")

    @write
    def open_library(self, db: Connection, principal: Principal, id: str, new: Library) -> str:
        found = _find(db, principal, id, needs="edit")
        return found.library or open_own_library(db, ASSISTANTS, id, found.owner, new)

    @overwrite
    def delete_assistant(self, db: Connection, principal: Principal, id: str) -> None:
        _find(db, principal, id)
        db.execute("DELETE FROM assistant WHERE id = ?", (id,))
        append_act(db, principal, "assistant.deleted", id)

    def require_own(self, db: Connection, principal: Principal, id: str) -> None:
        _find(db, principal, id)


def _find(db: Connection, principal: Principal, id: str, *, needs: Access = "own") -> Assistant:
    try:
        return find_shared(db, principal, ASSISTANTS, id, _COLUMNS, _assistant, needs=needs)
    except NotFound:
        raise NotFound("There is no such assistant; it may have been deleted, or is no longer shared.") from None


def _encode(profile: AssistantProfile) -> str:
    return orjson.dumps(asdict(profile)).decode()


@row_decoder
def _assistant(row: Any) -> Assistant:
    id, owner, created, changed, profile, library, access = row
    return Assistant(
        id=id,
        owner=owner,
        profile=_PROFILE.validate_json(profile),
        created=created,
        changed=changed,
        library=library,
        access=access,
    )


def _refuse_taken_name(db: Connection, owner: str, name: str, id: str) -> None:
    """Raise Conflict where the owner has another assistant of that name, or too many of them."""
    rows = db.execute("SELECT name FROM assistant WHERE owner = ? AND id <> ?", (owner, id))
    others = [str(other) for (other,) in rows]
    if name.casefold() in (other.casefold() for other in others):
        raise Conflict(f"There is an assistant {name!r} already; choose another name.")
    if len(others) >= MAX_ASSISTANTS:
        raise Conflict(f"There are {MAX_ASSISTANTS:,} assistants already; delete one first.")
