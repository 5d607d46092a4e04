"""Sums of groups in works-council mode: no arithmetic with those that are shown leads to a few people."""

from __future__ import annotations

import random
from itertools import product

import pytest

from eclair.accounts.shown_budgets import PeopleParts
from eclair.schema.audit import AUDIT_ACTIONS, AuditAct, AuditAction
from eclair.schema.works_council import MIN_GROUP_PEOPLE, may_show_part, without_people

PEOPLE = [f"person {number}" for number in range(24)]


@pytest.mark.parametrize("seed", range(30))
def test_no_combination_of_shown_groups_is_of_a_few_people(seed: int) -> None:
    chance = random.Random(seed)
    parts = PeopleParts(PEOPLE)
    shown = [frozenset(PEOPLE)] if parts.may_show(PEOPLE) else []
    for _ in range(12):
        members = frozenset(chance.sample(PEOPLE, chance.randrange(25)))
        if parts.may_show(members) and len(shown) < 5:
            shown.append(members)
    assert shown
    for factors in product((-2, -1, 0, 1, 2), repeat=len(shown)):
        weights = [
            sum(factor for factor, group in zip(factors, shown, strict=True) if each in group) for each in PEOPLE
        ]
        assert sum(weight != 0 for weight in weights) not in range(1, MIN_GROUP_PEOPLE)


def test_a_group_is_hidden_by_its_size_and_by_those_who_are_left() -> None:
    parts = PeopleParts(PEOPLE[:12])
    assert not parts.may_show(PEOPLE[:4]), "four people"
    assert not parts.may_show(()), "nobody"
    assert not parts.may_show(PEOPLE[20:]), "people who aren't there"
    assert parts.may_show(PEOPLE[:12])
    assert not parts.may_show(PEOPLE[:8]), "four others are left"
    assert parts.may_show(PEOPLE[:6])
    assert parts.may_show(PEOPLE[:6]), "the same people again tell nothing new"
    assert parts.may_show(PEOPLE[6:12])
    assert not parts.may_show(PEOPLE[2:10]), "two and two are told apart"


def test_how_many_of_a_group_is_said_unless_they_or_the_others_are_a_few() -> None:
    assert [part for part in range(21) if may_show_part(part, 20)] == [0, *range(5, 16)]


def act(action: AuditAction, actor: str = "person_a", object: str = "thing") -> AuditAct:
    return AuditAct(
        number=1,
        moment=1,
        action=action,
        outcome="success",
        actor=actor,
        address="10.0.0.9",
        object=object,
        details={"count": 3},
    )


def test_what_people_do_for_themselves_names_nobody() -> None:
    named = {action for action in AUDIT_ACTIONS if without_people(act(action)).actor is not None}
    own = {"access.denied", "identity.linked", "passkey.added", "sign_in.failed", "session.started", "key.made"}
    assert not named & {*own, "group.synced", "export.made", "share.made", "file.deleted", "password.changed"}
    assert named >= {"person.added", "role.changed", "budget.changed", "emergency_read.read", "model.pulled"}
    hidden = without_people(act("person.changed", object="person_a"))
    assert (hidden.actor, hidden.object, hidden.address, hidden.details) == (None, None, None, {})
    assert without_people(act("person.changed")).details == {"count": 3}
