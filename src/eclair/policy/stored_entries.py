"""Entries of what is stored, and values of the store for entries."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import cast

from eclair.accounts.budget_text import MICROS, MILLIJOULES_PER_WH
from eclair.policy.logo_files import write_logo
from eclair.policy.policy_entries import (
    VAULT,
    AnnouncementEntry,
    BrandingEntry,
    BudgetEntry,
    EngineEntry,
    GrantEntry,
    GroupEntry,
    HoldEntry,
    PolicyEntry,
    RetentionEntry,
    WebEntry,
    name_entry,
)
from eclair.policy.policy_file import PolicyTables
from eclair.policy.policy_names import PolicyNames
from eclair.schema.announcements import Announcement
from eclair.schema.branding import Branding
from eclair.schema.budgets import Budget, BudgetSubject
from eclair.schema.people import LOCAL_ORIGIN
from eclair.storage.policy import PolicyValue, StoredPolicy
from eclair.storage.retention import HoldScope, LegalHold, RetentionRule, RetentionScope
from eclair.storage.servers import StoredServer
from eclair.storage.web_settings import StoredWebSettings

DAYS_BY_NAME = {"forever": None, "temporary": 0}
_NAMES_BY_DAYS = {days: name for name, days in DAYS_BY_NAME.items()}


def list_stored(
    stored: StoredPolicy, names: PolicyNames
) -> Mapping[str, Mapping[str, tuple[PolicyEntry, PolicyValue]]]:
    """Return the entries of what is stored with their values, by table and name."""
    tables: dict[str, list[tuple[PolicyEntry, PolicyValue]]] = {
        "groups": [(GroupEntry(name=each.name), each) for each in stored.groups if each.origin == LOCAL_ORIGIN],
        "grants": [
            (GrantEntry(subject=names.show(each.subject), object=each.object, effect=each.effect), each)
            for each in stored.grants
        ],
        "budgets": [(_budget_entry(each, names), each) for each in stored.budgets],
        "retention": [(_rule_entry(each, names), each) for each in stored.rules],
        "holds": [
            (HoldEntry(target=names.show(f"{each.scope}:{each.subject}"), reason=each.reason), each)
            for each in stored.holds
        ],
    }
    named = {table: {name_entry(entry): (entry, value) for entry, value in rows} for table, rows in tables.items()}
    engines = {each.name: (_engine_entry(each), each) for each in stored.servers}
    announcements = {each.id: (_announcement_entry(each), each) for each in stored.announcements}
    web = {"": (_web_entry(stored.web), stored.web)}
    branding = {"": (_branding_entry(stored.branding), stored.branding)}
    return {**named, "engines": engines, "web": web, "branding": branding, "announcements": announcements}


def export_tables(stored: StoredPolicy) -> PolicyTables:
    """Return the tables of a file that declares all that is stored."""
    listed = list_stored(stored, PolicyNames(stored))
    return {table: {name: entry for name, (entry, _) in rows.items()} for table, rows in listed.items()}


def budget_of(entry: BudgetEntry, id: str, subject: str) -> Budget:
    """Return the budget of an entry; `subject` is as the store has it."""
    kind, _, of = subject.partition(":")
    amounts = {
        "tokens": entry.tokens,
        "images": entry.images,
        "energy": None if entry.watt_hours is None else round(entry.watt_hours * MILLIJOULES_PER_WH),
        "money": None if entry.money is None else round(entry.money * MICROS),
    }
    return Budget(
        id=id,
        kind=cast(BudgetSubject, kind),
        subject=of,
        unit=entry.unit,
        currency=entry.currency or "",
        period=entry.period,
        amount=max(1, amounts[entry.unit] or 0),
        each=entry.each,
        soft=entry.soft or None,
        hard=entry.hard,
    )


def rule_of(entry: RetentionEntry, target: str) -> RetentionRule:
    """Return the rule of an entry; `target` is as the store has it."""
    scope, _, subject = target.partition(":")
    days = entry.days if isinstance(entry.days, int) else DAYS_BY_NAME[entry.days]
    return RetentionRule(scope=cast(RetentionScope, scope), subject=subject, days=days)


def hold_of(entry: HoldEntry, target: str) -> LegalHold:
    """Return the hold of an entry; `target` is as the store has it."""
    scope, _, subject = target.partition(":")
    return LegalHold(scope=cast(HoldScope, scope), subject=subject, reason=entry.reason, placed=0)


def _budget_entry(budget: Budget, names: PolicyNames) -> BudgetEntry:
    is_money, is_energy = budget.unit == "money", budget.unit == "energy"
    return BudgetEntry(
        subject=names.show(f"{budget.kind}:{budget.subject}") if budget.subject else budget.kind,
        period=budget.period,
        tokens=budget.amount if budget.unit == "tokens" else None,
        images=budget.amount if budget.unit == "images" else None,
        watt_hours=budget.amount / MILLIJOULES_PER_WH if is_energy else None,
        money=Decimal(budget.amount) / MICROS if is_money else None,
        currency=budget.currency if is_money else None,
        each=budget.each,
        soft=budget.soft or 0,
        hard=budget.hard,
    )


def _rule_entry(rule: RetentionRule, names: PolicyNames) -> RetentionEntry:
    target = names.show(f"{rule.scope}:{rule.subject}") if rule.subject else rule.scope
    days = rule.days or _NAMES_BY_DAYS[rule.days]
    return RetentionEntry.model_validate({"target": target, "days": days})


def _branding_entry(branding: Branding) -> BrandingEntry:
    logo = None if branding.logo is None else write_logo(branding.logo)
    return BrandingEntry(name=branding.name, notice=branding.notice, accent=branding.accent, logo=logo)


def _announcement_entry(announcement: Announcement) -> AnnouncementEntry:
    return AnnouncementEntry(
        level=announcement.level,
        begins=_time(announcement.begins),
        ends=_time(announcement.ends),
        closable=announcement.closable,
        language=announcement.language,
        texts=dict(announcement.texts),
    )


def _time(moment: int | None) -> datetime | None:
    return None if moment is None else datetime.fromtimestamp(moment / 1000, UTC)


def _engine_entry(server: StoredServer) -> EngineEntry:
    return EngineEntry(
        url=server.url,
        key=None if server.key is None else VAULT,
        models=server.models,
        context=server.context,
        country=server.country,
        api=server.api,
        endpoints=server.endpoints,
    )


def _web_entry(web: StoredWebSettings) -> WebEntry:
    return WebEntry.model_validate(
        {
            "services": web.services,
            "searxng": web.searxng,
            "policy": web.policy,
            "hosts": web.hosts,
            "keys": dict.fromkeys(sorted(web.keys), VAULT),
        }
    )
