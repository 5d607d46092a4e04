"""A backup that was made while people write restores everything, and one that is damaged says so."""

# ruff: noqa: ASYNC110 (what is waited for here happens where no event of ours can be set)

from __future__ import annotations

import asyncio
import errno
import logging
import os
import re
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eclair.cli._backup import open_bucket
from eclair.errors import BackupRunning, Conflict, InvalidInput, NotFound, StoreError
from eclair.network.blob_calls import open_blobs, open_bucket_files
from eclair.network.egress_log import open_gate
from eclair.settings import Settings
from eclair.storage.backup import repository as repository_module
from eclair.storage.backup.backup import back_up, check, restore
from eclair.storage.backup.bucket_files import BucketFiles
from eclair.storage.backup.repository import BackupEntry, BackupRepository, BackupSnapshot
from eclair.storage.backup.schedule import BackupSchedule
from eclair.storage.open import is_of_database
from tests.cli.test_cli import Eclair, sentence
from tests.images.support import SMALL, content
from tests.postgres import TestDatabases
from tests.s3_server import S3Server
from tests.server.test_bucket import in_bucket
from tests.support import Server, lay_database, serving

PASSPHRASE = "a croissant in the morning"
WHOLE = 3


def configured(data: Path) -> Settings:
    return Settings(data_dir=data, embedded=False, scripted=True, port=0, embedder="off")


class Installations:
    """Settings of installations that are backed up and restored, on one kind of database and store of files."""

    def __init__(self, folder: Path, databases: TestDatabases | None = None, s3: S3Server | None = None) -> None:
        self._folder = folder
        self._databases = databases
        self._s3 = s3

    def new(self, name: str, *, is_empty: bool = False) -> Settings:
        """Have a data folder of that name, with a new database and bucket. An empty one was never used by Éclair."""
        settings = configured(self._folder / name)
        if self._databases is not None:
            url = self._databases.create_empty() if is_empty else self._databases.create()
            settings = replace(settings, database_url=url)
        return settings if self._s3 is None else in_bucket(settings, self._s3.new_place())


def environ_of(settings: Settings) -> dict[str, str]:
    """The variables that name the places of an installation."""
    names = ("data_dir", "database_url", "blobs_url", "blobs_endpoint", "blobs_region")
    values = {name: getattr(settings, name) for name in (*names, "blobs_access_key", "blobs_secret_key")}
    return {f"ECLAIR_{name.upper()}": str(value) for name, value in values.items() if value is not None}


@pytest.fixture(params=["sqlite and folder", "postgres and bucket"])
def installations(request: pytest.FixtureRequest, tmp_path: Path) -> Installations:
    if request.param == "sqlite and folder":
        return Installations(tmp_path)
    return Installations(tmp_path, request.getfixturevalue("databases"), request.getfixturevalue("s3"))


async def fill(server: Server) -> None:
    """Have a conversation, an image, a file, a preference and the encrypted key of a model server."""
    conversation = await server.begin()
    await server.say(conversation, "What is a croissant?")
    await server.say(conversation, "a blue apple", draw=dict(SMALL))
    headers = {"Content-Type": "application/octet-stream"}
    assert (await server.call("POST", "/api/files?name=bees.txt", data=b"Bees dance.", headers=headers)).status == 201
    preferences = {**(await server.get("/api/preferences")).body, "instructions": "Answer in verse."}
    assert (await server.call("PUT", "/api/preferences", preferences)).status == 200


async def everything(server: Server) -> dict[str, Any]:
    """What a person has, as the API shows it."""
    conversations = (await server.get("/api/conversations")).body["conversations"]
    images = (await server.get("/api/pictures")).body["pictures"]
    files = (await server.get("/api/files")).body["files"]
    return {
        "trees": [await server.tree(each["id"]) for each in conversations],
        "images": images,
        "bytes": [await content(server, each["id"]) for each in images],
        "files": [(each["id"], each["name"], each["size"]) for each in files],
        "contents": [(await server.get(f"/api/files/{each['id']}/content")).raw for each in files],
        "preferences": (await server.get("/api/preferences")).body,
        "found": (await server.get("/api/search?q=croissant")).body,
    }


