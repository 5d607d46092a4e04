"""Rows of claims on background work, shared by the stores of jobs and documents."""

from __future__ import annotations

from eclair.errors import Conflict
from eclair.schema.jobs import Job
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.store import first_row

NOW = "CAST(unixepoch('subsec') * 1000 AS bigint)"
"""The time in milliseconds since 1970 by the clock of the database."""


def free(kind: str, subject: str) -> str:
    """Return the condition that nobody has claimed a subject, and that it need not wait after a failure."""
    return (
        f"NOT EXISTS (SELECT 1 FROM job WHERE job.kind = '{kind}' AND job.subject = {subject}"
        f" AND (job.process IS NOT NULL OR job.due > {NOW}))"
    )


def claim_job(db: Connection, process: str, kind: str, subject: str) -> Job | None:
    """Claim a subject for a process; None where it isn't free."""
    row = first_row(
        db,
        "INSERT INTO job (kind, subject, process, claimed, attempts)"
        f" VALUES (?, ?, ?, {NOW}, 1) ON CONFLICT (kind, subject) DO UPDATE SET process = excluded.process,"
        " claimed = excluded.claimed, attempts = job.attempts + 1"
        f" WHERE job.process IS NULL AND job.due <= {NOW} RETURNING attempts, fault",
        (kind, subject, process),
    )
    return None if row is None else Job(kind, subject, *row)


def require_claim(db: Connection, process: str, job: Job, lock: str = "") -> None:
    """Raise Conflict where a claim has passed to another process, as after an outage, or its subject is gone.

    It can't pass within the transaction if `lock` is the lock of the database.
    """
    held = f"SELECT 1 FROM job WHERE kind = ? AND subject = ? AND process = ?{lock}"
    if first_row(db, held, (job.kind, job.subject, process)) is None:
        raise Conflict("Another process has taken over this work.")


def note_progress(db: Connection, job: Job) -> None:
    """Reset the count of attempts, since this one has made progress."""
    db.execute("UPDATE job SET attempts = 1 WHERE kind = ? AND subject = ? AND attempts > 1", (job.kind, job.subject))


def forget_jobs(db: Connection, document: str) -> None:
    """End all claims and attempts on a document, by its SHA-256."""
    db.execute("DELETE FROM job WHERE kind IN ('read', 'embed') AND subject = ?", (document,))


def end_reading(db: Connection, document: str) -> None:
    """End the claim on the reading of a document."""
    db.execute("DELETE FROM job WHERE kind = 'read' AND subject = ?", (document,))
