"""Batches in SQL. A file of replies has no bytes of its own: it is made of the replies as it is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson
from pydantic import TypeAdapter

from eclair.errors import Conflict, NotFound
from eclair.schema.principal import Principal
from eclair.storage.batches import (
    UNFINISHED_STATUSES,
    BatchDetails,
    BatchFault,
    BatchFile,
    BatchStatus,
    KeptBatches,
    StoredBatch,
)
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.job_rows import NOW, free
from eclair.storage.sql.store import SQLStore, erase, first_row, overwrite, read, snapshot, write
from eclair.storage.sql.stored_rows import DECODING_ERRORS, decode_rows, row_decoder

REPLIES_PER_PART = 100

_DETAILS = TypeAdapter(BatchDetails)
_FILE = "id, owner, name, created, size, expires, batch, failed"
_IS_KEPT = f"coalesce(expires > {NOW}, TRUE)"
_BATCH = (
    "id, owner, created, status, details, (SELECT count(*) FROM batch_reply WHERE batch = batch.id),"
    " (SELECT count(*) FROM batch_reply WHERE batch = batch.id AND failed)"
)
_UNFINISHED = ", ".join(f"'{status}'" for status in UNFINISHED_STATUSES)
_INPUT_FILE = "coalesce(CASE WHEN json_valid(details) THEN details ->> '$.input_file' END, '')"
"""Nothing of a damaged batch, which is never read on."""


class SQLBatchStore(SQLStore):
    """Implements `BatchStore`."""

    @write
    def add_file(self, db: Connection, principal: Principal, file: BatchFile, parts: Sequence[bytes]) -> None:
        _add_file(db, replace(file, owner=principal.id))
        db.executemany(
            "INSERT INTO batch_part (file, number, data) VALUES (?, ?, ?)",
            ((file.id, number, part) for number, part in enumerate(parts)),
        )

    @read
    def get_file(self, db: Connection, principal: Principal, id: str) -> BatchFile:
        return self._find_file(db, principal, id)

    @read
    def list_files(self, db: Connection, principal: Principal) -> list[BatchFile]:
        rows = db.execute(
            f"SELECT {_FILE} FROM batch_file WHERE owner = ? AND {_IS_KEPT} ORDER BY created DESC, id DESC",
            (principal.id,),
        )
        return decode_rows(rows, _file, self.database.damage.noting("files"))

    @read
    def read_part(self, db: Connection, principal: Principal, id: str, number: int) -> bytes | None:
        with snapshot(db):
            file = self._find_file(db, principal, id)
            if file.batch is None:
                row = first_row(db, "SELECT data FROM batch_part WHERE file = ? AND number = ?", (id, number))
                return None if row is None else bytes(row[0])
            rows = db.execute(
                "SELECT body FROM batch_reply WHERE batch = ? AND failed = ? ORDER BY line LIMIT ? OFFSET ?",
                (file.batch, file.failed, REPLIES_PER_PART, number * REPLIES_PER_PART),
            )
            return b"".join(bytes(body) for (body,) in rows) or None

    @overwrite
    def delete_file(self, db: Connection, principal: Principal, id: str) -> None:
        file = self._find_file(db, principal, id)
        used = first_row(
            db,
            f"SELECT id FROM batch WHERE status IN ({_UNFINISHED}) AND {_INPUT_FILE} = ?",
            (id,),
        )
        if used is not None:
            raise Conflict(f"The batch {used[0]} still reads this file; cancel it first.")
        _erase_file(db, file)

    @overwrite
    def erase_expired_files(self, db: Connection, now: int) -> None:
        rows = db.execute(
            f"SELECT {_FILE} FROM batch_file WHERE expires <= ? AND id NOT IN"
            f" (SELECT {_INPUT_FILE} FROM batch WHERE status IN ({_UNFINISHED}))",
            (now,),
        )
        for file in decode_rows(rows, _file, self.database.damage.noting("files")):
            _erase_file(db, file)

    @write
    def add_batch(self, db: Connection, principal: Principal, batch: StoredBatch) -> None:
        self._find_file(db, principal, batch.details.input_file)
        db.execute(
            "INSERT INTO batch (id, owner, created, status, details) VALUES (?, ?, ?, ?, ?)",
            (batch.id, principal.id, batch.created, batch.status, _encoded(batch.details)),
        )

    @read
    def get_batch(self, db: Connection, principal: Principal, id: str) -> StoredBatch:
        return _find_batch(db, principal, id)

    @read
    def list_batches(
        self, db: Connection, principal: Principal, limit: int, after: str | None = None
    ) -> list[StoredBatch]:
        last = _find_batch(db, principal, after) if after is not None else None
        bound = (1, "") if last is None else (last.created, last.id)
        rows = db.execute(
            f"SELECT {_BATCH} FROM batch WHERE owner = ? AND (? OR (created, id) < (?, ?))"
            " ORDER BY created DESC, id DESC LIMIT ?",
            (principal.id, last is None, *bound, limit),
        )
        return decode_rows(rows, _batch, self.database.damage.noting("batches"))

    @read
    def find_next_batch(self, db: Connection, except_of: Sequence[str] = ()) -> StoredBatch | None:
        query = (
            f"SELECT {_BATCH} FROM batch WHERE status IN ({_UNFINISHED})"
            f" AND owner NOT IN (SELECT value FROM json_each(?)) AND {free('batches', 'batch.owner')}"
            " ORDER BY status <> 'cancelling', created, id LIMIT 1 OFFSET ?"
        )
        damaged = 0
        while True:
            try:
                row = first_row(db, query, (orjson.dumps(list(except_of)).decode(), damaged))
                return None if row is None else _batch(row)
            except DECODING_ERRORS:
                self.database.damage.note_row("batches")
                damaged += 1

    @read
    def get_status(self, db: Connection, id: str) -> BatchStatus | None:
        row = first_row(db, "SELECT status FROM batch WHERE id = ?", (id,))
        return None if row is None else row[0]

    @write
    def begin_batch(self, db: Connection, id: str, lines: int, now: int) -> None:
        row = first_row(db, f"SELECT {_BATCH} FROM batch WHERE id = ? AND status = 'validating'", (id,))
        if row is not None:
            _change(db, id, "in_progress", replace(_batch(row).details, lines=lines, begun=now))

    @write
    def cancel_batch(self, db: Connection, principal: Principal, id: str, now: int) -> StoredBatch:
        batch = _find_batch(db, principal, id)
        if not batch.is_finished and batch.status != "cancelling":
            _change(db, id, "cancelling", replace(batch.details, cancelled=now))
        return _find_batch(db, principal, id)

    @read
    def count_kept(self, db: Connection, principal: Principal) -> KeptBatches:
        (batches,) = first_row(db, "SELECT count(*) FROM batch WHERE owner = ?", (principal.id,))
        (files,) = first_row(
            db,
            f"SELECT count(*) FROM batch_file WHERE owner = ? AND {_IS_KEPT}",
            (principal.id,),
        )
        return KeptBatches(batches, files)

    @erase
    def delete_all(self, db: Connection, principal: Principal) -> None:
        for table in ("batch", "batch_file"):
            db.execute(f"DELETE FROM {table} WHERE owner = ?", (principal.id,))

    @write
    def add_reply(self, db: Connection, batch: str, line: int, body: bytes, *, failed: bool) -> None:
        db.execute(
            "INSERT INTO batch_reply (batch, line, failed, body) SELECT ?1, ?2, ?3, ?4"
            " WHERE EXISTS (SELECT 1 FROM batch WHERE id = ?1) ON CONFLICT DO NOTHING",
            (batch, line, failed, body),
        )

    @read
    def list_answered_lines(self, db: Connection, batch: str) -> set[int]:
        return {int(line) for (line,) in db.execute("SELECT line FROM batch_reply WHERE batch = ?", (batch,))}

    @write
    def finish_batch(
        self,
        db: Connection,
        id: str,
        status: BatchStatus,
        now: int,
        files: Sequence[BatchFile] = (),
        faults: Sequence[BatchFault] = (),
    ) -> None:
        row = first_row(db, f"SELECT {_BATCH} FROM batch WHERE id = ? AND status IN ({_UNFINISHED})", (id,))
        if row is None:
            return
        details = replace(_batch(row).details, ended=now, faults=tuple(faults))
        for file in files:
            count, size = first_row(
                db,
                "SELECT count(*), coalesce(sum(length(body)), 0) FROM batch_reply WHERE batch = ? AND failed = ?",
                (id, file.failed),
            )
            if count:
                _add_file(db, replace(file, size=size))
                details = replace(details, **{"error_file" if file.failed else "output_file": file.id})
        _change(db, id, status, details)

    def _find_file(self, db: Connection, principal: Principal, id: str) -> BatchFile:
        row = first_row(
            db,
            f"SELECT {_FILE} FROM batch_file WHERE owner = ? AND id = ? AND {_IS_KEPT}",
            (principal.id, id),
        )
        if row is None:
            raise NotFound(f"There is no file {id!r} for batches; upload one with the purpose `batch`.")
        return _file(row)


def _add_file(db: Connection, file: BatchFile) -> None:
    values = (file.id, file.owner, file.name, file.created, file.size, file.expires, file.batch, file.failed)
    db.execute(f"INSERT INTO batch_file ({_FILE}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)


def _erase_file(db: Connection, file: BatchFile) -> None:
    if file.batch is not None:
        db.execute("DELETE FROM batch_reply WHERE batch = ? AND failed = ?", (file.batch, file.failed))
    db.execute("DELETE FROM batch_file WHERE id = ?", (file.id,))


def _find_batch(db: Connection, principal: Principal, id: str) -> StoredBatch:
    row = first_row(db, f"SELECT {_BATCH} FROM batch WHERE owner = ? AND id = ?", (principal.id, id))
    if row is None:
        raise NotFound(f"There is no batch {id!r}; `eclair batches` lists yours.")
    return _batch(row)


def _change(db: Connection, id: str, status: BatchStatus, details: BatchDetails) -> None:
    db.execute("UPDATE batch SET status = ?, details = ? WHERE id = ?", (status, _encoded(details), id))


def _encoded(details: BatchDetails) -> str:
    return _DETAILS.dump_json(details).decode()


@row_decoder
def _batch(row: Any) -> StoredBatch:
    id, owner, created, status, details, replies, failures = row
    return StoredBatch(id, owner, created, status, _DETAILS.validate_json(details), replies, int(failures))


@row_decoder
def _file(row: Any) -> BatchFile:
    id, owner, name, created, size, expires, batch, failed = row
    return BatchFile(
        id=id,
        owner=owner,
        name=name,
        created=created,
        size=size,
        expires=expires,
        batch=batch,
        failed=bool(failed),
    )
