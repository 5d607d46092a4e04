from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eclair.errors import Conflict, NotFound
from eclair.schema.events import RunFinished, encode
from eclair.schema.messages import Conversation, Message, Part, Usage
from eclair.storage.store import SQLStore
from eclair.storage.types import Chunk, Deleted, Edit, Listed, RunRecord, Share
from tests.support import Ids, conversation, messages_of, new_turn


@pytest.fixture
async def other(tmp_path: Path) -> AsyncGenerator[SQLStore]:
    """Another process on the same folder, as far as the database can tell."""
    store = SQLStore.open(tmp_path / "store")
    yield store
    await store.close()


async def turn(store: SQLStore, ids: Ids, text: str = "Hello", say: str = "Hi", where: str = "conv_a") -> RunRecord:
    """A whole turn: a question and its answer."""
    added, started = new_turn(store, ids, where, text)
    run = await store.open_turn(replace(added, first=Chunk(started.run, 1, encode(replace(started, seq=1)))))
    answer = replace(added.answer, status="finished", parts=(Part("text", say),))
    await store.close_run(run, answer, Chunk(run.id, 2, encode(RunFinished("stop", seq=2))))
    return run


async def test_a_conversation_is_made_once(store: SQLStore) -> None:
    first = await conversation(store, at=1)
    assert await store.add_conversation(replace(first, title="Other")) == first
    with pytest.raises(Conflict, match="is taken"):
        await store.add_conversation(replace(first, owner="someone"))


async def test_what_is_another_owners_is_not_there(store: SQLStore) -> None:
    await conversation(store)
    run = await turn(store, Ids(), "secret")
    with pytest.raises(NotFound):
        await store.conversation("someone", "conv_a")
    with pytest.raises(NotFound):
        await store.change_conversation("someone", "conv_a", Edit(title="mine"))
    with pytest.raises(NotFound):
        await store.delete_conversation("someone", "conv_a")
    with pytest.raises(NotFound):
        await store.run("someone", run.id)
    with pytest.raises(NotFound):
        await store.open_turn(replace(new_turn(store, Ids())[0], owner="someone"))
    assert await store.conversations("someone", 9) == Listed([], [], None)
    assert await store.conversation_ids("someone") == []
    assert await store.search("someone", "secret", 9) == []


async def test_conversations_come_newest_first_in_pages(store: SQLStore) -> None:
    for number in range(10):
        await store.add_conversation(Conversation(f"conv_{number}", "local", "", number, number))
    first = await store.conversations("local", 4)
    assert [found.id for found in first.conversations] == ["conv_9", "conv_8", "conv_7", "conv_6"]
    second = await store.conversations("local", 4, before=first.next)
    assert [found.id for found in second.conversations] == ["conv_5", "conv_4", "conv_3", "conv_2"]
    await turn(store, Ids(), where="conv_0")
    assert (await store.conversations("local", 1)).conversations[0].id == "conv_0"
    assert await store.conversation_ids("local") == [f"conv_{number}" for number in range(10)]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(times=st.lists(st.integers(0, 3), max_size=12), limit=st.integers(1, 5))
async def test_pages_skip_and_repeat_none_even_within_a_millisecond(
    tmp_path_factory: pytest.TempPathFactory, times: list[int], limit: int
) -> None:
    store = SQLStore.open(tmp_path_factory.mktemp("pages"))
    for number, time in enumerate(times):
        await store.add_conversation(Conversation(f"conv_{number:02}", "local", "", time, time))
    seen: list[tuple[int, str]] = []
    page = await store.conversations("local", limit)
    while True:
        assert len(page.conversations) <= limit
        seen += [(found.updated, found.id) for found in page.conversations]
        if page.next is None:
            break
        page = await store.conversations("local", limit, before=page.next)
    assert seen == sorted(((time, f"conv_{number:02}") for number, time in enumerate(times)), reverse=True)
    await store.close()


