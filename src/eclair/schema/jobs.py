"""Background work, as it is claimed, counted and shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

WorkKind = Literal["read", "embed", "feeds", "schedules", "batches", "erase"]
"""Kinds of background work that a process does or leaves to others.

Reading documents, embedding them, fetching feeds, running schedules and batches, and erasing what is due.
"""

ClaimKind = Literal[WorkKind, "sign-in", "python", "import"]
"""Kinds of work that one process does at a time.

Background work, changes of a sign-in at an MCP server, code, and imports.
"""

WORK_KINDS: tuple[WorkKind, ...] = get_args(WorkKind)
ALL_WORK = frozenset(WORK_KINDS)

QueueKind = Literal["read", "embed"]
"""Kinds of which many wait, so that their number and age are worth knowing."""


@dataclass(frozen=True, slots=True)
class Job:
    """A claim of this process on something: of what kind, and its subject.

    `attempts` is the number of the claims on it since it last made progress, with this one; `fault` says why the one
    before failed.
    """

    kind: str
    subject: str
    attempts: int
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class JobQueue:
    """Jobs of one kind: how many wait, how many are being done, and the age of the oldest in seconds, if known."""

    kind: QueueKind
    waiting: int
    running: int
    oldest_s: float | None = None


@dataclass(frozen=True, slots=True)
class BackgroundWorker:
    """A process that does background work: where, since when (ms since 1970), what, and how many files at once."""

    process: str
    host: str
    kinds: tuple[WorkKind, ...]
    at_once: int
    began: int
