"""Budgets in SQL: a reservation locks what its budgets have used, so no two fit where one does."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from eclair.errors import NotFound
from eclair.schema.audit import ActDetails
from eclair.schema.budgets import RATE_SCALE, Budget, NeedRate
from eclair.schema.events import PartDelta, decode
from eclair.schema.principal import Principal
from eclair.storage.budgets import BudgetClaim, BudgetGrant, BudgetReservation, BudgetSum, BudgetUse
from eclair.storage.sql.audit import append_act
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.store import SQLStore, first_row, read, read_brief, write, write_brief
from eclair.storage.sql.stored_rows import DECODING_ERRORS, decode_rows, row_decoder

_COLUMNS = "id, kind, subject, unit, currency, period, amount, each, soft, hard"
_PLACE = "budget = ? AND holder = ? AND start = ?"
BYTES_PER_TOKEN = 3
"""Of text whose tokens nobody counted; a safe guess."""
OPEN_SHARE = 4
"""An answer without a limit of its own takes at most this part of what is left, so that others fit beside it."""
OPEN_TOKENS = 1024
"""It may take so many in any case."""


class SQLBudgetStore(SQLStore):
    """Implements `BudgetStore`."""

    @read_brief
    def list_budgets(self, db: Connection) -> list[Budget]:
        return list_budgets(db, self.database.damage.noting("budgets"))

    @write
    def set_budget(self, db: Connection, principal: Principal, budget: Budget) -> Budget:
        return set_budget(db, principal, budget)

    @write
    def remove_budget(self, db: Connection, principal: Principal, id: str) -> None:
        remove_budget(db, principal, id)

    @read_brief
    def get_use(self, db: Connection, budget: str, holder: str, start: str) -> BudgetUse:
        return _use(db, budget, holder, start)

    @read
    def sum_uses(self, db: Connection, budget: Budget, start: str) -> BudgetSum:
        row = first_row(
            db,
            "SELECT count(*), coalesce(sum(used), 0), coalesce(sum(reserved), 0), count(*) FILTER (WHERE used >= ?)"
            " FROM budget_use WHERE budget = ? AND start = ? AND (used > 0 OR reserved > 0)",
            (budget.amount, budget.id, start),
        )
        return BudgetSum(*row)

    @write_brief
    def reserve(self, db: Connection, reservation: BudgetReservation) -> BudgetGrant:
        places = [(claim.budget, claim.holder, claim.start) for claim in reservation.claims]
        db.executemany(
            "INSERT INTO budget_use (budget, holder, start) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", sorted(places)
        )
        locked = {place: _use(db, *place, self.database.row_lock) for place in sorted(places)}  # always in this order
        uses = tuple(locked[place] for place in places)
        tokens = _fitting_tokens(reservation, uses)
        if tokens is None:
            return BudgetGrant(None, uses)
        db.execute(
            "INSERT INTO reservation (id, owner, process, run) VALUES (?, ?, ?, ?)",
            (reservation.id, reservation.owner, reservation.process, reservation.run),
        )
        for claim in reservation.claims:
            _reserve(db, reservation.id, claim, claim.need.amount_for(tokens))
        return BudgetGrant(tokens, uses)

    @write_brief
    def settle(self, db: Connection, id: str, spent: Mapping[str, int]) -> None:
        if first_row(db, f"SELECT 1 FROM reservation WHERE id = ?{self.database.row_lock}", (id,)) is None:
            return
        parts = list(db.execute("SELECT budget, holder, start, amount FROM reserved_part WHERE reservation = ?", (id,)))
        for budget, holder, start, amount in sorted(parts):
            _settle(db, (budget, holder, start), amount, spent.get(budget, 0))
        db.execute("DELETE FROM reservation WHERE id = ?", (id,))

    @read
    def list_processes(self, db: Connection) -> list[str]:
        return [process for (process,) in db.execute("SELECT DISTINCT process FROM reservation")]

    @write_brief
    def settle_dead(self, db: Connection, process: str) -> int:
        left = dict(
            db.execute(
                f"SELECT id, run FROM reservation WHERE process = ? ORDER BY id{self.database.row_lock}", (process,)
            )
        )
        written = {id: None if run is None else _written_tokens(db, run) for id, run in left.items()}
        rows = [
            row
            for id in left
            for row in db.execute(
                "SELECT budget, holder, start, amount, base, rate, reservation FROM reserved_part"
                " WHERE reservation = ?",
                (id,),
            )
        ]
        for budget, holder, start, amount, base, rate, id in sorted(rows):
            tokens = written[id]
            spent = amount if tokens is None else min(amount, NeedRate(base, rate).amount_for(tokens))
            _settle(db, (budget, holder, start), amount, spent)
        db.executemany("DELETE FROM reservation WHERE id = ?", [(id,) for id in left])
        return len(left)

    @write
    def forget_uses(self, db: Connection, before: str) -> None:
        db.execute("DELETE FROM budget_use WHERE start < ? AND reserved = 0", (before,))


def list_budgets(db: Connection, note: Callable[[], None]) -> list[Budget]:
    rows = db.execute(f"SELECT {_COLUMNS} FROM budget ORDER BY id")
    return decode_rows(rows, _budget, note)


def set_budget(db: Connection, principal: Principal, budget: Budget) -> Budget:
    row = first_row(
        db,
        f"INSERT INTO budget ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (kind, subject, unit, currency, period, each)"
        " DO UPDATE SET amount = excluded.amount, soft = excluded.soft, hard = excluded.hard"
        f" RETURNING {_COLUMNS}",
        (
            *(budget.id, budget.kind, budget.subject, budget.unit, budget.currency, budget.period),
            *(budget.amount, budget.each, budget.soft, budget.hard),
        ),
    )
    stored = _budget(row)
    details: ActDetails = {"unit": stored.unit, "period": stored.period, "amount": stored.amount}
    append_act(db, principal, "budget.changed", stored.id, details=details)
    return stored


def remove_budget(db: Connection, principal: Principal, id: str) -> None:
    db.execute("DELETE FROM budget WHERE id = ?", (id,))
    if not db.changes():
        raise NotFound(f"There is no budget {id!r}; `eclair budget list` lists them.")
    db.execute("DELETE FROM budget_use WHERE budget = ?", (id,))
    append_act(db, principal, "budget.changed", id, details={"removed": True})


def has_budgets(db: Connection) -> bool:
    """Tell whether anything has a budget."""
    return first_row(db, "SELECT 1 FROM budget", ()) is not None


@row_decoder
def _budget(row: Any) -> Budget:
    id, kind, subject, unit, currency, period, amount, each, soft, hard = row
    return Budget(
        id=id,
        kind=kind,
        subject=subject,
        unit=unit,
        currency=currency,
        period=period,
        amount=amount,
        each=bool(each),
        soft=soft,
        hard=bool(hard),
    )


def _use(db: Connection, budget: str, holder: str, start: str, lock: str = "") -> BudgetUse:
    row = first_row(db, f"SELECT used, reserved FROM budget_use WHERE {_PLACE}{lock}", (budget, holder, start))
    return BudgetUse() if row is None else BudgetUse(*row)


def _fitting_tokens(reservation: BudgetReservation, uses: Sequence[BudgetUse]) -> int | None:
    """Return how many tokens the answer may have, so that it fits all budgets; None if that is too few."""
    tokens = reservation.most
    for claim, use in zip(reservation.claims, uses, strict=True):
        if claim.limit is None:
            continue
        room = claim.limit - use.used - use.reserved - claim.need.base
        if room < 0:
            return None
        if claim.need.rate > 0:
            fitting = room * RATE_SCALE // claim.need.rate
            if reservation.is_open:
                fitting = max(min(fitting, OPEN_TOKENS), fitting // OPEN_SHARE)
            tokens = min(tokens, fitting)
    return None if tokens < reservation.least else tokens


def _reserve(db: Connection, reservation: str, claim: BudgetClaim, amount: int) -> None:
    place = (claim.budget, claim.holder, claim.start)
    db.execute(f"UPDATE budget_use SET reserved = reserved + ? WHERE {_PLACE}", (amount, *place))
    db.execute(
        "INSERT INTO reserved_part (reservation, budget, holder, start, amount, base, rate)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (reservation, *place, amount, claim.need.base, claim.need.rate),
    )


def _settle(db: Connection, place: tuple[str, str, str], reserved: int, spent: int) -> None:
    """Turn a reserved amount into what was spent; the budget may have been removed meanwhile."""
    db.execute(
        f"UPDATE budget_use SET reserved = max(0, reserved - ?), used = used + ? WHERE {_PLACE}",
        (reserved, spent, *place),
    )


def _written_tokens(db: Connection, run: str) -> int | None:
    """Estimate the tokens that a run's log holds; None if it has none, or it is damaged."""
    chunks = list(db.execute("SELECT lines FROM chunk WHERE run = ?", (run,)))
    if not chunks:
        return None
    try:
        events = [decode(line) for (lines,) in chunks for line in lines.split("\n")]
    except DECODING_ERRORS:
        return None
    size = sum(len(event.text.encode()) for event in events if isinstance(event, PartDelta))
    return -(-size // BYTES_PER_TOKEN)