async def test_a_backup_of_a_running_server_restores_everything(tmp_path: Path, installations: Installations) -> None:
    settings, folder = installations.new("data"), tmp_path / "backup"
    env = environ_of(settings)
    run = Eclair(tmp_path)
    secret = tmp_path / "passphrase"
    secret.write_text(PASSPHRASE + "\n")
    arguments = ("--passphrase-file", str(secret))
    async with serving(settings) as server:
        await fill(server)
        made = await asyncio.to_thread(run, "backup", str(folder), *arguments, **env)
        assert made.returncode == 0, made.stderr
        repository = BackupRepository.open(folder, PASSPHRASE)
        first = last_entries(repository)
        again = await asyncio.to_thread(run, "backup", str(folder), *arguments, **env)
        total, new = map(int, re.findall(r"(\d+) files.* of which (\d+)", again.stdout)[0])
        changed = {path for path, sha256 in last_entries(repository).items() if first.get(path) != sha256}
        assert len(changed) == new < total
        assert {path for path in changed if not is_of_database(path)} <= {"signing.key"}  # made for the audit log
        assert "database/message/000000.copy" not in changed
        before = await everything(server)
    stored = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert not [text for text in (b"croissant", b"Bees dance.", b"SQLite format") if text in stored]
    assert "are whole." in run("backup", str(folder), "--check", *arguments).stdout
    target = installations.new("new", is_empty=True)
    restored = await asyncio.to_thread(run, "restore", str(folder), *arguments, **environ_of(target))
    assert restored.returncode == 0, restored.stderr
    assert "was restored into" in restored.stdout
    async with serving(target) as server:
        assert await everything(server) == before
        await server.say(await server.begin(), "And now?")
    refused = await asyncio.to_thread(run, "restore", str(folder), *arguments, **environ_of(target))
    assert re.search("is in use already; move it away|used by Éclair already", sentence(refused.stderr))
    secret.write_text("another passphrase")
    assert "This is not the passphrase of" in sentence(run("backup", str(folder), "--list", *arguments).stderr)
    assert "is encrypted; give its passphrase" in sentence(run("backup", str(folder), "--list").stderr)


def last_entries(repository: BackupRepository) -> dict[str, str]:
    """The files of the last snapshot by their path, each with its hash."""
    return {entry.path: entry.sha256 for entry in repository.read_snapshot(repository.list_snapshots()[-1]).entries}


async def test_what_is_written_meanwhile_leaves_the_backup_sound(tmp_path: Path, installations: Installations) -> None:
    source, target = installations.new("data"), installations.new("new", is_empty=True)
    repository = BackupRepository.create_or_open(tmp_path / "backup", None)
    async with serving(source) as server:
        await fill(server)
        bucket = open_bucket_files(source, server.app.gate)
        conversations = [await server.begin() for _ in range(5)]
        writing = [asyncio.create_task(keep_writing(server, each)) for each in conversations]
        for _ in range(3):
            done = await asyncio.to_thread(back_up, source, repository, bucket=bucket)
            assert done.snapshot.missing == ()
            await asyncio.sleep(1.1)  # names are of whole seconds
        for task in writing:
            task.cancel()
        await asyncio.wait(writing)
    snapshots = [repository.read_snapshot(name) for name in repository.list_snapshots()]
    assert [check(repository, snapshot) for snapshot in snapshots] == [[], [], []]
    async with open_bucket(target, is_restoring=True) as bucket:
        await asyncio.to_thread(restore, repository, snapshots[-1], target, bucket=bucket)
    async with serving(target) as server:
        assert len((await server.get("/api/conversations")).body["conversations"]) == 6
    assert repository.prune(1) == 2
    assert check(repository, snapshots[-1]) == []
    assert {path.name for path in (repository.folder / "blobs").rglob("*") if path.is_file()} == {
        entry.sha256 for entry in snapshots[-1].entries
    }


async def keep_writing(server: Server, conversation: str) -> None:
    number = 0
    while True:
        number += 1
        await server.say(conversation, f"Question {number}?")
        headers = {"Content-Type": "application/octet-stream"}
        await server.call(
            "POST", f"/api/files?name={number}.txt", data=os.urandom(2000).hex().encode(), headers=headers
        )


def test_there_is_nothing_to_back_up_or_restore(tmp_path: Path) -> None:
    repository = BackupRepository.create_or_open(tmp_path / "backup", None)
    with pytest.raises(NotFound, match="There is nothing to back up in"):
        back_up(tmp_path / "data", repository)
    with pytest.raises(NotFound, match=r"is no backup of Éclair; eclair-backup\.json is missing\."):
        BackupRepository.open(tmp_path / "nowhere", None)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").touch()
    with pytest.raises(Conflict, match="holds something else; choose an empty folder"):
        BackupRepository.create_or_open(tmp_path / "full", None)
    with pytest.raises(InvalidInput, match="is not encrypted; leave out the passphrase"):
        BackupRepository.open(tmp_path / "backup", PASSPHRASE)
    run = Eclair(tmp_path)
    assert "Name a folder for backups, or set backup_folder." in sentence(run("backup").stderr)
    assert "has no snapshots yet." in sentence(run("restore", str(tmp_path / "backup")).stderr)
    assert "There is no snapshot 'x' in" in sentence(
        run("restore", str(written(tmp_path / "b", b"x")[0].folder), "--snapshot", "x").stderr
    )


