"""Responses and conversations of the Responses API."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eclair.errors import Conflict, NotFound, StoreError
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.api_conversations import ApiConversation
from eclair.storage.base import Storage
from eclair.storage.responses import (
    ItemCursor,
    ItemPage,
    KeptCount,
    ResponseEvents,
    StoredItem,
    StoredResponse,
)
from tests.storage.conftest import Opener
from tests.storage.helpers import SOMEONE

DONE = StoredResponse(id="resp_a", process="", status="completed", body={"id": "resp_a", "n": 1.5})
QUESTION = StoredItem("msg_a", {"id": "msg_a", "type": "message", "role": "user", "content": "Pâté?"})
ANSWER = StoredItem("msg_b", {"id": "msg_b", "type": "message", "role": "assistant", "content": "Oui."})


async def test_a_response_is_read_with_its_items(storage: Storage) -> None:
    await storage.responses.add_response(LOCAL_PRINCIPAL, DONE, [QUESTION], [ANSWER])
    assert await storage.responses.get_response(LOCAL_PRINCIPAL, "resp_a", 0) == (DONE, [ANSWER])
    listed = await storage.responses.list_inputs(LOCAL_PRINCIPAL, "resp_a", 0, ItemCursor(10))
    assert listed == ItemPage([QUESTION], has_more=False)
    assert await storage.responses.list_context(LOCAL_PRINCIPAL, "resp_a", 0) == [QUESTION, ANSWER]
    found = await storage.responses.find_items(LOCAL_PRINCIPAL, ["msg_b", "msg_none"], 0)
    assert found == {"msg_b": ANSWER}
    for principal, since in ((SOMEONE, 0), (LOCAL_PRINCIPAL, 2**52)):
        assert await storage.responses.find_items(principal, ["msg_b"], since) == {}
        with pytest.raises(NotFound):
            await storage.responses.get_response(principal, "resp_a", since)
        with pytest.raises(NotFound):
            await storage.responses.list_context(principal, "resp_a", since)
        with pytest.raises(NotFound):
            await storage.responses.list_inputs(principal, "resp_a", since, ItemCursor(10))
        with pytest.raises(NotFound):
            await storage.responses.delete_response(principal, "resp_a", since)
    await storage.responses.delete_response(LOCAL_PRINCIPAL, "resp_a", 0)
    assert await storage.responses.find_items(LOCAL_PRINCIPAL, ["msg_a", "msg_b"], 0) == {}


async def test_a_background_response_is_written_as_it_comes(storage: Storage) -> None:
    begun = replace(DONE, process=storage.processes.current, status="in_progress", background=True)
    await storage.responses.add_response(LOCAL_PRINCIPAL, begun, [QUESTION])
    assert await storage.responses.list_running() == [begun]
    with pytest.raises(Conflict):
        await storage.responses.list_context(LOCAL_PRINCIPAL, "resp_a", 0)
    first, rest = ResponseEvents("resp_a", 1, b"{}\n{}"), ResponseEvents("resp_a", 2, b"[]")
    await storage.responses.append_events([first, ResponseEvents("resp_none", 0, b"{}")])
    assert await storage.responses.list_cancelled(["resp_a"]) == []
    await storage.responses.request_cancel("resp_a")
    assert await storage.responses.list_cancelled(["resp_a", "resp_none"]) == ["resp_a", "resp_none"]
    assert await storage.responses.is_running("resp_a")
    ended = replace(begun, status="cancelled", body={"id": "resp_a"})
    assert await storage.responses.finish_response(ended, [ANSWER], rest)
    assert not await storage.responses.finish_response(replace(ended, status="failed"), [ANSWER], None)
    assert not await storage.responses.is_running("resp_a")
    assert await storage.responses.list_running() == []
    await storage.responses.append_events([ResponseEvents("resp_a", 3, b"late")])  # of a process that was cut off
    assert await storage.responses.list_cancelled(["resp_a"]) == ["resp_a"]
    assert await storage.responses.get_response(LOCAL_PRINCIPAL, "resp_a", 0) == (ended, [ANSWER])
    assert await storage.responses.list_events("resp_a", -1) == [first, rest]
    assert await storage.responses.list_events("resp_a", 1) == [rest]


async def test_a_log_has_no_gap_where_the_database_lost_its_end(storage: Storage) -> None:
    begun = replace(DONE, process=storage.processes.current, status="in_progress", background=True)
    await storage.responses.add_response(LOCAL_PRINCIPAL, begun, [QUESTION])
    first, gap, end = (ResponseEvents("resp_a", *each) for each in ((0, b"0"), (3, b"2\n3"), (4, b"4")))
    await storage.responses.append_events([gap])
    assert await storage.responses.list_last_events(["resp_a", "resp_none"]) == {}
    for _ in range(2):  # the first may have been stored unknown to who asked for it
        await storage.responses.append_events([first, gap])
    assert await storage.responses.list_last_events(["resp_a", "resp_none"]) == {"resp_a": 0}
    ended = replace(begun, status="completed")
    with pytest.raises(StoreError, match="lost the last words of the response"):
        await storage.responses.finish_response(ended, [ANSWER], end)
    assert await storage.responses.get_response(LOCAL_PRINCIPAL, "resp_a", 0) == (begun, [])
    whole = ResponseEvents("resp_a", 3, b"1\n2\n3")
    await storage.responses.append_events([whole])
    assert await storage.responses.finish_response(ended, [ANSWER], end)
    assert await storage.responses.list_events("resp_a", -1) == [first, whole, end]


async def test_what_is_continued_lives_on(opener: Opener) -> None:
    now = 100.0
    storage = opener(clock=lambda: now)
    await storage.responses.add_response(LOCAL_PRINCIPAL, DONE, [QUESTION], [ANSWER])
    await storage.responses.add_response(LOCAL_PRINCIPAL, replace(DONE, id="resp_b"), [])
    await storage.api_conversations.add_conversation(LOCAL_PRINCIPAL, ApiConversation("conv_a", 1, {}), [QUESTION])
    now = 200.0
    await storage.responses.add_response(LOCAL_PRINCIPAL, replace(DONE, id="resp_c", previous="resp_a"), [])
    at_work = replace(DONE, id="resp_d", status="in_progress", process="p")
    await storage.responses.add_response(SOMEONE, at_work, [])
    now = 300.0
    assert await storage.responses.count_kept(LOCAL_PRINCIPAL, 200_000) == KeptCount(2, 0)
    assert await storage.responses.expire(200_000) == 2
    assert await storage.responses.count_kept(LOCAL_PRINCIPAL, 0) == KeptCount(2, 0)
    assert await storage.responses.list_context(LOCAL_PRINCIPAL, "resp_c", 0) == [QUESTION, ANSWER]
    await storage.responses.delete_response(LOCAL_PRINCIPAL, "resp_a", 0)
    with pytest.raises(NotFound, match="resp_a"):
        await storage.responses.list_context(LOCAL_PRINCIPAL, "resp_c", 0)
    assert await storage.responses.expire(10**9) == 1, "what is at work stays"
    await storage.responses.delete_all(LOCAL_PRINCIPAL)
    assert await storage.responses.count_kept(SOMEONE, 0) == KeptCount(1, 0)
    await storage.responses.delete_all(SOMEONE)
    assert await storage.responses.list_running() == []
    await storage.close()


async def test_a_conversation_has_items_of_its_own_and_of_responses(storage: Storage) -> None:
    conversation = ApiConversation("conv_a", 5, {"topic": "bread"})
    await storage.api_conversations.add_conversation(LOCAL_PRINCIPAL, conversation, [QUESTION])
    assert await storage.api_conversations.get_conversation(LOCAL_PRINCIPAL, "conv_a", 0) == conversation
    said = replace(DONE, conversation="conv_a")
    more = [StoredItem(f"msg_{number}", {"n": number}) for number in range(3)]
    await storage.responses.add_response(LOCAL_PRINCIPAL, said, more[:1], more[1:2])
    failed = replace(said, id="resp_f", status="failed")
    await storage.responses.add_response(LOCAL_PRINCIPAL, failed, [ANSWER])
    await storage.api_conversations.add_items(LOCAL_PRINCIPAL, "conv_a", 0, more[2:])
    whole = [QUESTION, *more]
    assert (await storage.api_conversations.list_items(LOCAL_PRINCIPAL, "conv_a", 0, None)).items == whole
    for cursor, found in (
        (ItemCursor(2), ItemPage(whole[:2], has_more=True)),
        (ItemCursor(2, whole[1].id), ItemPage(whole[2:], has_more=False)),
        (ItemCursor(2, descending=True), ItemPage([more[2], more[1]], has_more=True)),
        (ItemCursor(9, more[1].id, descending=True), ItemPage([more[0], QUESTION], has_more=False)),
    ):
        assert await storage.api_conversations.list_items(LOCAL_PRINCIPAL, "conv_a", 0, cursor) == found
    with pytest.raises(NotFound):
        await storage.api_conversations.list_items(LOCAL_PRINCIPAL, "conv_a", 0, ItemCursor(2, "msg_none"))
    assert await storage.api_conversations.get_item(LOCAL_PRINCIPAL, "conv_a", 0, "msg_0") == more[0]
    assert await storage.api_conversations.delete_item(LOCAL_PRINCIPAL, "conv_a", 0, "msg_0") == conversation
    with pytest.raises(NotFound):
        await storage.api_conversations.get_item(LOCAL_PRINCIPAL, "conv_a", 0, "msg_0")
    renamed = await storage.api_conversations.set_metadata(LOCAL_PRINCIPAL, "conv_a", 0, {})
    assert renamed == replace(conversation, metadata={})
    with pytest.raises(NotFound):
        await storage.api_conversations.get_conversation(SOMEONE, "conv_a", 0)
    with pytest.raises(NotFound):
        await storage.api_conversations.delete_conversation(SOMEONE, "conv_a", 0)
    await storage.api_conversations.delete_conversation(LOCAL_PRINCIPAL, "conv_a", 0)
    assert (await storage.responses.get_response(LOCAL_PRINCIPAL, "resp_a", 0))[1] == more[1:2]
    late = replace(said, id="resp_g")
    await storage.responses.add_response(LOCAL_PRINCIPAL, late, [QUESTION])
    with pytest.raises(NotFound):
        await storage.api_conversations.get_conversation(LOCAL_PRINCIPAL, "conv_a", 0)
