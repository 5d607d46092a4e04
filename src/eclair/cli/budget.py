"""`eclair budget`: lists, sets and removes budgets, which limit what may be used in a day or a month."""

from __future__ import annotations

import argparse
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import asdict
from decimal import Decimal

import orjson

from eclair.accounts.budget_text import MICROS, MILLIJOULES_PER_WH, format_amount
from eclair.accounts.budgets import Budgets
from eclair.accounts.shown_budgets import ShownBudget, sum_budgets
from eclair.cli._arguments import load_settings
from eclair.cli._logging import log_if_debugging
from eclair.cli._signals import run_async
from eclair.cli._storage import opened_storage
from eclair.cli._terminal import Terminal
from eclair.cli.admin import find_person, list_all_groups
from eclair.cli.models import print_table
from eclair.errors import InvalidInput, NotFound
from eclair.live_settings import LiveSettings
from eclair.schema.budgets import BUDGET_SUBJECTS, Budget, BudgetSubject, BudgetUnit
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.storage.base import Storage
from eclair.storage.budgets import BudgetSum

COLUMNS = ("ID", "FOR", "BUDGET", "USED", "THEN")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_if_debugging(settings)
    match arguments.action:
        case "set":
            return run_async(_set(settings, arguments, terminal))
        case "remove":
            return run_async(_remove(settings, arguments.id, terminal))
        case _:
            return run_async(_list(settings, terminal, json=arguments.json))


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncGenerator[tuple[Storage, Budgets]]:
    async with opened_storage(settings) as storage:
        yield storage, Budgets(storage.budgets, storage.processes, LiveSettings(settings))


async def _set(settings: Settings, arguments: argparse.Namespace, terminal: Terminal) -> int:
    unit, currency, amount = _amount(arguments)
    async with _opened(settings) as (storage, budgets):
        kind, subject = await _subject(arguments.subject, storage)
        budget = Budget(
            id="",
            kind=kind,
            subject=subject,
            unit=unit,
            currency=currency,
            period=arguments.period,
            amount=amount,
            each=not arguments.together,
            soft=arguments.soft or None,
            hard=not arguments.warn_only,
        )
        stored = await budgets.set_budget(LOCAL_PRINCIPAL, budget)
    terminal.line(f"{_name(stored)}: {format_amount(stored, stored.amount)} a {stored.period} ({stored.id}).")
    return 0


async def _list(settings: Settings, terminal: Terminal, *, json: bool) -> int:
    async with _opened(settings) as (storage, budgets):
        listed = await sum_budgets(budgets, storage, settings)
    if json:
        rows = [_row(each) for each in listed]
        terminal.write_bytes(orjson.dumps(rows, option=orjson.OPT_INDENT_2) + b"\n")
    elif listed:
        print_table([COLUMNS, *map(_cells, listed)], terminal)
    else:
        terminal.line("There are no budgets; `eclair budget set --tokens 100000 --per day` makes one for everyone.")
    return 0


async def _remove(settings: Settings, id: str, terminal: Terminal) -> int:
    async with _opened(settings) as (_, budgets):
        await budgets.remove_budget(LOCAL_PRINCIPAL, id)
    terminal.line(f"Removed {id}.")
    return 0


def _amount(arguments: argparse.Namespace) -> tuple[BudgetUnit, str, int]:
    """Return unit, currency and amount of the one option that names them. Raises InvalidInput."""
    money: Decimal | None = arguments.money
    if (money is None) != (arguments.currency is None):
        raise InvalidInput("--money and --currency belong together, such as --money 20 --currency EUR.")
    if money is not None:
        return "money", str(arguments.currency), _positive(round(money * MICROS))
    if arguments.energy is not None:
        return "energy", "", _positive(round(arguments.energy * MILLIJOULES_PER_WH))
    if arguments.images is not None:
        return "images", "", _positive(arguments.images)
    return "tokens", "", _positive(arguments.tokens)


def _positive(amount: int) -> int:
    if amount < 1:
        raise InvalidInput("A budget is more than nothing; name a larger amount.")
    return amount


async def _subject(name: str, storage: Storage) -> tuple[BudgetSubject, str]:
    """Return the kind and the id of whom a budget is for, by name or id. Raises InvalidInput and NotFound."""
    word, _, subject = name.partition(":")
    kinds: dict[str, BudgetSubject] = {each: each for each in BUDGET_SUBJECTS}
    kind = kinds.get(word)
    if kind is None or (kind == "everyone") != (subject == ""):
        raise InvalidInput(
            f"{name!r} is nobody; write everyone, role:NAME, group:NAME, person:NAME or key:NAME.", param="for"
        )
    match kind:
        case "person":
            return kind, await _person_id(subject, storage)
        case "group":
            return kind, await _group_id(subject, storage)
        case "key":
            return kind, await _key_id(subject, storage)
        case _:
            return kind, subject


async def _person_id(name: str, storage: Storage) -> str:
    if name == LOCAL_PRINCIPAL.id or await storage.people.find_facts(name) is not None:
        return name
    return (await find_person(storage, name)).id


async def _group_id(name: str, storage: Storage) -> str:
    found = [group.id for group in await list_all_groups(storage) if name in (group.id, group.name)]
    if len(found) != 1:
        fault = "Several groups are" if found else "There is no group"
        raise NotFound(f"{fault} called {name!r}; `eclair admin groups list --json` shows their ids.")
    return found[0]


async def _key_id(name: str, storage: Storage) -> str:
    keys = await storage.api_keys.list_keys(LOCAL_PRINCIPAL)
    found = next((key for key in keys if name in (key.name, key.id)), None)
    if found is None:
        raise NotFound(f"There is no key {name!r}; `eclair key list` lists them.")
    return found.id


def _name(budget: Budget) -> str:
    name = budget.kind if budget.kind == "everyone" else f"{budget.kind}:{budget.subject}"
    return f"{name} together" if budget.is_shared else name


def _row(shown: ShownBudget) -> dict[str, object]:
    """Return a budget with its use; figures that works-council mode hides are null."""
    use = dict.fromkeys(asdict(BudgetSum())) if shown.use is None else asdict(shown.use)
    return {**asdict(shown.budget), **use, "exhausted": shown.exhausted}


def _cells(shown: ShownBudget) -> tuple[str, ...]:
    budget = shown.budget
    return (
        budget.id,
        _name(budget),
        f"{format_amount(budget, budget.amount)} a {budget.period}",
        "not shown" if shown.use is None else format_amount(budget, shown.use.used),
        "refused" if budget.hard else "warned",
    )
