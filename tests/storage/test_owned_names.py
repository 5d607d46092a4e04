from __future__ import annotations

from eclair.storage.base import Storage
from eclair.storage.libraries import Library
from eclair.storage.owned_names import OwnedName
from eclair.storage.projects import Project
from eclair.storage.prompts import SavedPrompt
from tests.storage.helpers import ME, SOMEONE


async def test_what_people_own_is_found_by_name_whoever_they_are(storage: Storage) -> None:
    await storage.projects.add_project(ME, Project(id="proj_a", owner="me", name="Élan vital", created=1))
    await storage.projects.add_project(SOMEONE, Project(id="proj_b", owner="someone", name="The elan", created=2))
    await storage.libraries.add_library(ME, Library("lib_a", "me", "elan", 1))
    await storage.prompts.add_prompt(SOMEONE, SavedPrompt("prompt_a", "someone", "elan", "x", 1))
    found = await storage.owned_names.search_names("project", "elan", 9)
    assert found == [OwnedName("proj_a", "me", "Élan vital"), OwnedName("proj_b", "someone", "The elan")]
    assert await storage.owned_names.search_names("project", "elan", 1) == found[:1]
    assert await storage.owned_names.search_names("project", "none", 9) == []
    assert [each.id for each in await storage.owned_names.search_names("library", "ELAN", 9)] == ["lib_a"]
    assert [each.id for each in await storage.owned_names.search_names("prompt", "el", 9)] == ["prompt_a"]
    assert await storage.owned_names.get_names("project", ["proj_b", "lib_a"]) == {"proj_b": found[1]}
