from __future__ import annotations

from eclair.storage.base import Storage
from eclair.storage.folders import Folder
from eclair.storage.libraries import Library
from eclair.storage.owned_names import OwnedName
from eclair.storage.prompts import SavedPrompt
from tests.storage.helpers import ME, SOMEONE


async def test_what_people_own_is_found_by_name_whoever_they_are(storage: Storage) -> None:
    await storage.folders.add_folder(ME, Folder("fold_a", "me", "Élan vital", 1))
    await storage.folders.add_folder(SOMEONE, Folder("fold_b", "someone", "The elan", 2))
    await storage.libraries.add_library(ME, Library("lib_a", "me", "elan", 1))
    await storage.prompts.add_prompt(SOMEONE, SavedPrompt("prompt_a", "someone", "elan", "x", 1))
    found = await storage.owned_names.search_names("folder", "elan", 9)
    assert found == [OwnedName("fold_a", "me", "Élan vital"), OwnedName("fold_b", "someone", "The elan")]
    assert await storage.owned_names.search_names("folder", "elan", 1) == found[:1]
    assert await storage.owned_names.search_names("folder", "none", 9) == []
    assert [each.id for each in await storage.owned_names.search_names("library", "ELAN", 9)] == ["lib_a"]
    assert [each.id for each in await storage.owned_names.search_names("prompt", "el", 9)] == ["prompt_a"]
    assert await storage.owned_names.get_names("folder", ["fold_b", "lib_a"]) == {"fold_b": found[1]}
