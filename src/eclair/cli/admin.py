"""`eclair admin`: people, groups, policy files, and the code of the first account, for whoever runs the machine."""

from __future__ import annotations

import argparse
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, replace

import orjson

from eclair.accounts.one_time_codes import NewCode
from eclair.accounts.service import Accounts
from eclair.cli._admin_announcements import run_announcements
from eclair.cli._admin_policy import run_policy
from eclair.cli._admin_rights import print_rights
from eclair.cli._arguments import load_settings
from eclair.cli._logging import log_if_debugging
from eclair.cli._signals import run_async
from eclair.cli._storage import opened_storage
from eclair.cli._terminal import Terminal
from eclair.cli.models import print_table
from eclair.errors import Conflict, NotFound
from eclair.live_settings import LiveSettings
from eclair.schema.ids import new_id
from eclair.schema.people import LOCAL_ORIGIN, Person, PersonChange, PersonGroup
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.storage.base import Storage
from eclair.storage.secrets import Vault

PAGE = 1000
"""People or groups that are read at a time."""
PEOPLE_COLUMNS = ("NAME", "DISPLAY NAME", "ADDRESS", "ROLE", "LAST SEEN", "LOCKED")
GROUP_COLUMNS = ("NAME", "ORIGIN", "MEMBERS")


@dataclass(frozen=True, slots=True)
class _House:
    """The accounts of an installation, and where to say what was done."""

    settings: Settings
    storage: Storage
    accounts: Accounts
    terminal: Terminal


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_if_debugging(settings)
    return run_async(_run(settings, arguments, terminal))


async def _run(settings: Settings, arguments: argparse.Namespace, terminal: Terminal) -> int:
    async with _opened(settings, terminal) as house:
        topic, _, action = arguments.action.partition(" ")
        match topic:
            case "people":
                await _change_people(house, action, arguments)
            case "groups":
                await _change_groups(house, action, arguments)
            case "rights":
                person = await find_person(house.storage, arguments.name)
                await print_rights(house.storage, person, terminal, as_json=arguments.json)
            case "announcements":
                await run_announcements(house.storage.announcements, action, arguments, terminal)
            case "apply" | "export" | "drift":
                return await run_policy(settings, house.storage, arguments, terminal)
            case _:
                made = await house.accounts.codes.make_setup_code()
                terminal.line(made.code)
                terminal.aside("Enter this code in the web app to make the first account; it counts once, for a day.")
    return 0


@asynccontextmanager
async def _opened(settings: Settings, terminal: Terminal) -> AsyncGenerator[_House]:
    async with opened_storage(settings) as storage:
        accounts = Accounts.open(LiveSettings(settings), storage, Vault.configured(settings))
        yield _House(settings, storage, accounts, terminal)


async def _change_people(house: _House, action: str, arguments: argparse.Namespace) -> None:
    accounts, terminal = house.accounts, house.terminal
    if action == "list":
        people = await list_all_people(house.storage, arguments.query)
        _print_people(house, people, arguments)
        return
    if action == "add":
        added = await accounts.people.add(
            LOCAL_PRINCIPAL, arguments.name, arguments.display_name, role=arguments.role, email=arguments.email
        )
        _print_link(house, await accounts.codes.make_password_code(LOCAL_PRINCIPAL, added.id))
        return
    person = await find_person(house.storage, arguments.name)
    match action:
        case "lock":
            await accounts.people.lock(LOCAL_PRINCIPAL, person.id)
            terminal.line(f"Locked {person.name}; their sessions have ended.")
        case "unlock":
            await accounts.people.unlock(LOCAL_PRINCIPAL, person.id)
            terminal.line(f"Unlocked {person.name}.")
        case "role":
            await accounts.people.change(LOCAL_PRINCIPAL, person.id, PersonChange(role=arguments.role))
            terminal.line(f"{person.name} is {arguments.role} now.")
        case "reset-password":
            _print_link(house, await accounts.codes.make_password_code(LOCAL_PRINCIPAL, person.id))
        case "end-sessions":
            count = await accounts.sessions.end_all(LOCAL_PRINCIPAL, person.id)
            number = "all" if house.settings.works_council else f"{count}"
            terminal.line(f"Ended {number} sessions of {person.name}.")
        case _:
            await accounts.people.delete(LOCAL_PRINCIPAL, person.id)
            terminal.line(f"Deleted the account {person.name}; what they kept stays.")


