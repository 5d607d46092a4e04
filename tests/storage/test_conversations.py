from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eclair.errors import Conflict, NotFound
from eclair.schema.ids import Clock
from eclair.schema.messages import Conversation, Message, NameHit, Part
from eclair.schema.principal import LOCAL_PRINCIPAL, Principal
from eclair.storage.base import Storage
from eclair.storage.conversations import ConversationEdit, ConversationPage, InactiveConversations
from eclair.storage.libraries import Library
from tests.storage.helpers import SOMEONE, file, turn
from tests.support import Ids, conversation, messages_of, new_turn


async def test_a_conversation_is_made_once(storage: Storage) -> None:
    first = await conversation(storage, at=1)
    assert await storage.conversations.add_conversation(LOCAL_PRINCIPAL, replace(first, title="Other")) == first
    with pytest.raises(Conflict, match="is taken"):
        await storage.conversations.add_conversation(SOMEONE, replace(first, owner="someone"))


async def test_what_is_another_owners_is_not_there(storage: Storage) -> None:
    await conversation(storage)
    run = await turn(storage, Ids(), "secret")
    with pytest.raises(NotFound):
        await storage.conversations.get_conversation(SOMEONE, "conv_a")
    with pytest.raises(NotFound):
        await storage.conversations.edit_conversation(SOMEONE, "conv_a", ConversationEdit(title="mine"))
    with pytest.raises(NotFound):
        await storage.conversations.delete_conversation(SOMEONE, "conv_a")
    with pytest.raises(NotFound):
        await storage.runs.get_run(SOMEONE, run.id)
    with pytest.raises(NotFound):
        await storage.runs.open_turn(replace(new_turn(storage, Ids())[0], principal=SOMEONE))
    assert await storage.conversations.list_conversations(SOMEONE, 9) == ConversationPage([], [], None)
    assert await storage.conversations.list_conversation_ids(SOMEONE) == []
    assert await storage.conversations.search_messages(SOMEONE, "secret", 9) == []


async def test_conversations_come_newest_first_in_pages(storage: Storage) -> None:
    for number in range(10):
        await storage.conversations.add_conversation(
            LOCAL_PRINCIPAL, Conversation(f"conv_{number}", "local", "", number, number)
        )
    first = await storage.conversations.list_conversations(LOCAL_PRINCIPAL, 4)
    assert [found.id for found in first.conversations] == ["conv_9", "conv_8", "conv_7", "conv_6"]
    second = await storage.conversations.list_conversations(LOCAL_PRINCIPAL, 4, before=first.next)
    assert [found.id for found in second.conversations] == ["conv_5", "conv_4", "conv_3", "conv_2"]
    await turn(storage, Ids(), where="conv_0")
    assert (await storage.conversations.list_conversations(LOCAL_PRINCIPAL, 1)).conversations[0].id == "conv_0"
    assert await storage.conversations.list_conversation_ids(LOCAL_PRINCIPAL) == [
        f"conv_{number}" for number in range(10)
    ]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None)
@given(times=st.lists(st.integers(0, 3), max_size=12), limit=st.integers(1, 5))
async def test_pages_skip_and_repeat_none_even_within_a_millisecond(
    open_fresh: Callable[[Clock], Storage], times: list[int], limit: int
) -> None:
    storage = open_fresh(time.time)
    for number, at in enumerate(times):
        await storage.conversations.add_conversation(
            LOCAL_PRINCIPAL, Conversation(f"conv_{number:02}", "local", "", at, at)
        )
    seen: list[tuple[int, str]] = []
    page = await storage.conversations.list_conversations(LOCAL_PRINCIPAL, limit)
    while True:
        assert len(page.conversations) <= limit
        seen += [(found.updated, found.id) for found in page.conversations]
        if page.next is None:
            break
        page = await storage.conversations.list_conversations(LOCAL_PRINCIPAL, limit, before=page.next)
    assert seen == sorted(((at, f"conv_{number:02}") for number, at in enumerate(times)), reverse=True)
    await storage.close()


