from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from eclair.errors import Conflict, NotFound, StoreError
from eclair.schema.elicitations import CallInput, ElicitationAnswer
from eclair.schema.events import RunFinished, RunWaiting, encode
from eclair.schema.messages import Conversation, Message
from eclair.schema.principal import LOCAL_PRINCIPAL, Principal
from eclair.storage.base import Storage
from eclair.storage.conversations import ConversationEdit
from eclair.storage.runs import EventChunk, LogPlace, RunRecord, RunRequest
from eclair.storage.tool_permissions import ToolPermission
from tests.storage.conftest import Opener
from tests.storage.helpers import turn
from tests.support import Ids, conversation, messages_of, new_turn


async def test_a_turn_names_the_conversation_and_moves_its_leaf(storage: Storage) -> None:
    await conversation(storage)
    await turn(storage, Ids(), "Hello there")
    kept = await storage.conversations.get_conversation(LOCAL_PRINCIPAL, "conv_a")
    messages = await messages_of(storage, "conv_a")
    assert kept.title == "Hello there"
    assert kept.leaf == messages[-1].id
    assert [message.text for message in messages] == ["Hello there", "Hi"]
    await storage.conversations.edit_conversation(
        LOCAL_PRINCIPAL, "conv_a", ConversationEdit(title="Mine", leaf=messages[0].id)
    )
    kept = await storage.conversations.get_conversation(LOCAL_PRINCIPAL, "conv_a")
    assert (kept.title, kept.leaf) == ("Mine", messages[0].id)


async def test_a_parent_is_a_message_of_the_conversation(storage: Storage) -> None:
    await conversation(storage)
    with pytest.raises(NotFound, match="msg_none"):
        await storage.runs.open_turn(new_turn(storage, Ids(), parent="msg_none")[0])
    assert await messages_of(storage, "conv_a") == []
    assert await storage.runs.list_running() == []


async def test_an_id_that_is_taken_elsewhere_is_refused(storage: Storage) -> None:
    await conversation(storage)
    await conversation(storage, "conv_b")
    await turn(storage, Ids())
    with pytest.raises(Conflict, match="is taken"):
        await storage.runs.open_turn(new_turn(storage, Ids(), "conv_b")[0])


async def test_a_process_learns_which_of_its_runs_others_want_stopped(storage: Storage, other: Storage) -> None:
    await conversation(storage)
    run = await storage.runs.open_turn(new_turn(storage, Ids())[0])
    assert await storage.runs.take_requests() == []
    await other.runs.request_stop(run.id)
    assert await storage.runs.take_requests() == [RunRequest(run.id, is_stop=True)]
    assert await other.runs.take_requests() == [], "it is not this one's run"
    answer = (await messages_of(storage, "conv_a"))[-1]
    await storage.runs.finish_run(run, replace(answer, status="finished"), None)
    await other.runs.request_stop(run.id)
    assert await storage.runs.take_requests() == [], "it has ended"


async def test_a_process_learns_what_others_want_finished(storage: Storage, other: Storage) -> None:
    await conversation(storage)
    run = await storage.runs.open_turn(new_turn(storage, Ids())[0])
    for agent in ("2", "2", None):
        await other.runs.request_finish(run.id, agent)
    assert await other.runs.take_requests() == [], "it is not this one's run"
    assert set(await storage.runs.take_requests()) == {
        RunRequest(run.id, is_stop=False),
        RunRequest(run.id, is_stop=False, agent="2"),
    }
    assert await storage.runs.take_requests() == []
    await other.runs.request_finish(run.id, None)
    answer = (await messages_of(storage, "conv_a"))[-1]
    await storage.runs.finish_run(run, replace(answer, status="finished"), None)
    assert await storage.runs.take_requests() == []
    await other.runs.request_finish(run.id, None)
    assert await storage.runs.take_requests() == [], "it has ended"


async def test_closing_a_run_twice_keeps_the_first_end(storage: Storage, other: Storage) -> None:
    await conversation(storage)
    added, started = new_turn(storage, Ids())
    run = await storage.runs.open_turn(
        replace(added, first=EventChunk(started.run, 1, encode(replace(started, seq=1))))
    )
    rest = EventChunk(run.id, 2, encode(RunFinished("stop", seq=2)))
    await storage.runs.finish_run(run, replace(added.answer, status="finished"), rest)
    await other.runs.finish_run(run, replace(added.answer, status="interrupted"), rest)
    assert (await storage.runs.get_run(LOCAL_PRINCIPAL, run.id)).status == "finished"
    assert (await messages_of(storage, "conv_a"))[-1].status == "finished"


