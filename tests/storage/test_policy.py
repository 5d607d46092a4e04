"""The policy as a whole: read as of one moment, and changed all at once or not at all."""

from __future__ import annotations

import pytest

from eclair.errors import NotFound
from eclair.schema.audit import ActFilter
from eclair.schema.people import PersonGroup
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.base import Storage
from eclair.storage.retention import RetentionRule
from eclair.storage.web_settings import StoredWebSettings
from tests.storage.test_grants import grant
from tests.storage.test_people import BEN
from tests.storage.test_people import add as add_people

GROUP = PersonGroup(id="grp_a", name="a", origin="local", created=1)


async def test_values_are_put_and_removed_together(storage: Storage) -> None:
    await add_people(storage, BEN)
    rule = RetentionRule(scope="group", subject="grp_a", days=30)
    web = StoredWebSettings(policy="eu")
    named = grant("grant_a", f"person:{BEN.id}")
    await storage.policy.change_policy(LOCAL_PRINCIPAL, [], [GROUP, named, rule, web], {"added": 4})
    stored = await storage.policy.read_policy()
    assert (stored.groups, stored.grants, stored.web) == ([GROUP], [named], web)
    assert [(each.scope, each.days) for each in stored.rules] == [("group", 30)]
    assert stored.names == {BEN.id: BEN.name}
    (last,) = await storage.audit.list_acts(ActFilter(action="policy.applied"), 5)
    assert last.details == {"added": 4}
    await storage.policy.change_policy(LOCAL_PRINCIPAL, [named, GROUP, web], [], {})
    stored = await storage.policy.read_policy()
    assert (stored.groups, stored.grants, stored.web) == ([], [], StoredWebSettings())


async def test_nothing_is_changed_where_one_value_cannot_be(storage: Storage) -> None:
    lost = RetentionRule(scope="project", subject="fld_none", days=3)
    with pytest.raises(NotFound):
        await storage.policy.change_policy(LOCAL_PRINCIPAL, [], [GROUP, lost], {})
    assert (await storage.policy.read_policy()).groups == []
    assert await storage.audit.list_acts(ActFilter(), 5) == []
