"""Plain completions, as OpenAI's and Mistral's clients and LangChain ask for them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from typing import Any

import openai
import orjson
import pytest
import pytest_asyncio
from mistralai.client import Mistral
from openai.types import Completion

from eclair.llm.base import Request, Text
from eclair.llm.scripted import prose
from tests.server.test_v1 import chunks, client_of, exact
from tests.support import JSON, Server

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(loop_scope="module")
async def client(server: Server) -> AsyncGenerator[openai.AsyncOpenAI]:
    async with client_of(server) as client:
        yield client


@pytest.fixture
def asked(server: Server, monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """The requests that reach the engine, each of whose words then has a logprob, lower for later requests."""
    asked: list[Request] = []
    stream = server.engine.stream

    async def scored(request: Request) -> Any:
        asked.append(request)
        logprob = -0.5 * len(asked)
        async for delta in stream(request):
            if isinstance(delta, Text) and request.extra.get("logprobs"):
                others = [{"token": token, "logprob": logprob - at} for at, token in enumerate((delta.text, "x", "y"))]
                yield Text(delta.text, ({"token": delta.text, "logprob": logprob, "top_logprobs": others},))
            else:
                yield delta

    monkeypatch.setattr(server.engine, "stream", scored)
    return asked


async def complete(server: Server, **body: Any) -> JSON:
    reply = await server.post("/v1/completions", {"model": "scripted", **body})
    assert reply.status == 200, reply
    exact(Completion, reply.body)
    return reply.body


async def test_completions(server: Server, client: openai.AsyncOpenAI) -> None:
    reply = await client.completions.create(model="scripted", prompt="script: words=5", max_tokens=50)
    assert reply.choices[0].text == "".join(prose(5))
    assert reply.usage is not None
    assert reply.usage.completion_tokens == 5
    raw = (await server.post("/v1/completions", {"model": "scripted", "prompt": ["script: words=40"]})).body
    typed = exact(Completion, raw)
    assert typed.id.startswith("cmpl-")
    assert typed.choices[0].finish_reason == "stop"
    stream = await client.completions.create(model="scripted", prompt="script: words=5", stream=True, echo=False)
    assert "".join([chunk.choices[0].text async for chunk in stream]) == "".join(prose(5))
    for chunk in await chunks(server, "/v1/completions", prompt="script: words=5", n=2):
        (choice,) = chunk["choices"]
        choice["finish_reason"] = choice["finish_reason"] or "stop"  # null until the end, whatever the type says
        exact(Completion, chunk)


async def test_langchains_fields(server: Server) -> None:
    """The body that `langchain_openai.OpenAI` sends."""
    body = {
        "prompt": ["script: words=5"],
        "frequency_penalty": 0,
        "logit_bias": None,
        "logprobs": None,
        "max_tokens": 256,
        "n": 1,
        "presence_penalty": 0,
        "seed": None,
        "temperature": 0.7,
        "top_p": 1,
    }
    assert (await complete(server, **body))["choices"][0]["text"] == "".join(prose(5))


async def test_lists_of_prompts(server: Server, client: openai.AsyncOpenAI) -> None:
    prompts = ["script: say=one", "script: say=two three"]
    reply = await client.completions.create(model="scripted", prompt=prompts, n=2)
    assert [(choice.index, choice.text) for choice in reply.choices] == [
        (0, "one"),
        (1, "one"),
        (2, "two three"),
        (3, "two three"),
    ]
    assert reply.usage is not None
    assert (reply.usage.prompt_tokens, reply.usage.completion_tokens, reply.usage.total_tokens) == (5, 4, 9)
    texts = dict.fromkeys(range(4), "")
    ends: list[int] = []
    for chunk in await chunks(server, "/v1/completions", prompt=prompts, n=2):
        (choice,) = chunk["choices"]
        texts[choice["index"]] += choice["text"]
        ends += [choice["index"]] if choice["finish_reason"] == "stop" else []
    assert [*texts.values()] == ["one", "one", "two three", "two three"]
    assert ends == [0, 1, 2, 3]


async def test_token_ids(server: Server, client: openai.AsyncOpenAI) -> None:
    one, two = ([*map(ord, text)] for text in ("script: say=one", "script: say=two"))
    assert [choice["text"] for choice in (await complete(server, prompt=one))["choices"]] == ["one"]
    reply = await client.completions.create(model="scripted", prompt=[one, two], echo=True)
    assert [choice.text for choice in reply.choices] == ["script: say=oneone", "script: say=twotwo"]


async def test_logprobs(server: Server, asked: list[Request]) -> None:
    (choice,) = (await complete(server, prompt="script: words=3", logprobs=2))["choices"]
    tokens = choice["logprobs"]["tokens"]
    assert "".join(tokens) == choice["text"] == "".join(prose(3))
    assert choice["logprobs"]["token_logprobs"] == [-0.5] * len(tokens)
    assert choice["logprobs"]["top_logprobs"][0] == {tokens[0]: -0.5, "x": -1.5}
    offsets = [len("".join(tokens[:at])) for at in range(len(tokens))]
    assert choice["logprobs"]["text_offset"] == offsets
    assert asked[-1].extra["logprobs"] == 2
    (choice,) = (await complete(server, prompt="script: words=3", logprobs=0))["choices"]
    assert choice["logprobs"]["top_logprobs"] is None
    assert asked[-1].extra["logprobs"] == 1
    (choice,) = (await complete(server, prompt="script: words=3"))["choices"]
    assert choice["logprobs"] is None
    raw = await chunks(server, "/v1/completions", prompt="script: words=30 rate=2000", logprobs=1)
    scored = [chunk["choices"][0] for chunk in raw if chunk["choices"][0]["logprobs"]]
    assert len(scored) > 1
    at = 0
    for choice in scored:
        assert choice["logprobs"]["text_offset"][0] == at
        at += len(choice["text"])


async def test_echo(server: Server) -> None:
    prompt = "script: words=5"
    (choice,) = (await complete(server, prompt=prompt, echo=True))["choices"]
    assert choice["text"] == prompt + "".join(prose(5))
    raw = await chunks(server, "/v1/completions", prompt=prompt, echo=True)
    assert raw[0]["choices"][0]["text"] == prompt
    assert "".join(chunk["choices"][0]["text"] for chunk in raw) == choice["text"]


async def test_the_best_of_several(server: Server, asked: list[Request]) -> None:
    reply = await complete(server, prompt="script: words=3", n=2, best_of=4, seed=7, logprobs=1)
    assert len(asked) == 4
    assert sorted(request.sampling.seed or 0 for request in asked) == [7, 8, 9, 10]
    assert [choice["logprobs"]["token_logprobs"][0] for choice in reply["choices"]] == [-0.5, -1.0]
    assert [choice["index"] for choice in reply["choices"]] == [0, 1]
    assert reply["usage"]["completion_tokens"] == 12
    reply = await complete(server, prompt="script: words=3", best_of=2)
    assert [choice["logprobs"] for choice in reply["choices"]] == [None]


async def test_what_comes_before_a_suffix(server: Server, client: openai.AsyncOpenAI, asked: list[Request]) -> None:
    await client.completions.create(model="scripted", prompt="script: words=3", suffix="\nend")
    assert (asked[-1].prompt, asked[-1].suffix) == ("script: words=3", "\nend")
    await complete(server, prompt="script: words=3", suffix="")
    assert asked[-1].suffix is None


async def test_mistrals_client_fills_in(server: Server, asked: list[Request]) -> None:
    async with Mistral(api_key="none", server_url=server.address) as client:
        reply = await client.fim.complete_async(
            model="scripted", prompt="script: words=5", suffix="end", max_tokens=50, random_seed=3, temperature=0
        )
        assert reply.choices[0].message is not None
        assert reply.choices[0].message.content == "".join(prose(5))
        assert (asked[-1].suffix, asked[-1].sampling.seed, asked[-1].sampling.max_tokens) == ("end", 3, 50)
        text = ""
        async with await client.fim.stream_async(model="scripted", prompt="script: words=5", suffix="end") as stream:
            async for event in stream:
                text += "".join(str(choice.delta.content or "") for choice in event.data.choices)
        assert text == "".join(prose(5))


WRONG: list[tuple[JSON, str]] = [
    ({"prompt": []}, "prompt"),
    ({"prompt": 7}, "prompt"),
    ({"prompt": [[]]}, "prompt.0"),
    ({"prompt": ["x", 7]}, "prompt"),
    ({"prompt": ["x"] * 129}, "prompt"),
    ({"prompt": ["x"] * 100, "n": 2}, "prompt"),
    ({"prompt": [1 << 40]}, "prompt"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"n": 3, "best_of": 2}, "best_of"),
    ({"best_of": 2, "stream": True}, "best_of"),
    ({"echo": True, "logprobs": 1}, "echo"),
    ({"logprobs": 21}, "logprobs"),
]


@pytest.mark.parametrize(("fields", "param"), WRONG)
async def test_a_completion_that_cannot_be_is_refused(server: Server, fields: JSON, param: str) -> None:
    reply = await server.post("/v1/completions", {"model": "scripted", "prompt": "x", **fields})
    assert reply.status == 400, orjson.dumps(reply.body)
    assert reply.error["param"].startswith(param)
