"""Announcements in SQL."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson

from eclair.errors import NotFound
from eclair.schema.announcements import Announcement
from eclair.schema.principal import Principal
from eclair.storage.sql.audit import append_act
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.store import SQLStore, overwrite, read, upsert
from eclair.storage.sql.stored_rows import MalformedRow, decode_object, decode_rows, row_decoder

_COLUMNS = "id, level, language, texts, begins, ends, closable, changed"


class SQLAnnouncementStore(SQLStore):
    """Implements `AnnouncementStore`."""

    @read
    def list_announcements(self, db: Connection) -> list[Announcement]:
        return list_announcements(db, self.database.damage.noting("announcements"))

    @overwrite
    def put_announcement(self, db: Connection, principal: Principal, announcement: Announcement) -> Announcement:
        return put_announcement(db, principal, announcement, self.now())

    @overwrite
    def delete_announcement(self, db: Connection, principal: Principal, id: str) -> None:
        delete_announcement(db, principal, id)


def list_announcements(db: Connection, note: Callable[[], None]) -> list[Announcement]:
    rows = db.execute(f"SELECT {_COLUMNS} FROM announcement ORDER BY coalesce(begins, 0), id")
    return decode_rows(rows, _announcement, note)


def put_announcement(db: Connection, principal: Principal, announcement: Announcement, now: int) -> Announcement:
    stored = replace(announcement, changed=now)
    db.execute(
        upsert("announcement", _COLUMNS, "id"),
        (
            *(stored.id, stored.level, stored.language, orjson.dumps(dict(stored.texts)).decode()),
            *(stored.begins, stored.ends, stored.closable, stored.changed),
        ),
    )
    append_act(db, principal, "announcement.changed", stored.id)
    return stored


def delete_announcement(db: Connection, principal: Principal, id: str) -> None:
    db.execute("DELETE FROM announcement WHERE id = ?", (id,))
    if not db.changes():
        raise NotFound(f"There is no announcement {id!r}; it may have been deleted meanwhile.")
    append_act(db, principal, "announcement.changed", id, details={"removed": True})


@row_decoder
def _announcement(row: Any) -> Announcement:
    id, level, language, body, begins, ends, closable, changed = row
    texts = decode_object(body)
    if not isinstance(texts.get(language), str) or not all(isinstance(text, str) for text in texts.values()):
        raise MalformedRow("texts")
    return Announcement(
        id=id,
        level=level,
        language=language,
        texts=texts,
        begins=begins,
        ends=ends,
        closable=bool(closable),
        changed=changed,
    )
