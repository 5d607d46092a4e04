from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from eclair.errors import Conflict, NotFound
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.base import Storage
from eclair.storage.files import Upload
from eclair.storage.libraries import Library
from tests.storage.helpers import ME, OTHER, SHA, SOMEONE, file, found, read, turn
from tests.support import Ids, conversation


async def test_a_file_is_kept_and_what_it_holds_is_queued_once(storage: Storage) -> None:
    state = await storage.files.add_file(ME, file("file_a"), 1)
    assert (state.sha256, state.state, state.reader, state.pages) == (SHA, "queued", 1, None)
    await storage.documents.mark_reading(SHA, 3)
    assert (await storage.files.add_file(ME, file("file_b"), 2)).state == "reading"
    assert (await storage.files.get_file(ME, "file_a")).file == file("file_a")
    with pytest.raises(Conflict, match="file_a"):
        await storage.files.add_file(ME, file("file_a"), 1)
    with pytest.raises(NotFound):
        await storage.files.get_file(SOMEONE, "file_a")
    assert [state.sha256 for state in await storage.documents.list_unfinished()] == [SHA]


async def test_libraries(storage: Storage) -> None:
    await storage.libraries.add_library(ME, Library("lib_a", "me", "handbook", 1))
    await storage.libraries.add_library(ME, Library("lib_b", "me", "acts", 2))
    await storage.libraries.add_library(SOMEONE, Library("lib_c", "someone", "handbook", 2))
    with pytest.raises(Conflict, match="handbook"):
        await storage.libraries.add_library(ME, Library("lib_d", "me", "handbook", 3))
    with pytest.raises(NotFound):
        await storage.files.add_file(ME, file("file_x", library="lib_c"), 1)
    for i in range(45):
        await storage.files.add_file(ME, file(f"file_{i:02}", f"{i:064}", library="lib_a", path=f"/f/{i}"), 1)
    with pytest.raises(Conflict, match="/f/3"):
        await storage.files.add_file(ME, file("file_x", library="lib_a", path="/f/3"), 1)
    await storage.files.add_file(ME, file("file_y"), 1)
    await storage.documents.add_pages(f"{0:064}", [], [], finished=True)
    acts, handbook = await storage.libraries.list_libraries(ME)
    assert (acts.library.name, acts.files, acts.bytes, acts.states) == ("acts", 0, 0, {})
    assert (handbook.files, handbook.bytes, handbook.states) == (45, 450, {"queued": 44, "ready": 1})
    assert len(await storage.files.list_watched_files(ME, "lib_a")) == 45
    assert (await storage.libraries.get_library_by_name(ME, "acts")).id == "lib_b"
    assert (await storage.libraries.rename_library(ME, "lib_b", "laws")).name == "laws"
    with pytest.raises(Conflict):
        await storage.libraries.rename_library(ME, "lib_b", "handbook")
    moved = await storage.files.edit_file(ME, "file_y", name="new.txt", library="lib_b")
    assert (moved.file.name, moved.file.library) == ("new.txt", "lib_b")
    assert len(await storage.libraries.delete_library(ME, "lib_a")) == 45
    with pytest.raises(NotFound):
        await storage.libraries.get_library(ME, "lib_a")
    assert [library.library.name for library in await storage.libraries.list_libraries(ME)] == ["laws"]


async def test_files_are_listed_by_pages(storage: Storage) -> None:
    await storage.libraries.add_library(ME, Library("lib_a", "me", "handbook", 1))
    for i in range(5):
        await storage.files.add_file(ME, file(f"file_{i}", library="lib_a" if i % 2 else None), 1)
    first = await storage.files.list_files(ME, 3)
    assert [each.file.id for each in first.files] == ["file_4", "file_3", "file_2"]
    rest = await storage.files.list_files(ME, 3, before=first.next)
    assert ([each.file.id for each in rest.files], rest.next) == (["file_1", "file_0"], None)
    assert [each.file.id for each in (await storage.files.list_files(ME, 9, library="lib_a")).files] == [
        "file_3",
        "file_1",
    ]
    assert (await storage.files.list_files(SOMEONE, 9)).files == []


async def test_what_goes_along_with_a_message_is_loose_once_that_is_erased(storage: Storage) -> None:
    await conversation(storage)
    run = await turn(storage, Ids())
    await storage.files.add_file(LOCAL_PRINCIPAL, file("file_a", owner="local"), 1)
    await storage.files.add_file(LOCAL_PRINCIPAL, file("file_b", owner="local"), 1)
    assert [each.id for each in await storage.files.list_unattached_files(6)] == ["file_a", "file_b"]
    assert await storage.files.list_unattached_files(5) == []
    await storage.files.attach_files(LOCAL_PRINCIPAL, run.message, ["file_b", "file_a"])
    await storage.files.attach_files(LOCAL_PRINCIPAL, run.message, ["file_b"])
    with pytest.raises(NotFound):
        await storage.files.attach_files(SOMEONE, run.message, ["file_a"])
    with pytest.raises(NotFound):
        await storage.files.attach_files(LOCAL_PRINCIPAL, run.message, ["file_c"])
    assert await storage.files.list_attached_files(LOCAL_PRINCIPAL, "conv_a") == {
        run.message: [file("file_b", owner="local"), file("file_a", owner="local")]
    }
    assert await storage.files.list_unattached_files(6) == []
    await storage.conversations.delete_conversation(LOCAL_PRINCIPAL, "conv_a", forever=True)
    await storage.conversations.erase_deleted(1)
    assert [each.id for each in await storage.files.list_unattached_files(6)] == ["file_a", "file_b"]