def written(folder: Path, data: bytes, passphrase: str | None = None) -> tuple[BackupRepository, BackupEntry]:
    """A repository with a snapshot of one file."""
    repository = BackupRepository.create_or_open(folder, passphrase)
    source = folder / "source"
    source.write_bytes(data)
    sha256, size, _ = repository.put(source)
    source.unlink()
    entry = BackupEntry("files/file", sha256, size)
    repository.add_snapshot(BackupSnapshot("2026-01-01T00-00-00Z", "0.1", 1, (entry,)))
    return repository, entry


@pytest.mark.parametrize("passphrase", [None, PASSPHRASE])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=40), at=st.integers(0, 10_000), flip=st.integers(1, 255))
def test_contents_come_back_and_damage_is_found(
    tmp_path_factory: pytest.TempPathFactory, passphrase: str | None, data: bytes, at: int, flip: int
) -> None:
    folder = tmp_path_factory.mktemp("backup")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(repository_module, "CHUNK_BYTES", 8)
        patch.setattr(repository_module, "_SCRYPT_N", 2)
        repository, entry = written(folder, data, passphrase)
        assert repository.read_snapshot("2026-01-01T00-00-00Z").entries == (entry,)
        repository.write_out(entry, folder / "out")
        assert (folder / "out").read_bytes() == data
        (blob,) = (path for path in (folder / "blobs").rglob("*") if path.is_file())
        stored = bytearray(blob.read_bytes())
        for damaged in damages(stored, at, flip):
            blob.write_bytes(damaged)
            assert not repository.check(entry)
            with pytest.raises(StoreError, match="is damaged in the backup"):
                repository.write_out(entry, folder / "again")
            assert not (folder / "again").exists()
        blob.unlink()
        assert not repository.check(entry)


def damages(stored: bytearray, at: int, flip: int) -> list[bytes]:
    """Other contents: a byte changed, cut off, and added."""
    if not stored:
        return [b"x"]
    changed = bytearray(stored)
    changed[at % len(stored)] ^= flip
    return [bytes(changed), bytes(stored[: at % len(stored)]), bytes(stored) + b"x"]


def test_a_path_that_leads_out_is_not_restored(tmp_path: Path) -> None:
    repository, entry = written(tmp_path / "backup", b"evil")
    snapshot = BackupSnapshot("2026-01-01T00-00-01Z", "0.1", 1, (replace(entry, path="../outside"),))
    with pytest.raises(StoreError, match="leads out of the data folder"):
        restore(repository, snapshot, tmp_path / "data")
    assert not (tmp_path / "outside").exists()


async def test_a_disk_that_fails_is_said_and_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    async with serving(configured(data)) as server:
        await fill(server)

    def put(self: BackupRepository, source: Path) -> tuple[str, int, bool]:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(BackupRepository, "put", put)
    schedule = BackupSchedule(replace(configured(data), backup_folder=tmp_path / "backup"))
    assert schedule.run_if_due() == 3600
    problem = (await schedule.status()).problem
    assert problem == f"The backup into {tmp_path / 'backup'} failed: Input/output error."


async def test_an_error_of_ours_is_said_and_the_next_backup_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    lay_database(tmp_path / "data")
    schedule = BackupSchedule(replace(configured(tmp_path / "data"), backup_folder=tmp_path / "backup"))
    with monkeypatch.context() as patch:
        patch.setattr(BackupRepository, "put", lambda self, source: 1 / 0)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
        assert schedule.run_if_due() == 3600
    assert "an error in Éclair; its log says more." in str((await schedule.status()).problem)
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [ZeroDivisionError]
    assert schedule.run_if_due() > 3600
    assert (await schedule.status()).problem is None


async def test_only_one_backs_up_at_a_time(tmp_path: Path) -> None:
    repository = BackupRepository.create_or_open(tmp_path / "backup", None)
    schedule = BackupSchedule(replace(configured(tmp_path / "data"), backup_folder=tmp_path / "backup"))
    lay_database(tmp_path / "data")
    with repository.lock():
        with pytest.raises(Conflict, match="Another backup into"), repository.lock():
            pass
        assert schedule.run_if_due() == 3600
        assert (await schedule.status()).problem is None, "the other server makes it"
        schedule.run_now()
        await schedule.close()
        assert "Another server is backing up into" in str((await schedule.status()).problem)
    repository.add_snapshot(BackupSnapshot("2099-01-01T00-00-00Z", "0.1", 1, ()))
    assert (await schedule.status()).problem is None, "the other server made it"


