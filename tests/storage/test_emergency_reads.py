"""Emergency reads: decided once, by somebody else, for a time; each reading is kept."""

from __future__ import annotations

import pytest

from eclair.errors import Conflict, Forbidden, NotFound
from eclair.schema.principal import Principal
from eclair.storage.base import Storage
from eclair.storage.emergency_reads import EmergencyRead
from tests.storage.helpers import ME, SOMEONE
from tests.support import conversation

SECOND = Principal("second", role="auditor")


def request(id: str = "emr_a", owner: str = SOMEONE.id) -> EmergencyRead:
    return EmergencyRead(id=id, owner=owner, reason="Danger.", status="requested", requester=ME.id, requested=5)


async def test_an_approved_request_opens_what_is_its_owners(storage: Storage) -> None:
    await conversation(storage, "conv_a", SOMEONE.id)
    await conversation(storage, "conv_b", "third")
    await storage.emergency_reads.add_request(ME, request())
    assert await storage.emergency_reads.get_request("emr_a") == request()
    for refused in (ME, SOMEONE):
        with pytest.raises(Forbidden):
            await storage.emergency_reads.decide_request(refused, "emr_a", 6, 100)
    with pytest.raises(Forbidden):
        await storage.emergency_reads.read_conversation(ME, "emr_a", "conv_a", 7)
    decided = await storage.emergency_reads.decide_request(SECOND, "emr_a", 6, 100)
    assert (decided.status, decided.decider, decided.expires) == ("approved", "second", 100)
    with pytest.raises(Conflict):
        await storage.emergency_reads.decide_request(SECOND, "emr_a", 7, None)
    assert [each.id for each in await storage.emergency_reads.list_conversations(ME, "emr_a", 7)] == ["conv_a"]
    assert (await storage.emergency_reads.read_conversation(SECOND, "emr_a", "conv_a", 8))[0].id == "conv_a"
    with pytest.raises(NotFound):
        await storage.emergency_reads.read_conversation(ME, "emr_a", "conv_b", 8)
    with pytest.raises(Forbidden):
        await storage.emergency_reads.read_conversation(ME, "emr_a", "conv_a", 100)
    (reading,) = await storage.emergency_reads.list_readings("emr_a")
    assert (reading.conversation, reading.reader, reading.moment) == ("conv_a", "second", 8)
    assert await storage.emergency_reads.list_requests(9) == [decided]


async def test_the_owner_is_told_until_they_took_note_and_again_after_a_reading(storage: Storage) -> None:
    await conversation(storage, "conv_a", SOMEONE.id)
    await storage.emergency_reads.add_request(ME, request())
    assert await storage.emergency_reads.list_untold(SOMEONE) == []
    await storage.emergency_reads.decide_request(SECOND, "emr_a", 6, 100)
    assert [each.id for each in await storage.emergency_reads.list_untold(SOMEONE)] == ["emr_a"]
    assert await storage.emergency_reads.list_untold(ME) == []
    with pytest.raises(NotFound):
        await storage.emergency_reads.acknowledge(ME, "emr_a", 7)
    await storage.emergency_reads.acknowledge(SOMEONE, "emr_a", 7)
    assert await storage.emergency_reads.list_untold(SOMEONE) == []
    await storage.emergency_reads.read_conversation(ME, "emr_a", "conv_a", 8)
    assert [each.id for each in await storage.emergency_reads.list_untold(SOMEONE)] == ["emr_a"]


async def test_a_refused_request_opens_nothing(storage: Storage) -> None:
    await storage.emergency_reads.add_request(ME, request())
    assert (await storage.emergency_reads.decide_request(SECOND, "emr_a", 6, None)).status == "refused"
    with pytest.raises(Forbidden):
        await storage.emergency_reads.list_conversations(ME, "emr_a", 7)
    assert await storage.emergency_reads.list_untold(SOMEONE) == []
    with pytest.raises(NotFound):
        await storage.emergency_reads.get_request("none")