async def test_a_log_is_read_from_the_chunk_on_that_is_asked_for(storage: Storage) -> None:
    await conversation(storage)
    added, started = new_turn(storage, Ids())
    run = await storage.runs.open_turn(replace(added, first=EventChunk(started.run, 1, b"1")))
    await storage.runs.append_events([EventChunk(run.id, 4, b"2\n3\n4"), EventChunk(run.id, 6, b"5\n6")])
    assert [chunk.last for chunk in await storage.runs.list_events(run.id, 0)] == [1, 4, 6]
    assert [chunk.last for chunk in await storage.runs.list_events(run.id, 2)] == [4, 6]
    assert [chunk.last for chunk in await storage.runs.list_events(run.id, 4)] == [6]
    assert await storage.runs.list_events(run.id, 6) == []


async def test_what_is_new_behind_several_places_is_read_at_once(storage: Storage) -> None:
    ids, runs = Ids(), list[RunRecord]()
    for name in ("conv_a", "conv_b", "conv_c"):
        await conversation(storage, name)
        added, started = new_turn(storage, ids, name)
        runs.append(await storage.runs.open_turn(replace(added, first=EventChunk(started.run, 1, b"1"))))
    first, second, third = runs
    await storage.runs.append_events([EventChunk(second.id, 4, b"2\n3\n4"), EventChunk(second.id, 6, b"5\n6")])
    answer = (await messages_of(storage, "conv_c"))[-1]
    await storage.runs.finish_run(third, replace(answer, status="finished"), None)
    places = [LogPlace(second.id, 2), LogPlace("run_none", 0), LogPlace(first.id, 1), LogPlace(third.id, 0)]
    found = await storage.runs.list_new_events([*places, LogPlace(second.id, 4)])
    assert [[chunk.last for chunk in new.chunks] for new in found] == [[4, 6], [], [], [1], [6]]
    assert [new.run and (new.run.id, new.run.status) for new in found] == [
        (second.id, "running"),
        None,
        (first.id, "running"),
        (third.id, "finished"),
        (second.id, "running"),
    ]
    assert await storage.runs.list_new_events([]) == []


@pytest.mark.parametrize("is_new", [True, False])
async def test_of_many_turns_at_once_a_conversation_has_one(storage: Storage, other: Storage, *, is_new: bool) -> None:
    ids, begun = Ids(), Conversation("conv_new", "local", "", 1, 1) if is_new else None
    if not is_new:
        await conversation(storage, "conv_new")
    turns = [
        (each, replace(new_turn(each, ids, "conv_new")[0], begins=begun)) for _ in range(8) for each in (storage, other)
    ]
    found = await asyncio.gather(*(each.runs.open_turn(turn) for each, turn in turns), return_exceptions=True)
    opened = [run for run in found if isinstance(run, RunRecord)]
    assert len(opened) == 1
    assert all(isinstance(each, Conflict) for each in found if each is not opened[0])
    assert [run.id for run in await storage.runs.list_running()] == [opened[0].id]
    assert len(await messages_of(storage, "conv_new")) == 2


async def test_a_turn_that_is_sent_several_times_at_once_is_one(storage: Storage, other: Storage) -> None:
    begun = Conversation("conv_new", "local", "", 1, 1)
    added = replace(new_turn(storage, Ids(), "conv_new")[0], begins=begun)
    found = await asyncio.gather(*(each.runs.open_turn(added) for _ in range(5) for each in (storage, other)))
    assert {run.id for run in found} == {added.run.id}
    assert len(await messages_of(storage, "conv_new")) == 2


async def test_an_answer_that_begins_below_a_deleted_message_is_refused_or_keeps_it(
    storage: Storage, other: Storage
) -> None:
    ids = Ids()
    for number in range(12):
        name = f"conv_{number}"
        await conversation(storage, name)
        await turn(storage, ids, where=name)
        below = (await messages_of(storage, name))[-1].id
        await turn(storage, ids, where=name)  # another branch, which is the one that is shown
        question = (await messages_of(storage, name))[0].id
        begun, deleted = await asyncio.gather(
            storage.runs.open_turn(new_turn(storage, ids, name, parent=below)[0]),
            other.conversations.delete_message(LOCAL_PRINCIPAL, name, question),
            return_exceptions=True,
        )
        if isinstance(begun, RunRecord):
            assert isinstance(deleted, Conflict)
        else:
            assert isinstance(begun, NotFound)
            assert isinstance(deleted, Conversation)