async def _change_groups(house: _House, action: str, arguments: argparse.Namespace) -> None:
    groups, terminal = house.storage.groups, house.terminal
    if action == "list":
        listed = await list_all_groups(house.storage, arguments.query)
        cells = [(each.name, each.origin, str(each.members)) for each in listed]
        _print(house, [asdict(each) for each in listed], cells, GROUP_COLUMNS, arguments)
        return
    if action == "add":
        now = int(time.time() * 1000)
        group = PersonGroup(id=new_id("grp"), name=arguments.name, origin=LOCAL_ORIGIN, created=now)
        await groups.add_group(LOCAL_PRINCIPAL, group)
        terminal.line(f"Added the group {group.name}.")
        return
    group = await _find_group(house.storage, arguments.name)
    if action == "members":
        people = await list_all_members(house.storage, group.id)
        _print_people(house, people, arguments)
    elif action == "delete":
        await groups.delete_group(LOCAL_PRINCIPAL, group.id)
        terminal.line(f"Deleted the group {group.name}; its members keep their accounts.")
    elif group.origin != LOCAL_ORIGIN:
        raise Conflict(f"The group {group.name!r} comes from {group.origin}; change it there.")
    else:
        person = await find_person(house.storage, arguments.person)
        if action == "add-member":
            await groups.add_members(LOCAL_PRINCIPAL, group.id, [person.id])
            terminal.line(f"{person.name} is in {group.name} now.")
        else:
            await groups.remove_member(LOCAL_PRINCIPAL, group.id, person.id)
            terminal.line(f"{person.name} is not in {group.name} any more.")


async def find_person(storage: Storage, name: str) -> Person:
    """Return the person who signs in with a name. Raises NotFound."""
    found = await storage.people.find_by_name(name.casefold())
    if found is None:
        raise NotFound(f"Nobody signs in as {name!r}; `eclair admin people list` shows who does.")
    return found


async def list_all_people(storage: Storage, query: str = "") -> list[Person]:
    """List all people by name, or those who have a text in theirs."""
    found: list[Person] = []
    while page := await storage.people.list_people(PAGE, query, found[-1].id if found else None):
        found += page
    return found


async def list_all_groups(storage: Storage, query: str = "") -> list[PersonGroup]:
    """List all groups by name, or those that have a text in theirs."""
    found: list[PersonGroup] = []
    while page := await storage.groups.list_groups(PAGE, query, found[-1].id if found else None):
        found += page
    return found


async def list_all_members(storage: Storage, group: str) -> list[Person]:
    """List all members of a group by name."""
    found: list[Person] = []
    while page := await storage.groups.list_members(group, PAGE, found[-1].id if found else None):
        found += page
    return found


async def _find_group(storage: Storage, name: str) -> PersonGroup:
    """Return the one group of a name, of whatever origin. Raises NotFound, and Conflict where there are several."""
    found = [each for each in await list_all_groups(storage, name) if each.name == name]
    if not found:
        raise NotFound(f"There is no group {name!r}; `eclair admin groups list` shows all.")
    local = [each for each in found if each.origin == LOCAL_ORIGIN]
    if len(found) > 1 and not local:
        raise Conflict(f"Several groups are called {name!r}; change them where they come from.")
    return (local or found)[0]


def _print_people(house: _House, people: list[Person], arguments: argparse.Namespace) -> None:
    if house.settings.works_council:
        people = [replace(each, seen=None) for each in people]
    cells = [_person_cells(each, shows_seen=not house.settings.works_council) for each in people]
    _print(house, [asdict(each) for each in people], cells, PEOPLE_COLUMNS, arguments)


def _print(
    house: _House,
    rows: list[dict[str, object]],
    cells: list[tuple[str, ...]],
    columns: tuple[str, ...],
    arguments: argparse.Namespace,
) -> None:
    if arguments.json:
        house.terminal.write_bytes(orjson.dumps(rows, option=orjson.OPT_INDENT_2) + b"\n")
    elif cells:
        print_table([columns, *cells], house.terminal)
    else:
        house.terminal.line("None found.")


def _print_link(house: _House, made: NewCode) -> None:
    """Print a one-time link, or its path where the address of the web app isn't known."""
    address = (house.settings.public_url or f"http://{house.settings.host}:{house.settings.port}").rstrip("/")
    house.terminal.line(f"{address}/join#{made.code}")
    house.terminal.aside("Hand this link to its person; it counts once, for a day, and is shown only now.")


def _person_cells(person: Person, *, shows_seen: bool) -> tuple[str, ...]:
    locked = "" if person.locked is None else "locked"
    seen = person.seen or "never" if shows_seen else "not shown"
    return person.name, person.display_name, person.email or "", person.role, seen, locked
