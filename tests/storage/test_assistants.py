from __future__ import annotations

from dataclasses import replace

import pytest

from eclair.errors import Conflict, Forbidden, NotFound
from eclair.schema.assistants import Assistant, AssistantProfile
from eclair.storage.base import Storage
from eclair.storage.libraries import Library
from eclair.storage.sharing import AccessShare
from tests.storage.helpers import ME, SOMEONE

LAWYER = Assistant(
    id="asst_a",
    owner="me",
    profile=AssistantProfile(name="Lawyer", instructions="Cite.", tools=("run_python",), starters=("What is new?",)),
    created=1,
    changed=1,
)
COOK = Assistant(id="asst_b", owner="me", profile=AssistantProfile(name="cook", web="auto"), created=2, changed=2)
THEIRS = Assistant(id="asst_c", owner="someone", profile=AssistantProfile(name="lawyer"), created=3, changed=3)


async def add_assistants(storage: Storage) -> None:
    await storage.assistants.add_assistant(ME, LAWYER)
    await storage.assistants.add_assistant(ME, COOK)
    await storage.assistants.add_assistant(SOMEONE, THEIRS)


async def test_an_assistant_is_its_owners_only(storage: Storage) -> None:
    await add_assistants(storage)
    assert await storage.assistants.list_assistants(ME) == [COOK, LAWYER]
    assert await storage.assistants.get_assistant(ME, "asst_a") == LAWYER
    for call in (
        storage.assistants.get_assistant(SOMEONE, "asst_a"),
        storage.assistants.edit_assistant(SOMEONE, "asst_a", COOK.profile, 5),
        storage.assistants.delete_assistant(SOMEONE, "asst_a"),
        storage.assistants.list_shares(SOMEONE, "asst_a"),
        storage.assistants.share(SOMEONE, AccessShare("asst_a", "everyone", "view", 1)),
        storage.assistants.unshare(SOMEONE, "asst_a", "everyone"),
    ):
        with pytest.raises(NotFound):
            await call
    await storage.assistants.delete_assistant(ME, "asst_a")
    assert await storage.assistants.list_assistants(ME) == [COOK]


async def test_a_name_is_unique_for_its_owner_whatever_its_case(storage: Storage) -> None:
    await add_assistants(storage)
    with pytest.raises(Conflict, match="choose another name"):
        await storage.assistants.add_assistant(ME, replace(COOK, id="asst_d", profile=AssistantProfile(name="COOK")))
    with pytest.raises(Conflict, match="asst_a"):
        await storage.assistants.add_assistant(SOMEONE, replace(LAWYER, profile=AssistantProfile(name="other")))
    with pytest.raises(Conflict, match="LAWYER"):
        await storage.assistants.edit_assistant(ME, "asst_b", AssistantProfile(name="LAWYER"), 9)
    renamed = AssistantProfile(name="Cook")
    assert await storage.assistants.edit_assistant(ME, "asst_b", renamed, 9) == replace(
        COOK, profile=renamed, changed=9
    )


async def test_viewers_use_and_editors_change_what_is_shared(storage: Storage) -> None:
    await add_assistants(storage)
    await storage.assistants.share(ME, AccessShare("asst_a", "everyone", "view", 1))
    assert await storage.assistants.list_assistants(SOMEONE) == [replace(LAWYER, access="view"), THEIRS]
    with pytest.raises(Forbidden, match="ask its owner"):
        await storage.assistants.edit_assistant(SOMEONE, "asst_a", LAWYER.profile, 2)
    await storage.assistants.share(ME, AccessShare("asst_a", "everyone", "edit", 1))
    profile = replace(LAWYER.profile, instructions="Be brief.")
    edited = await storage.assistants.edit_assistant(SOMEONE, "asst_a", profile, 2)
    assert edited == replace(LAWYER, profile=profile, changed=2, access="edit")
    with pytest.raises(Forbidden, match="only its owner"):
        await storage.assistants.delete_assistant(SOMEONE, "asst_a")
    assert [each.subject for each in await storage.assistants.list_shares(ME, "asst_a")] == ["everyone"]
    await storage.assistants.unshare(ME, "asst_a", "everyone")
    assert await storage.assistants.list_assistants(SOMEONE) == [THEIRS]


async def test_an_assistant_has_one_library_of_its_own(storage: Storage) -> None:
    await add_assistants(storage)
    new = Library("lib_b", "me", "Lawyer", 2)
    await storage.libraries.add_library(ME, replace(new, id="lib_a"))
    for principal in (SOMEONE, ME, SOMEONE):
        if principal is ME:
            assert await storage.assistants.open_library(ME, "asst_a", new) == "lib_b"
            assert await storage.assistants.open_library(ME, "asst_a", replace(new, id="lib_c")) == "lib_b"
            continue
        with pytest.raises(NotFound):
            await storage.assistants.open_library(SOMEONE, "asst_a", new)
    names = [each.library.name for each in await storage.libraries.list_libraries(ME)]
    assert names == ["Lawyer", "Lawyer-2"]
    for access in ("view", "edit"):
        await storage.assistants.share(ME, AccessShare("asst_a", "everyone", access, 1))
        (seen,) = await storage.libraries.list_libraries(SOMEONE)
        assert (seen.library.id, seen.library.access) == ("lib_b", access)
    await storage.assistants.unshare(ME, "asst_a", "everyone")
    assert await storage.libraries.list_libraries(SOMEONE) == []
    await storage.libraries.add_library(SOMEONE, replace(new, id="lib_d", owner="someone"))
    for taken in ("lib_b", "lib_d"):
        with pytest.raises(Conflict, match="in use elsewhere"):
            await storage.assistants.open_library(ME, "asst_b", replace(new, id=taken))
    assert (await storage.assistants.get_assistant(ME, "asst_b")).library is None
    await storage.libraries.delete_library(ME, "lib_b")
    assert await storage.assistants.get_assistant(ME, "asst_a") == LAWYER
