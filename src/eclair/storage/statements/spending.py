"""What answers took, summed for each day and model as they end. Nothing here leads back to a conversation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from itertools import groupby
from typing import Any

import apsw

from eclair.schema.messages import Cost, Message, Usage
from eclair.storage.types import Grouping, Spent

_SUMMED = (
    "answers",
    "words",
    "prompt_tokens",
    "cached_tokens",
    "completion_tokens",
    "milliseconds",
    "metered",
    "measured_mj",
    "estimated_mj",
    "micros",
)
_UNMEASURED = Usage(None, None, None, None, 0, None)
_GROUPS = {"day": "day", "model": "model", None: "''"}


def add_answer(db: apsw.Connection, owner: str, message: Message, now: int) -> None:
    """Count it unless nothing came. Of one whose process died before it could measure, only that it was given."""
    if message.usage is not None or message.parts:
        add(db, owner, message.model or "", message.usage or _UNMEASURED, now)


def add(db: apsw.Connection, owner: str, model: str, usage: Usage, now: int, *, answers: int = 1) -> None:
    energy, cost = usage.energy, usage.cost
    millijoules = 0 if energy is None else round(energy.joules * 1000)
    measured = energy is not None and energy.kind == "measured"
    values = (
        answers,
        usage.words,
        usage.prompt_tokens or 0,
        usage.cached_tokens or 0,
        usage.completion_tokens or 0,
        round((usage.seconds or 0) * 1000),
        answers if energy is not None else 0,
        millijoules if measured else 0,
        0 if measured else millijoules,
        0 if cost is None else cost.micros,
    )
    db.execute(
        f"INSERT INTO spent (owner, day, model, currency, {', '.join(_SUMMED)})"
        f" VALUES (?, ?, ?, ?, {', '.join('?' * len(_SUMMED))})"
        f" ON CONFLICT DO UPDATE SET {', '.join(f'{name} = {name} + excluded.{name}' for name in _SUMMED)}",
        (owner, _day(now).isoformat(), model, "" if cost is None else cost.currency, *values),
    )


def summed(db: apsw.Connection, owner: str, first: date | None, last: date | None, by: Grouping | None) -> list[Spent]:
    rows = db.execute(
        f"SELECT {_GROUPS[by]} AS name, currency, {', '.join(f'sum({name})' for name in _SUMMED)} FROM spent"
        " WHERE owner = ? AND day BETWEEN ? AND ? GROUP BY name, currency ORDER BY name, currency",
        (owner, (first or date.min).isoformat(), (last or date.max).isoformat()),
    )
    return [_spent(str(name), list(group)) for name, group in groupby(rows, key=lambda row: row[0])]


def _spent(name: str, rows: Sequence[tuple[Any, ...]]) -> Spent:
    """One group, of which there is a row for each currency."""
    total = {column: sum(int(row[at]) for row in rows) for at, column in enumerate(_SUMMED, start=2)}
    return Spent(
        name=name,
        answers=total["answers"],
        words=total["words"],
        prompt_tokens=total["prompt_tokens"],
        cached_tokens=total["cached_tokens"],
        completion_tokens=total["completion_tokens"],
        seconds=total["milliseconds"] / 1000,
        metered=total["metered"],
        measured_joules=total["measured_mj"] / 1000,
        estimated_joules=total["estimated_mj"] / 1000,
        costs=tuple(Cost(row[-1], row[1]) for row in rows if row[1]),
    )


def _day(now: int) -> date:
    """The day of a moment in milliseconds, where this machine is."""
    return datetime.fromtimestamp(now / 1000).date()
