"""Headers that say what is left of budgets: `RateLimit` and `RateLimit-Policy`.

Their form is that of draft-ietf-httpapi-ratelimit-headers. A budget is named for its unit, or its currency, and its
period: `"tokens-day";r=1200;t=3600`. Money is in millionths, energy in millijoules.
"""

from __future__ import annotations

import time

from starlette.types import Message, Send

from eclair.accounts.budgets import CURRENT_STATES
from eclair.schema.budgets import BudgetState

_PERIOD_S = {"day": 86_400, "month": 30 * 86_400}


def add_budget_headers(send: Send) -> Send:
    """Wrap `send` so that the reply tells of the budgets that its request was found to be within."""
    states: list[BudgetState] = []
    CURRENT_STATES.set(states)

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start" and states:
            message["headers"] = [*message["headers"], *_headers(states)]
        await send(message)

    return sending


def _headers(states: list[BudgetState]) -> list[tuple[bytes, bytes]]:
    """Return the headers; of several budgets of one name, the one with the least left counts."""
    named: dict[str, BudgetState] = {}
    for state in sorted(states, key=lambda each: each.left, reverse=True):
        named[_name(state)] = state
    left = ", ".join(f'"{name}";r={each.left};t={_seconds_until(each.refills)}' for name, each in named.items())
    policy = ", ".join(
        f'"{name}";q={each.budget.amount};w={_PERIOD_S[each.budget.period]}' for name, each in named.items()
    )
    return [(b"ratelimit", left.encode()), (b"ratelimit-policy", policy.encode())]


def _name(state: BudgetState) -> str:
    budget = state.budget
    return f"{(budget.currency or budget.unit).lower()}-{budget.period}"


def _seconds_until(moment: int) -> int:
    return max(0, round(moment / 1000 - time.time()))
