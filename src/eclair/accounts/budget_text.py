"""Sentences about budgets, for people."""

from __future__ import annotations

from datetime import datetime

from eclair.schema.budgets import Budget, BudgetState

_HOLDERS = {"everyone": "Everyone's", "role": "Your role's", "group": "Your group's", "key": "This key's"}
MILLIJOULES_PER_WH = 3_600_000
MICROS = 1_000_000


def describe_budget(budget: Budget) -> str:
    """Describe a budget as whoever holds it knows it: "Your budget of 1,000 tokens a day"."""
    holder = "Your" if budget.kind == "person" or (budget.each and budget.kind != "key") else _HOLDERS[budget.kind]
    return f"{holder} budget of {format_amount(budget, budget.amount)} a {budget.period}"


def format_amount(budget: Budget, amount: int) -> str:
    """Format an amount in the unit of a budget."""
    match budget.unit:
        case "tokens":
            return f"{amount:,} tokens"
        case "images":
            return f"{amount:,} image{'' if amount == 1 else 's'}"
        case "energy":
            return f"{amount / MILLIJOULES_PER_WH:,.4g} Wh"
        case "money":
            return f"{amount / MICROS:,.2f} {budget.currency}"


def describe_refusal(state: BudgetState) -> str:
    """Say why a budget lets no more through, and when it refills."""
    what, when = describe_budget(state.budget), _moment(state.refills)
    if state.used >= state.budget.amount:
        return f"{what} is used up; it refills on {when}."
    if state.reserved:
        return f"{what} is taken by answers that are being made; try again when they are done."
    left = format_amount(state.budget, state.left)
    return f"{what} has {left} left, which isn't enough for this; ask for less, or wait until it refills on {when}."


def describe_warning(state: BudgetState) -> str:
    """Say how much of a budget is used, and when it refills."""
    what, when = describe_budget(state.budget), _moment(state.refills)
    if state.used >= state.budget.amount:
        return f"{what} is used up; it refills on {when}."
    return f"{what} is {state.used * 100 // state.budget.amount} % used; it refills on {when}."


def _moment(milliseconds: int) -> str:
    moment = datetime.fromtimestamp(milliseconds / 1000)
    return f"{moment.day} {moment:%B at %H:%M}"
