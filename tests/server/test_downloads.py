"""Models are fetched, watched, stopped and removed through the API; the hub stands in for one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import ollama
import orjson
import pytest

from eclair.settings import Settings
from tests.llm.standin import Call, standing_in
from tests.models.test_huggingface import MODEL, REPO, Shop, sha
from tests.server.test_ollama import client_of
from tests.support import Server, serving


@pytest.fixture
async def shop() -> AsyncGenerator[Shop]:
    async with standing_in() as hub, standing_in() as store:
        yield Shop(hub, store)


@pytest.fixture
async def market(shop: Shop, settings: Settings) -> AsyncGenerator[Server]:
    """A server whose hub is the stand-in's."""
    catalog = settings.data_dir.parent / "models.toml"
    catalog.write_text(
        '[[model]]\nid = "tiny"\nname = "Tiny"\nmaker = "Maker"\nlicense = "Own"\nrestricts = "Research only."\n'
        f'weights = "open"\n[[model.file]]\nrepo = "{REPO}"\nfile = "tiny-Q4_K_M.gguf"\nquant = "Q4_K_M"\n'
        '[[model]]\nid = "huge"\nname = "Huge"\nmaker = "Maker"\nlicense = "MIT"\nweights = "open"\n'
        'parameters = 100000\n[[model.file]]\nrepo = "a/huge"\nfile = "huge-Q4_0.gguf"\nquant = "Q4_0"\n'
    )
    async with serving(replace(settings, hub=shop.url, catalog=catalog)) as server:
        yield server


async def stuck(call: Call) -> None:
    """The beginning of a file, until whoever asked has gone."""
    await call.send(b"HTTP/1.1 200 X\r\nContent-Length: %d\r\n\r\n" % len(MODEL) + MODEL[:1000])
    assert await call.gone()


async def ended(server: Server, id: str) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while (pull := (await server.get(f"/api/models/pulls/{id}")).body)["state"] == "running":  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return dict(pull)


async def catalogued(server: Server, id: str = "tiny") -> dict[str, Any]:
    rows = (await server.get("/api/catalog")).body["models"]
    return next(row for row in rows if row["id"] == id)


async def test_a_license_is_asked_for_then_the_model_comes_and_goes(market: Server) -> None:
    reply = await market.post("/api/models/pulls", {"name": "tiny"})
    assert (reply.status, reply.error["code"]) == (409, "license_not_accepted")
    assert "Research only." in reply.error["message"]
    row = await catalogued(market)
    assert (row["installed"], row["quant"], row["restricts"]) == (False, "Q4_K_M", "Research only.")
    assert row["expected"] is None, "nothing was measured yet"
    begun = await market.post("/api/models/pulls", {"name": "tiny", "accept_license": True})
    assert begun.status == 202
    pull = await ended(market, begun.body["id"])
    assert (pull["state"], pull["model"], pull["size"], pull["error"]) == ("finished", "tiny", len(MODEL), None)
    assert (pull["stage"], pull["done"], pull["total"]) == ("check", len(MODEL), len(MODEL))
    row = await catalogued(market)
    assert (row["installed"], row["size"], row["fits"]) == (True, len(MODEL), True)
    assert (await market.get("/api/models/pulls")).body["pulls"] == [pull]
    removed = await market.call("DELETE", "/api/models/tiny")
    assert (removed.status, removed.body) == (200, {"freed": len(MODEL)})
    assert not (await catalogued(market))["installed"]
    assert (await market.call("DELETE", "/api/models/tiny")).status == 404
    assert (await market.call("DELETE", "/api/models/none")).status == 404


async def test_two_ask_for_one_model_and_one_stops_it(shop: Shop, market: Server) -> None:
    shop.store.routes["/blobs/tiny-Q4_K_M.gguf"] = stuck
    bodies = [
        (await market.post("/api/models/pulls", {"name": f"hf:{REPO}:Q4_K_M", "accept_license": True})).body
        for _ in range(2)
    ]
    assert bodies[0]["id"] == bodies[1]["id"]
    path = f"/api/models/pulls/{bodies[0]['id']}"
    async with asyncio.timeout(20):
        while (await market.get(path)).body["done"] < 1000:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    assert (await market.call("DELETE", path)).status == 204
    assert (await market.get(path)).body["state"] == "cancelled"
    assert (await market.call("DELETE", path)).status == 204
    assert (await market.get(path)).status == 404