async def test_a_conversation_that_is_added_twice_at_once_is_one(storage: Storage, other: Storage) -> None:
    for number in range(12):
        new = Conversation(f"conv_{number}", "local", "", 1, 1)
        was_added, added = await asyncio.gather(
            storage.conversations.add_tree(LOCAL_PRINCIPAL, new, []),
            other.conversations.add_conversation(LOCAL_PRINCIPAL, new),
        )
        assert was_added in (True, False)
        assert added.id == new.id


async def test_turns_in_many_conversations_at_once_all_begin_and_end(storage: Storage, other: Storage) -> None:
    ids = Ids()
    names = [f"conv_{number}" for number in range(40)]

    async def run(at: Storage, name: str) -> None:
        await conversation(at, name)
        await turn(at, ids, where=name)

    await asyncio.gather(*(run(storage if number % 2 else other, name) for number, name in enumerate(names)))
    assert await storage.runs.list_running() == []
    assert [(await messages_of(storage, name))[-1].status for name in names] == ["finished"] * 40


async def test_a_log_that_was_folded_away_leaves_the_message_and_the_number_of_its_events(opener: Opener) -> None:
    now = [1000.0]
    storage = opener(clock=lambda: now[0])
    await conversation(storage)
    ids = Ids()
    old = await turn(storage, ids, say="Old")
    now[0] = 2000.0
    new = await turn(storage, ids, say="New")
    running = await storage.runs.open_turn(new_turn(storage, ids)[0])
    assert await storage.runs.fold_logs(1_000_000, 9) == 0
    assert await storage.runs.find_folded(old.id) is None
    assert await storage.runs.fold_logs(1_000_001, 9) == 1
    folded = await storage.runs.find_folded(old.id)
    assert folded is not None
    assert (folded.message.text, folded.last) == ("Old", 2)
    assert await storage.runs.list_events(old.id, 0) == []
    assert len(await storage.runs.list_events(new.id, 0)) == 2
    assert await storage.runs.fold_logs(3_000_000, 9) == 1
    assert await storage.runs.fold_logs(3_000_000, 9) == 0
    assert await storage.runs.find_folded(running.id) is None
    assert [message.text for message in await messages_of(storage, "conv_a")] == [
        "Hello",
        "Old",
        "Hello",
        "New",
        "Hello",
        "",
    ]
    await storage.close()


async def test_two_writers_in_one_conversation_lose_nothing(storage: Storage, other: Storage) -> None:
    await conversation(storage)
    counts = Ids()

    async def write(to: Storage, name: str) -> int:
        refused = 0
        done = 0
        while done < 25:
            try:
                await turn(to, counts, f"{name} {done}", f"{name} answer {done}")
                done += 1
            except Conflict:
                refused += 1
                await asyncio.sleep(0)
        return refused

    await asyncio.gather(write(storage, "a"), write(other, "b"))
    messages = await messages_of(storage, "conv_a")
    assert messages == await messages_of(other, "conv_a")
    assert len(messages) == 100
    for name in ("a", "b"):
        asked = [message.text for message in messages if message.role == "user" and message.text.startswith(name)]
        assert asked == [f"{name} {number}" for number in range(25)]
    assert all(message.status == "finished" for message in messages)


async def test_messages_read_back_as_they_were(storage: Storage) -> None:
    await conversation(storage)
    added, _ = new_turn(storage, Ids(), text="Zwölf \U0001f950\n\ttabs \u2028 \x7f")
    run = await storage.runs.open_turn(added)
    question: Message | None = added.question
    assert await messages_of(storage, "conv_a") == [question, added.answer]
    assert await storage.runs.list_running("conv_a") == [run]
    assert await storage.runs.list_running("conv_b") == []
    assert await storage.runs.list_running() == [run]


