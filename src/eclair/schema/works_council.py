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
        *("access", "conversation", "conversations", "export", "file", "grant", "identity", "key", "library"),
        *("passkey", "password", "responses", "second_factor", "session", "share", "sharing", "sign_in"),
    }
)
"""Matters of people's own: who came in when, and what they did with what is theirs."""
OWN_ACTIONS = frozenset({"group.synced", "mcp_server.signed_in", "mcp_server.signed_out"})
"""Actions that come about as somebody signs in here, or at a server."""


def is_own_matter(act: AuditAct) -> bool:
    """Tell whether an act is one of people's own, not of administration."""
    is_own = act.action.partition(".")[0] in OWN_MATTERS or act.action in OWN_ACTIONS
    return is_own or (act.actor is not None and act.actor == act.object)


def without_people(act: AuditAct) -> AuditAct:
    """Return an act as works-council mode shows it."""
    if not is_own_matter(act):
        return act
    return replace(act, actor=None, key=None, address=None, object=None, details={})


def may_show_part(part: int, whole: int) -> bool:
    """Tell whether it may be said how many of a group something is true of.

    Neither those of whom it is true nor the others may be a few; that it is true of nobody may be said.
    """
    return part == 0 or (part >= MIN_GROUP_PEOPLE and whole - part >= MIN_GROUP_PEOPLE)
