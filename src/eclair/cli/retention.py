"""`eclair retention`: for how long what people keep stays: the setting, the rules, legal holds, and a preview."""

from __future__ import annotations

import argparse
import asyncio
import time
from datetime import datetime
from typing import cast, get_args

from eclair.chat.conversations import DAY_S
from eclair.cli._arguments import load_settings
from eclair.cli._logging import log_if_debugging
from eclair.cli._own_figures import hides_own_figures
from eclair.cli._storage import opened_storage
from eclair.cli._terminal import Terminal
from eclair.errors import InvalidInput
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.storage.conversations import InactiveConversations
from eclair.storage.retention import EVERYONE, HoldScope, LegalHold, RetentionRule, RetentionScope

DAYS_BY_NAME = {"forever": None, "temporary": 0}
MAX_DAYS = 36_500


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_if_debugging(settings)
    if arguments.set is not None:
        rule = _parse_rule(*arguments.set)
        return asyncio.run(_set_rule(settings, rule, terminal))
    if arguments.unset is not None:
        scope, subject = _parse_target(arguments.unset, get_args(RetentionScope))
        return asyncio.run(_unset_rule(settings, cast(RetentionScope, scope), subject, terminal))
    if arguments.hold is not None or arguments.lift is not None:
        scope, subject = _parse_target(arguments.hold or arguments.lift, get_args(HoldScope))
        hold = LegalHold(scope=cast(HoldScope, scope), subject=subject, reason=arguments.reason, placed=0)
        return asyncio.run(_change_hold(settings, hold, terminal, lift=arguments.hold is None))
    if settings.keep_days:
        terminal.line(f"Conversations are erased {_days(settings.keep_days)} after their last message (keep_days).")
    else:
        terminal.line("Conversations are kept until they are deleted; keep_days sets a limit.")
    return asyncio.run(_show(settings, arguments.days or settings.keep_days, terminal))


async def _show(settings: Settings, days: int, terminal: Terminal) -> int:
    async with opened_storage(settings) as storage:
        for rule in await storage.retention.list_rules():
            terminal.line(f"Rule for {_target(rule.scope, rule.subject)}: {_describe_rule(rule)}.")
        for hold in await storage.retention.list_holds():
            reason = f": {hold.reason}" if hold.reason else ""
            terminal.line(f"Legal hold on {_target(hold.scope, hold.subject)} since {_date(hold.placed)}{reason}")
        if days and not hides_own_figures(settings):
            before = int((time.time() - days * DAY_S) * 1000)
            terminal.line(_describe(await storage.conversations.count_inactive(LOCAL_PRINCIPAL, before), days))
    return 0


async def _set_rule(settings: Settings, rule: RetentionRule, terminal: Terminal) -> int:
    async with opened_storage(settings) as storage:
        await storage.retention.set_rule(LOCAL_PRINCIPAL, rule)
    terminal.line(f"Rule for {_target(rule.scope, rule.subject)}: {_describe_rule(rule)}.")
    return 0


async def _unset_rule(settings: Settings, scope: RetentionScope, subject: str, terminal: Terminal) -> int:
    async with opened_storage(settings) as storage:
        await storage.retention.delete_rule(LOCAL_PRINCIPAL, scope, subject)
    terminal.line(f"Deleted the rule for {_target(scope, subject)}.")
    return 0


async def _change_hold(settings: Settings, hold: LegalHold, terminal: Terminal, *, lift: bool) -> int:
    async with opened_storage(settings) as storage:
        if lift:
            await storage.retention.lift_hold(LOCAL_PRINCIPAL, hold.scope, hold.subject)
        else:
            await storage.retention.place_hold(LOCAL_PRINCIPAL, hold)
    terminal.line(f"{'Lifted' if lift else 'Placed'} the legal hold on {_target(hold.scope, hold.subject)}.")
    return 0


def _parse_rule(target: str, days: str) -> RetentionRule:
    """Return the rule for `everyone` or `SCOPE:ID`. Raises InvalidInput."""
    scope, subject = _parse_target(target, get_args(RetentionScope))
    if days in DAYS_BY_NAME:
        number = DAYS_BY_NAME[days]
    elif days.isascii() and days.isdigit() and 1 <= int(days[:9]) <= MAX_DAYS:
        number = int(days)
    else:
        raise InvalidInput(f"{days!r} is no limit; give days from 1 to {MAX_DAYS:,}, or forever or temporary.")
    if number == 0 and scope not in ("everyone", "group"):
        raise InvalidInput("Temporary chats alone are a rule for everyone or for a group; give days.")
    return RetentionRule(scope=cast(RetentionScope, scope), subject=subject, days=number)


def _parse_target(text: str, scopes: tuple[str, ...]) -> tuple[str, str]:
    """Split `SCOPE:ID`. Raises InvalidInput."""
    scope, _, subject = text.partition(":")
    if scope not in scopes or (scope == "everyone") != (subject == EVERYONE):
        kinds = ", ".join(each if each == "everyone" else f"{each}:ID" for each in scopes)
        raise InvalidInput(f"{text!r} is none of {kinds}.")
    return scope, subject


def _target(scope: str, subject: str) -> str:
    return f"{scope} {subject}" if subject else scope


def _describe_rule(rule: RetentionRule) -> str:
    if rule.days is None:
        return "kept for ever"
    return f"erased after {_days(rule.days)}" if rule.days else "temporary chats only"


def _describe(found: InactiveConversations, days: int) -> str:
    if found.oldest is None or found.newest is None:
        text = f"With {_days(days)}, nothing would be erased now."
    else:
        text = (
            f"With {_days(days)}, {_conversations(found.conversations)} would be erased now, "
            f"with last messages from {_date(found.oldest)} to {_date(found.newest)}."
        )
    return f"{text} {_conversations(found.pinned)} as old would stay, pinned." if found.pinned else text


def _days(days: int) -> str:
    return f"{days:,} day{'' if days == 1 else 's'}"


def _conversations(count: int) -> str:
    return f"{count:,} conversation{'' if count == 1 else 's'}"


def _date(moment: int) -> str:
    return datetime.fromtimestamp(moment / 1000).date().isoformat()
