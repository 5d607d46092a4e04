"""Names of what belongs to people, in SQL."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import orjson

from eclair.storage.owned_names import OwnedKind, OwnedName
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.store import SQLStore, read, search
from eclair.storage.sql.stored_rows import decode_rows, row_decoder
from eclair.text.name_match import NameQuery

_NAMES = {
    "assistant": "SELECT id, owner, name FROM assistant",
    "library": "SELECT id, owner, name FROM library",
    "project": "SELECT id, owner, coalesce(deleted_name, name) AS name FROM project",
    "prompt": "SELECT id, owner, name FROM prompt",
}


class SQLOwnedNameStore(SQLStore):
    """Implements `OwnedNameStore`."""

    @search
    def search_names(self, db: Connection, kind: OwnedKind, words: str, limit: int) -> list[OwnedName]:
        query = NameQuery.parse(words)
        names = decode_rows(db.execute(_NAMES[kind]), _name, self.database.damage.noting("names"))
        found = [(-score, each.name.casefold(), each.id, each) for each in names if (score := query.score(each.name))]
        return [each for *_, each in sorted(found, key=lambda row: row[:3])[:limit]]

    @read
    def get_names(self, db: Connection, kind: OwnedKind, ids: Collection[str]) -> dict[str, OwnedName]:
        query = f"{_NAMES[kind]} WHERE id IN (SELECT value FROM json_each(?))"
        rows = db.execute(query, (orjson.dumps(list(ids)).decode(),))
        return {each.id: each for each in decode_rows(rows, _name, self.database.damage.noting("names"))}


@row_decoder
def _name(row: Any) -> OwnedName:
    return OwnedName(*row)