async def test_pinned_and_archived_ones_have_shelves_of_their_own(storage: Storage) -> None:
    for number in range(4):
        await storage.conversations.add_conversation(
            LOCAL_PRINCIPAL, Conversation(f"conv_{number}", "local", "", number, number)
        )
    await storage.conversations.edit_conversation(
        LOCAL_PRINCIPAL, "conv_0", ConversationEdit(pinned=True, tags=("Work", "work"))
    )
    await storage.conversations.edit_conversation(
        LOCAL_PRINCIPAL, "conv_1", ConversationEdit(archived=True, tags=("Work",))
    )
    await storage.conversations.edit_conversation(
        LOCAL_PRINCIPAL, "conv_2", ConversationEdit(archived=True, pinned=True)
    )

    async def ids(**which: Any) -> tuple[list[str], list[str]]:
        listed = await storage.conversations.list_conversations(LOCAL_PRINCIPAL, 9, **which)
        return [found.id for found in listed.pinned], [found.id for found in listed.conversations]

    assert await ids() == (["conv_0"], ["conv_3"])
    assert await ids(archived=True) == ([], ["conv_2", "conv_1"])
    assert await ids(tag="Work") == (["conv_0"], [])
    assert await ids(tag="Work", archived=True) == ([], ["conv_1"])
    assert await storage.conversations.count_tags(LOCAL_PRINCIPAL) == {"Work": 1, "work": 1}
    assert await storage.conversations.count_tags(LOCAL_PRINCIPAL, archived=True) == {"Work": 1}
    changed = await storage.conversations.edit_conversation(LOCAL_PRINCIPAL, "conv_2", ConversationEdit(archived=False))
    assert (changed.pinned, changed.archived) == (True, False)
    assert await ids() == (["conv_2", "conv_0"], ["conv_3"])


async def test_a_whole_tree_is_kept_once(storage: Storage) -> None:
    tree = Conversation("conv_t", "local", "Bread", 1, 2, "msg_2", tags=("old",))
    messages = [
        Message("msg_1", "conv_t", None, "user", (Part("text", "rye"),), 1),
        Message("msg_2", "conv_t", "msg_1", "assistant", (Part("text", "wheat"),), 2),
    ]
    assert await storage.conversations.add_tree(LOCAL_PRINCIPAL, tree, messages)
    assert await storage.conversations.get_tree(LOCAL_PRINCIPAL, "conv_t") == (tree, messages)
    assert not await storage.conversations.add_tree(LOCAL_PRINCIPAL, tree, messages)
    assert [hit.message for hit in await storage.conversations.search_messages(LOCAL_PRINCIPAL, "wheat", 9)] == [
        "msg_2"
    ]
    with pytest.raises(NotFound, match="msg_none"):
        await storage.conversations.add_tree(LOCAL_PRINCIPAL, replace(tree, id="conv_u", leaf="msg_none"), [])
    with pytest.raises(Conflict, match="is taken"):
        await storage.conversations.add_tree(LOCAL_PRINCIPAL, replace(tree, id="conv_u"), messages)
    with pytest.raises(NotFound):
        await storage.conversations.get_conversation(LOCAL_PRINCIPAL, "conv_u")


async def test_a_leaf_is_a_message_of_the_conversation(storage: Storage) -> None:
    await conversation(storage)
    await conversation(storage, "conv_b")
    await turn(storage, Ids(), where="conv_b")
    foreign = (await messages_of(storage, "conv_b"))[0].id
    for leaf in ("msg_none", foreign):
        with pytest.raises(NotFound, match=leaf):
            await storage.conversations.edit_conversation(LOCAL_PRINCIPAL, "conv_a", ConversationEdit(leaf=leaf))


async def hits(storage: Storage, words: str) -> list[str]:
    return [
        hit.excerpt.replace("\ue000", "[").replace("\ue001", "]")
        for hit in await storage.conversations.search_messages(LOCAL_PRINCIPAL, words, 9)
    ]


