"""Projects: names, settings, what is in them, whose they are, and with whom they are shared."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eclair.errors import Conflict, Forbidden, HeldBack, NotFound
from eclair.schema.memories import Memory
from eclair.schema.messages import Conversation
from eclair.schema.principal import LOCAL_PRINCIPAL, Principal
from eclair.storage.base import Storage
from eclair.storage.conversations import ConversationEdit
from eclair.storage.libraries import Library
from eclair.storage.projects import Project
from eclair.storage.retention import LegalHold
from eclair.storage.sharing import AccessShare

SOMEONE = Principal("someone")
STRANGER = Principal("stranger", role="guest")
FOREVER = 2**62


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
    assert [each.project.id for each in await storage.projects.list_projects(LOCAL_PRINCIPAL)] == ["proj_a"]
    (deleted,) = await storage.projects.list_deleted_projects(FOREVER)
    await storage.projects.erase_project(deleted.id, 0)
    assert await storage.projects.list_deleted_projects(FOREVER) == [deleted], "it was deleted later"
    await storage.projects.erase_project(deleted.id, FOREVER)
    assert await storage.projects.list_deleted_projects(FOREVER) == []
    assert (await storage.conversations.get_conversation(LOCAL_PRINCIPAL, "conv_0")).project_id is None


async def test_a_deleted_project_comes_back_with_all_that_it_had(storage: Storage) -> None:
    await storage.projects.add_project(LOCAL_PRINCIPAL, project("proj_a", "Home"))
    await storage.projects.open_library(LOCAL_PRINCIPAL, "proj_a", Library("lib_a", "local", "Home", 1))
    await storage.projects.share(LOCAL_PRINCIPAL, AccessShare("proj_a", "everyone", "view", 1))
    memory = Memory("mem_a", "local", "Bikes are velos", "person", 1, 1, project_id="proj_a")
    await storage.memories.add_memory(LOCAL_PRINCIPAL, memory)
    await add(storage, "conv_a", 1, project_id="proj_a")
    await storage.projects.delete_project(LOCAL_PRINCIPAL, "proj_a")
    for principal in (LOCAL_PRINCIPAL, SOMEONE):
        assert await storage.projects.list_projects(principal) == []
        assert await storage.libraries.list_libraries(principal) == []
        with pytest.raises(NotFound, match="proj_a"):
            await storage.projects.get_project(principal, "proj_a")
        with pytest.raises(NotFound, match="lib_a"):
            await storage.libraries.get_library(principal, "lib_a")
    assert await storage.memories.list_memories(LOCAL_PRINCIPAL) == []
    assert await storage.conversations.search_names(LOCAL_PRINCIPAL, "home", 9) == []
    await storage.projects.add_project(LOCAL_PRINCIPAL, project("proj_b", "Home"))
    with pytest.raises(Conflict, match="already a project 'Home'"):
        await storage.projects.restore_project(LOCAL_PRINCIPAL, "proj_a", 0)
    await storage.projects.edit_project(LOCAL_PRINCIPAL, project("proj_b", "House"))
    for principal, since in ((SOMEONE, 0), (LOCAL_PRINCIPAL, FOREVER)):
        with pytest.raises(NotFound, match="ten minutes"):
            await storage.projects.restore_project(principal, "proj_a", since)
    back = await storage.projects.restore_project(LOCAL_PRINCIPAL, "proj_a", 0)
    assert (back.name, back.library) == ("Home", "lib_a")
    assert (await storage.projects.get_project(SOMEONE, "proj_a")).access == "view"
    assert [each.library.id for each in await storage.libraries.list_libraries(SOMEONE)] == ["lib_a"]
    assert [each.id for each in await storage.memories.list_memories(LOCAL_PRINCIPAL)] == ["mem_a"]
    assert (await storage.conversations.get_conversation(LOCAL_PRINCIPAL, "conv_a")).project_id == "proj_a"
    assert await storage.projects.restore_project(LOCAL_PRINCIPAL, "proj_a", 0) == back, "nothing is done twice"


async def test_a_held_project_is_not_deleted_nor_erased(storage: Storage) -> None:
    await storage.projects.add_project(LOCAL_PRINCIPAL, project("proj_a", "Home"))
    hold = LegalHold(scope="project", subject="proj_a", reason="court", placed=1)
    await storage.retention.place_hold(LOCAL_PRINCIPAL, hold)
    with pytest.raises(HeldBack):
        await storage.projects.delete_project(LOCAL_PRINCIPAL, "proj_a")
    await storage.retention.lift_hold(LOCAL_PRINCIPAL, "project", "proj_a")
    await storage.projects.delete_project(LOCAL_PRINCIPAL, "proj_a")
    await storage.retention.place_hold(LOCAL_PRINCIPAL, hold)
    assert await storage.projects.list_deleted_projects(FOREVER) == []


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
    await storage.projects.erase_project("proj_s", FOREVER)
    assert (await storage.conversations.get_conversation(LOCAL_PRINCIPAL, "conv_a")).project_id is None


async def test_a_conversation_is_shown_to_the_members_of_its_project_alone(storage: Storage) -> None:
    await storage.projects.add_project(SOMEONE, project("proj_s", "Ours", "someone"))
    await add(storage, "conv_a", 5)
    with pytest.raises(NotFound, match="proj_s"):
        await storage.projects.show_conversation(LOCAL_PRINCIPAL, "proj_s", "conv_a")
    await storage.projects.share(SOMEONE, AccessShare("proj_s", "role:admin", "view", 1))
    with pytest.raises(NotFound, match="conv_a"):
        await storage.projects.show_conversation(SOMEONE, "proj_s", "conv_a")
    await storage.projects.show_conversation(LOCAL_PRINCIPAL, "proj_s", "conv_a")
    (shown,) = await storage.projects.list_shown_conversations(SOMEONE, "proj_s")
    assert (shown.id, shown.owner, shown.title, shown.project) == ("conv_a", "local", "conv_a", "proj_s")
    assert await storage.projects.find_shown_conversation(SOMEONE, "conv_a") == shown
    (listed,) = await storage.projects.list_projects(LOCAL_PRINCIPAL)
    assert (listed.conversations, listed.is_shared) == (1, True)
    with pytest.raises(NotFound):
        await storage.projects.find_shown_conversation(STRANGER, "conv_a")
    with pytest.raises(NotFound):
        await storage.projects.list_shown_conversations(STRANGER, "proj_s")
    with pytest.raises(NotFound):
        await storage.projects.hide_conversation(STRANGER, "conv_a")
    await move(storage, "conv_a", None)
    assert await storage.projects.list_shown_conversations(SOMEONE, "proj_s") == []
    await move(storage, "conv_a", "proj_s")
    assert await storage.projects.list_shown_conversations(SOMEONE, "proj_s") == [], "it has to be shown again"
    for principal in (SOMEONE, LOCAL_PRINCIPAL):
        await storage.projects.show_conversation(LOCAL_PRINCIPAL, "proj_s", "conv_a")
        await storage.projects.hide_conversation(principal, "conv_a")
        with pytest.raises(NotFound):
            await storage.projects.find_shown_conversation(SOMEONE, "conv_a")
    await storage.projects.show_conversation(LOCAL_PRINCIPAL, "proj_s", "conv_a")
    await storage.conversations.delete_conversation(LOCAL_PRINCIPAL, "conv_a")
    assert await storage.projects.list_shown_conversations(SOMEONE, "proj_s") == []


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