async def test_a_run_that_waits_belongs_to_nobody_until_one_takes_it_up(storage: Storage, other: Storage) -> None:
    await conversation(storage)
    added, started = new_turn(storage, Ids())
    run = await storage.runs.open_turn(
        replace(added, first=EventChunk(started.run, 1, encode(replace(started, seq=1))), options="{}")
    )
    await storage.runs.append_safely(EventChunk(run.id, 2, b"2"))
    await storage.runs.append_safely(EventChunk(run.id, 2, b""))
    assert await other.runs.take_up_run(run.id) is None, "it is at work"
    rest = EventChunk(run.id, 3, encode(RunWaiting(seq=3)))
    assert await storage.runs.park_run(run, replace(added.answer, status="waiting"), rest) == LOCAL_PRINCIPAL
    assert await storage.runs.park_run(run, replace(added.answer, status="waiting"), rest) is None
    assert await storage.runs.get_status(run.id) == "waiting"
    assert await storage.runs.get_status("run_none") is None
    assert await storage.runs.list_running() == []
    assert [each.id for each in await storage.runs.list_waiting_runs(1 << 50)] == [run.id]
    assert await storage.runs.list_waiting_runs(0) == []
    ids = Ids()
    ids("more")
    with pytest.raises(Conflict):
        await storage.runs.open_turn(new_turn(storage, ids)[0])
    with pytest.raises(NotFound):
        await storage.runs.decide_call(Principal("someone"), run.id, "call_1", "once")
    assert await storage.runs.list_decided_runs() == []
    assert await storage.runs.decide_call(LOCAL_PRINCIPAL, run.id, "call_1", "once")
    assert not await other.runs.decide_call(LOCAL_PRINCIPAL, run.id, "call_1", "declined")
    assert [each.id for each in await other.runs.list_decided_runs()] == [run.id]
    taken = await other.runs.take_up_run(run.id)
    assert taken is not None
    assert (taken.owner, taken.options, taken.decisions) == (LOCAL_PRINCIPAL, "{}", {"call_1": "once"})
    assert taken.run.process == other.processes.current
    assert await storage.runs.take_up_run(run.id) is None, "the other one was faster"


async def test_a_run_that_another_process_took_up_is_no_longer_the_first_ones(storage: Storage, other: Storage) -> None:
    await conversation(storage)
    added, started = new_turn(storage, Ids())
    run = await storage.runs.open_turn(
        replace(added, first=EventChunk(started.run, 1, encode(replace(started, seq=1))), options="{}")
    )
    waiting, rest = replace(added.answer, status="waiting"), EventChunk(run.id, 2, encode(RunWaiting(seq=2)))
    await storage.runs.park_run(run, waiting, rest)
    await other.runs.decide_call(LOCAL_PRINCIPAL, run.id, "call_1", "once")
    taken = await other.runs.take_up_run(run.id)
    assert taken is not None
    assert await storage.runs.park_run(run, waiting, rest) is None, "its answer to the first attempt was lost"
    assert await storage.runs.list_running() == [taken.run]
    await storage.runs.finish_run(run, replace(added.answer, status="stopped"), None)
    assert await storage.runs.list_running() == [taken.run]
    end = EventChunk(run.id, 3, encode(RunFinished("stop", seq=3)))
    await other.runs.finish_run(taken.run, replace(added.answer, status="finished"), end)
    assert (await storage.runs.get_run(LOCAL_PRINCIPAL, run.id)).status == "finished"


async def test_questions_of_servers_wait_with_the_run_until_all_are_answered(storage: Storage, other: Storage) -> None:
    await conversation(storage)
    added, started = new_turn(storage, Ids())
    run = await storage.runs.open_turn(
        replace(added, first=EventChunk(started.run, 1, encode(replace(started, seq=1))), options="{}")
    )
    await storage.elicitations.add_questions(run.id, "call_1", {1: "who", 2: "when"}, "state")
    await storage.elicitations.add_questions("run_none", "call_1", {1: "who"}, None)
    rest = EventChunk(run.id, 2, encode(RunWaiting(seq=2)))
    await storage.runs.park_run(run, replace(added.answer, status="waiting"), rest)
    with pytest.raises(NotFound):
        await storage.elicitations.answer_question(Principal("someone"), run.id, "call_1", 1, "accept", {})
    assert not await storage.elicitations.answer_question(LOCAL_PRINCIPAL, run.id, "call_2", 1, "accept", {})
    assert await other.elicitations.answer_question(LOCAL_PRINCIPAL, run.id, "call_1", 1, "accept", {"who": ["Zoë"]})
    assert not await storage.elicitations.answer_question(LOCAL_PRINCIPAL, run.id, "call_1", 1, "decline", None)
    assert not await storage.elicitations.is_answered(run.id, "call_1")
    assert await storage.elicitations.take_input(run.id, "call_1") is None
    assert await storage.runs.list_decided_runs() == []
    assert await storage.elicitations.answer_question(LOCAL_PRINCIPAL, run.id, "call_1", 2, "cancel", None)
    assert await storage.elicitations.is_answered(run.id, "call_1")
    assert [each.id for each in await other.runs.list_decided_runs()] == [run.id]
    answers = (ElicitationAnswer(1, "who", "accept", {"who": ["Zoë"]}), ElicitationAnswer(2, "when", "cancel"))
    assert await other.elicitations.take_inputs(run.id) == {"call_1": CallInput("state", answers)}
    assert await storage.runs.list_decided_runs() == []
    assert not await storage.elicitations.is_answered(run.id, "call_1")