async def test_two_that_take_in_the_same_file_at_once(storage: Storage, other: Storage) -> None:
    states = await asyncio.gather(
        storage.files.add_file(ME, file("file_a"), 1), other.files.add_file(ME, file("file_b"), 1)
    )
    assert [state.state for state in states] == ["queued", "queued"]
    assert len(await storage.documents.list_unfinished()) == 1


async def test_a_file_is_replaced_together_with_its_document(storage: Storage) -> None:
    await storage.libraries.add_library(ME, Library("lib_a", "me", "handbook", 1))
    await storage.files.add_file(ME, file("file_a", library="lib_a", path="/a"), 1)
    new = file("file_b", OTHER, library="lib_a", path="/a")
    state, blob = await storage.files.replace_file(ME, "file_a", new, 2)
    assert (state.sha256, state.state, state.reader, blob) == (OTHER, "queued", 2, SHA)
    assert await storage.files.list_watched_files(ME, "lib_a") == [new]
    with pytest.raises(NotFound):
        await storage.documents.get_state(SHA)


async def test_a_document_stays_when_a_file_with_the_same_bytes_replaces_its_own(storage: Storage) -> None:
    scope = await read(storage, ["apple"], "file_a")
    state, blob = await storage.files.replace_file(ME, "file_a", file("file_b"), 2)
    assert (state.state, state.reader, blob) == ("ready", 1, None)
    assert await found(storage, replace(scope, files=("file_b",)), "apple") == [0]
    assert await found(storage, scope, "apple") == []


async def test_a_replacement_that_is_refused_changes_nothing(storage: Storage) -> None:
    await storage.libraries.add_library(ME, Library("lib_a", "me", "handbook", 1))
    kept = [file("file_a", library="lib_a", path="/a"), file("file_b", library="lib_a", path="/b")]
    for each in kept:
        await storage.files.add_file(ME, each, 1)
    new = file("file_c", OTHER, library="lib_a", path="/a")
    for principal, old, added, error in (
        (ME, "file_a", replace(new, path="/b"), Conflict),
        (ME, "file_a", replace(new, id="file_b"), Conflict),
        (ME, "file_none", replace(new, path="/c"), NotFound),
        (ME, "file_a", replace(new, library="lib_none"), NotFound),
        (SOMEONE, "file_a", replace(new, library=None, path=None), NotFound),
    ):
        with pytest.raises(error):
            await storage.files.replace_file(principal, old, added, 1)
    assert [each.file for each in (await storage.files.list_files(ME, 9)).files] == kept[::-1]
    assert (await storage.files.list_files(SOMEONE, 9)).files == []
    with pytest.raises(NotFound):
        await storage.documents.get_state(OTHER)


async def test_bytes_have_the_name_of_the_first_file_that_has_them(storage: Storage) -> None:
    with pytest.raises(NotFound):
        await storage.files.get_name(SHA)
    await storage.files.add_file(SOMEONE, file("file_b", owner="someone"), 1)
    assert await storage.files.get_name(SHA) == "file_b.txt"
    await storage.files.add_file(ME, file("file_a"), 1)
    assert await storage.files.get_name(SHA) == "file_a.txt"
    await storage.files.delete_file(ME, "file_a")
    assert await storage.files.get_name(SHA) == "file_b.txt"


async def test_a_file_is_edited_and_deleted_by_its_owner_only(storage: Storage) -> None:
    await storage.libraries.add_library(ME, Library("lib_a", "me", "handbook", 1))
    await storage.libraries.add_library(SOMEONE, Library("lib_b", "someone", "acts", 1))
    await storage.files.add_file(ME, file("file_a", library="lib_a", path="/a"), 1)
    await storage.files.add_file(ME, file("file_b", path="/a"), 1)
    for call in (
        storage.files.edit_file(SOMEONE, "file_a", name="mine.txt"),
        storage.files.edit_file(ME, "file_a", library="lib_b"),
        storage.files.delete_file(SOMEONE, "file_a"),
    ):
        with pytest.raises(NotFound):
            await call
    with pytest.raises(Conflict, match="/a"):
        await storage.files.edit_file(ME, "file_b", library="lib_a")
    edited = replace(file("file_a", library="lib_a", path="/a"), mtime_ns=9)
    assert (await storage.files.edit_file(ME, "file_a", mtime_ns=9)).file == edited
    assert await storage.files.delete_file(ME, "file_a") is None
    assert await storage.files.delete_file(ME, "file_b") == SHA


async def test_what_a_program_said_of_its_upload(storage: Storage) -> None:
    kept, brief = file("file_k", "1" * 64), file("file_b", "2" * 64)
    for each in (kept, brief):
        await storage.files.add_file(LOCAL_PRINCIPAL, each, 1)
    await storage.files.note_upload(LOCAL_PRINCIPAL, "file_b", Upload("assistants"))
    await storage.files.note_upload(LOCAL_PRINCIPAL, "file_b", Upload("assistants", 500))
    ids = ["file_k", "file_b", "file_x"]
    assert await storage.files.list_uploads(LOCAL_PRINCIPAL, ids) == {"file_b": Upload("assistants", 500)}
    assert await storage.files.list_uploads(SOMEONE, ids) == {}
    assert [each.id for each in await storage.files.list_uploaded_files(LOCAL_PRINCIPAL)] == ["file_b"]
    assert [each.id for each in await storage.files.list_expired_files(500)] == ["file_b"]
    assert await storage.files.list_expired_files(499) == []
    with pytest.raises(NotFound):
        await storage.files.note_upload(SOMEONE, "file_k", Upload("user_data"))
    await storage.files.delete_file(LOCAL_PRINCIPAL, "file_b")
    assert await storage.files.list_expired_files(500) == []
