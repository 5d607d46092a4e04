"""Acts as events of OCSF 1.9 (Open Cybersecurity Schema Framework), for other machines' security monitoring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import eclair
from eclair.schema.audit import AuditAct

VERSION = "1.9.0"
PRODUCT = "Éclair"
OTHER = 99


@dataclass(frozen=True, slots=True)
class _Class:
    uid: int
    name: str
    category: int
    category_name: str


_IAM = (3, "Identity & Access Management")
_AUTHENTICATION = _Class(3002, "Authentication", *_IAM)
_AUTHORIZE = _Class(3003, "Authorize Session", *_IAM)
_GROUP = _Class(3006, "Group Management", *_IAM)
_USER = _Class(3007, "User Management", *_IAM)
_API = _Class(6003, "API Activity", 6, "Application Activity")

_CLASSES = {
    "accounts": _USER,
    "emergency_read": _AUTHORIZE,
    "group": _GROUP,
    "identity": _USER,
    "invitation": _USER,
    "passkey": _USER,
    "password": _USER,
    "person": _USER,
    "role": _USER,
    "second_factor": _USER,
    "session": _AUTHENTICATION,
    "sign_in": _AUTHENTICATION,
}
_ACTIVITIES: dict[str, tuple[int, str]] = {
    "session.started": (1, "Logon"),
    "session.ended": (2, "Logoff"),
    "sign_in.failed": (1, "Logon"),
    "emergency_read.approved": (1, "Assign Privileges"),
    "group.removed": (5, "Delete"),
    "group.added": (6, "Create"),
    "group.changed": (9, "Update"),
    "group.synced": (9, "Update"),
    "person.added": (1, "Create"),
    "person.changed": (2, "Update"),
    "person.removed": (3, "Delete"),
    "person.locked": (6, "Lock"),
    "person.unlocked": (7, "Unlock"),
    "password.changed": (8, "Password Change"),
    "passkey.added": (12, "Enable MFA Factors"),
    "passkey.removed": (13, "Disable MFA Factors"),
    "second_factor.added": (12, "Enable MFA Factors"),
    "second_factor.removed": (13, "Disable MFA Factors"),
    "role.changed": (16, "Assign Roles"),
}
_MEMBERSHIPS = {"added": (3, "Add User"), "removed": (4, "Remove User")}
_API_VERBS: dict[str, tuple[int, str]] = {
    "added": (1, "Create"),
    "made": (1, "Create"),
    "pulled": (1, "Create"),
    "imported": (1, "Create"),
    "exported": (2, "Read"),
    "changed": (3, "Update"),
    "restored": (3, "Update"),
    "deleted": (4, "Delete"),
    "erased": (4, "Delete"),
    "removed": (4, "Delete"),
    "revoked": (4, "Delete"),
}
_STATUS: dict[str, tuple[int, str, int, str]] = {
    "success": (1, "Success", 1, "Informational"),
    "failure": (2, "Failure", 3, "Medium"),
    "denied": (2, "Failure", 3, "Medium"),
}


def to_ocsf(act: AuditAct) -> dict[str, Any]:
    """Return an act as an event."""
    matter = act.action.partition(".")[0]
    kind = _CLASSES.get(matter, _API)
    activity, activity_name = _activity(act, kind)
    status_id, status, severity_id, severity = _STATUS[act.outcome]
    user = {"uid": act.actor or "unknown", "type_id": 0 if act.actor is None else 3 if act.actor == "system" else 1}
    event: dict[str, Any] = {
        "category_uid": kind.category,
        "category_name": kind.category_name,
        "class_uid": kind.uid,
        "class_name": kind.name,
        "activity_id": activity,
        "activity_name": activity_name,
        "type_uid": kind.uid * 100 + activity,
        "type_name": f"{kind.name}: {activity_name}",
        "time": act.moment,
        "severity_id": severity_id,
        "severity": severity,
        "status_id": status_id,
        "status": status,
        "metadata": {
            "version": VERSION,
            "product": {"name": PRODUCT, "vendor_name": PRODUCT, "version": eclair.__version__},
            "log_name": "audit",
            "uid": str(act.number),
            "sequence": act.number,
            "event_code": act.action,
        },
        "actor": {"user": user},
        "src_endpoint": {"ip": act.address} if act.address else {"name": "unknown"},
        "unmapped": {**act.details, **({"key": act.key} if act.key else {}), "outcome": act.outcome},
    }
    return {**event, **_concerned(act, kind)}


def _activity(act: AuditAct, kind: _Class) -> tuple[int, str]:
    """Return id and name of the activity that an act is in its class."""
    verb = act.action.partition(".")[2]
    if act.action == "group.changed" and (membership := _MEMBERSHIPS.get(str(act.details.get("what")))):
        return membership
    return _ACTIVITIES.get(act.action) or (_API_VERBS if kind is _API else {}).get(verb, (OTHER, verb))


def _concerned(act: AuditAct, kind: _Class) -> dict[str, Any]:
    """Return what an act was done to, as its class has it."""
    object = act.object or "unknown"
    if kind is _API:
        resource = [] if act.object is None else [{"uid": object, "type": act.action.partition(".")[0]}]
        return {"api": {"operation": act.action}, **({"resources": resource} if resource else {})}
    if kind is _GROUP:
        group = act.details.get("group")  # where a member came or went, that is the object
        return {"group": {"uid": str(group)}, "user": {"uid": object}} if group else {"group": {"uid": object}}
    if kind is _AUTHENTICATION:
        return {"user": {"uid": act.object or act.actor or "unknown"}, "service": {"name": PRODUCT}}
    rights = {"privileges": ["read conversations"]} if kind is _AUTHORIZE else {}
    return {"user": {"uid": object}, **rights}
