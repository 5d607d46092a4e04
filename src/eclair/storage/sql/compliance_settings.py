"""Compliance settings in SQL: one row."""

from __future__ import annotations

from collections.abc import Callable

import orjson

from eclair.schema.principal import Principal
from eclair.storage.compliance_settings import ComplianceValues
from eclair.storage.sql.audit import append_act
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.store import SQLStore, first_row, overwrite, read, upsert
from eclair.storage.sql.stored_rows import DECODING_ERRORS, decode_object


class SQLComplianceSettingsStore(SQLStore):
    """Implements `ComplianceSettingsStore`."""

    @read
    def get_compliance_settings(self, db: Connection) -> ComplianceValues:
        return read_compliance_settings(db, self.database.damage.noting("compliance settings"))

    @overwrite
    def put_compliance_settings(self, db: Connection, principal: Principal, values: ComplianceValues) -> None:
        before = read_compliance_settings(db, self.database.damage.noting("compliance settings"))
        names = sorted(name for name in {*before, *values} if before.get(name) != values.get(name))
        body = orjson.dumps(dict(values)).decode()
        db.execute(upsert("compliance_settings", "id, body", "id"), (1, body))
        append_act(db, principal, "settings.changed", "compliance", details=dict.fromkeys(names, True))


def read_compliance_settings(db: Connection, note: Callable[[], None]) -> ComplianceValues:
    """Read what was chosen; call `note` for a damaged row, which counts as none."""
    row = first_row(db, "SELECT body FROM compliance_settings", ())
    if row is None:
        return {}
    try:
        return decode_object(row[0])
    except (*DECODING_ERRORS, TypeError):
        note()
        return {}