async def test_what_fails_says_why(shop: Shop, market: Server) -> None:
    shop.served = {"tiny-Q4_K_M.gguf": MODEL[:-1] + b"!"}
    begun = await market.post("/api/models/pulls", {"name": f"hf:{REPO}", "accept_license": True})
    pull = await ended(market, begun.body["id"])
    assert (pull["state"], pull["error"]["code"]) == ("failed", "download_wrong")
    assert "its hash differs" in pull["error"]["message"]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({}, 400),
        ({"name": ""}, 400),
        ({"name": "tiny", "force": True}, 400),
        ({"name": "/etc/x.gguf"}, 400),
        ({"name": "./x.gguf"}, 400),
        ({"name": "none"}, 404),
        ({"name": "hf:a/b"}, 404),
        ({"name": "hf:a"}, 400),
        ({"name": "huge"}, 400),
        ({"name": "pixtral-large"}, 400),
        ({"name": "https://huggingface.co:99999/x.gguf"}, 400),
        ({"name": "http://[x/a.gguf"}, 400),
        ({"name": "https:///x.gguf"}, 400),
        ({"name": "https://a..b/x.gguf"}, 400),
        ({"name": f"https://{'a' * 70}.example/x.gguf"}, 400),
    ],
)
async def test_what_cannot_be_pulled(market: Server, body: dict[str, Any], status: int) -> None:
    reply = await market.post("/api/models/pulls", body)
    assert (reply.status, bool(reply.error["message"])) == (status, True)


async def test_an_address_of_the_own_network_is_not_called(shop: Shop, settings: Settings) -> None:
    url = f"{shop.store.url}/blobs/tiny-Q8_0.gguf"
    async with serving(settings) as server:
        for address in (url, url.replace("127.0.0.1", "localhost"), "http://10.0.0.5/x.gguf", "http://[::1]/x.gguf"):
            refused = await server.post("/api/models/pulls", {"name": address})
            assert (refused.status, refused.error["code"]) == (403, "refused"), address
            assert "`private_addresses`" in refused.error["message"]
    assert shop.store.calls == []
    place = shop.store.url.removeprefix("http://")
    async with serving(replace(settings, private_addresses=(place,))) as server:
        begun = await server.post("/api/models/pulls", {"name": url})
        assert begun.status == 202, begun.raw
        assert (await ended(server, begun.body["id"]))["state"] == "finished"


@pytest.mark.parametrize("name", ["hf:../..", "hf:a/..", "hf:./b", "hf:../a:Q4_0"])
async def test_a_repository_is_no_path(shop: Shop, market: Server, name: str) -> None:
    refused = await market.post("/api/models/pulls", {"name": name})
    assert (refused.status, "is not a repository" in refused.error["message"]) == (400, True)
    assert shop.standin.calls == []


async def test_what_the_hub_keeps_for_some_is_forbidden(shop: Shop, market: Server) -> None:
    shop.gated = True
    reply = await market.post("/api/models/pulls", {"name": f"hf:{REPO}"})
    assert (reply.status, reply.error["code"]) == (403, "forbidden")
    shop.gated = False
    shop.files = {}
    assert (await market.post("/api/models/pulls", {"name": f"hf:{REPO}"})).status == 400


async def test_to_remove_a_model_stops_its_pull(shop: Shop, market: Server) -> None:
    shop.store.routes["/blobs/tiny-Q4_K_M.gguf"] = stuck
    begun = (await market.post("/api/models/pulls", {"name": "tiny", "accept_licence": True})).body  # the former name
    path = f"/api/models/pulls/{begun['id']}"
    async with asyncio.timeout(20):
        while (await market.get(path)).body["done"] < 1000:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    reply = await market.call("DELETE", "/api/models/tiny")
    assert (reply.status, reply.body) == (200, {"freed": 1000})
    assert (await market.get(path)).body["state"] == "cancelled"
    assert list((market.app.settings.data_dir / "models").iterdir()) == []


