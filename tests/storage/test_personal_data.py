"""Everything of a person: counted, listed and erased, and requests for that."""

from __future__ import annotations

import pytest

from eclair.errors import Conflict, NotFound
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.base import Storage
from eclair.storage.personal_data import ErasureRequest
from eclair.storage.projects import Project
from tests.storage.helpers import SOMEONE

REQUEST = ErasureRequest(id="erasure_a", owner="local", asked_by="someone", asked=1, due=5)


async def test_rows_are_counted_listed_and_erased_for_one_person_alone(storage: Storage) -> None:
    for owner in (LOCAL_PRINCIPAL, SOMEONE):
        await storage.projects.add_project(
            owner, Project(id=f"proj_{owner.id}", owner=owner.id, name="Cases", created=1)
        )
        await storage.preferences.replace_preferences(owner, 0, "{}")
    await storage.personal_data.add_request(SOMEONE, REQUEST)
    assert await storage.personal_data.count_rows(LOCAL_PRINCIPAL) == {
        "projects": 1,
        "preferences": 1,
        "requests for erasure": 1,
        "names in the audit log": 1,
    }
    rows = [each async for each in storage.personal_data.list_rows(LOCAL_PRINCIPAL)]
    assert rows[0] == ("requests for erasure", {"id": "erasure_a", "asked": 1, "due": 5, "ended": None})
    assert [(kind, row["action"]) for kind, row in rows[1:]] == [("names in the audit log", "erasure.requested")]
    await storage.personal_data.erase_rows(LOCAL_PRINCIPAL)
    assert await storage.personal_data.count_rows(LOCAL_PRINCIPAL) == {"requests for erasure": 1}
    theirs = await storage.personal_data.count_rows(SOMEONE)
    assert (theirs["projects"], theirs["preferences"]) == (1, 1)


async def test_a_request_is_open_until_it_is_withdrawn_or_done(storage: Storage) -> None:
    data = storage.personal_data
    await storage.personal_data.add_request(SOMEONE, REQUEST)
    with pytest.raises(Conflict):
        await data.add_request(SOMEONE, REQUEST)
    assert await storage.personal_data.find_open_request(LOCAL_PRINCIPAL) == REQUEST
    assert await storage.personal_data.find_open_request(SOMEONE) is None
    assert await storage.personal_data.list_due_requests(4) == []
    assert await storage.personal_data.list_due_requests(5) == [REQUEST]
    await storage.personal_data.withdraw_request(LOCAL_PRINCIPAL, "erasure_a")
    with pytest.raises(NotFound):
        await data.withdraw_request(LOCAL_PRINCIPAL, "erasure_a")
    await data.add_request(SOMEONE, REQUEST)
    await storage.personal_data.end_request("erasure_a", 9, "{}")
    done = await storage.personal_data.get_request("erasure_a")
    assert (done.ended, done.receipt) == (9, "{}")
    assert await storage.personal_data.list_requests() == [done]
    assert await data.list_due_requests(10) == []
    with pytest.raises(NotFound):
        await data.withdraw_request(LOCAL_PRINCIPAL, "erasure_a")
    with pytest.raises(NotFound):
        await data.get_request("erasure_none")
