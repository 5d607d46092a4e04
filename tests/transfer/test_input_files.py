"""Files as they come: cut without being held, zipped, broken, hostile."""

from __future__ import annotations

import json
import struct
import zipfile
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from eclair.errors import InvalidInput, TooLarge, UserError
from eclair.transfer import input_files
from eclair.transfer.import_protocol import ImportPreview
from eclair.transfer.input_files import split_values
from eclair.transfer.normalize import ImportedConversation
from tests.transfer.support import sample, staged, zipped

NAMES = ["chatgpt", "claude", "openwebui", "librechat", "librechat_tree"]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)
unhurried = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])


def pieces(folder: Path, data: bytes) -> list[object]:
    path = folder / "cut"
    path.write_bytes(data)
    with path.open("rb") as file:
        return [json.loads(piece) for piece in split_values(file, "x") if isinstance(piece, bytes)]


@unhurried
@given(values=st.lists(st.dictionaries(st.text(), ANYTHING, max_size=4), max_size=6), indent=st.sampled_from([None, 2]))
def test_an_array_is_cut_into_its_objects(tmp_path: Path, values: list[Any], indent: int | None) -> None:
    assert pieces(tmp_path, json.dumps(values, indent=indent).encode()) == json.loads(json.dumps(values))
    assert pieces(tmp_path, json.dumps(values, ensure_ascii=False).encode("utf-8", "surrogatepass")) == values


def test_quotes_and_brackets_in_strings_cut_nothing(tmp_path: Path) -> None:
    values = [{"a": '"]}\\'}, {"\\\\": '\\"', "b": ["[", "{"]}, {}]
    assert pieces(tmp_path, b"\xef\xbb\xbf \n" + orjson.dumps(values)) == values


def attempt(folder: Path, data: bytes) -> None:
    refused: list[str] = []
    try:
        preview, found = staged(folder, data)
    except (InvalidInput, TooLarge) as error:
        refused.append(error.message)
    else:
        check(preview, found)
    assert all(message.endswith(".") and "\n" not in message for message in refused)


def check(preview: ImportPreview, found: list[ImportedConversation]) -> None:
    """What was taken is whole: it is what the preview says, and each message comes after its parent."""
    assert preview.conversations == len(found) > 0
    assert preview.messages == sum(len(one.messages) for one in found)
    for one in found:
        seen: set[str] = set()
        for message in one.messages:
            assert message.parent is None or message.parent in seen
            assert message.id not in seen
            seen.add(message.id)
        assert one.conversation.leaf in seen


@unhurried
@given(value=ANYTHING)
def test_any_json_is_taken_or_refused_in_a_sentence(tmp_path: Path, value: object) -> None:
    attempt(tmp_path, json.dumps(value).encode())


@unhurried
@given(data=st.binary(max_size=200))
def test_any_bytes_are_refused_in_a_sentence(tmp_path: Path, data: bytes) -> None:
    attempt(tmp_path, data)
    attempt(tmp_path, b"PK\3\4" + data)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    if isinstance(value, dict):
        for key in value:  # pyright: ignore[reportUnknownVariableType]
            found += places(value[key], (*path, key))  # pyright: ignore[reportUnknownArgumentType]
    elif isinstance(value, list):
        for index in range(len(value)):  # pyright: ignore[reportUnknownArgumentType]
            found += places(value[index], (*path, index))
    return found


SAMPLES = {name: orjson.loads(sample(name)) for name in NAMES}
PLACES = [(name, path) for name, value in SAMPLES.items() for path in places(value) if path]


@unhurried
@given(where=st.sampled_from(PLACES), value=ANYTHING, gone=st.booleans())
def test_a_mangled_sample_is_taken_or_refused_in_a_sentence(
    tmp_path: Path, where: tuple[str, tuple[Any, ...]], value: object, gone: bool
) -> None:
    name, path = where
    whole = orjson.loads(sample(name))
    inner = whole
    for step in path[:-1]:
        inner = inner[step]
    if gone:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    attempt(tmp_path, json.dumps(whole).encode())


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_breaks_off_gives_what_came_whole(tmp_path: Path, name: str) -> None:
    data = sample(name)
    for end in range(0, len(data), 97):
        attempt(tmp_path, data[:end])
    first = data.index(b"6710c0de-0002") if name == "chatgpt" else 0
    if first:
        preview, found = staged(tmp_path, data[: first + 20])
        assert len(found) == 1
        assert "export.json breaks off in the middle; download the export again." in preview.problems


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "is empty"),
        (b"Dear diary", "neither JSON nor a zip"),
        (b"\xff\xfe[\0{\0", "neither JSON nor a zip"),
        (b"[]", "holds no conversations"),
        (b"[1, 2, null]", "holds no conversations"),
        (b'{"user": "me"}', "holds no conversations"),
        (b"[{", "breaks off"),
        (b'[{"a": "', "breaks off"),
        (b"PK\3\4 and nothing", "damaged zip"),
        (b'[{"mapping": ' + b"[" * 100_000 + b"]" * 100_000 + b"}]", "holds no conversations"),
    ],
)
def test_what_is_no_export_is_refused(tmp_path: Path, data: bytes, sentence: str) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        staged(tmp_path, data)