async def test_pinned_and_archived_ones_have_shelves_of_their_own(store: SQLStore) -> None:
    for number in range(4):
        await store.add_conversation(Conversation(f"conv_{number}", "local", "", number, number))
    await store.change_conversation("local", "conv_0", Edit(pinned=True, tags=("Work", "work")))
    await store.change_conversation("local", "conv_1", Edit(archived=True, tags=("Work",)))
    await store.change_conversation("local", "conv_2", Edit(archived=True, pinned=True))

    async def ids(**which: Any) -> tuple[list[str], list[str]]:
        listed = await store.conversations("local", 9, **which)
        return [found.id for found in listed.pinned], [found.id for found in listed.conversations]

    assert await ids() == (["conv_0"], ["conv_3"])
    assert await ids(archived=True) == ([], ["conv_2", "conv_1"])
    assert await ids(tag="Work") == (["conv_0"], [])
    assert await ids(tag="Work", archived=True) == ([], ["conv_1"])
    assert await store.tags("local") == {"Work": 1, "work": 1}
    assert await store.tags("local", archived=True) == {"Work": 1}
    changed = await store.change_conversation("local", "conv_2", Edit(archived=False))
    assert (changed.pinned, changed.archived) == (True, False)
    assert await ids() == (["conv_2", "conv_0"], ["conv_3"])


@pytest.mark.parametrize("more", ["", " AND (updated, id) < (5, 'x')"])
async def test_the_list_is_read_from_its_index(store: SQLStore, more: str) -> None:
    def plan(db: apsw.Connection) -> list[str]:
        rows = db.execute(
            "EXPLAIN QUERY PLAN SELECT * FROM conversation WHERE owner = 'a' AND shelf = 'list'"
            f"{more} ORDER BY updated DESC, id DESC LIMIT 50"
        )
        return [row[-1] for row in rows]

    (step,) = await store._database.read(plan)  # pyright: ignore[reportPrivateUsage]
    assert "USING INDEX conversation_on_shelf" in step


async def test_a_whole_tree_is_kept_once(store: SQLStore) -> None:
    tree = Conversation("conv_t", "local", "Bread", 1, 2, "msg_2", tags=("old",))
    messages = [
        Message("msg_1", "conv_t", None, "user", (Part("text", "rye"),), 1),
        Message("msg_2", "conv_t", "msg_1", "assistant", (Part("text", "wheat"),), 2),
    ]
    assert await store.add_tree(tree, messages)
    assert await store.tree("local", "conv_t") == (tree, messages)
    assert not await store.add_tree(tree, messages)
    assert [hit.message for hit in await store.search("local", "wheat", 9)] == ["msg_2"]
    with pytest.raises(NotFound, match="msg_none"):
        await store.add_tree(replace(tree, id="conv_u", leaf="msg_none"), [])
    with pytest.raises(Conflict, match="is taken"):
        await store.add_tree(replace(tree, id="conv_u"), messages)
    with pytest.raises(NotFound):
        await store.conversation("local", "conv_u")


# Shares and preferences


async def test_a_share_is_read_by_whoever_knows_it_and_listed_for_its_owner(store: SQLStore) -> None:
    await conversation(store)
    share = Share("share_a", "local", "conv_a", "Bread", 5, None)
    await store.add_share(share, '{"messages":[]}')
    later = replace(share, id="share_b", created=6, expires=7)
    await store.add_share(later, "{}")
    assert await store.share("share_a") == (share, '{"messages":[]}')
    assert await store.shares("local") == [later, share]
    assert await store.shares("someone") == []
    with pytest.raises(NotFound):
        await store.add_share(replace(share, id="share_c", owner="someone"), "{}")
    with pytest.raises(NotFound):
        await store.delete_share("someone", "share_a")
    await store.delete_share("local", "share_a")
    with pytest.raises(NotFound):
        await store.share("share_a")
    await store.delete_conversation("local", "conv_a")
    assert await store.shares("local") == []
    with pytest.raises(NotFound):
        await store.share("share_b")


async def test_preferences_that_were_changed_elsewhere_are_not_overwritten(store: SQLStore, other: SQLStore) -> None:
    assert await store.preferences("local") == (0, "{}")
    assert await store.change_preferences("local", 0, '{"theme":"dark"}') == 1
    with pytest.raises(Conflict, match="read them again"):
        await other.change_preferences("local", 0, "{}")
    assert await other.change_preferences("local", 1, '{"theme":"light"}') == 2
    assert await store.preferences("local") == (2, '{"theme":"light"}')
    assert await store.preferences("someone") == (0, "{}")