def test_one_of_two_that_start_together_creates_the_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, random = tmp_path / "backup", repository_module.secrets.token_bytes

    def meanwhile(size: int) -> bytes:
        with monkeypatch.context() as patch:
            patch.setattr(repository_module.secrets, "token_bytes", random)
            with pytest.raises(BackupRunning):
                BackupRepository.create_or_open(folder, PASSPHRASE)
        return random(size)

    with monkeypatch.context() as patch:
        patch.setattr(repository_module.secrets, "token_bytes", meanwhile)
        BackupRepository.create_or_open(folder, PASSPHRASE)
    head = (folder / "eclair-backup.json").read_bytes()
    (folder / "lock").touch()  # of one that was killed
    BackupRepository.create_or_open(folder, PASSPHRASE)
    assert (folder / "eclair-backup.json").read_bytes() == head


def test_nobody_else_backs_up_while_snapshots_are_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay_database(tmp_path / "data")
    repository, _ = written(tmp_path / "backup", b"older")
    real = BackupRepository.prune

    def prune(self: BackupRepository, keep: int) -> int:
        with pytest.raises(BackupRunning), BackupRepository(self.folder, None).lock():
            pass
        return real(self, keep)

    monkeypatch.setattr(BackupRepository, "prune", prune)
    assert back_up(tmp_path / "data", repository, keep=1).pruned == 1


def test_plain_copies_stay_in_the_data_folder_and_are_deleted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = tmp_path / "data"
    lay_database(data)
    repository = BackupRepository.create_or_open(tmp_path / "backup", PASSPHRASE)
    killed = [data / "eclair-backup-abcd1234", repository.folder / "copying-abcd1234"]
    for folder in killed:
        folder.mkdir(mode=0o700)
        (folder / "eclair.db").touch()
        os.utime(folder, (0, 0))
    sources: list[Path] = []
    real = BackupRepository.put

    def put(self: BackupRepository, source: Path) -> tuple[str, int, bool]:
        sources.append(source)
        return real(self, source)

    monkeypatch.setattr(BackupRepository, "put", put)
    back_up(data, repository)
    assert sources
    assert all(source.is_relative_to(data) for source in sources)
    assert not any(folder.exists() for folder in (*killed, sources[-1].parent))


async def test_backups_are_made_when_they_are_due(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    data, folder = tmp_path / "data", tmp_path / "backup"
    async with serving(configured(data)) as server:
        await fill(server)
    schedule = BackupSchedule(replace(configured(data), backup_folder=folder, backup_hours=10, backup_keep=1))
    assert schedule.run_if_due() == 36_000
    assert 35_000 < schedule.run_if_due() < 36_000
    repository = BackupRepository.open(folder, None)
    assert len(repository.list_snapshots()) == 1
    older = folder / "snapshots" / "2020-01-01T00-00-00Z.json"
    (folder / "snapshots" / f"{repository.list_snapshots()[0]}.json").rename(older)
    assert schedule.run_if_due() == 36_000
    assert len(repository.list_snapshots()) == 1
    assert not older.exists()
    failing = BackupSchedule(replace(configured(data), backup_folder=tmp_path / "data"))
    assert failing.run_if_due() == 3600
    (fault,) = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert "holds something else; choose an empty folder for backups." in fault


async def finished(server: Server) -> dict[str, Any]:
    """The status once no backup is being made."""
    async with asyncio.timeout(60):
        while (status := (await server.get("/api/backups")).body)["progress"] is not None:
            await asyncio.sleep(0.02)
    return dict(status)


async def test_the_api_shows_the_newest_and_makes_one(tmp_path: Path) -> None:
    folder = tmp_path / "backup"
    async with serving(replace(configured(tmp_path / "data"), backup_folder=folder, backup_keep=2)) as server:
        await fill(server)
        before = (await server.get("/api/backups")).body
        assert (before["folder"], before["made"], before["hours"]) == (str(folder), None, 24)
        begun = await server.post("/api/backups")
        assert begun.status == 202
        status = await finished(server)
        assert status["problem"] is None
        assert (status["files"], status["size"] > 1000) == (len(list((folder / "blobs").rglob("??*/*"))), True)
        shutil.rmtree(folder)
        folder.write_text("in the way")
        await server.post("/api/backups")
        async with asyncio.timeout(60):
            while (await server.get("/api/backups")).body["problem"] is None:
                await asyncio.sleep(0.02)
    async with serving(configured(tmp_path / "other")) as server:
        assert (await server.get("/api/backups")).body["folder"] is None
        refused = await server.post("/api/backups")
        assert (refused.status, "set backup_folder, best on another disk." in refused.body["error"]["message"]) == (
            400,
            True,
        )


async def test_a_disk_that_is_gone_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository, _ = written(tmp_path / "backup", b"x")
    settings = replace(configured(tmp_path / "data"), backup_folder=repository.folder)

    def glob(self: Path, pattern: str) -> list[Path]:
        raise OSError(errno.ESTALE, "Stale file handle")

    schedule = BackupSchedule(settings)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "glob", glob)
        assert schedule.run_if_due() == 3600
        assert (await schedule.status()).problem == f"{repository.folder} cannot be read: Stale file handle."


