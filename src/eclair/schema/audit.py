"""Acts of the audit log: who did what, when, from where, to what, and how it ended. No text of a conversation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from eclair.schema.principal import Principal

AuditAction = Literal[
    "announcement.changed",
    "access.denied",
    "accounts.set_up",
    "assistant.deleted",
    "announcement.changed",
    "audit.delivery_changed",
    "audit.exported",
    "audit.key_changed",
    "audit.values_erased",
    "backup.made",
    "backup.restored",
    "branding.changed",
    "budget.changed",
    "conversation.deleted",
    "conversation.restored",
    "conversations.erased",
    "conversations.imported",
    "egress.erased",
    "egress.sealed",
    "emergency_read.approved",
    "emergency_read.ended",
    "emergency_read.read",
    "emergency_read.refused",
    "emergency_read.requested",
    "engine.added",
    "engine.changed",
    "engine.removed",
    "erasure.requested",
    "erasure.withdrawn",
    "export.made",
    "file.deleted",
    "grant.changed",
    "group.added",
    "group.changed",
    "group.removed",
    "group.synced",
    "identity.linked",
    "invitation.made",
    "invitation.revoked",
    "key.made",
    "key.revoked",
    "legal_hold.lifted",
    "legal_hold.placed",
    "library.deleted",
    "mcp_server.added",
    "mcp_server.approved",
    "mcp_server.changed",
    "mcp_server.removed",
    "mcp_server.signed_in",
    "mcp_server.signed_out",
    "model.pulled",
    "model.removed",
    "password.changed",
    "passkey.added",
    "passkey.removed",
    "person.added",
    "person.changed",
    "person.locked",
    "person.removed",
    "person.unlocked",
    "personal_data.erased",
    "policy.applied",
    "project.deleted",
    "project.restored",
    "prompt.deleted",
    "responses.deleted",
    "retention.changed",
    "retention.ran",
    "role.changed",
    "schedule.added",
    "schedule.changed",
    "schedule.paused",
    "schedule.removed",
    "second_factor.added",
    "second_factor.removed",
    "session.ended",
    "session.started",
    "settings.changed",
    "settings.reloaded",
    "share.made",
    "share.revoked",
    "sharing.changed",
    "sign_in.failed",
    "skill.deleted",
    "skill.imported",
    "skill.switched",
]
"""Actions that are recorded: the matter, a dot, and what became of it."""

AuditOutcome = Literal["success", "failure", "denied"]
"""Success: done. Failure: tried, but it didn't work, such as a wrong password. Denied: the person may not do it."""

SYSTEM_PRINCIPAL = Principal("system")
"""Éclair itself, where it acts by a rule and for nobody."""

AUDIT_ACTIONS: tuple[AuditAction, ...] = get_args(AuditAction)

ActDetails = Mapping[str, str | int | bool | None]
"""More of an act, by name: numbers, ids and names of settings. It is kept for good, so nothing personal goes here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditAct:
    """An act. `moment` is in milliseconds since 1970 (UTC); `number` counts up from 1 without gaps.

    `actor` is the id of the person, `key` of the API key that they came with, `address` is where they came from, and
    `object` is the id or name of what was acted upon. These are personal: None also says that they were erased.
    """

    number: int
    moment: int
    action: AuditAction
    outcome: AuditOutcome
    actor: str | None = None
    key: str | None = None
    address: str | None = None
    object: str | None = None
    is_erased: bool = False
    details: ActDetails = field(default_factory=dict[str, str | int | bool | None])


@dataclass(frozen=True, slots=True, kw_only=True)
class ActFilter:
    """Acts of or upon a person, of an action or all of a matter (`key`), from and before a moment. None matches any."""

    person: str | None = None
    action: str | None = None
    since: int | None = None
    until: int | None = None


@dataclass(frozen=True, slots=True)
class AuditCheckpoint:
    """A signed statement that the log had `size` acts, and which: `root` is their RFC 6962 tree's.

    `note` is all of it as a signed note (C2SP tlog-checkpoint). It proves nothing unless a copy has left the machine.
    """

    size: int
    root: bytes
    moment: int
    note: str