@pytest.fixture
async def library(storage: Storage) -> Storage:
    await conversation(storage)
    ids = Ids()
    await turn(storage, ids, "The crème brûlée of Straßburg", "A dessert with burnt sugar")
    await turn(storage, ids, "snake_case and kebab-case", "NEAR the end, AND so on")
    return storage


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
async def test_words_and_their_beginnings_are_found(library: Storage, words: str, found: str) -> None:
    assert found in await hits(library, words)


@pytest.mark.parametrize("words", ["", "   ", '"', "*", "creme sugar", "rème", "OR", "text:creme", "²"])
async def test_what_is_not_there_is_not_found(library: Storage, words: str) -> None:
    assert await hits(library, words) == []


async def test_of_the_matches_the_best_comes_first(storage: Storage) -> None:
    await conversation(storage)
    ids = Ids()
    await turn(storage, ids, "Of sugar, flour and other goods that one weighs", "None of it")
    await turn(storage, ids, "Sugar", "None of it")
    await turn(storage, ids, "Sugar", "None of it")
    await turn(storage, ids, "Sugar, flour and other goods that one weighs", "None of it")
    assert await hits(storage, "sugar") == [
        "[Sugar]",
        "[Sugar]",
        "[Sugar], flour and other goods that one weighs",
        "Of [sugar], flour and other goods that one weighs",
    ]
    asked = [message.id for message in await messages_of(storage, "conv_a") if message.text == "Sugar"]
    found = await storage.conversations.search_messages(LOCAL_PRINCIPAL, "sugar", 2)
    assert [hit.message for hit in found] == asked[::-1], "of equals the newer"


async def test_of_very_many_matches_the_newest_are_compared(storage: Storage) -> None:
    tree = Conversation("conv_t", "local", "Bread", 1, 2)
    texts = ["rye", *["rye and wheat"] * 1100, "rye"]
    messages = [
        Message(f"msg_{number}", "conv_t", None, "user", (Part("text", text),), number)
        for number, text in enumerate(texts)
    ]
    assert await storage.conversations.add_tree(LOCAL_PRINCIPAL, tree, messages)
    found = await storage.conversations.search_messages(LOCAL_PRINCIPAL, "rye", 3)
    assert [hit.message for hit in found] == ["msg_1101", "msg_1100", "msg_1099"]


async def test_a_single_letter_is_a_word_but_a_character_of_chinese_begins_one(storage: Storage) -> None:
    await conversation(storage)
    await turn(storage, Ids(), "Plan B begins", "面包很好")
    assert await hits(storage, "b") == ["Plan [B] begins"]
    assert await hits(storage, "p") == []
    assert await hits(storage, "面") == ["[面包很好]"]


async def test_a_hit_says_where_it_is(library: Storage) -> None:
    (hit,) = await library.conversations.search_messages(LOCAL_PRINCIPAL, "sugar", 9)
    messages = await messages_of(library, "conv_a")
    assert (hit.conversation, hit.title, hit.message, hit.role) == (
        "conv_a",
        "The crème brûlée of Straßburg",
        messages[1].id,
        "assistant",
    )
    assert hit.created == messages[1].created
    assert len(await library.conversations.search_messages(LOCAL_PRINCIPAL, "and", 1)) == 1


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(words=st.text() | st.from_regex(r'(?:AND|OR|NOT|NEAR|["*():^+\-{}.,]|\s|x){0,12}', fullmatch=True))
async def test_no_words_are_an_error(library: Storage, words: str) -> None:
    await library.conversations.search_messages(LOCAL_PRINCIPAL, words, 9)


@pytest.mark.parametrize("words", ["a " * 20_000, "x" * 100_000, "\ud800 creme", "a\0b"])
async def test_no_amount_of_words_is_an_error(library: Storage, words: str) -> None:
    await library.conversations.search_messages(LOCAL_PRINCIPAL, words, 9)


