"""Port of the policy: all that administrators decide but people, read as a whole and changed as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from eclair.schema.announcements import Announcement
from eclair.schema.audit import ActDetails
from eclair.schema.branding import Branding
from eclair.schema.budgets import Budget
from eclair.schema.people import PersonGroup
from eclair.schema.principal import Principal
from eclair.storage.grants import Grant
from eclair.storage.retention import LegalHold, RetentionRule
from eclair.storage.servers import StoredServer
from eclair.storage.web_settings import StoredWebSettings

PolicyValue = (
    PersonGroup
    | Grant
    | Budget
    | RetentionRule
    | LegalHold
    | StoredServer
    | StoredWebSettings
    | Announcement
    | Branding
)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPolicy:
    """The policy as it is stored. `groups` are of every origin; `names` are those of the people it names, by id."""

    groups: Sequence[PersonGroup] = ()
    grants: Sequence[Grant] = ()
    budgets: Sequence[Budget] = ()
    rules: Sequence[RetentionRule] = ()
    holds: Sequence[LegalHold] = ()
    servers: Sequence[StoredServer] = ()
    web: StoredWebSettings = field(default_factory=StoredWebSettings)
    branding: Branding = field(default_factory=Branding)
    announcements: Sequence[Announcement] = ()
    names: Mapping[str, str] = field(default_factory=dict[str, str])


class PolicyStore(Protocol):
    """The policy of the whole installation: who may read or change it is up to the caller."""

    async def read_policy(self) -> StoredPolicy:
        """Return all of it as of one moment."""
        ...

    async def change_policy(
        self,
        principal: Principal,
        removed: Sequence[PolicyValue],
        put: Sequence[PolicyValue],
        details: ActDetails,
    ) -> None:
        """Remove values, then add or replace others, in one transaction, with an act for each and one for all.

        Raises what the stores of these values raise; then nothing has changed.
        """
        ...
