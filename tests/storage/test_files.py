from __future__ import annotations

import asyncio

import pytest

from eclair.errors import Conflict, NotFound
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.base import Storage
from eclair.storage.libraries import Library
from tests.storage.helpers import ME, SHA, SOMEONE, file, turn
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
