"""Embeddings in OpenAI's dialect, asked for by its own client."""

from __future__ import annotations

import asyncio
import base64
import json
import math
import struct
from collections.abc import AsyncGenerator
from dataclasses import replace
from typing import Any

import openai
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mistralai.client import Mistral
from openai.types import CreateEmbeddingResponse

from eclair.documents.embeddings import E5Embedder
from eclair.settings import EngineSettings, Settings
from tests.llm.standin import Call, standing_in
from tests.server.test_v1 import client_of, exact
from tests.support import Server, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def client(server: Server) -> AsyncGenerator[openai.AsyncOpenAI]:
    async with client_of(server) as client:
        yield client


def alike(one: list[float], other: list[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


async def test_texts_to_vectors(server: Server, client: openai.AsyncOpenAI) -> None:
    reply = await client.embeddings.create(model="scripted", input=["a river and a bridge", "A bridge", "bread"])
    river, bridge, bread = [row.embedding for row in reply.data]
    assert [row.index for row in reply.data] == [0, 1, 2]
    assert (reply.model, reply.usage.prompt_tokens, reply.usage.total_tokens) == ("scripted", 8, 8)
    assert math.hypot(*river) == pytest.approx(1, abs=1e-6)
    assert alike(river, bridge) > 0.5 > alike(river, bread)
    raw = (await server.post("/v1/embeddings", {"model": "scripted", "input": "bread"})).body
    assert raw.pop("id").startswith("embd_"), "Mistral's clients need one"
    exact(CreateEmbeddingResponse, raw)
    assert raw["data"][0]["embedding"] == pytest.approx(bread, abs=1e-6)


async def test_base64_is_the_same_in_four_bytes(server: Server, client: openai.AsyncOpenAI) -> None:
    body = {"model": "scripted", "input": "bread", "dimensions": 8, "user": "ada"}
    floats = (await server.post("/v1/embeddings", {**body, "encoding_format": "float"})).body["data"][0]["embedding"]
    packed = (await server.post("/v1/embeddings", {**body, "encoding_format": "base64"})).body["data"][0]["embedding"]
    assert list(struct.unpack("<8f", base64.b64decode(packed))) == pytest.approx(floats, abs=1e-6)
    for encoding in ("float", "base64"):
        reply = await client.embeddings.create(model="scripted", input="bread", dimensions=8, encoding_format=encoding)
        assert len(reply.data) == 1


@pytest.mark.parametrize(
    ("field", "value", "param", "message"),
    [
        ("input", [1, 2], "input", "token ids"),
        ("input", [[1, 2]], "input", "check_embedding_ctx_length=False"),
        ("input", "", "input.0", "at least 1"),
        ("input", [], "input", "at least 1"),
        ("input", ["x"] * 2049, "input", "at most 2048"),
        ("input", 5, "input", "list"),
        ("encoding_format", "hex", "encoding_format", "base64"),
        ("dimensions", 0, "dimensions", "greater"),
        ("truncate", True, "truncate", "does not know"),
        ("input_type", "image", "input_type", "search_query"),
        ("output_dtype", "int8", "output_dtype", "float"),
    ],
)
async def test_what_is_wrong_is_named(
    client: openai.AsyncOpenAI, field: str, value: Any, param: str, message: str
) -> None:
    body = {"input": "x", field: value}
    with pytest.raises(openai.BadRequestError, match=message) as caught:
        await client.embeddings.create(model="scripted", input="x", extra_body=body)
    assert (caught.value.param, caught.value.type) == (param, "invalid_request_error")


async def test_an_unknown_model_names_those_that_there_are(client: openai.AsyncOpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match="Available: scripted") as caught:
        await client.embeddings.create(model="gpt-9", input="x")
    assert caught.value.code == "model_not_found"


async def test_a_server_is_asked_in_handfuls_and_left_when_the_client_leaves(settings: Settings) -> None:
    gone = asyncio.Event()

    async def vectors(call: Call) -> None:
        texts = call.json["input"]
        if texts == ["slow"]:
            assert await call.gone()
            gone.set()
            return
        rows = [{"index": index, "embedding": [1, float(len(text))]} for index, text in enumerate(texts)]
        body = {"data": rows[::-1], "usage": {"prompt_tokens": len(texts), "total_tokens": len(texts)}}
        await call.reply(200, json.dumps(body).encode())

    async with standing_in() as standin:
        standin.routes = {"/v1/embeddings": vectors}
        engine = EngineSettings(url=f"{standin.url}/v1", models=("words",))
        async with serving(replace(settings, engines={"rack": engine})) as server, client_of(server) as client:
            reply = await client.embeddings.create(model="words", input=["x" * (at + 1) for at in range(70)])
            assert [row.embedding for row in reply.data] == [[1.0, at + 1.0] for at in range(70)]
            assert reply.usage.total_tokens == 70
            asked = [call.json for call in standin.calls if call.path == "/v1/embeddings"]
            assert [len(body["input"]) for body in asked] == [32, 32, 6]
            assert set(asked[0]) == {"model", "input"}
            with pytest.raises(openai.BadRequestError, match="have 2 numbers; ask for at most so many") as caught:
                await client.embeddings.create(model="words", input="x", dimensions=3)
            assert caught.value.param == "dimensions"
            assert standin.calls[-1].json["dimensions"] == 3
            reply = await client.embeddings.create(model="words", input="xx", dimensions=1)
            assert reply.data[0].embedding == [1.0], "a longer vector than asked for is cut"
            leaving = asyncio.create_task(server.post("/v1/embeddings", {"model": "words", "input": "slow"}))
            while standin.calls[-1].json.get("input") != ["slow"]:  # noqa: ASYNC110
                await asyncio.sleep(0.01)
            leaving.cancel()
            async with asyncio.timeout(5):
                await gone.wait()


# The embedder of documents

E5 = "multilingual-e5-small"


async def test_the_embedder_of_documents_is_a_model_and_none_to_chat_with(
    server: Server, client: openai.AsyncOpenAI
) -> None:
    assert E5 in [model.id async for model in client.models.list()]
    model = (await server.get(f"/v1/models/{E5}")).body
    assert model["capabilities"]["embeddings"]
    assert not model["capabilities"]["completion_chat"]
    assert (model["max_context_length"], model["pricing"]["prompt"]) == (512, "0")
    assert (await client.models.retrieve(E5)).owned_by == "Microsoft"
    assert E5 not in [model["id"] for model in (await server.get("/api/models")).body["models"]]


async def test_texts_of_one_meaning_are_near(client: openai.AsyncOpenAI) -> None:
    texts = ["The baker sells bread.", "Der Bäcker verkauft Brot.", "The rocket is in orbit."]
    reply = await client.embeddings.create(model=E5, input=texts)
    bread, brot, rocket = [row.embedding for row in reply.data]
    assert alike(bread, brot) > alike(bread, rocket) + 0.05
    assert (len(bread), math.hypot(*bread)) == (384, pytest.approx(1, abs=1e-5))
    single = await client.embeddings.create(model=E5, input=texts[0], encoding_format="float")
    assert single.data[0].embedding == pytest.approx(bread, abs=1e-6)
    assert 6 < single.usage.prompt_tokens < reply.usage.prompt_tokens
    short = (await client.embeddings.create(model=E5, input=texts[0], dimensions=64)).data[0].embedding
    length = math.hypot(*bread[:64])
    assert short == pytest.approx([number / length for number in bread[:64]], abs=1e-5)
    with pytest.raises(openai.BadRequestError, match="384 numbers") as caught:
        await client.embeddings.create(model=E5, input="x", dimensions=385)
    assert caught.value.param == "dimensions"


async def test_queries_and_passages_get_the_prefix_that_the_model_learned(client: openai.AsyncOpenAI) -> None:
    async def vector(text: str, **more: Any) -> list[float]:
        return (await client.embeddings.create(model=E5, input=text, extra_body=more)).data[0].embedding

    query, passage = await vector("bread"), await vector("bread", input_type="search_document")
    assert query == pytest.approx(await vector("query: bread"), abs=1e-6)
    assert query == pytest.approx(await vector("bread", input_type="query"), abs=1e-6)
    assert passage == pytest.approx(await vector("passage: bread"), abs=1e-6)
    assert alike(query, passage) < 0.999


async def test_mistrals_client_embeds(server: Server) -> None:
    async with Mistral(api_key="none", server_url=server.address) as client:
        reply = await client.embeddings.create_async(model=E5, inputs=["bread", "Brot"], output_dimension=32)
        assert [len(row.embedding or ()) for row in reply.data] == [32, 32]
        assert reply.id
        listed = {model.id: model.capabilities for model in (await client.models.list_async()).data or []}  # pyright: ignore
        assert not listed[E5].completion_chat
        assert listed["scripted"].completion_chat


async def test_a_long_text_is_embedded_in_parts_and_a_huge_one_refused(client: openai.AsyncOpenAI) -> None:
    reply = await client.embeddings.create(model=E5, input="Bread and butter. " * 400)
    assert reply.usage.prompt_tokens > 1500
    with pytest.raises(
        openai.BadRequestError, match=r"Text 2 has 70,000 characters; .* takes 65,536\. Split it"
    ) as caught:
        await client.embeddings.create(model=E5, input=["x", "x" * 70_000])
    assert caught.value.param == "input"


async def test_many_texts_and_the_indexing_of_documents_share_the_embedder(
    server: Server, client: openai.AsyncOpenAI
) -> None:
    embedder = server.app.embeddings._e5  # pyright: ignore[reportPrivateUsage]
    assert isinstance(embedder, E5Embedder)
    begun = 0
    many = asyncio.Event()

    async def count() -> None:
        nonlocal begun
        begun += 1
        if begun > 4:
            many.set()

    text = "The committee may extend the period where the work cannot be done in time. " * 4
    indexing = asyncio.create_task(embedder.embed([text] * 400, "passage", soon=False, turn=count))
    await many.wait()
    before = begun
    reply = await client.embeddings.create(model=E5, input=[text] * 40)
    assert len(reply.data) == 40
    assert begun > before + 5, "documents go on meanwhile"
    assert not indexing.done()
    indexing.cancel()
    await asyncio.wait([indexing])


scalars: Any = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
values: Any = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    body=st.dictionaries(st.sampled_from(["input", "encoding_format", "dimensions", "user"]), values, max_size=4),
    text=st.text(max_size=20),
)
async def test_nothing_that_is_sent_is_our_mistake(server: Server, body: Any, text: str) -> None:
    whole = {"model": "scripted", "input": text, **body}
    reply = await server.call("POST", "/v1/embeddings", data=json.dumps(whole).encode())
    assert reply.status in (200, 400), reply
