from __future__ import annotations

from dataclasses import replace

import pytest

from eclair.errors import Conflict, Forbidden, NotFound
from eclair.storage.base import Storage
from eclair.storage.prompts import SavedPrompt
from eclair.storage.sharing import AccessShare
from tests.storage.helpers import ME, SOMEONE

LETTER = SavedPrompt("prompt_a", "me", "letter", "Write to {{who}}.", 1)
ACT = SavedPrompt("prompt_b", "me", "Act", "Explain this act.", 2)
THEIRS = SavedPrompt("prompt_c", "someone", "letter", "Dear all", 3)


async def add_prompts(storage: Storage) -> None:
    await storage.prompts.add_prompt(ME, LETTER)
    await storage.prompts.add_prompt(ME, ACT)
    await storage.prompts.add_prompt(SOMEONE, THEIRS)


async def test_a_prompt_is_its_owners_only(storage: Storage) -> None:
    await add_prompts(storage)
    assert await storage.prompts.list_prompts(ME) == [ACT, LETTER]
    assert await storage.prompts.get_prompt(ME, "prompt_a") == LETTER
    assert await storage.prompts.get_prompt_by_name(SOMEONE, "letter") == THEIRS
    for call in (
        storage.prompts.get_prompt(SOMEONE, "prompt_a"),
        storage.prompts.get_prompt_by_name(SOMEONE, "Act"),
        storage.prompts.edit_prompt(SOMEONE, "prompt_a", "mine", "x"),
        storage.prompts.delete_prompt(SOMEONE, "prompt_a"),
        storage.prompts.list_shares(SOMEONE, "prompt_a"),
        storage.prompts.share(SOMEONE, AccessShare("prompt_a", "everyone", "view", 1)),
        storage.prompts.unshare(SOMEONE, "prompt_a", "everyone"),
    ):
        with pytest.raises(NotFound):
            await call
    await storage.prompts.delete_prompt(ME, "prompt_a")
    assert await storage.prompts.list_prompts(ME) == [ACT]


async def test_a_name_is_unique_for_its_owner_whatever_its_case(storage: Storage) -> None:
    await add_prompts(storage)
    with pytest.raises(Conflict, match="act"):
        await storage.prompts.add_prompt(ME, replace(ACT, id="prompt_d", name="act"))
    with pytest.raises(Conflict, match="prompt_a"):
        await storage.prompts.add_prompt(SOMEONE, replace(LETTER, name="other"))
    with pytest.raises(Conflict, match="LETTER"):
        await storage.prompts.edit_prompt(ME, "prompt_b", "LETTER", "x")
    assert await storage.prompts.edit_prompt(ME, "prompt_b", "act", "x") == replace(ACT, name="act", text="x")


async def test_viewers_use_and_editors_change_what_is_shared(storage: Storage) -> None:
    await add_prompts(storage)
    await storage.prompts.share(ME, AccessShare("prompt_a", "everyone", "view", 1))
    assert await storage.prompts.list_prompts(SOMEONE) == [replace(LETTER, access="view"), THEIRS]
    assert await storage.prompts.get_prompt_by_name(SOMEONE, "letter") == THEIRS, "their own comes first"
    with pytest.raises(Forbidden, match="ask its owner"):
        await storage.prompts.edit_prompt(SOMEONE, "prompt_a", "letter", "x")
    await storage.prompts.share(ME, AccessShare("prompt_a", "everyone", "edit", 2))
    assert await storage.prompts.list_shares(ME, "prompt_a") == [AccessShare("prompt_a", "everyone", "edit", 1)]
    edited = await storage.prompts.edit_prompt(SOMEONE, "prompt_a", "letter", "Dear {{who}}")
    assert (edited.owner, edited.access) == ("me", "edit")
    assert (await storage.prompts.get_prompt(ME, "prompt_a")).text == "Dear {{who}}"
    for call in (
        storage.prompts.delete_prompt(SOMEONE, "prompt_a"),
        storage.prompts.share(SOMEONE, AccessShare("prompt_a", "everyone", "view", 1)),
    ):
        with pytest.raises(Forbidden, match="only its owner"):
            await call
    await storage.prompts.unshare(ME, "prompt_a", "everyone")
    with pytest.raises(NotFound):
        await storage.prompts.get_prompt(SOMEONE, "prompt_a")
