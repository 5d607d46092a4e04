"""The rights to routes: which of them need a role. Whatever isn't named here is open to every principal."""

from __future__ import annotations

from dataclasses import dataclass

from eclair.errors import RoleMissing
from eclair.schema.principal import ROLES, PersonRole, Principal

READING: frozenset[str] = frozenset({"GET", "HEAD"})
WRITING: frozenset[str] = frozenset({"POST", "PUT", "PATCH", "DELETE"})
ALL: frozenset[str] = READING | WRITING

ADMINS: frozenset[PersonRole] = frozenset({"admin"})
OVERSEERS: frozenset[PersonRole] = frozenset({"admin", "auditor"})
EVERYBODY: frozenset[PersonRole] = frozenset(ROLES)
MEMBERS: frozenset[PersonRole] = frozenset({"admin", "auditor", "member"})


@dataclass(frozen=True, slots=True)
class RouteRight:
    """The roles that may use paths beneath `path` with some methods."""

    path: str
    methods: frozenset[str]
    roles: frozenset[PersonRole]


ROUTE_RIGHTS = (
    RouteRight("/api/people", READING, OVERSEERS),
    RouteRight("/api/people", WRITING, ADMINS),
    RouteRight("/api/groups", READING, OVERSEERS),
    RouteRight("/api/groups", WRITING, ADMINS),
    RouteRight("/api/invitations", ALL, ADMINS),
    RouteRight("/api/sign-in-providers", READING, OVERSEERS),
    RouteRight("/api/budgets/mine", ALL, EVERYBODY),
    RouteRight("/api/budgets", READING, OVERSEERS),
    RouteRight("/api/budgets", WRITING, ADMINS),
    RouteRight("/api/plan", ALL, ADMINS),
    RouteRight("/api/engines", WRITING, ADMINS),
    RouteRight("/api/models", WRITING, ADMINS),
    RouteRight("/api/tuning", WRITING, ADMINS),
    RouteRight("/api/python", WRITING, ADMINS),
    RouteRight("/api/speech/parts", WRITING, ADMINS),
    RouteRight("/api/speech/recognizers", WRITING, ADMINS),
    RouteRight("/api/web/settings", WRITING, ADMINS),
    RouteRight("/api/compliance/settings", READING, OVERSEERS),
    RouteRight("/api/compliance/settings", WRITING, ADMINS),
    *(RouteRight(f"/api/compliance/{name}", ALL, OVERSEERS) for name in ("ai-act", "records", "impact")),
    RouteRight("/api/backups", READING, OVERSEERS),
    RouteRight("/api/backups", WRITING, ADMINS),
    RouteRight("/api/jobs", READING, OVERSEERS),
    RouteRight("/api/policy/drift", READING, OVERSEERS),
    RouteRight("/api/policy", ALL, ADMINS),
    RouteRight("/api/announcements/all", READING, OVERSEERS),
    RouteRight("/api/announcements", WRITING, ADMINS),
    RouteRight("/api/branding/logo", READING, EVERYBODY),
    RouteRight("/api/branding/style.css", READING, EVERYBODY),
    RouteRight("/api/branding", READING, OVERSEERS),
    RouteRight("/api/branding", WRITING, ADMINS),
    RouteRight("/api/audit/destinations", WRITING, ADMINS),
    RouteRight("/api/audit", ALL, OVERSEERS),
    RouteRight("/api/retention/rules", READING, OVERSEERS),
    RouteRight("/api/retention/rules", WRITING, ADMINS),
    RouteRight("/api/retention/preview", ALL, ADMINS),
    RouteRight("/api/retention/holds", READING, OVERSEERS),
    RouteRight("/api/retention/holds", WRITING, ADMINS),
    RouteRight("/api/erasures", ALL, OVERSEERS),
    RouteRight("/scim/v2", ALL, ADMINS),
    RouteRight("/metrics", ALL, OVERSEERS),
    *(RouteRight(f"/api/{name}", ALL, ADMINS) for name in ("pull", "delete", "create", "copy", "push", "blobs")),
    RouteRight("/api/grants", READING, OVERSEERS),
    RouteRight("/api/grants", WRITING, ADMINS),
    RouteRight("/api/emergency-reads", ALL, OVERSEERS),
    RouteRight("/api/directory/objects", READING, OVERSEERS),
    RouteRight("/api/directory", READING, MEMBERS),
)
"""The one table of roles by route; the first that fits a path and a method decides."""


def check_route(principal: Principal, method: str, path: str) -> None:
    """Raise RoleMissing where a principal's role may not use a route."""
    for right in _RIGHTS_BY_PREFIX.get(_prefix(path), ()):
        if method in right.methods and (path == right.path or path.startswith(f"{right.path}/")):
            if principal.role not in right.roles:
                raise RoleMissing(_SENTENCES[right.roles])
            return


def _prefix(path: str) -> str:
    """Return the first two segments of a path."""
    return "/".join(path.split("/", 3)[:3])


_SENTENCES: dict[frozenset[PersonRole], str] = {
    ADMINS: "Only an administrator may do this; ask one of yours.",
    OVERSEERS: "Only administrators and auditors may see this; ask one of yours.",
    MEMBERS: "Guests may not do this; ask an administrator for an account of a member.",
}

_RIGHTS_BY_PREFIX = {
    _prefix(each.path): [right for right in ROUTE_RIGHTS if _prefix(right.path) == _prefix(each.path)]
    for each in ROUTE_RIGHTS
}
