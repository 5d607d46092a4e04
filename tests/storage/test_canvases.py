from __future__ import annotations

from dataclasses import replace

import pytest

from eclair.errors import Conflict, NotFound
from eclair.schema.canvases import Canvas, CanvasVersion, NewCanvasVersion
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.base import Storage
from eclair.storage.retention import LegalHold
from tests.storage.helpers import SOMEONE
from tests.support import conversation

CANVAS = Canvas("canv_a", "conv_a", "Letter", "markdown", 5, 5)
FIRST = CanvasVersion(1, None, "model", "scripted", "", 5)


async def add(storage: Storage) -> None:
    await conversation(storage)
    await storage.canvases.add_canvas(LOCAL_PRINCIPAL, CANVAS, [(FIRST, "Dear Ada,")])


async def test_a_write_on_an_old_version_is_kept_beside_the_current_one(storage: Storage) -> None:
    await add(storage)
    canvases = storage.canvases
    mine = NewCanvasVersion(1, "Dear Ada, hello", "person")
    after, second = await storage.canvases.add_version(LOCAL_PRINCIPAL, "canv_a", mine)
    assert (after.current, second.number, second.parent, second.author) == (2, 2, 1, "person")
    theirs = NewCanvasVersion(1, "Dear Grace,", "model", "scripted", "From a phone")
    after, third = await canvases.add_version(LOCAL_PRINCIPAL, "canv_a", theirs)
    assert (after.current, third.number, third.parent) == (2, 3, 1)
    assert (await storage.canvases.get_canvas(LOCAL_PRINCIPAL, "canv_a")).current == 2
    assert await storage.canvases.get_version(LOCAL_PRINCIPAL, "canv_a", 3) == (third, "Dear Grace,")
    assert await storage.canvases.list_versions(LOCAL_PRINCIPAL, "canv_a") == [FIRST, second, third]
    same = NewCanvasVersion(2, "Dear Ada, hello", "person")
    assert await canvases.add_version(LOCAL_PRINCIPAL, "canv_a", same) == (after, second)


async def test_names_and_titles_change(storage: Storage) -> None:
    await add(storage)
    named = await storage.canvases.name_version(LOCAL_PRINCIPAL, "canv_a", 1, "Draft")
    assert named == replace(FIRST, name="Draft")
    edited = await storage.canvases.edit_canvas(LOCAL_PRINCIPAL, "canv_a", title="Reply", language="html")
    assert (edited.title, edited.language) == ("Reply", "html")
    assert (await storage.canvases.edit_canvas(LOCAL_PRINCIPAL, "canv_a", title="Note")).language == "html"
    with pytest.raises(NotFound):
        await storage.canvases.name_version(LOCAL_PRINCIPAL, "canv_a", 9, "Draft")


async def test_canvases_are_their_owners_and_go_with_their_conversation(storage: Storage) -> None:
    await add(storage)
    canvases = storage.canvases
    assert await storage.canvases.list_canvases(SOMEONE) == []
    assert await canvases.list_canvases(LOCAL_PRINCIPAL) == [CANVAS]
    assert await canvases.list_canvases(LOCAL_PRINCIPAL, "conv_a") == [CANVAS]
    with pytest.raises(NotFound):
        await canvases.list_canvases(SOMEONE, "conv_a")
    with pytest.raises(NotFound):
        await canvases.get_canvas(SOMEONE, "canv_a")
    with pytest.raises(NotFound):
        await canvases.get_version(SOMEONE, "canv_a", 1)
    with pytest.raises(NotFound):
        await storage.canvases.delete_canvas(SOMEONE, "canv_a")
    with pytest.raises(NotFound):
        await canvases.add_canvas(SOMEONE, replace(CANVAS, id="canv_b"), [(FIRST, "")])
    with pytest.raises(Conflict):
        await canvases.add_canvas(LOCAL_PRINCIPAL, CANVAS, [(FIRST, "")])
    await storage.conversations.delete_conversation(LOCAL_PRINCIPAL, "conv_a")
    assert await canvases.list_canvases(LOCAL_PRINCIPAL) == []
    with pytest.raises(NotFound):
        await canvases.get_canvas(LOCAL_PRINCIPAL, "canv_a")


async def test_a_legal_hold_keeps_canvases(storage: Storage) -> None:
    await add(storage)
    hold = LegalHold(scope="conversation", subject="conv_a", reason="A lawsuit", placed=0)
    await storage.retention.place_hold(LOCAL_PRINCIPAL, hold)
    with pytest.raises(Conflict):
        await storage.canvases.delete_canvas(LOCAL_PRINCIPAL, "canv_a")
    await storage.retention.lift_hold(LOCAL_PRINCIPAL, "conversation", "conv_a")
    await storage.canvases.delete_canvas(LOCAL_PRINCIPAL, "canv_a")
    assert await storage.canvases.list_canvases(LOCAL_PRINCIPAL) == []
