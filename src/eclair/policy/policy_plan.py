"""The plan of a policy file: what applying it would add, change and remove. Nothing is changed here."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, cast

from eclair.errors import Conflict, Forbidden, InvalidInput
from eclair.llm.servers.engines import key_binding, taken_names
from eclair.policy.branding_service import fixed_branding
from eclair.policy.key_references import KeyReferences
from eclair.policy.logo_files import read_logo, write_logo
from eclair.policy.policy_entries import (
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
from eclair.policy.policy_file import TABLES, PolicyTables
from eclair.policy.policy_names import PolicyNames
from eclair.policy.stored_entries import budget_of, hold_of, list_stored, rule_of
from eclair.schema.branding import Branding
from eclair.schema.ids import new_id
from eclair.schema.people import LOCAL_ORIGIN, Person, PersonGroup
from eclair.settings import Settings
from eclair.storage.grants import Grant
from eclair.storage.policy import PolicyValue, StoredPolicy
from eclair.storage.servers import StoredServer
from eclair.storage.web_settings import StoredWebSettings
from eclair.web.providers import list_provider_names
from eclair.web.web_settings import fixed_by, key_place

MAX_SHOWN_CHARS = 200

ChangeAction = Literal["add", "change", "remove"]
FindPerson = Callable[[str], Awaitable[Person | None]]
DrawLogo = Callable[[bytes], Awaitable[bytes]]


@dataclass(frozen=True, slots=True)
class FieldDifference:
    """A field in which the store differs from the file, as text; None is for none."""

    name: str
    stored: str | None
    declared: str | None


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """An entry that applying the file adds, changes or removes."""

    table: str
    name: str
    action: ChangeAction
    fields: tuple[FieldDifference, ...] = ()


@dataclass(frozen=True, slots=True)
class PolicyPlan:
    """The changes, and the values of the store to remove and to put for them."""

    changes: tuple[PolicyChange, ...] = ()
    removed: tuple[PolicyValue, ...] = ()
    put: tuple[PolicyValue, ...] = ()

    def count(self, action: ChangeAction) -> int:
        return sum(change.action == action for change in self.changes)


@dataclass(slots=True)
class PolicyPlanner:
    """Compares the tables of a file, called `file`, with the store."""

    settings: Settings
    stored: StoredPolicy
    keys: KeyReferences
    find_person: FindPerson
    file: str
    folder: Path
    make_logo: DrawLogo | None
    names: PolicyNames = field(init=False)

    def __post_init__(self) -> None:
        self.names = PolicyNames(self.stored)

    async def plan(self, tables: PolicyTables) -> PolicyPlan:
        """Plan the changes. Raises InvalidInput for what can't be, and Conflict for what the settings decide."""
        listed = list_stored(self.stored, self.names)
        changes: list[PolicyChange] = []
        removed: list[PolicyValue] = []
        put: list[PolicyValue] = []
        for table in (each for each in TABLES if each in tables):
            rows = listed[table]
            declared = self._normalize(table, tables[table])
            for name in rows.keys() - declared.keys():
                changes.append(PolicyChange(table, name, "remove"))
                removed.insert(0, rows[name][1])
                if isinstance(group := rows[name][1], PersonGroup):
                    self.names.drop_group(group.id)
            for name, entry in declared.items():
                old, value = rows.get(name, (None, None))
                entry, new = await self._settle(table, name, entry, value)
                is_same = old is not None and _dump(old) == _dump(entry)
                if not is_same or _subject(entry) in self.names.dropped:
                    await self._require(table, entry)
                if is_same:
                    continue
                self._refuse_fixed(table, name, old, entry)
                changes.append(PolicyChange(table, name, "add" if old is None else "change", _differences(old, entry)))
                if isinstance(entry, HoldEntry) and value is not None:
                    removed.insert(0, value)
                put.append(new or self._value(entry, value))
        return PolicyPlan(tuple(sorted(changes, key=_order)), tuple(removed), tuple(put))

    def _normalize(self, table: str, entries: Mapping[str, PolicyEntry]) -> dict[str, PolicyEntry]:
        """Return entries whose subjects are named as those of the store are."""
        if table in ("groups", "engines", "web", "branding", "announcements"):
            return dict(entries)
        found: dict[str, PolicyEntry] = {}
        for entry in entries.values():
            update = {
                name: self.names.normalize(getattr(entry, name))
                for name in ("subject", "target")
                if name in type(entry).model_fields
            }
            entry = entry.model_copy(update=update)
            if (key := name_entry(entry)) in found:
                raise InvalidInput(f"{self.file} has two {table} for {key}; remove one.")
            found[key] = entry
        return found

    async def _settle(
        self, table: str, name: str, entry: PolicyEntry, value: PolicyValue | None
    ) -> tuple[PolicyEntry, PolicyValue | None]:
        """Return an entry whose keys are comparable, and its value if it has keys."""
        match entry:
            case EngineEntry():
                old = value if isinstance(value, StoredServer) else None
                binding = key_binding(name, entry.url, entry.endpoints)
                before = None if old is None else key_binding(name, old.url, old.endpoints)
                stored = None if old is None else old.key
                where = f"{self.file}: engines.{name}.key"
                reference, key = self.keys.settle(entry.key, stored, binding, where, before)
                created = int(time.time() * 1000) if old is None else old.created
                server = StoredServer(
                    name=name,
                    url=entry.url,
                    key=key,
                    models=entry.models,
                    context=entry.context,
                    country=entry.country,
                    created=created,
                    api=entry.api,
                    endpoints=entry.endpoints,
                )
                return entry.model_copy(update={"key": reference}), server
            case WebEntry():
                old = value if isinstance(value, StoredWebSettings) else StoredWebSettings()
                references: dict[str, str] = {}
                keys: dict[str, bytes] = {}
                for service, reference in sorted(entry.keys.items()):
                    where = f"{self.file}: web.keys.{service}"
                    settled, key = self.keys.settle(reference, old.keys.get(service), key_place(service), where)
                    references[service] = settled or reference
                    keys |= {} if key is None else {service: key}
                web = replace(
                    old,
                    services=entry.services,
                    searxng=entry.searxng,
                    policy=entry.policy,
                    hosts=entry.hosts,
                    keys=keys,
                )
                return entry.model_copy(update={"keys": references}), web
            case BrandingEntry():
                return await self._settle_branding(entry, value if isinstance(value, Branding) else Branding())
            case AnnouncementEntry():
                return entry, entry.to_announcement(name)
            case _:
                return entry, None

    async def _settle_branding(self, entry: BrandingEntry, old: Branding) -> tuple[PolicyEntry, PolicyValue]:
        """Return an entry whose logo is comparable, and its branding."""
        logo, source = None, None
        if entry.logo is not None:
            data = await asyncio.to_thread(read_logo, entry.logo, self.folder, f"{self.file}: branding.logo")
            source = hashlib.sha256(data).hexdigest()
            if old.logo is not None and source in (old.source, old.logo_digest):
                logo, source = old.logo, old.source
                entry = entry.model_copy(update={"logo": write_logo(old.logo)})
            elif self.make_logo is not None:
                logo = await self.make_logo(data)
        branding = Branding(name=entry.name, notice=entry.notice, accent=entry.accent, logo=logo, source=source)
        return entry, branding

    def _value(self, entry: PolicyEntry, old: PolicyValue | None) -> PolicyValue:
        """Return the value of an entry that has no keys."""
        now = int(time.time() * 1000)
        match entry:
            case GroupEntry():
                group = PersonGroup(id=new_id("grp"), name=entry.name, origin=LOCAL_ORIGIN, created=now)
                self.names.add_groups({group.name: group.id})
                return group
            case GrantEntry():
                id = old.id if isinstance(old, Grant) else new_id("grant")
                subject = self.names.find(entry.subject)
                return Grant(id=id, subject=subject, object=entry.object, effect=entry.effect, created=now)
            case BudgetEntry():
                return budget_of(entry, new_id("budget"), self.names.find(entry.subject))
            case RetentionEntry():
                return rule_of(entry, self.names.find(entry.target))
            case HoldEntry():
                return hold_of(entry, self.names.find(entry.target))
            case _:
                raise AssertionError(f"{type(entry).__name__} has its value already")

    async def _require(self, table: str, entry: PolicyEntry) -> None:
        """Raise InvalidInput where an entry is for a group or person that isn't there."""
        subject = _subject(entry)
        if subject is None or self.names.knows(subject):
            return
        kind, _, name = subject.partition(":")
        if kind == "person" and (person := await self.find_person(name.casefold())) is not None:
            self.names.add_person(person.id, person.name)
            return
        remedy = "add it to [[groups]], or correct its name" if kind == "group" else "add the account, or correct it"
        raise InvalidInput(f"{self.file} has {table} for {subject}, which isn't there; {remedy}.")

    def _refuse_fixed(self, table: str, name: str, old: PolicyEntry | None, entry: PolicyEntry) -> None:
        """Raise for what the settings decide, and for search services that there aren't."""
        fixed = fixed_by(self.settings)
        if isinstance(entry, BrandingEntry):
            before = old if isinstance(old, BrandingEntry) else BrandingEntry()
            for field in fixed_branding(self.settings):
                if getattr(entry, field) not in (None, getattr(before, field)):
                    raise Conflict(f"{self.file} sets branding.{field}, which the settings say; remove it from one.")
        if table in ("engines", "web") and fixed.everything:
            raise Forbidden(f"{self.file} sets {table}, but only the settings may (`engines_from`); set it there.")
        if table == "engines" and name in taken_names(self.settings):
            raise Conflict(f"{self.file} names an engine {name!r}, which is one of the settings; choose another name.")
        if not isinstance(entry, WebEntry):
            return
        before = old if isinstance(old, WebEntry) else WebEntry()
        for setting, is_fixed, differs in (
            ("web_search", fixed.services, entry.services not in (None, before.services)),
            ("searxng", fixed.searxng, entry.searxng not in (None, before.searxng)),
            ("egress", fixed.policy, entry.policy not in (None, before.policy)),
            *((f"search_keys.{each}", each in fixed.keys, True) for each in entry.keys),
        ):
            if is_fixed and differs:
                raise Conflict(f"{self.file} sets in [web] what the settings say ({setting}); remove it from one.")
        known = list_provider_names(self.settings)
        for service in [*(entry.services or ()), *entry.keys]:
            if service not in known:
                raise InvalidInput(f"{self.file} names the search service {service!r}; known: {', '.join(known)}.")
            if service in entry.keys and not known[service]:
                raise InvalidInput(f"{self.file} has a key for {service}, which needs none; remove it.")


