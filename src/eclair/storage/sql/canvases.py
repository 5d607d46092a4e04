"""Canvases in SQL. They go with their conversation, by the foreign key; texts are compressed."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from eclair.errors import Conflict, NotFound
from eclair.schema.canvases import Canvas, CanvasVersion, NewCanvasVersion
from eclair.schema.principal import Principal
from eclair.storage.sql import conversations
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.encoding import packed_text, unpacked_text
from eclair.storage.sql.store import SQLStore, erase, first_row, overwrite, read, write
from eclair.storage.sql.stored_rows import decode_rows, row_decoder

_CANVAS = "canvas.id, canvas.conversation, canvas.title, language, canvas.created, canvas.updated, current"
_OWN = "conversation IN (SELECT id FROM conversation WHERE owner = ? AND deleted IS NULL)"
_VERSION = "number, parent, author, model, name, created"


class SQLCanvasStore(SQLStore):
    """Implements `CanvasStore`."""

    async def add_canvas(
        self, principal: Principal, canvas: Canvas, versions: Sequence[tuple[CanvasVersion, str]]
    ) -> None:
        packed = await asyncio.to_thread(lambda: [(version, packed_text(text)) for version, text in versions])
        await self._insert(principal, canvas, packed)

    async def add_version(self, principal: Principal, id: str, new: NewCanvasVersion) -> tuple[Canvas, CanvasVersion]:
        return await self._append(principal, id, new, await asyncio.to_thread(packed_text, new.text))

    @write
    def _insert(
        self,
        db: Connection,
        principal: Principal,
        canvas: Canvas,
        versions: Sequence[tuple[CanvasVersion, bytes]],
    ) -> None:
        conversations.find(db, principal, canvas.conversation)
        if first_row(db, "SELECT 1 FROM canvas WHERE id = ?", (canvas.id,)) is not None:
            raise Conflict(f"The id {canvas.id!r} is taken; leave it out to be given one.")
        db.execute(
            "INSERT INTO canvas (id, conversation, title, language, created, updated, current)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                canvas.id,
                canvas.conversation,
                canvas.title,
                canvas.language,
                canvas.created,
                canvas.updated,
                canvas.current,
            ),
        )
        for version, packed in versions:
            _insert_version(db, canvas.id, version, packed)

    @write
    def _append(
        self, db: Connection, principal: Principal, id: str, new: NewCanvasVersion, packed: bytes
    ) -> tuple[Canvas, CanvasVersion]:
        canvas = _require(db, principal, id)
        parent, text = _require_version(db, id, new.parent)
        if text == new.text:
            return canvas, parent
        [last] = first_row(db, "SELECT max(number) FROM canvas_version WHERE canvas = ?", (id,)) or (0,)
        now = self.now()
        version = CanvasVersion(last + 1, new.parent, new.author, new.model, new.name, now)
        _insert_version(db, id, version, packed)
        current = version.number if new.parent == canvas.current else canvas.current
        db.execute("UPDATE canvas SET current = ?, updated = ? WHERE id = ?", (current, now, id))
        return replace(canvas, current=current, updated=now), version

    @read
    def list_canvases(self, db: Connection, principal: Principal, conversation: str | None = None) -> list[Canvas]:
        if conversation is not None:
            conversations.find(db, principal, conversation)
        rows = db.execute(
            f"SELECT {_CANVAS} FROM canvas WHERE {_OWN} AND (CAST(?2 AS TEXT) IS NULL OR conversation = ?2)"
            " ORDER BY updated DESC, id DESC",
            (principal.id, conversation),
        )
        return decode_rows(rows, _canvas, self.database.damage.noting("canvases"))

    @read
    def get_canvas(self, db: Connection, principal: Principal, id: str) -> Canvas:
        return _require(db, principal, id)

    @read
    def list_versions(self, db: Connection, principal: Principal, id: str) -> list[CanvasVersion]:
        _require(db, principal, id)
        rows = db.execute(f"SELECT {_VERSION} FROM canvas_version WHERE canvas = ? ORDER BY number", (id,))
        return decode_rows(rows, _version, self.database.damage.noting("canvases"))

    @read
    def get_version(self, db: Connection, principal: Principal, id: str, number: int) -> tuple[CanvasVersion, str]:
        _require(db, principal, id)
        return _require_version(db, id, number)

    @overwrite
    def edit_canvas(
        self,
        db: Connection,
        principal: Principal,
        id: str,
        *,
        title: str | None = None,
        language: str | None = None,
    ) -> Canvas:
        _require(db, principal, id)
        db.execute(
            "UPDATE canvas SET title = coalesce(?, title), language = coalesce(?, language), updated = ? WHERE id = ?",
            (title, language, self.now(), id),
        )
        return _require(db, principal, id)

    @overwrite
    def name_version(self, db: Connection, principal: Principal, id: str, number: int, name: str) -> CanvasVersion:
        _require(db, principal, id)
        db.execute("UPDATE canvas_version SET name = ? WHERE canvas = ? AND number = ?", (name, id, number))
        return _require_version(db, id, number)[0]

    @erase
    def delete_canvas(self, db: Connection, principal: Principal, id: str) -> None:
        _require(db, principal, id)
        db.execute("DELETE FROM canvas WHERE id = ?", (id,))


def _insert_version(db: Connection, id: str, version: CanvasVersion, packed: bytes) -> None:
    db.execute(
        f"INSERT INTO canvas_version (canvas, {_VERSION}, text) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            id,
            version.number,
            version.parent,
            version.author,
            version.model,
            version.name,
            version.created,
            packed,
        ),
    )


def _require(db: Connection, principal: Principal, id: str) -> Canvas:
    row = first_row(db, f"SELECT {_CANVAS} FROM canvas WHERE {_OWN} AND id = ?", (principal.id, id))
    if row is None:
        raise NotFound(f"There is no canvas {id!r}.")
    return _canvas(row)


def _require_version(db: Connection, id: str, number: int) -> tuple[CanvasVersion, str]:
    row = first_row(db, f"SELECT {_VERSION}, text FROM canvas_version WHERE canvas = ? AND number = ?", (id, number))
    if row is None:
        raise NotFound(f"The canvas has no version {number}.")
    *values, packed = row
    return _version(values), unpacked_text(packed)


@row_decoder
def _canvas(row: tuple[Any, ...]) -> Canvas:
    return Canvas(*row)


@row_decoder
def _version(row: Any) -> CanvasVersion:
    return CanvasVersion(*row)
