"""Seals of the egress log: digests of its finished calls, which the audit log keeps, so that none changes unseen.

A seal covers the calls from one id to another. A URL is in it only by a salted hash, since it may be erased.
"""

from __future__ import annotations

import hashlib
from typing import Any

import orjson

from eclair.storage.sql.connection import Connection
from eclair.storage.sql.store import first_row

_SEALED = (
    "id, owner, moment, purpose, run, method, host, address, country, sent, received, status, milliseconds, verdict,"
    " reason, hex(url_hash)"
)
_THROUGH = "SELECT max(CAST(details ->> '$.through' AS BIGINT)) FROM audit WHERE action = 'egress.sealed'"


def url_hash(salt: bytes, url: str) -> bytes:
    """Return the hash of a call's URL."""
    return hashlib.sha256(salt + url.encode()).digest()


def sealed_through(db: Connection, before: int | None = None) -> int:
    """Return the id of the last call that is sealed; with `before`, of the last seal that ends before that id."""
    found: Any
    if before is None:
        (found,) = first_row(db, _THROUGH, ())
    else:
        (found,) = first_row(db, f"{_THROUGH} AND CAST(details ->> '$.through' AS BIGINT) < ?", (before,))
    return found or 0


def seal_calls(db: Connection) -> dict[str, str | int | bool | None] | None:
    """Return the seal of all calls since the last up to the first that is under way; None where there are none."""
    after = sealed_through(db)
    unfinished = "SELECT min(id) - 1 FROM egress WHERE verdict = 'begun'"
    (through,) = first_row(db, f"SELECT coalesce(({unfinished}), (SELECT max(id) FROM egress), 0)", ())
    found = digest_calls(db, after, through) if through > after else None
    if found is None or not found[0]:
        return None
    return {"after": after, "through": through, "calls": found[0], "digest": found[1]}


def digest_calls(db: Connection, after: int, through: int) -> tuple[int, str] | None:
    """Return number and digest of the calls of higher ids up to `through`; None where a URL was changed."""
    digest, count = hashlib.sha256(), 0
    rows = db.execute(
        f"SELECT url, url_salt, url_hash, {_SEALED} FROM egress WHERE id > ? AND id <= ? ORDER BY id", (after, through)
    )
    for url, salt, hash, *sealed in rows:
        if hash is not None and url is not None:
            is_sound = isinstance(salt, bytes) and isinstance(url, str) and url_hash(salt, url) == hash
            if not is_sound:
                return None
        digest.update(orjson.dumps(sealed, default=repr) + b"\n")
        count += 1
    return count, digest.hexdigest()
