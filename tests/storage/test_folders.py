"""Folders of conversations: names, what is in them, and whose they are."""

from __future__ import annotations

import pytest

from eclair.errors import Conflict, NotFound
from eclair.schema.messages import Conversation
from eclair.schema.principal import LOCAL_PRINCIPAL, Principal
from eclair.storage.base import Storage
from eclair.storage.conversations import ConversationEdit
from eclair.storage.folders import Folder

SOMEONE = Principal("someone")


async def add(storage: Storage, id: str, updated: int, **values: object) -> None:
    conversation = Conversation(id, "local", id, 1, updated, **values)  # pyright: ignore[reportArgumentType]
    await storage.conversations.add_conversation(LOCAL_PRINCIPAL, conversation)


async def move(storage: Storage, id: str, folder: str | None) -> Conversation:
    edit = ConversationEdit(folder=folder, cleared=frozenset({"folder"} if folder is None else ()))
    return await storage.conversations.edit_conversation(LOCAL_PRINCIPAL, id, edit)


async def test_a_folder_holds_conversations_and_is_deleted_without_them(storage: Storage) -> None:
    await storage.folders.add_folder(LOCAL_PRINCIPAL, Folder("fold_b", "local", "work", 1))
    await storage.folders.add_folder(LOCAL_PRINCIPAL, Folder("fold_a", "local", "Home", 2))
    for at in range(3):
        await add(storage, f"conv_{at}", at)
    await add(storage, "conv_p", 9, pinned=True)
    await add(storage, "conv_z", 9, archived=True)
    for id in ("conv_0", "conv_2", "conv_p", "conv_z"):
        assert (await move(storage, id, "fold_b")).folder == "fold_b"
    listed = await storage.folders.list_folders(LOCAL_PRINCIPAL)
    assert [(each.folder.name, each.conversations) for each in listed] == [("Home", 0), ("work", 3)]
    page = await storage.conversations.list_conversations(LOCAL_PRINCIPAL, 2, folder="fold_b")
    assert ([each.id for each in page.conversations], page.pinned) == (["conv_p", "conv_2"], [])
    rest = await storage.conversations.list_conversations(LOCAL_PRINCIPAL, 2, folder="fold_b", before=page.next)
    assert ([each.id for each in rest.conversations], rest.next) == (["conv_0"], None)
    assert (await move(storage, "conv_2", None)).folder is None
    await storage.folders.delete_folder(LOCAL_PRINCIPAL, "fold_b")
    assert (await storage.conversations.get_conversation(LOCAL_PRINCIPAL, "conv_0")).folder is None
    assert [each.folder.id for each in await storage.folders.list_folders(LOCAL_PRINCIPAL)] == ["fold_a"]


async def test_names_are_unique_for_their_owner(storage: Storage) -> None:
    await storage.folders.add_folder(LOCAL_PRINCIPAL, Folder("fold_a", "local", "Home", 1))
    await storage.folders.add_folder(SOMEONE, Folder("fold_b", "someone", "Home", 1))
    with pytest.raises(Conflict, match="already a folder"):
        await storage.folders.add_folder(LOCAL_PRINCIPAL, Folder("fold_c", "local", "Home", 1))
    with pytest.raises(Conflict, match="is taken"):
        await storage.folders.add_folder(LOCAL_PRINCIPAL, Folder("fold_b", "local", "Other", 1))
    await storage.folders.add_folder(LOCAL_PRINCIPAL, Folder("fold_c", "local", "Work", 1))
    with pytest.raises(Conflict):
        await storage.folders.rename_folder(LOCAL_PRINCIPAL, "fold_c", "Home")
    assert (await storage.folders.rename_folder(LOCAL_PRINCIPAL, "fold_c", "Office")).name == "Office"


async def test_nobody_sees_anothers_folder(storage: Storage) -> None:
    await storage.folders.add_folder(SOMEONE, Folder("fold_s", "someone", "Mine", 1))
    await add(storage, "conv_a", 1)
    assert await storage.folders.list_folders(LOCAL_PRINCIPAL) == []
    with pytest.raises(NotFound):
        await move(storage, "conv_a", "fold_s")
    with pytest.raises(NotFound):
        await storage.folders.rename_folder(LOCAL_PRINCIPAL, "fold_s", "x")
    with pytest.raises(NotFound):
        await storage.folders.delete_folder(LOCAL_PRINCIPAL, "fold_s")
