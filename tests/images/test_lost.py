"""No image is lost when a database is: its bytes are set aside, and come back with it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from eclair.errors import StoreError
from eclair.settings import Settings
from eclair.storage.open import open_storage
from tests.cli.test_cli import Eclair, sentence
from tests.images.support import SMALL, content
from tests.support import Server, serving


@pytest.fixture
def run(tmp_path: Path) -> Eclair:
    return Eclair(tmp_path)


def settings(folder: Path) -> Settings:
    return Settings(data_dir=folder, embedded=False, scripted=True, port=0, embedder="off")


async def listed(server: Server) -> list[str]:
    return [image["id"] for image in (await server.get("/api/pictures")).body["pictures"]]


async def filled(folder: Path) -> list[str]:
    """Have a server make an image and store a file, and return the ids of the images."""
    async with serving(settings(folder)) as server:
        await server.say(await server.begin(), "a blue apple", draw=dict(SMALL))
        reply = await server.call(
            "POST",
            "/api/files?name=bees.txt",
            data=b"Bees dance.",
            headers={"Content-Type": "application/octet-stream"},
        )
        assert reply.status == 201
        return await listed(server)


def move_database(source: Path, target: Path) -> None:
    target.mkdir(exist_ok=True)
    for path in source.glob("eclair.db*"):
        shutil.move(path, target / path.name)


async def test_a_database_that_is_gone_takes_nothing_with_it(run: Eclair, tmp_path: Path) -> None:
    data = tmp_path / "data"
    made = await filled(data)
    assert len(made) == 1
    move_database(data, tmp_path / "away")
    with pytest.raises(StoreError, match=r"holds 3 files of documents and images, but its database, eclair\.db, is"):
        open_storage(data)
    (data / "eclair.db").touch()
    served = run("serve", ECLAIR_DATA_DIR=str(data))
    assert served.returncode == 3
    assert "missing or empty; put it back, restore a backup (`eclair restore`), or set them" in sentence(served.stderr)
    asked = run("lost", "--set-aside", ECLAIR_DATA_DIR=str(data))
    assert (asked.returncode, "add --yes to do it" in sentence(asked.stderr)) == (2, True)
    assert run("lost", "--set-aside", "--yes", ECLAIR_DATA_DIR=str(data)).stdout.startswith("3 files are in ")
    async with serving(settings(data)) as server:
        assert await listed(server) == []
    said = run("lost", ECLAIR_DATA_DIR=str(data)).stdout.splitlines()
    assert [line.split("  ")[1].partition(",")[0] for line in said] == ["1 of files/", "2 of pictures/"]
    assert "3 files" in run("doctor", ECLAIR_DATA_DIR=str(data)).stdout
    move_database(data, tmp_path / "new")
    move_database(tmp_path / "away", data)
    async with serving(settings(data)) as server:
        assert await listed(server) == made
        assert await content(server, made[0])
        assert (await server.get(f"/api/pictures/{made[0]}/thumbnail")).status == 200


async def test_an_older_database_erases_no_newer_image(run: Eclair, tmp_path: Path) -> None:
    data = tmp_path / "data"
    await filled(data)
    move_database(data, tmp_path / "older")
    shutil.copytree(tmp_path / "older", data, dirs_exist_ok=True)
    both = await filled(data)
    assert len(both) == 2
    move_database(data, tmp_path / "newer")
    move_database(tmp_path / "older", data)
    async with serving(settings(data)) as server:
        assert len(await listed(server)) == 1
    assert "2 of pictures/" in run("lost", ECLAIR_DATA_DIR=str(data)).stdout
    for path in data.glob("eclair.db*"):
        path.unlink()
    move_database(tmp_path / "newer", data)
    async with serving(settings(data)) as server:
        assert await listed(server) == both
        assert all([await content(server, id) for id in both])
    assert run("lost", ECLAIR_DATA_DIR=str(data)).stdout == "Nothing is set aside.\n"


async def test_what_is_set_aside_is_erased_by_its_owner_alone(run: Eclair, tmp_path: Path) -> None:
    data = tmp_path / "data"
    await filled(data)
    assert run("lost", "--erase", ECLAIR_DATA_DIR=str(data)).stdout == "Nothing was erased.\n"
    refused = run("lost", "--set-aside", "--yes", ECLAIR_DATA_DIR=str(data))
    assert "has a database; at its next start" in sentence(refused.stderr)
    move_database(data, tmp_path / "away")
    run("lost", "--set-aside", "--yes", ECLAIR_DATA_DIR=str(data))
    assert run("lost", "--erase", ECLAIR_DATA_DIR=str(data)).returncode == 2
    assert (data / "lost").is_dir()
    assert run("lost", "--erase", "--yes", ECLAIR_DATA_DIR=str(data)).stdout == "3 files were erased.\n"
    assert not (data / "lost").exists()
