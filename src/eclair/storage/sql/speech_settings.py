"""Settings of speech in SQL: one row."""

from __future__ import annotations

from eclair.schema.principal import Principal
from eclair.storage.sql.audit import append_act
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.store import SQLStore, first_row, read, upsert, write


class SQLSpeechSettingsStore(SQLStore):
    """Implements `SpeechSettingsStore`."""

    @read
    def get_transcriber(self, db: Connection) -> str | None:
        return read_transcriber(db)

    @write
    def put_transcriber(self, db: Connection, principal: Principal, model: str) -> None:
        db.execute(upsert("speech_settings", "id, transcriber", "id"), (1, model))
        append_act(db, principal, "settings.changed", "speech", details={"transcriber": model})


def read_transcriber(db: Connection) -> str | None:
    """Return the model that was chosen to transcribe recordings; None where none was."""
    row = first_row(db, "SELECT transcriber FROM speech_settings", ())
    return None if row is None else row[0]
