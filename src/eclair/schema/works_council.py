"""Works-council mode: no figures of single people, and none of groups so small that they point to somebody.

An audit log still names who administers. Of what people do for themselves it says that it was done, not by whom.
"""

from __future__ import annotations

from dataclasses import replace

from eclair.schema.audit import AuditAct

MIN_GROUP_PEOPLE = 5
"""Figures of smaller groups aren't shown."""

OWN_MATTERS = frozenset(
    {
        *("conversation", "conversations", "export", "file", "grant", "key", "library", "password", "responses"),
        *("second_factor", "session", "share", "sharing", "sign_in"),
    }
)
"""Matters of people's own: who came in when, and what they did with what is theirs."""


def is_own_matter(action: str) -> bool:
    """Tell whether an action is one of people's own, not of administration."""
    return action.partition(".")[0] in OWN_MATTERS


def without_people(act: AuditAct) -> AuditAct:
    """Return an act as works-council mode shows it."""
    return replace(act, actor=None, key=None, address=None, object=None) if is_own_matter(act.action) else act
