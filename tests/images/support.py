"""What tests of pictures share: the studio's events as the door sends them, and what is drawn by whom."""

# ruff: noqa: ASYNC110 (what is waited for here happens where no event of ours can be set)

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator, Callable
from pathlib import Path
from typing import Any

import orjson
from PIL import Image

from eclair.images.backends.scripted_backend import MODELS, ScriptedImageBackend
from eclair.images.job import ImageJob
from eclair.provenance.provenance_report import ProvenanceReport
from eclair.schema.principal import LOCAL_PRINCIPAL
from tests.support import JSON, Door, Server

SMALL: JSON = {"width": 64, "height": 64}


def generator(server: Server) -> ScriptedImageBackend:
    (found,) = [each for each in server.app.images.backends if isinstance(each, ScriptedImageBackend)]
    return found


def said(stream: bytes) -> list[tuple[str, JSON]]:
    """The events of a stream by their names."""
    found: list[tuple[str, JSON]] = []
    for block in stream.decode().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if lines:
            found.append((lines["event"], orjson.loads(lines["data"])))
    return found


async def drawn(server: Server, prompt: str, **wish: Any) -> list[tuple[str, JSON]]:
    reply = await server.post("/api/pictures", {"prompt": prompt, **SMALL, **wish})
    assert reply.status == 200, reply
    return said(reply.raw)


async def picture(server: Server, prompt: str = "a blue apple", **wish: Any) -> JSON:
    """One that was drawn outside any conversation."""
    (made,) = [body for name, body in await drawn(server, prompt, **wish) if name == "picture"]
    return made


async def events(server: Door, prompt: str, **wish: Any) -> AsyncGenerator[tuple[str, JSON], None]:
    """The studio's events as they come; closing what comes back closes the connection."""
    body = orjson.dumps({"prompt": prompt, **SMALL, **wish})
    headers = {"Content-Type": "application/json"}
    async with server.http.post(f"{server.address}/api/pictures", data=body, headers=headers) as response:
        assert response.status == 200
        rest = b""
        async for data in response.content.iter_any():
            *whole, rest = (rest + data).split(b"\n\n")
            for block in whole:
                for event in said(block + b"\n\n"):
                    yield event


def job_of(prompt: str, width: int, height: int, seed: int = 1, **more: Any) -> ImageJob:
    """A job for whatever model is set in it afterwards."""
    return ImageJob(more.pop("model", MODELS[0]), LOCAL_PRINCIPAL, prompt, width, height, seed, **more)


async def content(server: Server, id: str) -> bytes:
    reply = await server.get(f"/api/pictures/{id}/content")
    assert reply.status == 200
    return reply.raw


async def marks(server: Server, data: bytes, folder: Path) -> ProvenanceReport:
    path = folder / "picture"
    await asyncio.to_thread(path.write_bytes, data)
    return await server.app.provenance.check(path, "picture")


async def until(true: Callable[[], bool], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.01)


def opened(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def png(image: Image.Image) -> bytes:
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()