async def test_a_turn_names_the_conversation_and_moves_its_leaf(store: SQLStore) -> None:
    await conversation(store)
    await turn(store, Ids(), "Hello there")
    kept = await store.conversation("local", "conv_a")
    messages = await messages_of(store, "conv_a")
    assert kept.title == "Hello there"
    assert kept.leaf == messages[-1].id
    assert [message.text for message in messages] == ["Hello there", "Hi"]
    await store.change_conversation("local", "conv_a", Edit(title="Mine", leaf=messages[0].id))
    kept = await store.conversation("local", "conv_a")
    assert (kept.title, kept.leaf) == ("Mine", messages[0].id)


async def test_a_leaf_is_a_message_of_the_conversation(store: SQLStore) -> None:
    await conversation(store)
    await conversation(store, "conv_b")
    await turn(store, Ids(), where="conv_b")
    foreign = (await messages_of(store, "conv_b"))[0].id
    for leaf in ("msg_none", foreign):
        with pytest.raises(NotFound, match=leaf):
            await store.change_conversation("local", "conv_a", Edit(leaf=leaf))


async def test_a_parent_is_a_message_of_the_conversation(store: SQLStore) -> None:
    await conversation(store)
    with pytest.raises(NotFound, match="msg_none"):
        await store.open_turn(new_turn(store, Ids(), parent="msg_none")[0])
    assert await messages_of(store, "conv_a") == []
    assert await store.running() == []


async def test_an_id_that_is_taken_elsewhere_is_refused(store: SQLStore) -> None:
    await conversation(store)
    await conversation(store, "conv_b")
    await turn(store, Ids())
    with pytest.raises(Conflict, match="is taken"):
        await store.open_turn(new_turn(store, Ids(), "conv_b")[0])


async def test_erasing_takes_everything_and_nothing_else(store: SQLStore) -> None:
    await conversation(store)
    await conversation(store, "conv_b")
    ids = Ids()
    gone = await turn(store, ids, "apple")
    stays = await turn(store, ids, "apple", where="conv_b")
    await store.delete_conversation("local", "conv_a", forever=True)
    with pytest.raises(NotFound):
        await store.restore_conversation("local", "conv_a", 1)
    await store.erase_deleted(1)
    with pytest.raises(NotFound):
        await store.tree("local", "conv_a")
    assert await store.chunks(gone.id, 0) == []
    assert [hit.conversation for hit in await store.search("local", "apple", 9)] == ["conv_b"]
    assert len(await store.chunks(stays.id, 0)) == 2
    with pytest.raises(NotFound):
        await store.run("local", gone.id)
    await store.append([Chunk(gone.id, 3, b"{}")])  # a late flush
    assert await store.chunks(gone.id, 0) == []


async def test_what_is_erased_is_in_no_file_any_more(store: SQLStore, tmp_path: Path) -> None:
    await conversation(store)
    await turn(store, Ids(), "abracadabra " * 500, "simsalabim")

    def found() -> set[str]:
        whole = b"".join(path.read_bytes() for path in (tmp_path / "store").glob("eclair.db*")).lower()
        return {word for word in ("abracadabra", "simsalabim") if word.encode() in whole}

    assert found() == {"abracadabra", "simsalabim"}
    await store.delete_conversation("local", "conv_a", forever=True)
    await store.erase_deleted(1)
    assert found() == set()