async def test_only_on_a_loopback_address_is_an_address_taken(shop: Shop, settings: Settings) -> None:
    address = {"name": f"{shop.store.url}/blobs/tiny-Q8_0.gguf"}
    shop.files["tiny-Q8_0.gguf"] = MODEL
    own = (shop.store.url.removeprefix("http://"),)
    async with serving(replace(settings, hub=shop.url, private_addresses=own)) as server:
        assert (await server.post("/api/models/pulls", address)).status == 202
    asked = len(shop.store.calls)
    key = {"Authorization": f"Bearer {'k' * 24}"}
    async with serving(replace(settings, hub=shop.url, host="0.0.0.0", api_key="k" * 24)) as server:
        reply = await server.post("/api/models/pulls", address, headers=key)
        assert (reply.status, "only `eclair pull` in a terminal" in reply.error["message"]) == (400, True)
        assert (await server.post("/api/models/pulls", {"name": f"hf:{REPO}:Q4_K_M"}, headers=key)).status == 202
    assert all(call.path != "/blobs/tiny-Q8_0.gguf" for call in shop.store.calls[asked:])


async def test_a_server_that_ends_stops_its_pulls(shop: Shop, settings: Settings) -> None:
    shop.store.routes["/blobs/tiny-Q4_K_M.gguf"] = stuck
    async with serving(replace(settings, hub=shop.url)) as server:
        assert (await server.post("/api/models/pulls", {"name": f"hf:{REPO}:Q4_K_M"})).status == 202


async def test_ollama_pulls_and_deletes(market: Server) -> None:
    async with client_of(market) as client:
        with pytest.raises(ollama.ResponseError, match=r"Research only\..*eclair pull tiny") as caught:
            await client.pull("tiny")
        assert caught.value.status_code == 409, "a license is agreed to elsewhere"
        name = f"hf.co/{REPO}:Q8_0"
        steps = [step async for step in await client.pull(name, stream=True)]
        assert [steps[0].status, steps[-1].status] == ["pulling manifest", "success"]
        (pull,) = (await market.get("/api/models/pulls")).body["pulls"]
        assert (pull["state"], pull["asked"]) == ("finished", f"hf:{REPO}:Q8_0")
        assert (await client.pull(name)).status == "success", "it is whole already"
        for missing in ("llama3.2", f"hf.co/{REPO}:Q9"):
            with pytest.raises(ollama.ResponseError) as caught:
                await client.pull(missing)
            assert caught.value.status_code in (400, 404)
        assert (await client.delete(pull["model"])).status == "success"
        with pytest.raises(ollama.ResponseError, match=r"has no model") as caught:
            await client.delete(pull["model"])
        assert caught.value.status_code == 404
    acts = (await market.get("/api/audit?limit=200")).body["acts"]
    assert ("model.pulled", f"hf:{REPO}:Q8_0") in [(act["action"], act["object"]) for act in acts]
    assert ("model.removed", pull["model"]) in [(act["action"], act["object"]) for act in acts]


async def test_ollama_sees_progress_and_faults_of_a_pull(shop: Shop, market: Server) -> None:
    shop.store.routes["/blobs/tiny-Q8_0.gguf"] = stuck
    body = {"model": f"hf.co/{REPO}:Q8_0"}
    async with market.http.post(f"{market.address}/api/pull", json=body) as reply:
        assert reply.headers["Content-Type"] == "application/x-ndjson"
        async with asyncio.timeout(20):
            while "completed" not in (step := orjson.loads(await reply.content.readline())):
                assert "error" not in step
        assert step["status"] == f"pulling {step['digest'][7:19]}"
        assert (step["digest"], step["total"]) == (f"sha256:{sha(MODEL * 2)}", len(MODEL * 2))
        (pull,) = (await market.get("/api/models/pulls")).body["pulls"]
        await market.call("DELETE", f"/api/models/pulls/{pull['id']}")
        last = orjson.loads((await reply.content.read()).splitlines()[-1])
        assert last == {"error": "The download was cancelled; ask for it again."}