async def test_a_conversation_remembers_its_model_and_mode_until_told_otherwise(storage: Storage) -> None:
    made = Conversation("conv_m", "local", "", 1, 1, model="small", mode="auto")
    assert await storage.conversations.add_conversation(LOCAL_PRINCIPAL, made) == made
    assert await storage.conversations.get_conversation(LOCAL_PRINCIPAL, "conv_m") == made
    changed = await storage.conversations.edit_conversation(
        LOCAL_PRINCIPAL, "conv_m", ConversationEdit(mode="think", title="Bread")
    )
    assert (changed.model, changed.mode) == ("small", "think")
    changed = await storage.conversations.edit_conversation(
        LOCAL_PRINCIPAL, "conv_m", ConversationEdit(cleared=frozenset({"model", "mode"}))
    )
    assert (changed.model, changed.mode, changed.title) == (None, None, "Bread")


async def test_a_conversation_remembers_how_it_is_answered(storage: Storage) -> None:
    made = Conversation("conv_s", "local", "", 1, 1, temperature=0.2, max_tokens=300, system="Be brief.")
    assert await storage.conversations.add_conversation(LOCAL_PRINCIPAL, made) == made
    assert await storage.conversations.get_conversation(LOCAL_PRINCIPAL, "conv_s") == made
    edit = ConversationEdit(temperature=2.0, cleared=frozenset({"max_tokens", "system"}))
    changed = await storage.conversations.edit_conversation(LOCAL_PRINCIPAL, "conv_s", edit)
    assert (changed.temperature, changed.max_tokens, changed.system) == (2.0, None, None)


async def test_a_generated_title_never_replaces_a_persons_own(storage: Storage) -> None:
    await conversation(storage)
    await turn(storage, Ids(), "Hello there")
    for title in ("Greetings", "Morning greetings"):
        assert await storage.conversations.is_untitled(LOCAL_PRINCIPAL, "conv_a")
        assert await storage.conversations.set_generated_title(LOCAL_PRINCIPAL, "conv_a", title)
        assert (await storage.conversations.get_conversation(LOCAL_PRINCIPAL, "conv_a")).title == title
    await storage.conversations.edit_conversation(LOCAL_PRINCIPAL, "conv_a", ConversationEdit(title="Mine"))
    await storage.conversations.add_conversation(LOCAL_PRINCIPAL, Conversation("conv_b", "local", "Mine", 1, 1))
    for id in ("conv_a", "conv_b"):
        assert not await storage.conversations.is_untitled(LOCAL_PRINCIPAL, id)
        assert not await storage.conversations.set_generated_title(LOCAL_PRINCIPAL, id, "Greetings")
        assert (await storage.conversations.get_conversation(LOCAL_PRINCIPAL, id)).title == "Mine"


async def test_no_title_is_generated_for_a_conversation_that_is_not_there(storage: Storage) -> None:
    await conversation(storage)
    await conversation(storage, "conv_b")
    await storage.conversations.delete_conversation(LOCAL_PRINCIPAL, "conv_b")
    for principal, id in ((SOMEONE, "conv_a"), (LOCAL_PRINCIPAL, "conv_b"), (LOCAL_PRINCIPAL, "conv_none")):
        assert not await storage.conversations.is_untitled(principal, id)
        assert not await storage.conversations.set_generated_title(principal, id, "Greetings")
    assert (await storage.conversations.get_conversation(LOCAL_PRINCIPAL, "conv_a")).title == ""


