"""Prompts in SQL."""

from __future__ import annotations

from typing import Any

from eclair.errors import Conflict, NotFound
from eclair.schema.principal import Principal
from eclair.storage.prompts import SavedPrompt
from eclair.storage.sharing import Access
from eclair.storage.sql.audit import append_act
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.sharing import OWNED, PROMPTS, SQLSharedStore, describe, find_shared
from eclair.storage.sql.store import first_row, overwrite, read, write
from eclair.storage.sql.stored_rows import decode_rows, row_decoder

MAX_PROMPTS = 1000
"""Prompts of one person, since lists show them whole."""

_COLUMNS = "id, owner, name, text, created"


class SQLPromptStore(SQLSharedStore):
    """Implements `PromptStore`."""

    table = PROMPTS

    @write
    def add_prompt(self, db: Connection, principal: Principal, prompt: SavedPrompt) -> None:
        if first_row(db, "SELECT 1 FROM prompt WHERE id = ?", (prompt.id,)) is not None:
            raise Conflict(f"The id {prompt.id!r} is taken; leave it out to be given one.")
        _refuse_taken_name(db, principal.id, prompt.name, prompt.id)
        db.execute(
            f"INSERT INTO prompt ({_COLUMNS}) VALUES (?, ?, ?, ?, ?)",
            (prompt.id, principal.id, prompt.name, prompt.text, prompt.created),
        )

    @read
    def get_prompt(self, db: Connection, principal: Principal, id: str) -> SavedPrompt:
        return _find(db, principal, id, needs="view")

    @read
    def get_prompt_by_name(self, db: Connection, principal: Principal, name: str) -> SavedPrompt:
        row = first_row(
            db,
            f"SELECT {_COLUMNS}, {PROMPTS.access} FROM prompt WHERE name = ?2 AND {PROMPTS.visible}"
            f" ORDER BY {OWNED} DESC, created LIMIT 1",
            (describe(principal), name),
        )
        if row is None:
            raise NotFound(f"There is no prompt {name!r}.")
        return _prompt(row)

    @read
    def list_prompts(self, db: Connection, principal: Principal) -> list[SavedPrompt]:
        rows = db.execute(
            f"SELECT {_COLUMNS}, {PROMPTS.access} FROM prompt WHERE {PROMPTS.visible}", (describe(principal),)
        )
        prompts = decode_rows(rows, _prompt, self.database.damage.noting("prompts"))
        return sorted(prompts, key=lambda prompt: (prompt.name.casefold(), prompt.created, prompt.id))

    @overwrite
    def edit_prompt(self, db: Connection, principal: Principal, id: str, name: str, text: str) -> SavedPrompt:
        owner = _find(db, principal, id, needs="edit").owner
        _refuse_taken_name(db, owner, name, id)
        db.execute("UPDATE prompt SET name = ?, text = ? WHERE id = ?", (name, text, id))
        return _find(db, principal, id, needs="edit")

    @overwrite
    def delete_prompt(self, db: Connection, principal: Principal, id: str) -> None:
        _find(db, principal, id)
        db.execute("DELETE FROM prompt WHERE id = ?", (id,))
        append_act(db, principal, "prompt.deleted", id)

    def require_own(self, db: Connection, principal: Principal, id: str) -> None:
        _find(db, principal, id)


def _find(db: Connection, principal: Principal, id: str, *, needs: Access = "own") -> SavedPrompt:
    return find_shared(db, principal, PROMPTS, id, _COLUMNS, _prompt, needs=needs)


@row_decoder
def _prompt(row: Any) -> SavedPrompt:
    return SavedPrompt(*row)


def _refuse_taken_name(db: Connection, owner: str, name: str, id: str) -> None:
    """Raise Conflict where the owner has another prompt of that name, or too many prompts."""
    others = [other for (other,) in db.execute("SELECT name FROM prompt WHERE owner = ? AND id <> ?", (owner, id))]
    if name.casefold() in (str(other).casefold() for other in others):
        raise Conflict(f"There is a prompt {name!r} already; choose another name.")
    if len(others) >= MAX_PROMPTS:
        raise Conflict(f"There are {MAX_PROMPTS:,} prompts already; delete one first.")
