"""Port of grants: who may use what, or may not, as an administrator said."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, Protocol

from eclair.schema.principal import Principal

EVERYONE: Final = "everyone"

GrantEffect = Literal["allow", "deny"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A rule: `subject` may use `object`, or may not.

    A subject is `everyone`, `role:guest`, `group:ID` or `person:ID`; an object such as `model:ID`, `model:*` or `web`.
    `created` is in milliseconds.
    """

    id: str
    subject: str
    object: str
    effect: GrantEffect
    created: int


def subjects_of(principal: Principal) -> tuple[str, ...]:
    """Return everything by which a grant or a share may name somebody."""
    groups = (f"group:{id}" for id in principal.groups)
    return (f"person:{principal.id}", *groups, f"role:{principal.role}", EVERYONE)


class GrantStore(Protocol):
    """Grants concern the installation: every one is read to decide, and only `accounts/` changes them."""

    async def list_grants(self) -> list[Grant]:
        """List all grants, by object and subject."""
        ...

    async def put_grant(self, principal: Principal, grant: Grant) -> Grant:
        """Add a grant, or replace that of the same subject and object, whose id stays."""
        ...

    async def delete_grant(self, principal: Principal, id: str) -> None:
        """Delete a grant. Raises NotFound."""
        ...
