from __future__ import annotations

from dataclasses import replace

import pytest

from eclair.errors import Conflict, Forbidden, NotFound
from eclair.storage.base import Storage
from eclair.storage.libraries import Library
from eclair.storage.sharing import AccessShare
from tests.storage.helpers import ME, OTHER, SHA, SOMEONE, cut, directions, file, found, paged, read

HANDBOOK = Library("lib_a", "me", "handbook", 1)
ACTS = Library("lib_b", "me", "acts", 2)
THEIRS = Library("lib_c", "someone", "handbook", 3)


async def add_libraries(storage: Storage) -> None:
    await storage.libraries.add_library(ME, HANDBOOK)
    await storage.libraries.add_library(ME, ACTS)
    await storage.libraries.add_library(SOMEONE, THEIRS)


async def test_a_library_is_found_by_id_and_name_by_its_owner_only(storage: Storage) -> None:
    await add_libraries(storage)
    assert await storage.libraries.get_library(ME, "lib_a") == HANDBOOK
    assert await storage.libraries.get_library_by_name(ME, "handbook") == HANDBOOK
    assert await storage.libraries.get_library_by_name(SOMEONE, "handbook") == THEIRS
    for call in (
        storage.libraries.get_library(SOMEONE, "lib_a"),
        storage.libraries.get_library(ME, "lib_none"),
        storage.libraries.get_library_by_name(SOMEONE, "acts"),
        storage.libraries.rename_library(SOMEONE, "lib_a", "mine"),
        storage.libraries.delete_library(SOMEONE, "lib_a"),
        storage.files.list_watched_files(SOMEONE, "lib_a"),
        storage.files.list_files(SOMEONE, 9, library="lib_a"),
    ):
        with pytest.raises(NotFound):
            await call
    assert [each.library for each in await storage.libraries.list_libraries(ME)] == [ACTS, HANDBOOK]
    assert [each.library for each in await storage.libraries.list_libraries(SOMEONE)] == [THEIRS]


async def test_a_name_is_unique_for_its_owner_and_an_id_for_everyone(storage: Storage) -> None:
    await add_libraries(storage)
    with pytest.raises(Conflict, match="handbook"):
        await storage.libraries.add_library(ME, Library("lib_d", "me", "handbook", 3))
    with pytest.raises(Conflict, match="lib_a"):
        await storage.libraries.add_library(SOMEONE, Library("lib_a", "someone", "novels", 3))
    with pytest.raises(Conflict, match="handbook"):
        await storage.libraries.rename_library(ME, "lib_b", "handbook")
    with pytest.raises(NotFound, match="lib_none"):
        await storage.libraries.rename_library(ME, "lib_none", "novels")
    assert await storage.libraries.rename_library(ME, "lib_b", "acts") == ACTS
    renamed = Library("lib_b", "me", "laws", 2)
    assert await storage.libraries.rename_library(ME, "lib_b", "laws") == renamed
    assert [each.library for each in await storage.libraries.list_libraries(ME)] == [HANDBOOK, renamed]


async def test_libraries_are_listed_by_name_with_sums_of_their_files(storage: Storage) -> None:
    await add_libraries(storage)
    await storage.files.add_file(ME, file("file_a", SHA, library="lib_a"), 1)
    await storage.files.add_file(ME, file("file_b", OTHER, library="lib_a"), 1)
    await storage.files.add_file(ME, file("file_c", "c" * 64, library="lib_a"), 1)
    await storage.documents.mark_reading(OTHER, 2)
    texts = ["one", "two", "three"]
    await storage.documents.add_pages(SHA, paged(texts), cut(texts), finished=True)
    chunks = await storage.chunks.list_unembedded("e5", 2)
    assert await storage.chunks.add_vectors("e5", chunks, directions(2))
    acts, handbook = await storage.libraries.list_libraries(ME)
    assert (acts.files, acts.bytes, acts.states, acts.chunks, acts.embedded, acts.waiting) == (0, 0, {}, 0, 0, 0)
    assert (handbook.files, handbook.bytes, handbook.waiting) == (3, 30, 2)
    assert handbook.states == {"ready": 1, "reading": 1, "queued": 1}
    assert (handbook.chunks, handbook.embedded) == (3, 2)


async def test_a_library_is_deleted_with_its_files(storage: Storage) -> None:
    await add_libraries(storage)
    shared = await read(storage, ["apple"])
    for number in range(45):
        sha256 = SHA if number == 0 else f"{number:064}"
        await storage.files.add_file(ME, file(f"file_{number:02}", sha256, library="lib_a", path=f"/{number}"), 1)
    blobs = await storage.libraries.delete_library(ME, "lib_a")
    assert sorted(blobs) == [f"{number:064}" for number in range(1, 45)]
    with pytest.raises(NotFound):
        await storage.libraries.get_library(ME, "lib_a")
    with pytest.raises(NotFound):
        await storage.files.get_file(ME, "file_00")
    with pytest.raises(NotFound):
        await storage.documents.get_state(f"{1:064}")
    assert await found(storage, shared, "apple") == [0]
    assert [each.file.id for each in (await storage.files.list_files(ME, 99)).files] == ["file_a"]
    assert [each.library for each in await storage.libraries.list_libraries(ME)] == [ACTS]


async def test_a_shared_library_is_read_by_those_it_is_shared_with(storage: Storage) -> None:
    await add_libraries(storage)
    everyone = AccessShare("lib_a", "everyone", "view", 1)
    await storage.libraries.share(ME, everyone)
    await storage.files.add_file(ME, file("file_a", library="lib_a"), 1)
    (listed,) = (await storage.files.list_files(SOMEONE, 9, library="lib_a")).files
    assert listed.file.id == "file_a"
    assert await storage.libraries.get_library(SOMEONE, "lib_a") == replace(HANDBOOK, access="view")
    assert await storage.libraries.get_library_by_name(SOMEONE, "handbook") == THEIRS, "their own comes first"
    assert (await storage.files.get_file(SOMEONE, "file_a")).file.owner == "me"
    with pytest.raises(Forbidden):
        await storage.libraries.rename_library(SOMEONE, "lib_a", "mine")
    with pytest.raises(Forbidden):
        await storage.files.add_file(SOMEONE, file("file_b", library="lib_a", owner="someone"), 1)
    await storage.libraries.share(ME, replace(everyone, access="edit"))
    assert [each.access for each in await storage.libraries.list_shares(ME, "lib_a")] == ["edit"]
    await storage.files.add_file(SOMEONE, file("file_b", library="lib_a", owner="someone"), 1)
    assert (await storage.files.get_file(ME, "file_b")).file.owner == "me", "what is in it is its owner's"
    await storage.libraries.unshare(ME, "lib_a", "everyone")
    for call in (
        storage.libraries.get_library(SOMEONE, "lib_a"),
        storage.files.get_file(SOMEONE, "file_a"),
        storage.files.get_file(SOMEONE, "file_b"),
        storage.libraries.unshare(ME, "lib_a", "everyone"),
        storage.libraries.share(SOMEONE, everyone),
        storage.libraries.share(ME, replace(everyone, subject="person:none")),
    ):
        with pytest.raises(NotFound):
            await call