def test_doctor_says_how_old_the_newest_is(tmp_path: Path) -> None:
    run = Eclair(tmp_path)
    assert "none are made by themselves." in run("doctor").stdout
    repository, _ = written(tmp_path / "backup", b"x")
    said = run("doctor", ECLAIR_BACKUP_FOLDER=str(repository.folder)).stdout
    assert "though one is due every 24 hours." in said


async def put_blob(settings: Settings, data: bytes) -> str:
    async with open_gate(settings) as gate:
        return await open_blobs(settings, "files", gate).put(data)


async def test_what_is_in_a_bucket_is_fetched_once(
    tmp_path: Path, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = in_bucket(configured(tmp_path / "data"), s3.new_place())
    lay_database(settings.data_dir)
    damaged = Path("lost", "2026-01-01", "database", "eclair.db")
    (settings.data_dir / damaged).parent.mkdir(parents=True)
    (settings.data_dir / damaged).write_bytes(b"damaged")
    first = await put_blob(settings, b"Bees dance.")
    fetched: list[str] = []
    real = BucketFiles.fetch

    def fetch(self: BucketFiles, key: str, target: Path) -> None:
        fetched.append(key)
        real(self, key, target)

    monkeypatch.setattr(BucketFiles, "fetch", fetch)
    repository = BackupRepository.create_or_open(tmp_path / "backup", PASSPHRASE)
    async with open_bucket(settings) as bucket:
        await asyncio.to_thread(back_up, settings, repository, bucket=bucket)
        second = await put_blob(settings, b"Bees sleep.")
        done = await asyncio.to_thread(back_up, settings, repository, bucket=bucket)
    assert fetched == [f"files/{name[:2]}/{name}" for name in (first, second)]
    target = configured(tmp_path / "new")
    restore(repository, done.snapshot, target)
    async with open_gate(target) as gate:
        blobs = open_blobs(target, "files", gate)
        assert [await blobs.get(name) for name in (first, second)] == [b"Bees dance.", b"Bees sleep."]
    away = replace(settings, data_dir=tmp_path / "away")
    (tmp_path / "passphrase").write_text(PASSPHRASE)
    arguments = ("restore", str(repository.folder), "--passphrase-file", str(tmp_path / "passphrase"))
    restored = await asyncio.to_thread(Eclair(tmp_path), *arguments, **environ_of(away))
    assert f"2 of them were in {away.blobs_url} already." in sentence(restored.stderr)
    assert (away.data_dir / damaged).read_bytes() == b"damaged"
    async with open_bucket(away) as bucket:
        assert bucket is not None
        objects = await asyncio.to_thread(bucket.list_files)
        assert {each.key.rpartition("/")[2] for each in objects} == {first, second}


def test_one_kind_of_database_is_not_restored_into_another(tmp_path: Path, databases: TestDatabases) -> None:
    repository = BackupRepository.create_or_open(tmp_path / "backup", None)
    on_server = replace(configured(tmp_path / "a"), database_url=databases.create())
    in_file = configured(tmp_path / "b")
    lay_database(in_file.data_dir)
    rows, file = (back_up(each, repository).snapshot for each in (on_server, in_file))
    empty = replace(configured(tmp_path / "c"), database_url=databases.create_empty())
    with pytest.raises(Conflict, match="holds a SQLite database; restore it without"):
        restore(repository, file, empty)
    with pytest.raises(Conflict, match="holds a PostgreSQL database; name an empty one"):
        restore(repository, rows, configured(tmp_path / "c"))
    with pytest.raises(NotFound, match="There is nothing to back up in The database"):
        back_up(empty, repository)
