"""Usage in SQL, summed for each owner, day, model and currency as answers end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime
from itertools import groupby
from typing import Any

from eclair.schema.messages import Cost, Message, Usage
from eclair.schema.principal import Principal
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.store import SQLStore, read, write_brief
from eclair.storage.usage import UsageGrouping, UsageTotal

MAX_SPEED_MESSAGES = 200
"""The latest messages that model speeds are averaged over."""
MIN_SPEED_WORDS = 10
"""The speed of a shorter answer says little."""

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


class SQLUsageStore(SQLStore):
    """Implements `UsageStore`."""

    @write_brief
    def add_usage(self, db: Connection, principal: Principal, model: str, usage: Usage, *, answers: int = 1) -> None:
        _add(db, principal, model, usage, self.now(), answers)

    @read
    def sum_usage(
        self,
        db: Connection,
        principal: Principal,
        first: date | None = None,
        last: date | None = None,
        by: UsageGrouping | None = None,
    ) -> list[UsageTotal]:
        rows = db.execute(
            f"SELECT {_GROUPS[by]} AS name, currency, {', '.join(f'coalesce(sum({name}), 0)' for name in _SUMMED)}"
            " FROM spent"
            " WHERE owner = ? AND day BETWEEN ? AND ? GROUP BY name, currency ORDER BY name, currency",
            (principal.id, (first or date.min).isoformat(), (last or date.max).isoformat()),
        )
        return [_total(str(name), list(group)) for name, group in groupby(rows, key=lambda row: row[0])]

    @read
    def get_model_speeds(self, db: Connection) -> dict[str, float]:
        rows = db.execute(
            "SELECT model, avg(speed) FROM (SELECT body ->> '$.model' AS model,"
            " CAST(body ->> '$.usage.words' AS BIGINT) AS words,"
            " CAST(body ->> '$.usage.words_per_second' AS DOUBLE PRECISION) AS speed FROM message"
            " WHERE json_valid(body) ORDER BY number DESC LIMIT ?) AS measured"
            " WHERE model IS NOT NULL AND speed IS NOT NULL AND words >= ? GROUP BY model",
            (MAX_SPEED_MESSAGES, MIN_SPEED_WORDS),
        )
        return dict(rows)


def add_answer(db: Connection, principal: Principal, message: Message, now: int) -> None:
    """Count an answer unless it is empty; without usage, as after its process died, only that it was given."""
    if message.usage is not None or message.parts:
        _add(db, principal, message.model or "", message.usage or _UNMEASURED, now, 1)


def _add(db: Connection, principal: Principal, model: str, usage: Usage, now: int, answers: int) -> None:
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
    sums = ", ".join(f"{name} = spent.{name} + excluded.{name}" for name in _SUMMED)
    db.execute(
        f"INSERT INTO spent (owner, day, model, currency, {', '.join(_SUMMED)})"
        f" VALUES (?, ?, ?, ?, {', '.join('?' * len(_SUMMED))})"
        f" ON CONFLICT (owner, day, model, currency) DO UPDATE SET {sums}",
        (principal.id, _day(now).isoformat(), model, "" if cost is None else cost.currency, *values),
    )


def _total(name: str, rows: Sequence[tuple[Any, ...]]) -> UsageTotal:
    """Return the total of one group, which has a row for each currency."""
    total = {column: sum(int(row[at]) for row in rows) for at, column in enumerate(_SUMMED, start=2)}
    return UsageTotal(
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
    """Return the local day of a moment in milliseconds."""
    return datetime.fromtimestamp(now / 1000).date()