async def test_permissions_of_tools_are_each_persons_own(storage: Storage) -> None:
    await conversation(storage)
    given = ToolPermission("perm_1", "send_mail", "example.org", "conv_a", 1)
    await storage.tool_permissions.add_permission(LOCAL_PRINCIPAL, given)
    await storage.tool_permissions.add_permission(LOCAL_PRINCIPAL, replace(given, id="perm_2"))
    await storage.tool_permissions.add_permission(LOCAL_PRINCIPAL, replace(given, id="perm_3", conversation=None))
    listed = await storage.tool_permissions.list_permissions(LOCAL_PRINCIPAL)
    assert [each.id for each in listed] == ["perm_1", "perm_3"]
    assert await storage.tool_permissions.list_permissions(Principal("someone")) == []
    with pytest.raises(NotFound):
        await storage.tool_permissions.delete_permission(Principal("someone"), "perm_1")
    await storage.tool_permissions.delete_permission(LOCAL_PRINCIPAL, "perm_1")
    assert [each.id for each in await storage.tool_permissions.list_permissions(LOCAL_PRINCIPAL)] == ["perm_3"]


async def test_a_refusal_takes_the_place_of_a_permission(storage: Storage) -> None:
    given = ToolPermission("perm_1", "send_mail", "example.org", None, 1)
    await storage.tool_permissions.add_permission(LOCAL_PRINCIPAL, given)
    await storage.tool_permissions.add_permission(LOCAL_PRINCIPAL, replace(given, id="perm_2", is_denied=True))
    (listed,) = await storage.tool_permissions.list_permissions(LOCAL_PRINCIPAL)
    assert listed == replace(given, is_denied=True)


async def test_a_process_that_was_taken_for_dead_adds_nothing_to_what_another_ended(storage: Storage) -> None:
    await conversation(storage)
    added, _ = new_turn(storage, Ids())
    run = await storage.runs.open_turn(added)
    assert await storage.runs.append_safely(EventChunk(run.id, 1, b"1"))
    assert await storage.runs.append_safely(EventChunk(run.id, 1, b"1")), "the first may have been stored unknown to it"
    await storage.runs.finish_run(run, replace(added.answer, status="interrupted"), EventChunk(run.id, 2, b"2"))
    assert not await storage.runs.append_safely(EventChunk(run.id, 3, b"3"))
    await storage.runs.append_events([EventChunk(run.id, 4, b"4")])
    assert [chunk.last for chunk in await storage.runs.list_events(run.id, 0)] == [1, 2]


async def test_a_log_has_no_gap_where_the_database_lost_its_end(storage: Storage) -> None:
    await conversation(storage)
    added, started = new_turn(storage, Ids())
    run = await storage.runs.open_turn(
        replace(added, first=EventChunk(started.run, 1, encode(replace(started, seq=1))))
    )
    await storage.runs.append_events([EventChunk(run.id, 2, b"2")])
    await storage.runs.append_events([EventChunk(run.id, 5, b"5"), EventChunk("run_none", 5, b"5")])  # 3 and 4 are lost
    assert await storage.runs.list_last_events([run.id, "run_none"]) == {run.id: 2}
    end = EventChunk(run.id, 6, encode(RunFinished("stop", seq=6)))
    for lost in (
        storage.runs.append_safely(end),
        storage.runs.park_run(run, replace(added.answer, status="waiting"), end),
        storage.runs.finish_run(run, replace(added.answer, status="finished"), end),
    ):
        with pytest.raises(StoreError, match="lost the last words of the answer"):
            await lost
    assert (await storage.runs.get_run(LOCAL_PRINCIPAL, run.id)).status == "running"
    await storage.runs.append_events([EventChunk(run.id, 5, b"3\n4\n5")])
    await storage.runs.finish_run(run, replace(added.answer, status="finished"), end)
    assert [chunk.last for chunk in await storage.runs.list_events(run.id, 0)] == [1, 2, 5, 6]