def _subject(entry: PolicyEntry) -> str | None:
    """Return whom or what an entry is for, if it is for somebody."""
    match entry:
        case GrantEntry() | BudgetEntry():
            return entry.subject
        case RetentionEntry() | HoldEntry():
            return entry.target
        case _:
            return None


def _dump(entry: PolicyEntry) -> dict[str, Any]:
    return entry.model_dump()


def _differences(old: PolicyEntry | None, new: PolicyEntry) -> tuple[FieldDifference, ...]:
    if old is None:
        return ()
    before, after = _dump(old), _dump(new)
    return tuple(
        FieldDifference(name, _text(before[name]), _text(after[name])) for name in after if before[name] != after[name]
    )


def _text(value: Any) -> str | None:
    if value in (None, (), {}):
        return None
    match value:
        case bool():
            return "true" if value else "false"
        case tuple():
            return ", ".join(map(str, cast(tuple[Any, ...], value)))
        case dict():
            return ", ".join(f"{name}: {_text(each)}" for name, each in cast(dict[str, Any], value).items())
        case _:
            text = str(value)
            return text if len(text) <= MAX_SHOWN_CHARS else f"{text[:MAX_SHOWN_CHARS]}…"


def _order(change: PolicyChange) -> tuple[int, str]:
    return TABLES.index(change.table), change.name