async def test_what_nothing_was_added_to_is_counted_and_expires(storage: Storage) -> None:
    for name, at in (("conv_a", 10), ("conv_b", 20), ("conv_c", 30), ("conv_d", 5)):
        await conversation(storage, name, at=at)
    await conversation(storage, "conv_x", "someone", at=15)
    await storage.conversations.edit_conversation(LOCAL_PRINCIPAL, "conv_d", ConversationEdit(pinned=True))
    count = storage.conversations.count_inactive
    assert await count(LOCAL_PRINCIPAL, 5) == InactiveConversations(0, None, None, 0)
    assert await count(LOCAL_PRINCIPAL, 30) == InactiveConversations(2, 10, 20, 1)
    assert await storage.conversations.expire_conversations(30) == 3
    assert await count(LOCAL_PRINCIPAL, 30) == InactiveConversations(0, None, None, 1)
    assert await storage.conversations.list_conversation_ids(LOCAL_PRINCIPAL) == ["conv_d", "conv_c"]
    with pytest.raises(NotFound):
        await storage.conversations.restore_conversation(LOCAL_PRINCIPAL, "conv_a", 1)
    assert await storage.conversations.count_inactive(LOCAL_PRINCIPAL, 31) == InactiveConversations(1, 30, 30, 1)


async def names(storage: Storage, words: str, principal: Principal = LOCAL_PRINCIPAL) -> list[tuple[str, str]]:
    found = await storage.conversations.search_names(principal, words, 9)
    return [(hit.kind, hit.name) for hit in found]


async def test_names_are_found_best_first(storage: Storage) -> None:
    edit = storage.conversations.edit_conversation
    titles = ["Zebrastreifen", "Über die Streifen", "Streifen", "Streifenhörnchen", "Nothing"]
    for at, title in enumerate(titles):
        await conversation(storage, f"conv_{at}", at=at)
        await edit(LOCAL_PRINCIPAL, f"conv_{at}", ConversationEdit(title=title))
    await edit(LOCAL_PRINCIPAL, "conv_4", ConversationEdit(tags=("Straßenbau", "streifen"), archived=True))
    assert await names(storage, "STREIFEN") == [
        ("tag", "streifen"),
        ("title", "Streifen"),
        ("title", "Streifenhörnchen"),
        ("title", "Über die Streifen"),
        ("title", "Zebrastreifen"),
    ]
    assert await names(storage, "uber strei") == [("title", "Über die Streifen")]
    assert await names(storage, "strassenbau") == [("tag", "Straßenbau")]
    assert await names(storage, "nothing straßenbau") == [("title", "Nothing")]
    assert await names(storage, "ei") == await names(storage, "") == await names(storage, "% _") == []
    assert await names(storage, "streifen", SOMEONE) == []
    await storage.conversations.delete_conversation(LOCAL_PRINCIPAL, "conv_2")
    assert ("title", "Streifen") not in await names(storage, "streifen")


async def test_files_and_libraries_are_found_by_name(storage: Storage) -> None:
    await storage.libraries.add_library(LOCAL_PRINCIPAL, Library("lib_a", "local", "Contracts", 1))
    await conversation(storage)
    await storage.conversations.edit_conversation(LOCAL_PRINCIPAL, "conv_a", ConversationEdit(title="The lease"))
    await turn(storage, Ids())
    message = (await messages_of(storage, "conv_a"))[0].id
    for id, library, name in (
        ("1", "lib_a", "contract-2024.pdf"),
        ("2", None, "Old contract.pdf"),
        ("3", None, "contract.txt"),
    ):
        stored = replace(file(f"file_{id}", id * 64, "local", library), name=name)
        await storage.files.add_file(LOCAL_PRINCIPAL, stored, 1)
    await storage.files.attach_files(LOCAL_PRINCIPAL, message, ["file_2"])
    found = await storage.conversations.search_names(LOCAL_PRINCIPAL, "contract", 9)
    assert found == [
        NameHit("file", "contract-2024.pdf", None, "Contracts", None, "lib_a"),
        NameHit("library", "Contracts", None, "", None, "lib_a"),
        NameHit("file", "Old contract.pdf", "conv_a", "The lease", message, None),
    ]  # a file that neither a library nor a message has is not listed
    assert await names(storage, "contract pdf 2024") == [("file", "contract-2024.pdf")]
    assert await names(storage, "contract", SOMEONE) == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50, deadline=None)
@given(words=st.text())
async def test_no_words_of_names_are_an_error(library: Storage, words: str) -> None:
    await library.conversations.search_names(LOCAL_PRINCIPAL, words, 9)
