"""Acts as events of OCSF 1.9 (Open Cybersecurity Schema Framework), for other machines' security monitoring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import eclair
from eclair.schema.audit import AuditAct

VERSION = "1.9.0"
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
_ROLE = _Class(3008, "Role Management", *_IAM)
_API = _Class(6003, "API Activity", 6, "Application Activity")

_CLASSES = {
    "accounts": _USER,
    "emergency_read": _AUTHORIZE,
    "grant": _ROLE,
    "group": _GROUP,
    "identity": _USER,
    "invitation": _USER,
    "password": _USER,
    "person": _USER,
    "role": _ROLE,
    "second_factor": _USER,
    "session": _AUTHENTICATION,
    "sign_in": _AUTHENTICATION,
}
_ACTIVITIES: dict[str, tuple[int, str]] = {
    "session.started": (1, "Logon"),
    "session.ended": (2, "Logoff"),
    "sign_in.failed": (1, "Logon"),
    "group.removed": (5, "Delete"),
    "group.added": (6, "Create"),
}
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
    matter, _, verb = act.action.partition(".")
    kind = _CLASSES.get(matter, _API)
    activity, activity_name = _ACTIVITIES.get(act.action) or (
        _API_VERBS.get(verb, (OTHER, verb)) if kind is _API else (OTHER, verb)
    )
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
            "product": {"name": "Éclair", "vendor_name": "Éclair", "version": eclair.__version__},
            "log_name": "audit",
            "uid": str(act.number),
            "sequence": act.number,
            "event_code": act.action,
        },
        "actor": {"user": user},
        "src_endpoint": {"ip": act.address} if act.address else {"name": "unknown"},
        "unmapped": {**act.details, **({"key": act.key} if act.key else {}), "outcome": act.outcome},
    }
    if kind is _API:
        event["api"] = {"operation": act.action}
        if act.object is not None:
            event["resources"] = [{"uid": act.object, "type": matter}]
    elif kind is _GROUP:
        event["group"] = {"uid": act.object or "unknown"}
    elif kind is _AUTHENTICATION:
        event["user"] = {"uid": act.object or act.actor or "unknown"}
    else:
        event["user"] = {"uid": act.object or "unknown"}
    return event
