"""Claims on background work: one process gets each, the dead lose theirs, and failures are waited for."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from eclair.errors import Conflict
from eclair.schema.jobs import BackgroundWorker, JobQueue
from eclair.schema.messages import Fault
from eclair.storage.base import Storage
from eclair.storage.chunks import SearchScope
from eclair.storage.libraries import Library
from tests.storage.conftest import Opener
from tests.storage.helpers import ME, OTHER, SHA, cut, file, paged, read


async def queue(storage: Storage, id: str, sha256: str, library: str | None = None) -> None:
    await storage.files.add_file(ME, file(id, sha256, library=library), 1)


async def test_each_document_is_claimed_once_by_priority_then_age(storage: Storage, other: Storage) -> None:
    await storage.libraries.add_library(ME, Library("lib_a", "me", "A", 1))
    for letter, library in (("a", "lib_a"), ("b", "lib_a"), ("c", None)):
        await queue(storage, f"file_{letter}", letter * 64, library)
    first, second = await asyncio.gather(storage.jobs.claim_reading(), other.jobs.claim_reading())
    assert first is not None
    assert second is not None
    assert {first.subject, second.subject} == {"c" * 64, SHA}
    assert await storage.jobs.claim_reading(min_priority=1) is None
    third = await storage.jobs.claim_reading()
    assert third is not None
    assert (third.subject, third.attempts) == (OTHER, 1)
    assert await other.jobs.claim_reading() is None
    assert not await other.jobs.has_unread()


async def test_an_attached_file_lifts_a_document_that_waits(storage: Storage) -> None:
    await storage.libraries.add_library(ME, Library("lib_a", "me", "A", 1))
    await queue(storage, "file_a", SHA, "lib_a")
    await queue(storage, "file_b", OTHER, "lib_a")
    await queue(storage, "file_c", OTHER)
    job = await storage.jobs.claim_reading(min_priority=1)
    assert job is not None
    assert job.subject == OTHER


async def test_many_claims_at_once_are_of_different_documents(storage: Storage, other: Storage) -> None:
    shas = {f"{number:064}" for number in range(12)}
    for number, sha in enumerate(sorted(shas)):
        await queue(storage, f"file_{number:02}", sha)
    claims = [jobs.claim_reading() for _ in range(6) for jobs in (storage.jobs, other.jobs)]
    assert {job.subject for job in await asyncio.gather(*claims) if job is not None} == shas


async def test_what_is_read_or_has_failed_has_no_claim(storage: Storage) -> None:
    await queue(storage, "file_a", SHA)
    await queue(storage, "file_b", OTHER)
    one, two = await storage.jobs.claim_reading(), await storage.jobs.claim_reading()
    assert one is not None
    assert two is not None
    await storage.documents.add_pages(one.subject, paged(["one"]), cut(["one"], one.subject), finished=True, job=one)
    await storage.documents.mark_failed(two.subject, Fault("unreadable_file", "No."), two)
    assert await storage.documents.list_failed("unreadable_file") == [two.subject]
    assert await storage.documents.list_failed("other") == []
    await storage.documents.add_remark(one.subject, "In it, a.wav isn't heard › see “Speech”.")
    assert await storage.documents.list_remarked("isn't heard › see “Speech”.") == [one.subject]
    assert await storage.documents.list_remarked("is heard") == []
    assert await storage.jobs.list_processes() == []
    assert await storage.jobs.list_queues(None) == [JobQueue("read", 0, 0)]
    with pytest.raises(Conflict):  # it has ended already
        await storage.documents.mark_failed(two.subject, Fault("unreadable_file", "No."), two)


async def test_the_claims_of_the_dead_go_to_others_who_alone_may_write(storage: Storage, opener: Opener) -> None:
    dying = opener()
    await queue(storage, "file_a", SHA)
    job = await dying.jobs.claim_reading()
    assert job is not None
    await dying.documents.add_pages(SHA, paged(["one"]), [], job=job)
    process = dying.processes.current
    assert await storage.jobs.list_processes() == [process]
    assert await storage.jobs.release_dead(process, 0) == storage.jobs.freed == 1
    mine = await storage.jobs.claim_reading()
    assert mine is not None
    assert mine.attempts == 2
    with pytest.raises(Conflict, match="taken over"):
        await dying.documents.add_pages(SHA, [replace(paged(["one"])[0], number=2)], [], job=job)
    with pytest.raises(Conflict, match="taken over"):
        await dying.documents.mark_failed(SHA, Fault("unreadable_file", "No."), job)
    await dying.jobs.finish(job)  # it has none any more
    two = paged(["one", "two"])[1:]
    await storage.documents.add_pages(SHA, two, cut(["one", "two"]), finished=True, job=mine)
    assert (await storage.documents.get_state(SHA)).pages_read == 2
    await dying.close()


async def test_attempts_count_until_there_is_a_further_page(storage: Storage) -> None:
    await queue(storage, "file_a", SHA)
    for attempts in (1, 2):
        job = await storage.jobs.claim_reading()
        assert job is not None
        assert job.attempts == attempts
        await storage.jobs.fail(job, "It broke.", 0)
    job = await storage.jobs.claim_reading()
    assert job is not None
    assert (job.attempts, job.fault) == (3, "It broke.")
    await storage.documents.add_pages(SHA, paged(["one"]), [], job=job)
    await storage.jobs.fail(job, "It broke.", 0)
    job = await storage.jobs.claim_reading()
    assert job is not None
    assert job.attempts == 2
    await storage.jobs.put_back(job)
    job = await storage.jobs.claim_reading()
    assert job is not None
    assert job.attempts == 2
    await storage.documents.requeue(SHA, 2)
    job = await storage.jobs.claim_reading()
    assert job is not None
    assert (job.attempts, job.fault) == (1, None)


async def test_a_failure_is_waited_for_by_the_clock_of_the_database(storage: Storage) -> None:
    await queue(storage, "file_a", SHA)
    job = await storage.jobs.claim_reading()
    assert job is not None
    await storage.jobs.fail(job, "It broke.", 3600)
    assert await storage.jobs.claim_reading() is None
    assert not await storage.jobs.has_unread()
    (queued,) = await storage.jobs.list_queues(None)
    assert (queued.kind, queued.waiting, queued.running) == ("read", 1, 0)
    assert queued.oldest_s is not None
    assert 0 <= queued.oldest_s < 3600


async def test_what_is_put_back_is_anybodys(storage: Storage, other: Storage) -> None:
    await queue(storage, "file_a", SHA)
    mine = await storage.jobs.claim_reading()
    assert mine is not None
    assert await other.jobs.claim_reading() is None
    storage.jobs.put_back_later(mine)
    assert await other.jobs.claim_reading() is None
    await storage.jobs.put_left_back()
    job = await other.jobs.claim_reading()
    assert job is not None
    assert job.attempts == 1


async def test_two_processes_embed_different_documents(storage: Storage, other: Storage) -> None:
    await read(storage, ["one"])
    await read(storage, ["two"], "file_b", OTHER)
    asked = SearchScope(ME, files=("file_a",))
    first = await storage.jobs.claim_embedding("e5", asked)
    second = await other.jobs.claim_embedding("e5", asked)
    assert first is not None
    assert second is not None
    assert (first.subject, second.subject) == (SHA, OTHER)
    assert not await storage.jobs.has_unembedded("e5")
    assert [queue.running for queue in await storage.jobs.list_queues("e5")] == [0, 2]
    await storage.jobs.finish(first)
    assert await storage.jobs.has_unembedded("e5")
    assert not await storage.jobs.has_unembedded("e5", ["me"])


async def test_a_subject_is_held_by_one_process(storage: Storage, other: Storage) -> None:
    async with storage.jobs.hold("erase", "retention") as ours:
        async with other.jobs.hold("erase", "retention") as theirs:
            assert (ours, theirs) == (True, False)
        async with other.jobs.hold("batches", "me") as theirs:
            assert theirs
    async with other.jobs.hold("erase", "retention") as theirs:
        assert theirs


async def test_nothing_is_left_of_a_document_that_is_deleted(storage: Storage) -> None:
    await queue(storage, "file_a", SHA)
    assert await storage.jobs.claim_reading() is not None
    await storage.files.delete_file(ME, "file_a")
    assert await storage.jobs.list_processes() == []


async def test_workers_are_listed_until_they_end_or_die(storage: Storage) -> None:
    one = BackgroundWorker("process_1", "rack", ("read", "embed"), 4, 10)
    two = replace(one, process="process_2", kinds=("feeds",), began=20)
    for worker in (two, one):
        await storage.jobs.add_worker(worker)
    assert await storage.jobs.list_workers() == [one, two]
    assert sorted(await storage.jobs.list_processes()) == ["process_1", "process_2"]
    await storage.jobs.release_dead("process_1", 5)
    await storage.jobs.remove_worker("process_2")
    assert await storage.jobs.list_workers() == []
