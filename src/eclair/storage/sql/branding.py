"""Branding in SQL: one row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from eclair.schema.branding import Branding
from eclair.schema.principal import Principal
from eclair.storage.sql.audit import append_act
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.store import SQLStore, overwrite, read, upsert
from eclair.storage.sql.stored_rows import decode_rows, row_decoder


class SQLBrandingStore(SQLStore):
    """Implements `BrandingStore`."""

    @read
    def get_branding(self, db: Connection) -> Branding:
        return read_branding(db, self.database.damage.noting("branding"))

    @overwrite
    def edit_branding(self, db: Connection, principal: Principal, edit: Callable[[Branding], Branding]) -> Branding:
        edited = edit(read_branding(db, self.database.damage.noting("branding")))
        put_branding(db, principal, edited)
        return edited


def read_branding(db: Connection, note: Callable[[], None]) -> Branding:
    rows = db.execute("SELECT name, notice, accent, logo, source FROM branding")
    return next(iter(decode_rows(rows, _branding, note)), Branding())


def put_branding(db: Connection, principal: Principal, branding: Branding) -> None:
    db.execute(
        upsert("branding", "id, name, notice, accent, logo, source", "id"),
        (1, branding.name, branding.notice, branding.accent, branding.logo, branding.source),
    )
    append_act(db, principal, "settings.changed", "branding")


@row_decoder
def _branding(row: Any) -> Branding:
    name, notice, accent, logo, source = row
    return Branding(name=name, notice=notice, accent=accent, logo=logo, source=source)
