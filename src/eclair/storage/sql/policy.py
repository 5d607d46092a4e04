"""The policy in SQL: read in one snapshot, and changed in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from eclair.schema.announcements import Announcement
from eclair.schema.audit import ActDetails
from eclair.schema.branding import Branding
from eclair.schema.budgets import Budget
from eclair.schema.people import PersonGroup
from eclair.schema.principal import Principal
from eclair.storage.grants import Grant
from eclair.storage.policy import PolicyValue, StoredPolicy
from eclair.storage.retention import LegalHold, RetentionRule
from eclair.storage.servers import StoredServer
from eclair.storage.sql.announcements import delete_announcement, list_announcements, put_announcement
from eclair.storage.sql.audit import append_act
from eclair.storage.sql.branding import put_branding, read_branding
from eclair.storage.sql.budgets import list_budgets, remove_budget, set_budget
from eclair.storage.sql.connection import Connection
from eclair.storage.sql.grants import delete_grant, list_grants, put_grant
from eclair.storage.sql.groups import add_group, delete_group, list_all_groups
from eclair.storage.sql.retention import delete_rule, lift_hold, list_holds, list_rules, place_hold, set_rule
from eclair.storage.sql.servers import add_server, delete_server, edit_server, list_servers
from eclair.storage.sql.store import SQLStore, first_row, overwrite, search, snapshot
from eclair.storage.sql.web_settings import edit_web_settings, read_web_settings
from eclair.storage.web_settings import StoredWebSettings


class SQLPolicyStore(SQLStore):
    """Implements `PolicyStore`."""

    @search
    def read_policy(self, db: Connection) -> StoredPolicy:
        with snapshot(db):
            return read_policy(db, self.database.damage.noting("policy"))

    @overwrite
    def change_policy(
        self,
        db: Connection,
        principal: Principal,
        removed: Sequence[PolicyValue],
        put: Sequence[PolicyValue],
        details: ActDetails,
    ) -> None:
        for value in removed:
            _remove(db, principal, value)
        for value in put:
            _put(db, principal, value, self.now(), self.database.damage.noting("policy"))
        append_act(db, principal, "policy.applied", details=details)


def read_policy(db: Connection, note: Callable[[], None]) -> StoredPolicy:
    """Read the policy; call `note` for each damaged row, which is left out."""
    grants, budgets, holds = list_grants(db, note), list_budgets(db, note), list_holds(db, note)
    people = [
        *(each.subject.removeprefix("person:") for each in grants if each.subject.startswith("person:")),
        *(each.subject for each in budgets if each.kind == "person"),
        *(each.subject for each in holds if each.scope == "person"),
    ]
    return StoredPolicy(
        groups=list_all_groups(db, note),
        grants=grants,
        budgets=budgets,
        rules=list_rules(db, note),
        holds=holds,
        servers=list_servers(db, note),
        web=read_web_settings(db, note),
        branding=read_branding(db, note),
        announcements=list_announcements(db, note),
        names=_find_names(db, people),
    )


def _find_names(db: Connection, people: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for id in set(people):
        row = first_row(db, "SELECT name FROM person WHERE id = ?", (id,))
        if row is not None and isinstance(row[0], str):
            found[id] = row[0]
    return found


def _remove(db: Connection, principal: Principal, value: PolicyValue) -> None:
    match value:
        case PersonGroup():
            delete_group(db, principal, value.id)
        case Grant():
            delete_grant(db, principal, value.id)
        case Budget():
            remove_budget(db, principal, value.id)
        case RetentionRule():
            delete_rule(db, principal, value.scope, value.subject)
        case LegalHold():
            lift_hold(db, principal, value.scope, value.subject)
        case StoredServer():
            delete_server(db, principal, value.name)
        case StoredWebSettings():
            edit_web_settings(db, principal, lambda _: StoredWebSettings(), lambda: None)
        case Announcement():
            delete_announcement(db, principal, value.id)
        case Branding():
            put_branding(db, principal, Branding())


def _put(db: Connection, principal: Principal, value: PolicyValue, now: int, note: Callable[[], None]) -> None:
    match value:
        case PersonGroup():
            add_group(db, principal, value)
        case Grant():
            put_grant(db, principal, value)
        case Budget():
            set_budget(db, principal, value)
        case RetentionRule():
            set_rule(db, principal, value, now)
        case LegalHold():
            place_hold(db, principal, value, now)
        case StoredServer():
            if first_row(db, "SELECT 1 FROM server WHERE name = ?", (value.name,)) is None:
                add_server(db, principal, value)
            else:
                edit_server(db, principal, value.name, lambda _: value)
        case StoredWebSettings():
            edit_web_settings(db, principal, lambda _: value, note)
        case Announcement():
            put_announcement(db, principal, value, now)
        case Branding():
            put_branding(db, principal, value)
