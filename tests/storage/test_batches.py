"""Batches: their files, their lines' replies, and whose they are."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eclair.errors import Conflict, NotFound
from eclair.schema.principal import LOCAL_PRINCIPAL, Principal
from eclair.storage.base import Storage
from eclair.storage.batches import BatchDetails, BatchFault, BatchFile, KeptBatches, StoredBatch
from tests.storage.helpers import edit

SOMEONE = Principal("someone")
FAR = 99_999_999_999_999
DETAILS = BatchDetails(endpoint="/v1/embeddings", input_file="file_a", window="24h", expires=FAR, metadata={"a": "b"})


def file(id: str, **more: object) -> BatchFile:
    return BatchFile(id=id, owner="local", name=f"{id}.jsonl", created=1, size=6, **more)  # pyright: ignore[reportArgumentType]


def outputs(batch: str) -> list[BatchFile]:
    return [file(f"file_{batch}_{failed}", batch=batch, failed=failed) for failed in (False, True)]


async def begin(storage: Storage, id: str = "batch_a", created: int = 1) -> StoredBatch:
    try:
        await storage.batches.get_file(LOCAL_PRINCIPAL, "file_a")
    except NotFound:
        await storage.batches.add_file(LOCAL_PRINCIPAL, file("file_a"), [b"one\n", b"2\n"])
    batch = StoredBatch(id, "local", created, "validating", DETAILS)
    await storage.batches.add_batch(LOCAL_PRINCIPAL, batch)
    return batch


async def test_a_batch_from_its_lines_to_its_files(storage: Storage, other: Storage) -> None:
    batch = await begin(storage)
    assert await other.batches.find_next_batch() == batch
    parts = [await storage.batches.read_part(LOCAL_PRINCIPAL, "file_a", number) for number in range(3)]
    assert parts == [b"one\n", b"2\n", None]
    await storage.batches.begin_batch(batch.id, 3, 5)
    await storage.batches.add_reply(batch.id, 1, b"first\n", failed=False)
    await storage.batches.add_reply(batch.id, 1, b"again\n", failed=True)
    await storage.batches.add_reply(batch.id, 3, b"third\n", failed=True)
    assert await other.batches.list_answered_lines(batch.id) == {1, 3}
    running = await other.batches.get_batch(LOCAL_PRINCIPAL, batch.id)
    assert (running.status, running.replies, running.failures, running.details.lines) == ("in_progress", 2, 1, 3)
    with pytest.raises(Conflict, match="cancel it first"):
        await storage.batches.delete_file(LOCAL_PRINCIPAL, "file_a")
    await storage.batches.finish_batch(batch.id, "completed", 9, outputs(batch.id))
    await storage.batches.finish_batch(batch.id, "expired", 10, outputs(batch.id))
    assert await storage.batches.get_status(batch.id) == "completed"
    done = await other.batches.get_batch(LOCAL_PRINCIPAL, batch.id)
    assert (done.status, done.is_finished, done.details.ended) == ("completed", True, 9)
    output, error = done.details.output_file or "", done.details.error_file or ""
    assert await storage.batches.read_part(LOCAL_PRINCIPAL, output, 0) == b"first\n"
    assert await storage.batches.read_part(LOCAL_PRINCIPAL, error, 0) == b"third\n"
    assert await storage.batches.read_part(LOCAL_PRINCIPAL, error, 1) is None
    assert (await storage.batches.get_file(LOCAL_PRINCIPAL, output)).size == 6
    listed = [each.id for each in await storage.batches.list_files(LOCAL_PRINCIPAL)]
    assert sorted(listed) == sorted(["file_a", output, error])
    await storage.batches.delete_file(LOCAL_PRINCIPAL, output)
    await storage.batches.delete_file(LOCAL_PRINCIPAL, "file_a")
    assert await storage.batches.list_answered_lines(batch.id) == {3}


async def test_all_of_a_person_is_deleted_and_what_still_comes_is_dropped(storage: Storage) -> None:
    batch = await begin(storage)
    await storage.batches.add_file(SOMEONE, file("file_b"), [b"theirs"])
    await storage.batches.add_reply(batch.id, 1, b"first\n", failed=False)
    assert await storage.batches.count_kept(LOCAL_PRINCIPAL) == KeptBatches(1, 1)
    await storage.batches.delete_all(LOCAL_PRINCIPAL)
    assert await storage.batches.count_kept(LOCAL_PRINCIPAL) == KeptBatches(0, 0)
    assert await storage.batches.count_kept(SOMEONE) == KeptBatches(0, 1)
    assert await storage.batches.get_status(batch.id) is None
    await storage.batches.add_reply(batch.id, 2, b"late\n", failed=False)
    await storage.batches.finish_batch(batch.id, "completed", 9, outputs(batch.id))
    assert await storage.batches.list_answered_lines(batch.id) == set()
    assert await storage.batches.list_files(LOCAL_PRINCIPAL) == []


async def test_what_was_cancelled_or_is_wrong(storage: Storage) -> None:
    first, second = await begin(storage), await begin(storage, "batch_b", 2)
    assert (await storage.batches.cancel_batch(LOCAL_PRINCIPAL, second.id, 7)).status == "cancelling"
    await storage.batches.begin_batch(second.id, 1, 8)
    waiting = await storage.batches.find_next_batch()
    assert waiting is not None
    assert (waiting.id, waiting.status, waiting.details.cancelled) == ("batch_b", "cancelling", 7)
    await storage.batches.finish_batch(second.id, "cancelled", 9, outputs(second.id))
    assert (await storage.batches.cancel_batch(LOCAL_PRINCIPAL, second.id, 10)).status == "cancelled"
    fault = BatchFault("It is no JSON.", 2)
    await storage.batches.finish_batch(first.id, "failed", 11, faults=[fault])
    listed = await storage.batches.list_batches(LOCAL_PRINCIPAL, 5)
    assert [(each.id, each.status, each.details.faults) for each in listed] == [
        ("batch_b", "cancelled", ()),
        ("batch_a", "failed", (fault,)),
    ]
    assert [each.id for each in await storage.batches.list_batches(LOCAL_PRINCIPAL, 5, "batch_b")] == ["batch_a"]
    assert await storage.batches.find_next_batch() is None


async def test_files_expire(storage: Storage) -> None:
    await storage.batches.add_file(LOCAL_PRINCIPAL, file("file_old", expires=5), [b"x"])
    await storage.batches.add_file(LOCAL_PRINCIPAL, file("file_new", expires=FAR), [b"x"])
    assert [each.id for each in await storage.batches.list_files(LOCAL_PRINCIPAL)] == ["file_new"]
    with pytest.raises(NotFound):
        await storage.batches.get_file(LOCAL_PRINCIPAL, "file_old")
    await storage.batches.erase_expired_files(FAR)
    assert await storage.batches.list_files(LOCAL_PRINCIPAL) == []


async def test_a_damaged_batch_holds_up_no_other(storage: Storage) -> None:
    await storage.batches.add_file(LOCAL_PRINCIPAL, file("file_old", expires=5), [b"x"])
    first, second, third = await begin(storage), await begin(storage, "batch_b", 2), await begin(storage, "batch_c", 3)
    await edit(storage, "UPDATE batch SET details = '{' WHERE id = ?", first.id)
    await edit(storage, "UPDATE batch SET details = '[]' WHERE id = ?", second.id)
    assert await storage.batches.find_next_batch() == third
    await storage.batches.finish_batch(third.id, "completed", 9)
    assert await storage.batches.find_next_batch() is None
    await storage.batches.erase_expired_files(10)
    assert [each.id for each in await storage.batches.list_files(LOCAL_PRINCIPAL)] == ["file_a"]
    await storage.batches.delete_file(LOCAL_PRINCIPAL, "file_a")
    assert storage.integrity.damage is not None


async def test_batches_are_their_owners(storage: Storage) -> None:
    batch = await begin(storage)
    assert await storage.batches.list_batches(SOMEONE, 5) == await storage.batches.list_files(SOMEONE) == []
    for refused in (
        storage.batches.get_file(SOMEONE, "file_a"),
        storage.batches.read_part(SOMEONE, "file_a", 0),
        storage.batches.delete_file(SOMEONE, "file_a"),
        storage.batches.add_batch(SOMEONE, replace(batch, id="batch_c")),
        storage.batches.get_batch(SOMEONE, batch.id),
        storage.batches.cancel_batch(SOMEONE, batch.id, 1),
        storage.batches.list_batches(SOMEONE, 5, batch.id),
    ):
        with pytest.raises(NotFound):
            await refused
