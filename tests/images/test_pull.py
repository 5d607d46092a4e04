"""A picture model comes from a hub, file by file, and goes again; what came is what is drawn with."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from eclair.images import installed_image_models
from eclair.images.backends.diffusers.local_backend import DiffusersBackend
from eclair.schema.images import UnmarkedImage
from eclair.settings import Settings
from tests.cli.test_cli import Eclair
from tests.images.repository import Gallery
from tests.images.support import job_of
from tests.llm.standin import StandIn, standing_in
from tests.server.test_downloads import ended
from tests.support import Server, serving

pytestmark = pytest.mark.timeout(300)

SHARD = "transformer/diffusion_pytorch_model.safetensors"


@pytest.fixture
async def hub() -> AsyncGenerator[StandIn]:
    async with standing_in() as hub:
        yield hub


@pytest.fixture
def gallery(hub: StandIn, tiny: Path) -> Gallery:
    return Gallery(hub, "black-forest-labs/FLUX.1-schnell", tiny / "FluxPipeline")


@pytest.fixture
async def server(gallery: Gallery, settings: Settings) -> AsyncGenerator[Server]:
    async with serving(replace(settings, hub=gallery.url, catalog=settings.data_dir / "none.toml")) as server:
        yield server


async def pulled(server: Server, name: str = "flux-1-schnell") -> dict[str, Any]:
    begun = await server.post("/api/models/pulls", {"name": name})
    assert begun.status == 202, begun.body
    return await ended(server, begun.body["id"])


def here(settings: Settings, id: str = "flux-1-schnell") -> dict[str, bytes]:
    folder = installed_image_models.models_folder(settings.data_dir) / id
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


async def test_it_comes_whole_draws_and_goes(
    server: Server, gallery: Gallery, settings: Settings, python: Path
) -> None:
    gallery.cuts = {SHARD: 1000, "text_encoder/model.safetensors": 70, "transformer/config.json": 5}
    pull = await pulled(server)
    assert (pull["state"], pull["error"], pull["model"]) == ("finished", None, "flux-1-schnell")
    assert (pull["name"], pull["license"], pull["size"]) == ("FLUX.1 [schnell]", "Apache-2.0", gallery.size)
    assert here(settings) == gallery.wanted, "nothing else was fetched, and nothing is left over"
    assert [span for name, span in gallery.ranges if name == SHARD] == [None, "bytes=1000-"]
    assert gallery.ranges[-1][0] == "model_index.json"
    generator = DiffusersBackend(replace(settings, diffusers_python=python, catalog=settings.data_dir / "none.toml"))
    model = next(model for model in await generator.models() if model.id == "flux-1-schnell")
    pieces = [piece async for piece in generator.generate(job_of("an apple", 64, 64, 1, model=model, steps=1))]
    assert isinstance(pieces[-1], UnmarkedImage)
    await generator.close()
    removed = await server.call("DELETE", "/api/models/flux-1-schnell")
    assert (removed.status, removed.body) == (200, {"freed": gallery.size})
    assert here(settings) == {}
    assert (await server.call("DELETE", "/api/models/flux-1-schnell")).status == 404


async def test_what_came_is_not_fetched_again_and_what_is_wrong_is_not_used(
    server: Server, gallery: Gallery, settings: Settings
) -> None:
    gallery.served = {SHARD: gallery.files[SHARD][:-1] + b"!"}
    pull = await pulled(server)
    assert pull["state"] == "failed"
    assert f"{SHARD} from 127.0.0.1 is not the file that it should be (its hash differs)" in pull["error"]["message"]
    assert "model_index.json" not in here(settings), "it does not count as here"
    gallery.served = {"vae/config.json": gallery.files["vae/config.json"].swapcase()}
    gallery.ranges.clear()
    pull = await pulled(server)
    assert "vae/config.json from 127.0.0.1 is not the file" in pull["error"]["message"]
    assert "text_encoder/config.json" not in dict(gallery.ranges), "it has come before"
    gallery.served = {}
    assert (await pulled(server))["state"] == "finished"
    assert here(settings) == gallery.wanted


async def test_a_stopped_pull_goes_on_or_is_removed(server: Server, gallery: Gallery, settings: Settings) -> None:
    async def stuck(call: Any) -> None:
        await call.send(b"HTTP/1.1 200 X\r\nContent-Length: %d\r\n\r\n" % len(gallery.files[SHARD]))
        await call.send(gallery.files[SHARD][:2000])
        assert await call.gone()

    hub_route = gallery.file
    gallery.hub.routes[f"/{gallery.repo}/resolve/main/{SHARD}"] = stuck
    begun = (await server.post("/api/models/pulls", {"name": "flux-1-schnell"})).body
    async with asyncio.timeout(30):
        while (await server.get(f"/api/models/pulls/{begun['id']}")).body["file"] != SHARD:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert (await server.call("DELETE", f"/api/models/pulls/{begun['id']}")).status == 204
    assert "model_index.json" not in here(settings)
    assert any(name.endswith(".part") for name in here(settings))
    removed = await server.call("DELETE", "/api/models/flux-1-schnell")
    assert removed.body["freed"] >= 2000
    gallery.hub.routes[f"/{gallery.repo}/resolve/main/{SHARD}"] = hub_route
    assert (await pulled(server))["state"] == "finished"


async def test_a_license_that_restricts_is_accepted_first(
    server: Server, hub: StandIn, tiny: Path, settings: Settings
) -> None:
    Gallery(hub, "black-forest-labs/FLUX.1-dev", tiny / "FluxPipeline")
    asked = await server.post("/api/models/pulls", {"name": "flux-1-dev"})
    assert (asked.status, asked.error["code"]) == (409, "license_not_accepted")
    assert "non-commercial purposes only" in asked.error["message"]
    begun = await server.post("/api/models/pulls", {"name": "flux-1-dev", "accept_license": True})
    assert (await ended(server, begun.body["id"]))["state"] == "finished"
    assert "model_index.json" in here(settings, "flux-1-dev")


async def test_a_repository_that_is_none_is_said(server: Server, gallery: Gallery) -> None:
    gallery.files["model_index.json"] = b'{"_class_name": "StableDiffusionPipeline"}'
    reply = await server.post("/api/models/pulls", {"name": "flux-1-schnell"})
    assert reply.status == 503
    assert "can't be used: it is for StableDiffusionPipeline" in reply.error["message"]
    gone = await server.post("/api/models/pulls", {"name": "flux-2-klein-4b"})
    assert gone.status == 404


async def test_the_command_pulls_and_removes(gallery: Gallery, tmp_path: Path) -> None:
    run = Eclair(tmp_path)
    done = await asyncio.to_thread(run, "pull", "flux-1-schnell", ECLAIR_HUB=gallery.url)
    assert done.returncode == 0, done.stderr
    assert "FLUX.1 [schnell] · Black Forest Labs (DE) · Apache-2.0" in done.stderr
    assert "There is no hash" not in done.stderr, "the hub says it of every file"
    assert done.stdout.startswith("FLUX.1 [schnell] is in ")
    assert done.stdout.endswith("/models/pictures/flux-1-schnell\n")
    gone = await asyncio.to_thread(run, "pull", "flux-1-schnell", "--remove")
    assert "FLUX.1 [schnell] is removed; that frees" in gone.stdout
