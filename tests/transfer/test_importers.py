"""Exports of other programs become our tree: branches are kept, and what is left out is named."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.schema.messages import Message, Part
from eclair.transfer.importers import IMPORTERS, RECORD_IMPORTERS
from eclair.transfer.json_fields import JSON, as_milliseconds, as_object
from eclair.transfer.normalize import ImportedConversation, sort_by_parent
from tests.transfer.support import NOW, sample, staged, told, zipped


def test_chatgpt(tmp_path: Path) -> None:
    preview, (bread, code) = staged(tmp_path, sample("chatgpt"))
    assert (preview.kind, preview.conversations, preview.messages) == ("chatgpt", 2, 5)
    assert preview.titles == ("Sourdough", "Write a function that adds.")
    question, first, second = bread.messages
    assert told(bread.messages) == [
        ("user", "Why is my loaf flat?"),
        ("assistant", "Your starter is weak."),
        ("assistant", "It proved too long."),
    ]
    assert first.parent == second.parent == question.id
    assert first.parts[0] == Part("reasoning", "Perhaps the starter is weak.")
    assert (first.model, second.model, question.model) == ("gpt-5", "gpt-4o", None)
    assert bread.conversation.leaf == second.id
    assert (bread.conversation.created, bread.conversation.updated) == (1_729_000_000_500, 1_729_000_100_250)
    assert question.created == 1_729_000_001_000
    assert code.messages[1].text == "```python\ndef add(a, b):\n    return a + b\n```"
    assert code.conversation.archived
    assert not bread.conversation.archived
    for thing in (
        "images",
        "attached files",
        "custom instructions",
        "tool calls",
        "tool results",
        "marks of sources",
        "notes on how long a model thought",
    ):
        assert f"Left out: {thing} (1 in 1 conversation)." in preview.problems
    assert len(preview.problems) == 7


def test_claude(tmp_path: Path) -> None:
    preview, (gardens, old) = staged(tmp_path, sample("claude"))
    assert (preview.kind, preview.conversations, preview.messages) == ("claude", 2, 5)
    question, first, second = gardens.messages
    assert question.text == "plan.txt\n\n```\nNorth wall\n```\n\nWhat grows in shade?"
    assert first.text == "Let me look.\n\nFerns."
    assert first.parts[0] == Part("reasoning", "Shade means ferns.")
    assert second.text == "**List**\n\n- Hostas"
    assert first.parent == second.parent == question.id
    assert gardens.conversation.leaf == second.id
    assert told(old.messages) == [("user", "Hello"), ("assistant", "Hello!")]
    assert old.messages[1].parent == old.messages[0].id
    assert set(preview.problems) == {
        "Conversations without a message that can be read, left out: 1.",
        "Left out: attached files (1 in 1 conversation).",
        "Left out: tool calls (1 in 1 conversation).",
        "Left out: tool results (1 in 1 conversation).",
        "Left out: parts of the unknown kind 'hologram' (1 in 1 conversation).",
    }


def test_openwebui(tmp_path: Path) -> None:
    preview, (tides,) = staged(tmp_path, sample("openwebui"))
    assert (preview.kind, preview.messages) == ("openwebui", 3)
    question, first, second = tides.messages
    assert told(tides.messages) == [
        ("user", "Why tides?"),
        ("assistant", "The moon."),
        ("assistant", "The moon pulls."),
    ]
    assert second.parts[0] == Part("reasoning", "Moon & sun.\nGravity.")
    assert first.parent == second.parent == question.id
    assert tides.conversation.leaf == second.id
    assert tides.conversation.pinned
    assert tides.conversation.tags == ("sea", "physics")
    assert tides.conversation.created == 1_735_689_600_000
    assert set(preview.problems) == {
        f"Left out: {thing} (1 in 1 conversation)." for thing in ("system prompts", "images", "tool calls")
    }


def test_librechat(tmp_path: Path) -> None:
    preview, (knots,) = staged(tmp_path, sample("librechat"))
    assert (preview.kind, preview.messages) == ("librechat", 3)
    question, first, second = knots.messages
    assert told(knots.messages)[1:] == [("assistant", "Make a loop."), ("assistant", "The rabbit comes up.")]
    assert second.parts[0] == Part("reasoning", "The rabbit.")
    assert first.parent == second.parent == question.id
    assert question.parent is None
    assert knots.conversation.leaf == second.id
    assert set(preview.problems) == {
        f"Left out: {thing} (1 in 1 conversation)." for thing in ("tool calls", "images", "notes on errors")
    }


def test_librechat_nested(tmp_path: Path) -> None:
    preview, (knots,) = staged(tmp_path, sample("librechat_tree"))
    assert preview.problems == ()
    question, first, second = knots.messages
    assert first.parent == second.parent == question.id
    assert second.text == "Left over right."


@pytest.mark.parametrize("name", ["chatgpt", "claude", "openwebui", "librechat"])
def test_the_same_file_gives_the_same_ids(tmp_path: Path, name: str) -> None:
    first, second = (staged(tmp_path, sample(name)) for _ in range(2))
    assert first == second
    ids = [message.id for found in first[1] for message in found.messages]
    assert len(set(ids)) == len(ids)


def test_answers_on_end_become_one_and_no_depth_is_too_deep(tmp_path: Path) -> None:
    nodes: dict[str, object] = {
        "0": {"parent": None, "message": {"author": {"role": "user"}, "content": {"parts": ["Count"]}}}
    }
    for number in range(1, 20_000):
        nodes[str(number)] = {
            "parent": str(number - 1),
            "message": {"author": {"role": "assistant"}, "content": {"parts": [str(number)]}},
        }
    _, (found,) = staged(tmp_path, orjson.dumps([{"id": "deep", "mapping": nodes}]))
    assert [message.role for message in found.messages] == ["user", "assistant"]
    assert found.messages[1].text.startswith("1\n\n2\n\n3")
    assert found.conversation.leaf == found.messages[1].id


def test_parents_in_a_circle_or_missing_lose_nothing() -> None:
    assert sort_by_parent({"a": "b", "b": "a", "c": "gone", "d": "d"}) == [
        ("c", None),
        ("a", None),
        ("b", "a"),
        ("d", None),
    ]


def read(value: dict[str, object]) -> ImportedConversation:
    (reader,) = (reader for reader in IMPORTERS if reader.matches(as_object(value)))
    return reader.read(value, NOW)


def test_what_cannot_be_kept_in_a_text_is_replaced() -> None:
    found = read(
        {"id": "x", "mapping": {"a": {"message": {"author": {"role": "user"}, "content": {"parts": ["a\0b\ud800c"]}}}}}
    )
    assert found.messages[0].text == "a\ufffdb\ufffdc"
    assert found.conversation.created == found.messages[0].created == NOW


def test_eclair_keeps_its_ids_and_what_it_knows() -> None:
    message = {
        "id": "msg_" + "0" * 26,
        "parent": None,
        "role": "assistant",
        "parts": [{"kind": "text", "text": "Yes"}],
        "created": 5,
        "status": "running",
        "usage": {
            "prompt_tokens": 1,
            "cached_tokens": None,
            "completion_tokens": 2,
            "first_word_ms": 3.5,
            "words": 1,
            "words_per_second": None,
        },
    }
    broken = {**message, "id": "msg_" + "1" * 26, "created": 10**30}
    found = read(
        {
            "eclair": 1,
            "conversation": {"id": "conv_" + "0" * 26, "title": "T", "created": 4, "updated": 6, "leaf": message["id"]},
            "messages": [message, broken, 5],
        }
    )
    (kept,) = found.messages
    assert isinstance(kept, Message)
    assert (kept.id, kept.status, kept.conversation) == (message["id"], "interrupted", "conv_" + "0" * 26)
    assert kept.usage is not None
    assert kept.usage.first_word_ms == 3.5
    assert found.conversation.leaf == kept.id
    assert found.left_out == ("messages that are not as Éclair writes them",) * 2


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (1_700_000_000, 1_700_000_000_000),
        (1_700_000_000.5, 1_700_000_000_500),
        (1_700_000_000_000, 1_700_000_000_000),
        (1_700_000_000_000_000, 1_700_000_000_000),
        (1_700_000_000_000_000_000, 1_700_000_000_000),
        ("2023-11-14T22:13:20Z", 1_700_000_000_000),
        ("2023-11-14T22:13:20", 1_700_000_000_000),
        ("yesterday", None),
        ("0001-01-01T00:00:00+14:00", None),
        (-1, None),
        (10**400, None),
        (True, None),
        (float("nan"), None),
        (float("inf"), None),
        (None, None),
    ],
)
def test_times_are_understood_in_every_unit(given: object, meant: int | None) -> None:
    assert as_milliseconds(given) == meant


def test_lechat(tmp_path: Path) -> None:
    preview, (paris,) = staged(tmp_path, zipped({"chat-c1.json": sample("lechat"), "chat-c1-files/map.png": b"x"}))
    assert (preview.kind, preview.conversations, preview.titles) == ("lechat", 1, ("How many people live in Paris?",))
    question, first, second, then, last = paris.messages
    assert [each.text for each in paris.messages] == [
        "How many people live in Paris?",
        "Two million.",
        "Paris has about two million inhabitants.",
        "And in Lyon?",
        "Half a million.",
    ]
    assert first.parent == second.parent == question.id
    assert (then.parent, last.parent, paris.conversation.leaf) == (second.id, then.id, last.id)
    assert question.created == 1_758_298_699_236
    for thing in ("tool calls", "marks of sources", "attached files", "canvases"):
        assert f"Left out: {thing} (1 in 1 conversation)." in preview.problems


def test_gemini(tmp_path: Path) -> None:
    preview, (sums, rice) = staged(tmp_path, sample("gemini"))
    assert (preview.kind, preview.conversations, preview.messages) == ("gemini", 2, 6)
    assert told(sums.messages) == [
        ("user", "What is 6 times 7?"),
        ("assistant", "It is **42**:\n\n- 6 + 6\n- and so on"),
        ("user", "And as code?"),
        ("assistant", "So:\n\n```python\nprint(6 * 7)\n```"),
    ]
    assert told(rice.messages) == [("user", "Wie koche ich Reis?"), ("assistant", "Mit **doppelt** so viel Wasser.")]
    assert sums.conversation.created == 1_785_046_077_773
    assert set(preview.problems) == {
        "Conversations without a message that can be read, left out: 1.",
        "Entries that are not conversations, left out: 1.",
        "Left out: activities that are no prompts (1 in 1 conversation).",
        "Left out: attached files (1 in 1 conversation).",
    }


COPILOT = (
    '\ufeffConversation,Time,Author,Message\r\n"Git, explained",2026-07-26T23:20:56,AI,"**Short:** no tag.\n\n'
    'It ""skips"" it."\r\n"Git, explained",2026-07-26T23:20:56,Human,"what does --no-git-tag-version do?"\r\n'
    "Bread,2026-07-25T10:00:00,AI,Flour.\r\nBread,2026-07-25T10:00:00,Human,What is in bread?\r\n"
)


@pytest.mark.parametrize("name", ["copilot-activity-history.csv", "export.txt"])
def test_copilot(tmp_path: Path, name: str) -> None:
    preview, (bread, git) = staged(tmp_path, COPILOT.encode(), name)
    assert (preview.kind, preview.titles, preview.problems) == ("copilot", ("Bread", "Git, explained"), ())
    assert told(bread.messages) == [("user", "What is in bread?"), ("assistant", "Flour.")]
    assert told(git.messages) == [
        ("user", "what does --no-git-tag-version do?"),
        ("assistant", '**Short:** no tag.\n\nIt "skips" it.'),
    ]
    assert git.messages[0].created == 1_785_108_056_000


def test_a_csv_in_a_zip_is_read_only_if_it_holds_messages(tmp_path: Path) -> None:
    files = {"notes.csv": b"a,b\n1,2\n", "copilot-activity-history.csv": COPILOT.encode()}
    preview, conversations = staged(tmp_path, zipped(files))
    assert len(conversations) == 2
    assert preview.problems == ("Other files in it, such as 'notes.csv', left out: 1.",)


def test_a_csv_that_breaks_off_gives_what_came_whole(tmp_path: Path) -> None:
    _, conversations = staged(tmp_path, COPILOT.encode()[:-40], "copilot.csv")
    assert [each.conversation.title for each in conversations] == ["Bread", "Git, explained"]


@given(
    st.recursive(
        st.text(max_size=20) | st.none() | st.integers(),
        lambda some: (
            st.lists(some)
            | st.dictionaries(
                st.sampled_from(
                    [
                        "chatId",
                        "role",
                        "createdAt",
                        "contentChunks",
                        "content",
                        "header",
                        "title",
                        "time",
                        "products",
                        "safeHtmlItem",
                        "html",
                        "type",
                        "text",
                        "Conversation",
                        "Time",
                        "Author",
                        "Message",
                    ]
                ),
                some,
            )
        ),
        max_leaves=20,
    )
)
def test_records_of_any_shape_raise_nothing(value: object) -> None:
    shape = {"chatId": "c", "role": "user", "createdAt": 1, "header": "Gemini", "title": "x", "time": 1}
    record: JSON = {**shape, **as_object(value)}
    for importer in RECORD_IMPORTERS:
        importer.matches(record)
        for imported in importer.read([record, record], NOW):
            assert imported.conversation.id
