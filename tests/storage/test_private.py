"""Other accounts of the machine can't enter the data folder."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from eclair.storage.open import open_storage
from eclair.util import private_files
from tests.support import Process

OTHERS = 0o077


@pytest.fixture(autouse=True)
def usual_umask() -> Iterator[None]:
    former = os.umask(0o022)
    yield
    os.umask(former)


async def test_a_new_folder_is_private(tmp_path: Path) -> None:
    storage = open_storage(tmp_path / "new" / "data")
    await storage.close()
    assert (tmp_path / "new" / "data").stat().st_mode & OTHERS == 0


async def test_an_open_folder_is_closed_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    with caplog.at_level(logging.WARNING):
        await open_storage(folder).close()
    assert folder.stat().st_mode & 0o777 == 0o700
    assert [record.message for record in caplog.records] == [
        f"{folder} was open to other accounts of this machine; it is closed to them now."
    ]
    caplog.clear()
    await open_storage(folder).close()
    assert caplog.records == []


async def test_a_folder_of_another_account_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)

    def refuse(path: Path, mode: int) -> None:
        raise PermissionError(1, "Operation not permitted", str(path))

    monkeypatch.setattr(Path, "chmod", refuse)
    with caplog.at_level(logging.WARNING):
        await open_storage(folder).close()
    assert "is open to other accounts and belongs to one of them" in caplog.text


def test_files_made_from_then_on_are_private(tmp_path: Path) -> None:
    assert private_files.restrict_umask() == 0o022
    (tmp_path / "file").touch()
    (tmp_path / "folder").mkdir()
    assert (tmp_path / "file").stat().st_mode & OTHERS == 0
    assert (tmp_path / "folder").stat().st_mode & OTHERS == 0


async def test_a_server_leaves_nothing_that_others_can_read(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    server = await Process.start(tmp_path / "data", http)
    try:
        conversation = await server.begin()
        await server.say(conversation, "script: words=3")
        data = b"Bees make honey."
        headers = {"Content-Type": "application/octet-stream"}
        assert (await server.call("POST", "/api/files?name=bees.txt", data=data, headers=headers)).status == 201
        readable = [path for path in walk(tmp_path / "data") if path.stat().st_mode & OTHERS]
    finally:
        await server.close()
    assert [path.name for path in readable if path.name not in ("none.toml", "server.log")] == []


def walk(folder: Path) -> list[Path]:
    return [folder, *folder.rglob("*")]