def test_half_characters_of_an_export_are_let_through(tmp_path: Path) -> None:
    message = b'{"uuid": "1", "sender": "human", "text": "a\\ud800b"}'
    data = b'[{"uuid": "h", "name": "Half \\ud83d", "chat_messages": [' + message + b"]}]"
    _, (found,) = staged(tmp_path, data)
    assert found.messages[0].text == "a\ufffdb"


def test_rubbish_between_conversations_is_named(tmp_path: Path) -> None:
    (first, second) = SAMPLES["chatgpt"]
    data = b'["x", %s, 5, %s, {"a": tru}] more' % (orjson.dumps(first), orjson.dumps(second))
    preview, found = staged(tmp_path, data)
    assert len(found) == 2
    assert "Entries that are not conversations, left out: 2." in preview.problems
    assert sum("is not JSON and was left out" in problem for problem in preview.problems) == 2


def test_a_zip_is_looked_through(tmp_path: Path) -> None:
    archive = zipped(
        {
            "conversations-000.json": sample("chatgpt"),
            "copy/conversations.json": sample("chatgpt"),
            "user.json": b'{"id": "me"}',
            "message_feedback.json": b"[]",
            "broken.json": b"[{",
            "chat.html": b"<html>",
            "file-1.png": b"\x89PNG",
        }
    )
    preview, found = staged(tmp_path, archive, "export.zip")
    assert len(found) == 2
    for problem in (
        "user.json holds no conversations and was left out.",
        "broken.json breaks off in the middle; download the export again.",
        "Other files in it, such as 'file-1.png', left out: 1.",
        "Conversations that are in the file more than once, imported once: 2.",
    ):
        assert problem in preview.problems


def test_a_zip_of_several_programs_is_named_by_most(tmp_path: Path) -> None:
    preview, found = staged(tmp_path, zipped({f"{name}.json": sample(name) for name in NAMES}))
    assert len(found) == 7
    assert preview.kind in ("chatgpt", "claude", "librechat")


def test_a_zip_that_swells_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(input_files, "MAX_UNPACKED_BYTES", 4 << 20)
    archive = zipped({f"{number}.json": b" " * (3 << 20) for number in range(2)})
    assert len(archive) < 1 << 16
    with pytest.raises(TooLarge, match="unpacks to more than 4 MiB"):
        staged(tmp_path, archive, "bomb.zip")


def test_a_zip_that_lists_too_much_is_not_opened(tmp_path: Path) -> None:
    archive = bytearray(zipped({"a.json": b"[]"}))
    at = archive.rindex(b"PK\5\6")
    struct.pack_into("<I", archive, at + 12, input_files.MAX_ZIP_DIRECTORY_BYTES + 1)
    with pytest.raises(TooLarge, match="too many files"):
        staged(tmp_path, bytes(archive), "list.zip")


def test_a_locked_zip_is_refused(tmp_path: Path) -> None:
    archive = bytearray(zipped({"a.json": b"[]"}))
    archive[archive.index(b"PK\1\2") + 8] |= 1
    with pytest.raises(InvalidInput, match="password"):
        staged(tmp_path, bytes(archive), "locked.zip")
    with pytest.raises(InvalidInput, match="uncommon way"):
        staged(tmp_path, zipped({"a.json": b"[]"}, zipfile.ZIP_LZMA), "lzma.zip")


@unhurried
@given(at=st.integers(min_value=0, max_value=2000), byte=st.integers(min_value=0, max_value=255))
@example(at=1300, byte=5)
def test_a_zip_with_a_byte_changed_is_taken_or_refused_in_a_sentence(tmp_path: Path, at: int, byte: int) -> None:
    archive = bytearray(zipped({"a.json": sample("claude"), "b.json": sample("openwebui")}))
    archive[at % len(archive)] = byte
    attempt(tmp_path, bytes(archive))


def test_one_conversation_past_the_limit_costs_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (first, second) = SAMPLES["chatgpt"]
    monkeypatch.setattr(input_files, "MAX_CONVERSATION_BYTES", len(orjson.dumps(second)) + 10)
    preview, found = staged(tmp_path, orjson.dumps([first, second]))
    assert [one.conversation.archived for one in found] == [True]
    assert any("is larger than" in problem for problem in preview.problems)


def test_problems_are_bounded(tmp_path: Path) -> None:
    blocks = [{"type": f"kind {number}"} for number in range(500)]
    message = {"uuid": "1", "sender": "human", "content": [{"type": "text", "text": "x"}, *blocks]}
    preview, _ = staged(tmp_path, orjson.dumps([{"uuid": "c", "chat_messages": [message]}]))
    assert len(preview.problems) == 51
    assert preview.problems[-1] == "450 more problems are not listed."


def test_nothing_is_left_in_the_folder(tmp_path: Path) -> None:
    staged(tmp_path, zipped({"a.json": sample("claude")}))
    with pytest.raises(UserError):
        staged(tmp_path, b"[]")
    assert [path.name for path in tmp_path.iterdir()] == ["upload"]