async def test_what_was_deleted_is_brought_back_while_it_is_kept(tmp_path: Path) -> None:
    now = [1000.0]
    store = SQLStore.open(tmp_path, lambda: now[0])
    before = await conversation(store)
    run = await turn(store, Ids(), "apple")
    before = await store.conversation("local", "conv_a")
    for _ in range(2):
        await store.delete_conversation("local", "conv_a")
        assert await store.conversations("local", 9) == Listed([], [], None)
        assert await store.conversation_ids("local") == []
        assert await store.search("local", "apple", 9) == []
        assert await store.tags("local") == {}
        for call in (
            store.conversation("local", "conv_a"),
            store.tree("local", "conv_a"),
            store.run("local", run.id),
            store.change_conversation("local", "conv_a", Edit(title="x")),
            store.open_turn(new_turn(store, Ids())[0]),
            store.delete_conversation("local", "conv_a"),
            store.restore_conversation("someone", "conv_a", 0),
            store.restore_conversation("local", "conv_a", 1_000_001),
        ):
            with pytest.raises(NotFound):
                await call
        with pytest.raises(Conflict, match="was deleted"):
            await conversation(store)
        await store.erase_deleted(1_000_000)
        assert await store.restore_conversation("local", "conv_a", 1_000_000) == before
        assert await store.restore_conversation("local", "conv_a", 1_000_000) == before
        assert [hit.conversation for hit in await store.search("local", "apple", 9)] == ["conv_a"]
    await store.delete_conversation("local", "conv_a")
    await store.erase_deleted(1_000_001)
    with pytest.raises(NotFound):
        await store.restore_conversation("local", "conv_a", 0)
    await store.close()


async def test_deletions_of_one_moment_are_told_apart(tmp_path: Path) -> None:
    store = SQLStore.open(tmp_path, lambda: 1000.0)
    alone, *together = [(await conversation(store, f"conv_{letter}")).id for letter in "abc"]
    await store.delete_conversation("local", alone)
    deleted = await store.delete_all("local")
    assert deleted == Deleted(2, 1_000_001)
    assert await store.delete_all("local") == Deleted(0, 1_000_002)
    for owner, moment, since in (
        ("someone", deleted.moment, 0),
        ("local", deleted.moment, deleted.moment + 1),
        ("local", deleted.moment + 1, 0),
    ):
        with pytest.raises(NotFound):
            await store.restore_all(owner, moment, since)
    assert await store.count("local") == 0
    assert await store.restore_all("local", deleted.moment, deleted.moment) == 2
    assert await store.conversation_ids("local") == together
    assert await store.count("local") == 2
    await store.close()


async def test_nothing_is_deleted_under_a_run_at_work(store: SQLStore) -> None:
    await conversation(store)
    await conversation(store, "conv_b")
    run = await store.open_turn(new_turn(store, Ids())[0])
    question = (await messages_of(store, "conv_a"))[0].id
    for refused in (
        store.delete_conversation("local", "conv_a"),
        store.delete_conversation("local", "conv_a", forever=True),
        store.delete_all("local"),
        store.delete_message("local", "conv_a", question),
    ):
        with pytest.raises(Conflict) as raised:
            await refused
        assert raised.value.run == run.id
    await store.delete_all("someone")
    await store.delete_conversation("local", "conv_b")
    assert await store.conversation_ids("local") == ["conv_a"]


async def test_a_message_is_deleted_with_what_is_under_it(store: SQLStore) -> None:
    r"""The tree, in the order of numbers: 1-2-3-4, 5 beside 3, 6 beside 2, 7 under 6, 8 beside 1."""
    parents = {1: None, 2: 1, 3: 2, 4: 3, 5: 2, 6: 1, 7: 6, 8: None}

    def tree(where: str, leaf: int) -> tuple[Conversation, list[Message]]:
        id = {number: f"msg_{where}{number}" for number in parents}
        messages = [
            Message(id[number], where, id[parent] if parent else None, "user", (Part("text", "word"),), number)
            for number, parent in parents.items()
        ]
        return Conversation(where, "local", "", 1, 1, id[leaf]), messages

    for case, (leaf, deleted, left, now) in enumerate(
        [
            (4, 4, [1, 2, 3, 5, 6, 7, 8], 3),
            (4, 3, [1, 2, 5, 6, 7, 8], 5),
            (4, 2, [1, 6, 7, 8], 7),
            (4, 1, [8], 8),
            (8, 8, [1, 2, 3, 4, 5, 6, 7], 7),
            (5, 3, [1, 2, 5, 6, 7, 8], 5),
            (7, 6, [1, 2, 3, 4, 5, 8], 5),
        ]
    ):
        where = f"conv_{case}"
        assert await store.add_tree(*tree(where, leaf))
        changed = await store.delete_message("local", where, f"msg_{where}{deleted}")
        assert [message.created for message in await messages_of(store, where)] == left
        assert changed.leaf == f"msg_{where}{now}"
        assert len([hit for hit in await store.search("local", "word", 99) if hit.conversation == where]) == len(left)
    await store.add_tree(*tree("conv_x", 4))
    await store.delete_message("local", "conv_x", "msg_conv_x8")
    assert (await store.delete_message("local", "conv_x", "msg_conv_x1")).leaf is None
    for owner, message in (("local", "msg_conv_x1"), ("someone", "msg_conv_11"), ("local", "msg_conv_08")):
        with pytest.raises(NotFound):
            await store.delete_message(owner, "conv_1", message)


