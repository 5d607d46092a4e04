"""`eclair admin rights NAME`: what a person may use, with the reason."""

from __future__ import annotations

from typing import Final

import orjson

from eclair.accounts.rights import THINGS, RightDecision, RightReason, RightRules
from eclair.cli._terminal import Terminal
from eclair.cli.models import print_table
from eclair.schema.people import Person
from eclair.schema.principal import Principal
from eclair.storage.base import Storage

COLUMNS: Final = ("TO", "MAY USE", "REASON")
REASONS: Final[dict[RightReason, str]] = {
    "open": "open to everyone",
    "guest": "closed to guests",
    "allowed": "allowed: {}",
    "denied": "denied: {}",
    "restricted": "only for: {}",
}


async def print_rights(storage: Storage, person: Person, terminal: Terminal, *, as_json: bool) -> None:
    """Print the person's rights to all things, and to each model, engine, tool and library that a rule names."""
    grants = await storage.grants.list_grants()
    rules = RightRules(grants, has_accounts=True)
    facts = await storage.people.find_facts(person.id)
    groups = frozenset[str]() if facts is None else facts.groups
    principal = Principal(person.id, role=person.role, groups=groups)
    objects = dict.fromkeys([*sorted(THINGS), *(grant.object for grant in grants)])
    decided = {object: rules.decide(principal, object) for object in objects}
    if as_json:
        rows = [
            {
                "object": object,
                "allowed": found.is_allowed,
                "reason": found.reason,
                "subject": None if found.grant is None else found.grant.subject,
            }
            for object, found in decided.items()
        ]
        terminal.write_bytes(orjson.dumps(rows, option=orjson.OPT_INDENT_2) + b"\n")
        return
    cells = [(object, "yes" if found.is_allowed else "no", _reason(found)) for object, found in decided.items()]
    print_table([COLUMNS, *cells], terminal)


def _reason(decision: RightDecision) -> str:
    return REASONS[decision.reason].format(decision.grant.subject if decision.grant is not None else "")
