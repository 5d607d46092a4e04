from __future__ import annotations

import pytest

from eclair.errors import Conflict, NotFound
from eclair.schema.documents import Block, Page, Word
from eclair.schema.messages import Fault
from eclair.storage.base import Storage
from tests.storage.helpers import ME, OTHER, SHA, cut, file, found, paged, read


async def test_pages_come_back_as_they_were(storage: Storage) -> None:
    page = Page(
        number=1,
        text="Grüße an Åse 🙂",
        blocks=(Block("heading", 0, 5, 2), Block("row", 6, 12, ref="A2:F2")),
        words=(Word(0, 5, 1.5, 2.25, 3, 4), Word(6, 8, 9, 9, 10, 10)),
        width=595.5,
        height=842,
        label="xii",
        member="a/b.txt",
        read="ocr",
    )
    second = Page(2, "more")
    await storage.files.add_file(ME, file("file_a"), 1)
    await storage.documents.add_pages(SHA, [page, second], [], finished=True)
    first, after = await storage.documents.list_pages(SHA)
    assert (first.start, first.page) == (0, page)
    assert (after.start, after.page) == (len(page.text) + 1, second)
    assert await storage.documents.list_pages(SHA, 2, 2) == [after]
    assert await storage.documents.list_pages_at(SHA, 0, 3) == [first]
    assert await storage.documents.list_pages_at(SHA, 3, after.start + 1) == [first, after]
    assert await storage.documents.read_text(SHA, 6, after.start + 2) == "an Åse 🙂\nmo"
    assert (await storage.documents.get_state(SHA)).state == "ready"


async def test_reading_goes_on_where_it_stopped(storage: Storage) -> None:
    texts = ["one", "two", "three"]
    await storage.files.add_file(ME, file("file_a"), 1)
    await storage.documents.mark_reading(SHA, None)
    await storage.documents.add_pages(SHA, paged(texts)[:2], cut(texts)[:1])
    state = await storage.documents.get_state(SHA)
    assert (state.pages_read, state.chunks, state.characters) == (2, 1, 8)
    with pytest.raises(Conflict, match="Page 2"):
        await storage.documents.add_pages(SHA, paged(texts)[1:], [])
    assert (await storage.documents.get_state(SHA)).pages_read == 2
    state = await storage.documents.add_pages(SHA, paged(texts)[2:], cut(texts), finished=True)
    assert (state.state, state.pages, state.pages_read, state.chunks) == ("ready", 3, 3, 3)
    assert await storage.chunks.list_chunks(SHA) == cut(texts)
    assert await storage.chunks.list_chunks(SHA, 1, 1) == cut(texts)[1:2]
    assert await storage.documents.list_unfinished() == []


async def test_a_fault_and_remarks_are_kept_and_reading_anew_forgets_them(storage: Storage) -> None:
    scope = await read(storage, ["apple", "pear"])
    await storage.documents.add_remark(SHA, "Page 2 is blurred.")
    await storage.documents.add_remark(SHA, "Page 2 is blurred.")
    await storage.documents.mark_failed(SHA, Fault("unreadable", "It broke off."))
    state = await storage.documents.get_state(SHA)
    assert (state.state, state.fault, state.remarks) == (
        "failed",
        Fault("unreadable", "It broke off."),
        ("Page 2 is blurred.",),
    )
    assert await storage.documents.list_outdated(1) == []
    assert await storage.documents.list_outdated(2) == [SHA]
    state = await storage.documents.requeue(SHA, 2)
    assert (state.state, state.reader, state.pages_read, state.remarks, state.fault) == ("queued", 2, 0, (), None)
    assert await found(storage, scope, "apple") == []
    await storage.documents.add_pages(SHA, paged(["plum"]), cut(["plum"]), finished=True)
    assert await found(storage, scope, "plum") == [0]


async def test_erasing_orphans_spares_every_document_that_has_a_file(storage: Storage, other: Storage) -> None:
    scope = await read(storage, ["apple"])
    await storage.files.add_file(ME, file("file_b", OTHER), 1)
    await storage.files.delete_file(ME, "file_b")
    await other.documents.erase_orphans()
    assert (await storage.documents.get_state(SHA)).state == "ready"
    assert await found(storage, scope, "apple") == [0]
    with pytest.raises(NotFound):
        await storage.documents.get_state(OTHER)
    assert (await storage.files.add_file(ME, file("file_b", OTHER), 1)).state == "queued"
