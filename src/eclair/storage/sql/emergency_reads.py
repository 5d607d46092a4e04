"""Emergency reads in SQL."""

from __future__ import annotations

from typing import Any

from eclair.errors import Conflict, Forbidden, NotFound
from eclair.schema.messages import Conversation, Message
from eclair.schema.principal import Principal
from eclair.storage.emergency_reads import EmergencyRead, EmergencyReading
from eclair.storage.sql import conversations
from eclair.storage.sql.audit import append_act
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.messages import list_messages
from eclair.storage.sql.store import SQLStore, first_row, read, write, write_synced
from eclair.storage.sql.stored_rows import decode_rows, row_decoder

MAX_CONVERSATIONS = 1000
"""The newest that are listed."""

_NAMES = (
    "id",
    "owner",
    "reason",
    "status",
    "requester",
    "requested",
    "decider",
    "decided",
    "expires",
    "acknowledged",
)
_COLUMNS = ", ".join(_NAMES)


class SQLEmergencyReadStore(SQLStore):
    """Implements `EmergencyReadStore`."""

    @write_synced
    def add_request(self, db: Connection, principal: Principal, request: EmergencyRead) -> None:
        db.execute(
            "INSERT INTO emergency_read (id, owner, reason, status, requester, requested)"
            " VALUES (?, ?, ?, 'requested', ?, ?)",
            (request.id, request.owner, request.reason, principal.id, request.requested),
        )
        append_act(db, principal, "emergency_read.requested", request.owner, details={"request": request.id})

    @read
    def get_request(self, db: Connection, id: str) -> EmergencyRead:
        return _find(db, id)

    @read
    def list_requests(self, db: Connection, limit: int) -> list[EmergencyRead]:
        rows = db.execute(f"SELECT {_COLUMNS} FROM emergency_read ORDER BY requested DESC, id DESC LIMIT ?", (limit,))
        return decode_rows(rows, _request, self.database.damage.noting("emergency reads"))

    @write_synced
    def decide_request(
        self, db: Connection, principal: Principal, id: str, now: int, expires: int | None
    ) -> EmergencyRead:
        request = _find(db, id)
        if request.status != "requested":
            raise Conflict("Somebody has decided this request already.")
        if principal.id in (request.requester, request.owner):
            raise Forbidden("Somebody else decides: neither who asked nor the person whose conversations it is about.")
        db.execute(
            "UPDATE emergency_read SET status = ?, decider = ?, decided = ?, expires = ? WHERE id = ?",
            ("refused" if expires is None else "approved", principal.id, now, expires, id),
        )
        action = "emergency_read.refused" if expires is None else "emergency_read.approved"
        append_act(db, principal, action, request.owner, details={"request": id, "until": expires})
        return _find(db, id)

    @read
    def list_conversations(self, db: Connection, principal: Principal, id: str, now: int) -> list[Conversation]:
        return conversations.list_newest(db, _open(db, principal, id, now), MAX_CONVERSATIONS)

    @write_synced
    def read_conversation(
        self, db: Connection, principal: Principal, id: str, conversation: str, now: int
    ) -> tuple[Conversation, list[Message]]:
        owner = _open(db, principal, id, now)
        found = conversations.find(db, owner, conversation)
        db.execute(
            "INSERT INTO emergency_reading (request, conversation, reader, moment) VALUES (?1, ?2, ?3, ?4)"
            " ON CONFLICT (request, conversation, reader) DO UPDATE SET moment = ?4",
            (id, conversation, principal.id, now),
        )
        db.execute("UPDATE emergency_read SET acknowledged = NULL WHERE id = ?", (id,))
        details = {"request": id, "conversation": conversation}
        append_act(db, principal, "emergency_read.read", owner.id, details=details)
        return found, list_messages(db, conversation, self.database.damage.noting("messages"))

    @read
    def list_readings(self, db: Connection, id: str) -> list[EmergencyReading]:
        rows = db.execute(
            "SELECT emergency_reading.conversation, title, reader, moment FROM emergency_reading"
            " JOIN emergency_read ON emergency_read.id = request"
            " LEFT JOIN conversation ON conversation.id = emergency_reading.conversation"
            " AND conversation.owner = emergency_read.owner WHERE request = ? ORDER BY moment",
            (id,),
        )
        return decode_rows(rows, _reading, self.database.damage.noting("emergency reads"))

    @read
    def list_untold(self, db: Connection, principal: Principal) -> list[EmergencyRead]:
        rows = db.execute(
            f"SELECT {_COLUMNS} FROM emergency_read"
            " WHERE owner = ? AND status = 'approved' AND acknowledged IS NULL ORDER BY requested, id",
            (principal.id,),
        )
        return decode_rows(rows, _request, self.database.damage.noting("emergency reads"))

    @write
    def acknowledge(self, db: Connection, principal: Principal, id: str, now: int) -> None:
        db.execute("UPDATE emergency_read SET acknowledged = ? WHERE id = ? AND owner = ?", (now, id, principal.id))
        if not db.changes():
            raise NotFound(f"There is no emergency read {id!r} of your conversations.")


def _find(db: Connection, id: str) -> EmergencyRead:
    row = first_row(db, f"SELECT {_COLUMNS} FROM emergency_read WHERE id = ?", (id,))
    if row is None:
        raise NotFound(f"There is no emergency read {id!r}.")
    return _request(row)


def _open(db: Connection, principal: Principal, id: str, now: int) -> Principal:
    """Return the owner of the conversations that a request opens to the principal. Raises NotFound and Forbidden."""
    request = _find(db, id)
    if request.status != "approved" or request.expires is None:
        raise Forbidden("A second person has not approved this; ask another administrator or an auditor.")
    if principal.id not in (request.requester, request.decider):
        raise Forbidden("Only the two people who decided this may read; make a request of your own.")
    if now >= request.expires:
        raise Forbidden("The time for reading has run out; make a new request.")
    return Principal(request.owner)


@row_decoder
def _request(row: Any) -> EmergencyRead:
    return EmergencyRead(**dict(zip(_NAMES, row, strict=True)))


@row_decoder
def _reading(row: Any) -> EmergencyReading:
    return EmergencyReading(*row)
