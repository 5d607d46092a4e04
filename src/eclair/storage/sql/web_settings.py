"""Web settings in SQL: one row."""

from __future__ import annotations

import base64
from collections.abc import Callable

import orjson
from pydantic import BaseModel, ValidationError

from eclair.schema.principal import Principal
from eclair.storage.sql.audit import append_act
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.store import SQLStore, first_row, overwrite, read, upsert
from eclair.storage.web_settings import StoredWebSettings


class _Body(BaseModel):
    """The row's JSON; `keys` are encrypted and in base64."""

    services: tuple[str, ...] | None = None
    searxng: str | None = None
    keys: dict[str, str] = {}
    policy: str | None = None
    hosts: tuple[str, ...] = ()


class SQLWebSettingsStore(SQLStore):
    """Implements `WebSettingsStore`."""

    @read
    def get_web_settings(self, db: Connection) -> StoredWebSettings:
        return read_web_settings(db, self.database.damage.noting("web settings"))

    @overwrite
    def edit_web_settings(
        self, db: Connection, principal: Principal, edit: Callable[[StoredWebSettings], StoredWebSettings]
    ) -> StoredWebSettings:
        return edit_web_settings(db, principal, edit, self.database.damage.noting("web settings"))


def edit_web_settings(
    db: Connection,
    principal: Principal,
    edit: Callable[[StoredWebSettings], StoredWebSettings],
    note: Callable[[], None],
) -> StoredWebSettings:
    edited = edit(read_web_settings(db, note))
    body = {
        "services": edited.services,
        "searxng": edited.searxng,
        "keys": {name: base64.b64encode(key).decode() for name, key in edited.keys.items()},
        "policy": edited.policy,
        "hosts": edited.hosts,
    }
    db.execute(upsert("web_settings", "id, body", "id"), (1, orjson.dumps(body).decode()))
    append_act(db, principal, "settings.changed", "web")
    return edited


def read_web_settings(db: Connection, note: Callable[[], None]) -> StoredWebSettings:
    """Read the web settings; call `note` for a damaged row, which counts as none."""
    try:
        row = first_row(db, "SELECT body FROM web_settings", ())
        if row is None:
            return StoredWebSettings()
        body = _Body.model_validate_json(row[0])
        keys = {name: base64.b64decode(key, validate=True) for name, key in body.keys.items()}
    except (UnicodeDecodeError, ValidationError, ValueError):
        note()
        return StoredWebSettings()
    return StoredWebSettings(
        services=body.services, searxng=body.searxng, keys=keys, policy=body.policy, hosts=body.hosts
    )
