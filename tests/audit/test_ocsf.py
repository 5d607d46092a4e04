"""Events are valid by the class definitions of OCSF 1.9, of which `ocsf_1_9.json` has what they use."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import orjson
import pytest

from eclair.audit.ocsf import to_ocsf
from eclair.schema.audit import AUDIT_ACTIONS, AuditAct, AuditAction, AuditOutcome

JSON = dict[str, Any]
SCHEMA: JSON = orjson.loads((Path(__file__).parent / "ocsf_1_9.json").read_bytes())
NUMBERS = ("integer_t", "long_t", "timestamp_t", "port_t")
OUTCOMES: tuple[AuditOutcome, ...] = ("success", "failure", "denied")


def faults(value: Any, definition: JSON, place: str) -> list[str]:
    """Return the faults of an event and of its objects."""
    found = [f"{place}.{name} is missing" for name in definition["required"] if name not in value]
    one_of = definition.get("at_least_one")
    if one_of is not None and not any(name in value for name in one_of):
        found.append(f"{place} has none of {one_of}")
    for name, each in value.items():
        attribute = definition["attributes"].get(name)
        if attribute is None:
            found.append(f"{place}.{name} is no attribute")
            continue
        if isinstance(each, list) != attribute.get("array", False):
            found.append(f"{place}.{name} is a list, or isn't")
            continue
        items: list[Any] = each if attribute.get("array", False) else [each]
        for item in items:
            found += fault_of(item, attribute, f"{place}.{name}")
    return found


def fault_of(value: Any, attribute: JSON, place: str) -> list[str]:
    kind = attribute["type"]
    if "enum" in attribute and value not in attribute["enum"]:
        return [f"{place} is {value!r}"]
    if kind in SCHEMA["objects"]:
        return faults(value, SCHEMA["objects"][kind], place) if isinstance(value, dict) else [f"{place} is no object"]
    if kind == "object":
        return [] if isinstance(value, dict) else [f"{place} is no object"]
    return [] if isinstance(value, int if kind in NUMBERS else str) else [f"{place} is no {kind}"]


def act(action: AuditAction, outcome: AuditOutcome, **more: Any) -> AuditAct:
    return AuditAct(number=7, moment=1_795_530_000_000, action=action, outcome=outcome, **more)


@pytest.mark.parametrize("action", AUDIT_ACTIONS)
def test_every_act_is_a_valid_event(action: AuditAction) -> None:
    whole: JSON = {"actor": "person_a", "object": "thing", "address": "192.0.2.7", "key": "key_a"}
    details: tuple[JSON, ...] = ({}, {"what": "added", "group": "grp_a"}, {"count": 3, "all": True})
    for outcome, named, more in product(OUTCOMES, (whole, {}), details):
        event: JSON = orjson.loads(orjson.dumps(to_ocsf(act(action, outcome, details=more, **named))))
        definition = SCHEMA["classes"][str(event["class_uid"])]
        assert faults(event, definition, definition["name"]) == []
        assert event["class_name"] == definition["name"]
        assert event["type_uid"] == event["class_uid"] * 100 + event["activity_id"]
        assert event["metadata"]["version"] == "1.9.0"


def test_acts_on_people_say_what_was_done() -> None:
    said = {
        "person.locked": (3007, 6),
        "password.changed": (3007, 8),
        "role.changed": (3007, 16),
        "session.started": (3002, 1),
        "emergency_read.approved": (3003, 1),
        "group.added": (3006, 6),
        "key.made": (6003, 1),
        "export.made": (6003, 1),
    }
    found = {each: to_ocsf(act(each, "success", object="person_a")) for each in AUDIT_ACTIONS if each in said}
    assert {name: (event["class_uid"], event["activity_id"]) for name, event in found.items()} == said
    joined = to_ocsf(act("group.changed", "success", object="person_a", details={"what": "added", "group": "grp_a"}))
    assert (joined["activity_id"], joined["group"]["uid"], joined["user"]["uid"]) == (3, "grp_a", "person_a")
