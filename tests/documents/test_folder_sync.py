"""Folders that a library mirrors, looked at and brought in line; and two processes on the same data, as far as locks
and the database can tell: each has an intake and a store of its own.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections import Counter
from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest

from eclair.documents import folder_sync
from eclair.documents.document_parser import Parser
from eclair.documents.folder_sync import SyncPlan
from eclair.documents.ingest import Ingestor
from eclair.errors import InvalidInput, StoreError
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.base import Storage
from eclair.storage.blobs import Blobs
from eclair.storage.change_feed import ChangeFeed
from eclair.storage.files import FileState
from eclair.storage.libraries import Library
from eclair.storage.open import open_storage
from eclair.util.background import IdleScheduler


class Process:
    """A process as others see it: an intake on the data in `folder`."""

    def __init__(self, storage: Storage, intake: Ingestor, blobs: Blobs, library: Library) -> None:
        self.storage = storage
        self.intake = intake
        self.blobs = blobs
        self.library = library

    async def plan(self, *roots: Path) -> SyncPlan:
        known = await self.storage.files.list_watched_files(LOCAL_PRINCIPAL, self.library.id)
        return folder_sync.plan_sync(folder_sync.scan(roots), known, roots)

    async def bring(self, plan: SyncPlan, most_mb: int = 1) -> tuple[Counter[str], list[str]]:
        """What was done how often, and the sentences about what was not."""
        counts, why = Counter[str](), list[str]()
        brought = folder_sync.sync(self.storage, self.intake, LOCAL_PRINCIPAL, self.library.id, plan, most_mb)
        async with aclosing(brought) as each:
            async for one in each:
                counts[one.what] += 1
                why += [one.why] if one.why else []
        return counts, why

    async def files(self) -> dict[str, FileState]:
        listed = await self.storage.files.list_files(LOCAL_PRINCIPAL, 100, library=self.library.id)
        return {each.file.name: each for each in listed.files}

    async def read(self) -> dict[str, FileState]:
        """The files, once nothing is left to be read."""
        async with asyncio.timeout(30):
            while await self.storage.documents.list_unfinished():  # noqa: ASYNC110  another process may read it
                await asyncio.sleep(0.02)
        return await self.files()


@asynccontextmanager
async def opened(folder: Path, *, start: bool = True) -> AsyncGenerator[Process]:
    storage = open_storage(folder)
    blobs, parser = Blobs(folder / "files"), Parser()
    taking = Ingestor(storage, blobs, parser, None, ChangeFeed(storage.processes), IdleScheduler())
    try:
        if start:
            await taking.start()
        listed = await storage.libraries.list_libraries(LOCAL_PRINCIPAL)
        library = listed[0].library if listed else await taking.add_library(LOCAL_PRINCIPAL, "handbook")
        yield Process(storage, taking, blobs, library)
    finally:
        await taking.close()
        await parser.close()
        await storage.close()


@pytest.fixture
async def process(tmp_path: Path) -> AsyncGenerator[Process]:
    async with opened(tmp_path / "data") as process:
        yield process


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "handbook"
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "tower.txt").write_text("The tower is 330 metres high.\n")
    (folder / "deep" / "er" / "bread.md").write_text("# Bread\n\nIt rises for 24 hours.\n")
    return folder


def later(path: Path, text: str) -> None:
    """Write to a file so that its time of change is another, however coarse the disk's clock is."""
    before = path.stat().st_mtime_ns
    path.write_text(text)
    os.utime(path, ns=(before + 10**9, before + 10**9))


def test_what_is_hidden_and_what_leads_elsewhere_is_left_out(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("A password.")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "round").symlink_to(folder)
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("x")
    (folder / ".hidden.txt").write_text("x")
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(os.fspath(folder / "door"))
    found = folder_sync.scan([folder])
    assert sorted(os.path.relpath(path, folder) for path in found.files) == ["deep/er/bread.md", "tower.txt"]
    assert found.left_out() == "Left out: what is hidden (2), links (2), devices and sockets (1)."
    assert found.unread == {}
    assert folder_sync.scan([folder / "tower.txt"]).left_out() is None


def test_a_name_that_is_no_text_is_named_and_the_others_are_found(folder: Path) -> None:
    with open(os.fsencode(folder) + b"/caf\xe9.txt", "wb") as handle:
        handle.write(b"x")
    found = folder_sync.scan([folder])
    assert len(found.files) == 2
    (why,) = found.unread.values()
    assert "caf?.txt has a name that is not UTF-8; rename it." in why


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"none cannot be read: No such file or directory\."):
        folder_sync.resolve_roots([tmp_path / "none"])
    (tmp_path / "round").symlink_to(tmp_path / "round")
    with pytest.raises(InvalidInput, match="cannot be read"):
        folder_sync.resolve_roots([tmp_path / "round"])


async def test_a_folder_is_brought_and_then_only_what_changed(process: Process, folder: Path) -> None:
    assert await process.bring(await process.plan(folder)) == ({"added": 2}, [])
    files = await process.read()
    assert {name: each.document.state for name, each in files.items()} == {"tower.txt": "ready", "bread.md": "ready"}
    again = await process.plan(folder)
    assert (not again, again.same) == (True, 2)

    later(folder / "tower.txt", "The tower is 331 metres high.\n")
    later(folder / "deep" / "er" / "bread.md", (folder / "deep" / "er" / "bread.md").read_text())
    assert await process.bring(await process.plan(folder)) == ({"changed": 1, "same": 1}, [])
    changed = await process.read()
    assert changed["bread.md"].file.id == files["bread.md"].file.id
    text = await process.storage.documents.read_text(changed["tower.txt"].file.sha256, 0, 100)
    assert text.rstrip() == "The tower is 331 metres high."
    assert not process.blobs.path(files["tower.txt"].file.sha256).exists(), "the old version is gone"
    assert not await process.plan(folder)