async def test_only_what_another_process_writes_is_a_new_version(store: SQLStore, other: SQLStore) -> None:
    before = await store.version()
    await conversation(store)
    await store.conversation("local", "conv_a")
    assert await store.version() == before
    await conversation(other, "conv_b")
    assert await store.version() != before


async def test_closing_a_run_twice_keeps_the_first_end(store: SQLStore, other: SQLStore) -> None:
    await conversation(store)
    added, started = new_turn(store, Ids())
    run = await store.open_turn(replace(added, first=Chunk(started.run, 1, encode(replace(started, seq=1)))))
    rest = Chunk(run.id, 2, encode(RunFinished("stop", seq=2)))
    await store.close_run(run, replace(added.answer, status="finished"), rest)
    await other.close_run(run, replace(added.answer, status="interrupted"), rest)
    assert (await store.run("local", run.id)).status == "finished"
    assert (await messages_of(store, "conv_a"))[-1].status == "finished"


async def test_a_log_is_read_from_the_chunk_on_that_is_asked_for(store: SQLStore) -> None:
    await conversation(store)
    added, started = new_turn(store, Ids())
    run = await store.open_turn(replace(added, first=Chunk(started.run, 1, b"1")))
    await store.append([Chunk(run.id, 4, b"2\n3\n4"), Chunk(run.id, 6, b"5\n6")])
    assert [chunk.last for chunk in await store.chunks(run.id, 0)] == [1, 4, 6]
    assert [chunk.last for chunk in await store.chunks(run.id, 2)] == [4, 6]
    assert [chunk.last for chunk in await store.chunks(run.id, 4)] == [6]
    assert await store.chunks(run.id, 6) == []


async def test_foreign_keys_hold(store: SQLStore) -> None:
    def orphan(db: apsw.Connection) -> None:
        db.execute("INSERT INTO message (id, conversation, parent, text, body) VALUES ('m', 'none', NULL, '', '{}')")

    with pytest.raises(apsw.ConstraintError):
        await store._database.write(orphan)  # pyright: ignore[reportPrivateUsage]


async def test_a_process_is_alive_as_long_as_it_is_open(store: SQLStore, tmp_path: Path) -> None:
    other = SQLStore.open(tmp_path / "store")
    name = other.process
    assert store.alive(name)
    assert store.alive(store.process)
    assert other.alive(store.process)
    await other.close()
    assert not store.alive(name)
    assert not store.alive("process_none")


# Search


async def hits(store: SQLStore, words: str) -> list[str]:
    return [hit.excerpt.replace("\ue000", "[").replace("\ue001", "]") for hit in await store.search("local", words, 9)]


@pytest.fixture
async def library(store: SQLStore) -> SQLStore:
    await conversation(store)
    ids = Ids()
    await turn(store, ids, "The crème brûlée of Straßburg", "A dessert with burnt sugar")
    await turn(store, ids, "snake_case and kebab-case", "NEAR the end, AND so on")
    return store


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("creme", "The [crème] brûlée of Straßburg"),
        ("CRÈME brulee", "The [crème] [brûlée] of Straßburg"),
        ("cre\u0300me bru\u0302le\u0301e", "The [crème] [brûlée] of Straßburg"),
        ("bru", "The crème [brûlée] of Straßburg"),
        ("brûlée straß", "The crème [brûlée] of [Straßburg]"),
        ("sugar burnt", "A dessert with [burnt] [sugar]"),
        ("snake_case", "[snake_case] and kebab-case"),
        ("kebab-case", "snake_[case] and [kebab]-[case]"),
        ('"near"', "[NEAR] the end, AND so on"),
        ("and near", "[NEAR] the end, [AND] so on"),
    ],
)
async def test_words_and_their_beginnings_are_found(library: SQLStore, words: str, found: str) -> None:
    assert found in await hits(library, words)


