"""Bytes that were changed or lost on disk aren't served as if they were whole."""

from __future__ import annotations

from pathlib import Path

import pytest

from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from tests.images.support import SMALL
from tests.support import Server, serving

BINARY = {"Content-Type": "application/octet-stream"}
PAGE = b"Bees dance. " * 1000


async def made(server: Server) -> list[tuple[str, Path]]:
    """The addresses of a file, an image and its thumbnail, each with its blob."""
    file = (await server.call("POST", "/api/files?name=bees.txt", data=PAGE, headers=BINARY)).body["id"]
    await server.say(await server.begin(), "a blue apple", draw=dict(SMALL))
    (image,) = (await server.get("/api/pictures")).body["pictures"]
    found = await server.app.gallery.get_image(LOCAL_PRINCIPAL, image["id"])
    stored = (await server.app.storage.files.get_file(LOCAL_PRINCIPAL, file)).file
    data = server.app.settings.data_dir
    return [
        (f"/api/files/{file}/content", blob(data / "files", stored.sha256)),
        (f"/v1/files/{file}/content", blob(data / "files", stored.sha256)),
        (f"/api/pictures/{image['id']}/content", blob(data / "pictures", found.blob)),
        (f"/api/pictures/{image['id']}/thumbnail", blob(data / "pictures", found.thumbnail)),
    ]


def blob(folder: Path, name: str) -> Path:
    return folder / name[:2] / name


@pytest.mark.parametrize(
    ("damage", "said"), [("flip", "was changed on disk; restore"), ("remove", "is missing; restore")]
)
async def test_damage_is_said(tmp_path: Path, damage: str, said: str) -> None:
    settings = Settings(data_dir=tmp_path, embedded=False, scripted=True, port=0, embedder="off")
    async with serving(settings) as server:
        for address, path in await made(server):
            whole = path.read_bytes()
            for _ in range(2):
                assert (await server.get(address)).raw == whole
            if damage == "flip":
                path.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
            else:
                path.unlink()
            reply = await server.get(address)
            assert (reply.status, str(path) in reply.body["error"]["message"]) == (503, True)
            assert said in reply.body["error"]["message"]
            path.write_bytes(whole)
            assert (await server.get(address)).raw == whole
