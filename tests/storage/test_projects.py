"""Projects: names, settings, what is in them, whose they are, and with whom they are shared."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eclair.errors import Conflict, Forbidden, NotFound
from eclair.schema.messages import Conversation
from eclair.schema.principal import LOCAL_PRINCIPAL, Principal
from eclair.storage.base import Storage
from eclair.storage.conversations import ConversationEdit
from eclair.storage.libraries import Library
from eclair.storage.projects import Project
from eclair.storage.sharing import AccessShare

SOMEONE = Principal("someone")


def project(id: str, name: str, owner: str = "local", created: int = 1) -> Project:
    return Project(id=id, owner=owner, name=name, created=created)


async def add(storage: Storage, id: str, updated: int, **values: object) -> None:
    conversation = Conversation(id, "local", id, 1, updated, **values)  # pyright: ignore[reportArgumentType]
    await storage.conversations.add_conversation(LOCAL_PRINCIPAL, conversation)


async def move(storage: Storage, id: str, project: str | None) -> Conversation:
    edit = ConversationEdit(project_id=project, cleared=frozenset({"project_id"} if project is None else ()))
    return await storage.conversations.edit_conversation(LOCAL_PRINCIPAL, id, edit)


async def test_a_project_has_conversations_and_is_deleted_without_them(storage: Storage) -> None:
    await storage.projects.add_project(LOCAL_PRINCIPAL, project("proj_b", "work"))
    await storage.projects.add_project(LOCAL_PRINCIPAL, project("proj_a", "Home", created=2))
    for at in range(3):
        await add(storage, f"conv_{at}", at)
    await add(storage, "conv_p", 9, pinned=True)
    await add(storage, "conv_z", 12, archived=True)
    for id in ("conv_0", "conv_2", "conv_p", "conv_z"):
        assert (await move(storage, id, "proj_b")).project_id == "proj_b"
    listed = await storage.projects.list_projects(LOCAL_PRINCIPAL)
    assert [(each.project.name, each.conversations, each.used) for each in listed] == [("Home", 0, 2), ("work", 3, 12)]
    recent = await storage.projects.list_projects(LOCAL_PRINCIPAL, order="recent")
    assert [each.project.name for each in recent] == ["work", "Home"]
    assert [each.project.name for each in await storage.projects.list_projects(LOCAL_PRINCIPAL, "ho")] == ["Home"]
    page = await storage.conversations.list_conversations(LOCAL_PRINCIPAL, 2, project_id="proj_b")
    assert ([each.id for each in page.conversations], page.pinned) == (["conv_p", "conv_2"], [])
    rest = await storage.conversations.list_conversations(LOCAL_PRINCIPAL, 2, project_id="proj_b", before=page.next)
    assert ([each.id for each in rest.conversations], rest.next) == (["conv_0"], None)
    assert (await move(storage, "conv_2", None)).project_id is None
    await storage.projects.delete_project(LOCAL_PRINCIPAL, "proj_b")
    assert (await storage.conversations.get_conversation(LOCAL_PRINCIPAL, "conv_0")).project_id is None
    assert [each.project.id for each in await storage.projects.list_projects(LOCAL_PRINCIPAL)] == ["proj_a"]


async def test_names_are_unique_for_their_owner(storage: Storage) -> None:
    await storage.projects.add_project(LOCAL_PRINCIPAL, project("proj_a", "Home"))
    await storage.projects.add_project(SOMEONE, project("proj_b", "Home", "someone"))
    with pytest.raises(Conflict, match="already a project"):
        await storage.projects.add_project(LOCAL_PRINCIPAL, project("proj_c", "Home"))
    with pytest.raises(Conflict, match="is taken"):
        await storage.projects.add_project(LOCAL_PRINCIPAL, project("proj_b", "Other"))
    work = project("proj_c", "Work")
    await storage.projects.add_project(LOCAL_PRINCIPAL, work)
    with pytest.raises(Conflict):
        await storage.projects.edit_project(LOCAL_PRINCIPAL, replace(work, name="Home"))
    changed = replace(work, name="Office", instructions="Be brief.", model="muse", web="off", tools=("run_python",))
    assert await storage.projects.edit_project(LOCAL_PRINCIPAL, changed) == changed
    assert await storage.projects.get_project(LOCAL_PRINCIPAL, "proj_c") == changed
    assert await storage.projects.get_project_by_name(LOCAL_PRINCIPAL, "Office") == changed


async def test_nobody_sees_anothers_project(storage: Storage) -> None:
    theirs = project("proj_s", "Mine", "someone")
    await storage.projects.add_project(SOMEONE, theirs)
    await add(storage, "conv_a", 1)
    assert await storage.projects.list_projects(LOCAL_PRINCIPAL) == []
    with pytest.raises(NotFound):
        await move(storage, "conv_a", "proj_s")
    with pytest.raises(NotFound):
        await storage.projects.get_project_by_name(LOCAL_PRINCIPAL, "Mine")
    with pytest.raises(NotFound):
        await storage.projects.edit_project(LOCAL_PRINCIPAL, theirs)
    with pytest.raises(NotFound):
        await storage.projects.delete_project(LOCAL_PRINCIPAL, "proj_s")


async def test_members_keep_conversations_of_their_own_in_a_shared_project(storage: Storage) -> None:
    theirs = project("proj_s", "Ours", "someone")
    await storage.projects.add_project(SOMEONE, theirs)
    await storage.projects.share(SOMEONE, AccessShare("proj_s", "everyone", "view", 1))
    assert [each.access for each in await storage.projects.list_shares(SOMEONE, "proj_s")] == ["view"]
    await add(storage, "conv_a", 5)
    await move(storage, "conv_a", "proj_s")
    (mine,) = await storage.projects.list_projects(LOCAL_PRINCIPAL)
    assert (mine.project.access, mine.conversations) == ("view", 1)
    (own,) = await storage.projects.list_projects(SOMEONE)
    assert (own.project.access, own.conversations) == ("own", 0)
    with pytest.raises(Forbidden):
        await storage.projects.edit_project(LOCAL_PRINCIPAL, replace(theirs, name="Theirs"))
    await storage.projects.share(SOMEONE, AccessShare("proj_s", "everyone", "edit", 2))
    edited = await storage.projects.edit_project(LOCAL_PRINCIPAL, replace(theirs, name="Theirs"))
    assert (edited.name, edited.owner, edited.access) == ("Theirs", "someone", "edit")
    with pytest.raises(Forbidden):
        await storage.projects.delete_project(LOCAL_PRINCIPAL, "proj_s")
    await storage.projects.unshare(SOMEONE, "proj_s", "everyone")
    assert await storage.projects.list_projects(LOCAL_PRINCIPAL) == []
    assert (await storage.conversations.get_conversation(LOCAL_PRINCIPAL, "conv_a")).project_id == "proj_s"
    await storage.projects.delete_project(SOMEONE, "proj_s")
    assert (await storage.conversations.get_conversation(LOCAL_PRINCIPAL, "conv_a")).project_id is None


async def test_a_project_has_one_library_of_its_own(storage: Storage) -> None:
    await storage.libraries.add_library(LOCAL_PRINCIPAL, Library("lib_a", "local", "Home", 1))
    await storage.projects.add_project(LOCAL_PRINCIPAL, project("proj_a", "Home"))
    assert (
        await storage.projects.open_library(LOCAL_PRINCIPAL, "proj_a", Library("lib_b", "local", "Home", 2)) == "lib_b"
    )
    assert (
        await storage.projects.open_library(LOCAL_PRINCIPAL, "proj_a", Library("lib_c", "local", "Home", 3)) == "lib_b"
    )
    names = [each.library.name for each in await storage.libraries.list_libraries(LOCAL_PRINCIPAL)]
    assert names == ["Home", "Home-2"]
    await storage.libraries.delete_library(LOCAL_PRINCIPAL, "lib_b")
    assert (await storage.projects.get_project(LOCAL_PRINCIPAL, "proj_a")).library is None