async def test_the_old_version_stays_where_the_new_one_cannot_be_kept(
    process: Process, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await process.bring(await process.plan(folder))
    before = await process.read()
    later(folder / "tower.txt", "The tower is 331 metres high, and counting.\n")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("eclair.storage.blob_stores.blob_spool.BlobSpool.finish", full)
        with pytest.raises(StoreError, match="No space left on device"):
            await process.bring(await process.plan(folder))
    assert await process.files() == before
    assert not list((process.blobs.path("0" * 64).parent.parent).glob("coming-*"))
    assert await process.bring(await process.plan(folder)) == ({"changed": 1}, [])
    assert (await process.read())["tower.txt"].file.sha256 != before["tower.txt"].file.sha256


async def test_what_has_gone_is_removed_unless_the_place_could_not_be_looked_at(
    process: Process, folder: Path, tmp_path: Path
) -> None:
    beside = tmp_path / "handbook-2"
    shutil.copytree(folder, beside)
    await process.bring(await process.plan(folder, beside))
    (folder / "tower.txt").unlink()
    plan = await process.plan(folder)
    assert [file.path for file in plan.gone] == [os.fspath(folder / "tower.txt")]
    assert await process.bring(plan) == ({"removed": 1}, [])
    shutil.move(folder, tmp_path / "elsewhere")
    gone = await process.plan(folder)
    assert gone.gone == (), "a folder that is not there at all may come back"
    assert len(await process.files()) == 2


async def test_each_failure_is_a_sentence_and_the_rest_is_brought(process: Process, folder: Path) -> None:
    (folder / "empty.txt").touch()
    (folder / "large.txt").write_bytes(b"x" * 1_000_001)
    plan = await process.plan(folder)
    (folder / "deep" / "er" / "bread.md").unlink()
    counts, why = await process.bring(plan)
    assert counts == {"added": 1, "refused": 3}
    assert sorted(sentence.removeprefix(f"{folder}/") for sentence in why) == [
        "deep/er/bread.md cannot be read: No such file or directory.",
        "empty.txt is empty.",
        "large.txt is larger than 1 MB, the limit (ECLAIR_MAX_FILE_MB).",
    ]


def test_what_is_still_being_written_is_waited_for() -> None:
    new, grown = folder_sync.ScannedFile("/a", 1, 1), folder_sync.ScannedFile("/a", 2, 2)
    first, second = SyncPlan((new,), (), (), 0), SyncPlan((grown,), (), (), 0)
    assert not first.filter_settled(None)
    assert not second.filter_settled(first)
    assert second.filter_settled(second) == second
    assert not second.without({grown})


async def test_two_processes_that_bring_the_same_folder_end_well(
    process: Process, folder: Path, tmp_path: Path
) -> None:
    for number in range(30):
        (folder / f"{number}.txt").write_text(f"Page {number // 2} of a book.\n")  # each text is in two files
    async with opened(tmp_path / "data") as other:
        plans = await process.plan(folder), await other.plan(folder)
        (one, _), (two, _) = await asyncio.gather(process.bring(plans[0]), other.bring(plans[1]))
        assert one["added"] + two["added"] == 32
        assert one["same"] + two["same"] == 32
        files = await other.read()
    assert len(files) == 32
    assert {each.document.state for each in files.values()} == {"ready"}
    assert {each.document.pages for each in files.values()} == {1}


async def test_what_another_process_reads_is_left_to_it_and_taken_up_when_it_dies(tmp_path: Path, folder: Path) -> None:
    async with opened(tmp_path / "data", start=False) as server:
        async with opened(tmp_path / "data", start=False) as adding:
            await adding.bring(await adding.plan(folder))
            job = await adding.storage.jobs.claim_reading()
            assert job is not None
            (waiting,) = {each.sha256 for each in await adding.storage.documents.list_unfinished()} - {job.subject}
            await server.intake.start()
            async with asyncio.timeout(30):
                while (await server.storage.documents.get_state(waiting)).state != "ready":  # noqa: ASYNC110
                    await asyncio.sleep(0.05)
            assert await server.storage.jobs.claim_reading() is None
            assert (await server.storage.documents.get_state(job.subject)).state == "queued"
        files = await server.read()  # which the other left without giving its claim back
        assert {each.document.state for each in files.values()} == {"ready"}


async def test_two_processes_read_a_document_of_many_pages_once(process: Process, folder: Path, tmp_path: Path) -> None:
    rows = "".join(f"A line that says it is number {number}.\n" for number in range(20_000))
    (folder / "long.txt").write_text(rows)
    async with opened(tmp_path / "data", start=False) as other:
        await process.bring(await process.plan(folder))
        await other.intake.start()
        files = await other.read()
    assert {each.document.state for each in files.values()} == {"ready"}
    document = files["long.txt"].document
    assert document.pages == document.pages_read
    text = await process.storage.documents.read_text(document.sha256, 0, document.characters)
    assert [line for line in text.splitlines() if line] == rows.splitlines()