@pytest.mark.parametrize("words", ["", "   ", '"', "*", "creme sugar", "rème", "OR", "text:creme", "²"])
async def test_what_is_not_there_is_not_found(library: SQLStore, words: str) -> None:
    assert await hits(library, words) == []


async def test_a_hit_says_where_it_is(library: SQLStore) -> None:
    (hit,) = await library.search("local", "sugar", 9)
    messages = await messages_of(library, "conv_a")
    assert (hit.conversation, hit.title, hit.message, hit.role) == (
        "conv_a",
        "The crème brûlée of Straßburg",
        messages[1].id,
        "assistant",
    )
    assert hit.created == messages[1].created
    assert len(await library.search("local", "and", 1)) == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(words=st.text() | st.from_regex(r'(?:AND|OR|NOT|NEAR|["*():^+\-{}.,]|\s|x){0,12}', fullmatch=True))
async def test_no_words_are_an_error(library: SQLStore, words: str) -> None:
    await library.search("local", words, 9)


@pytest.mark.parametrize("words", ["a " * 20_000, "x" * 100_000, "\ud800 creme", "a\0b"])
async def test_no_amount_of_words_is_an_error(library: SQLStore, words: str) -> None:
    await library.search("local", words, 9)


# Two clients


async def test_two_writers_in_one_conversation_lose_nothing(store: SQLStore, other: SQLStore) -> None:
    await conversation(store)
    counts = Ids()

    async def write(to: SQLStore, name: str) -> int:
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

    await asyncio.gather(write(store, "a"), write(other, "b"))
    messages = await messages_of(store, "conv_a")
    assert messages == await messages_of(other, "conv_a")
    assert len(messages) == 100
    for name in ("a", "b"):
        asked = [message.text for message in messages if message.role == "user" and message.text.startswith(name)]
        assert asked == [f"{name} {number}" for number in range(25)]
    assert all(message.status == "finished" for message in messages)


async def test_messages_read_back_as_they_were(store: SQLStore) -> None:
    await conversation(store)
    added, _ = new_turn(store, Ids(), text="Zwölf \U0001f950\n\ttabs \u2028 \x7f")
    run = await store.open_turn(added)
    question: Message | None = added.question
    assert await messages_of(store, "conv_a") == [question, added.answer]
    assert await store.running("conv_a") == [run]
    assert await store.running("conv_b") == []
    assert await store.running() == [run]


async def test_a_conversation_remembers_its_model_and_mode_until_told_otherwise(store: SQLStore) -> None:
    made = Conversation("conv_m", "local", "", 1, 1, model="small", mode="auto")
    assert await store.add_conversation(made) == made
    assert await store.conversation("local", "conv_m") == made
    changed = await store.change_conversation("local", "conv_m", Edit(mode="think", title="Bread"))
    assert (changed.model, changed.mode) == ("small", "think")
    changed = await store.change_conversation("local", "conv_m", Edit(model="", mode=""))
    assert (changed.model, changed.mode, changed.title) == (None, None, "Bread")


async def test_how_fast_models_write_is_the_mean_of_their_last_answers(store: SQLStore) -> None:
    def answer(number: int, model: str, speed: float | None, words: int = 50) -> Message:
        usage = Usage(None, None, None, 1.0, words, speed)
        return Message(f"msg_{number}", "conv_s", None, "assistant", (), number, model=model, usage=usage)

    assert await store.speeds() == {}
    messages = [
        answer(1, "old", 999.0),
        *(answer(number, "idle", None) for number in range(2, 199)),
        answer(199, "a", 10.0),
        answer(200, "a", 20.0),
        answer(201, "b", 5.0, words=3),
        Message("msg_202", "conv_s", None, "user", (), 202),
    ]
    await store.add_tree(Conversation("conv_s", "local", "", 1, 1), messages)
    assert await store.speeds() == {"a": 15.0}
