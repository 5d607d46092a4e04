"""API keys in SQL."""

from __future__ import annotations

from typing import Any

import orjson

from eclair.errors import Conflict, NotFound
from eclair.schema.principal import Principal
from eclair.storage.api_keys import StoredApiKey
from eclair.storage.sql.audit import append_act
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.store import SQLStore, first_row, read, read_brief, write, write_brief
from eclair.storage.sql.stored_rows import decode_rows, row_decoder

_COLUMNS = "id, owner, name, digest, created, used, scope, networks, expires, models, per_minute, at_once"


class SQLApiKeyStore(SQLStore):
    """Implements `ApiKeyStore`."""

    @write
    def add_key(self, db: Connection, principal: Principal, key: StoredApiKey) -> None:
        if first_row(db, "SELECT 1 FROM api_key WHERE owner = ? AND name = ?", (principal.id, key.name)) is not None:
            raise Conflict(f"There is a key {key.name!r} already; choose another name, or revoke that one first.")
        db.execute(
            f"INSERT INTO api_key ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *(key.id, principal.id, key.name, key.digest, key.created, key.used, key.scope),
                *(orjson.dumps(key.networks).decode(), key.expires),
                *(orjson.dumps(key.models).decode(), key.per_minute, key.at_once),
            ),
        )
        append_act(db, principal, "key.made", key.id, details={"scope": key.scope, "expires": key.expires})

    @read
    def list_keys(self, db: Connection, principal: Principal) -> list[StoredApiKey]:
        rows = db.execute(f"SELECT {_COLUMNS} FROM api_key WHERE owner = ? ORDER BY created, id", (principal.id,))
        return decode_rows(rows, _key, self.database.damage.noting("keys"))

    @write
    def delete_key(self, db: Connection, principal: Principal, name: str) -> None:
        found = first_row(db, "SELECT id FROM api_key WHERE owner = ? AND name = ?", (principal.id, name))
        if found is None:
            raise NotFound(f"There is no key {name!r}; `eclair key list` lists them.")
        db.execute("DELETE FROM api_key WHERE id = ?", found)
        append_act(db, principal, "key.revoked", found[0])

    @read_brief
    def find_key(self, db: Connection, digest: bytes) -> StoredApiKey | None:
        row = first_row(db, f"SELECT {_COLUMNS} FROM api_key WHERE digest = ?", (digest,))
        return None if row is None else _key(row)

    @read
    def get_key(self, db: Connection, id: str) -> StoredApiKey | None:
        row = first_row(db, f"SELECT {_COLUMNS} FROM api_key WHERE id = ?", (id,))
        return None if row is None else _key(row)

    @write_brief
    def mark_used(self, db: Connection, id: str, day: str) -> None:
        db.execute("UPDATE api_key SET used = ? WHERE id = ?", (day, id))


@row_decoder
def _key(row: Any) -> StoredApiKey:
    *plain, networks, expires, models, per_minute, at_once = row
    return StoredApiKey(
        *plain,
        networks=tuple(orjson.loads(networks)),
        expires=expires,
        models=tuple(orjson.loads(models)),
        per_minute=per_minute,
        at_once=at_once,
    )


def has_keys(db: Connection) -> bool:
    """Tell whether anybody has a key."""
    return first_row(db, "SELECT 1 FROM api_key", ()) is not None
