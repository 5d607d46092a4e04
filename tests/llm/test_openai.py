from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.errors import EclairError, EngineBroken, EngineBusy, EngineRefused, EngineUnavailable
from eclair.llm.base import (
    JSON,
    Delta,
    Finish,
    PromptMessage,
    PromptProgress,
    Reasoning,
    Request,
    Text,
    TokenUsage,
    ToolCall,
)
from eclair.llm.openai.dialects import DIALECTS, PLAIN_DIALECT, Dialect, build_body, dialect_of_list
from eclair.llm.openai.openai_engine import OpenAIEngine
from eclair.llm.remote import silence
from eclair.llm.remote.answer_parser import MAX_LINE_BYTES, SseFrames
from eclair.llm.remote.server_engine import UNPACED_STREAMS, ServerEngine
from eclair.llm.servers.endpoint_pool import EndpointPool
from eclair.llm.servers.server_api import configured_engine
from eclair.schema.messages import Sampling
from eclair.settings import EngineSettings
from tests.llm.standin import Answer, Call, StandIn, cut, standing_in

ASK = Request("m", (PromptMessage("system", "Be brief."), PromptMessage("user", "Hello?")))
LLAMACPP, VLLM, RAY, SGLANG, MISTRAL, DEEPSEEK, OPENAI = DIALECTS
DONE = b"data: [DONE]\n\n"


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> bytes:
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    return b"data: " + orjson.dumps({"choices": choices, **more}) + b"\n\n"


def usage(prompt: int, completion: int, **more: Any) -> dict[str, Any]:
    return {"prompt_tokens": prompt, "completion_tokens": completion, **more}


@pytest.fixture
async def standin() -> AsyncGenerator[StandIn]:
    async with standing_in() as standin:
        yield standin


@pytest.fixture
async def naps() -> list[float]:
    return []


@pytest.fixture
async def engine(standin: StandIn, naps: list[float]) -> AsyncGenerator[OpenAIEngine]:
    async def nap(seconds: float) -> None:
        naps.append(seconds)

    engine = OpenAIEngine("rack", f"{standin.url}/v1", "k", dialect=VLLM, idle=2.0, sleep=nap)
    yield engine
    await engine.close()


async def ask(engine: ServerEngine | EndpointPool, request: Request = ASK) -> list[Delta]:
    return [piece async for piece in engine.stream(request)]


def said(pieces: list[Delta]) -> str:
    return "".join(piece.text for piece in pieces if isinstance(piece, Text))


def streaming(*chunks: bytes, end: bool = True) -> Answer:
    return lambda call: call.stream(*chunks, end=end)


def refusing(status: int, message: str = "", **headers: str) -> Answer:
    return lambda call: call.reply(status, orjson.dumps({"error": {"message": message}}), **headers)


def test_what_repeats_is_penalised_where_the_server_can_and_the_answer_has_no_form() -> None:
    wanted = Request("m", (PromptMessage("user", "Hello?"),), sampling=Sampling(repeat_penalty=1.1))
    assert {
        dialect.name: build_body(wanted, dialect).get("repeat_penalty") for dialect in (*DIALECTS, PLAIN_DIALECT)
    } == {
        **dict.fromkeys(dialect.name for dialect in (*DIALECTS, PLAIN_DIALECT)),
        "llamacpp": 1.1,
    }
    formed = replace(wanted, response_format={"type": "json_object"})
    assert "repeat_penalty" not in build_body(formed, DIALECTS[0])


async def test_an_answer_with_usage_of_its_own_chunk(engine: OpenAIEngine, standin: StandIn) -> None:
    details = usage(7, 2, prompt_tokens_details={"cached_tokens": 5})
    standin.answers = [
        streaming(
            chunk({"role": "assistant", "content": None}),
            chunk({"content": "Hé"}),
            chunk({"content": "llo"}),
            chunk({}, "stop"),
            chunk(usage=details),
            DONE,
        )
    ]
    pieces = await ask(engine)
    assert said(pieces) == "Héllo"
    assert pieces[-2:] == [TokenUsage(7, 2, 5), Finish("stop")]
    sent = standin.calls[0]
    assert sent.headers["authorization"] == "Bearer k"
    assert sent.path == "/v1/chat/completions"
    assert sent.json["stream_options"] == {"include_usage": True}


async def test_what_comes_in_one_read_is_one_piece(engine: OpenAIEngine, standin: StandIn) -> None:
    many = b"".join(chunk({"content": f"{number} "}) for number in range(500))
    standin.answers = [streaming(many + chunk({}, "stop") + DONE)]
    pieces = await ask(engine)
    assert said(pieces).split() == [str(number) for number in range(500)]
    assert len(pieces) < 20


async def test_the_connection_serves_again(engine: OpenAIEngine, standin: StandIn) -> None:
    standin.answers = [streaming(chunk({"content": "a"}, "stop"), DONE)] * 3
    for _ in range(3):
        await ask(engine)
    assert len({call.writer for call in standin.calls}) == 1
    llama = OpenAIEngine("llama", f"{standin.url}/v1", dialect=LLAMACPP)
    standin.answers = [streaming(chunk({"content": "a"}, "stop"), DONE)]
    await ask(llama)
    assert standin.calls[-1].headers["connection"] == "close"
    await llama.close()


async def test_a_kept_connection_that_was_closed_is_no_failure(engine: OpenAIEngine, standin: StandIn) -> None:
    async def once(call: Call) -> None:
        await (cut(call) if len(standin.calls) == 2 else call.reply(200, b'{"count": 2}'))

    standin.routes["/tokenize"] = once
    assert [await engine.count("m", text) for text in ("one of many", "two of many")] == [2, 2]
    assert len(standin.calls) == 3


async def test_comments_carriage_returns_and_no_space(engine: OpenAIEngine, standin: StandIn) -> None:
    body = chunk({"content": "ok"}, "length").replace(b"data: ", b"data:").replace(b"\n", b"\r\n")
    standin.answers = [streaming(b": keep-alive\r\n\r\n", b"id: 3\r\n" + body, b": ping\n\n", b"data:[DONE]\r\n\r\n")]
    assert await ask(engine) == [Text("ok"), Finish("length")]


async def test_no_usage_and_no_done(engine: OpenAIEngine, standin: StandIn) -> None:
    standin.answers = [streaming(chunk({"content": "ok"}), chunk({}, "eos"))]
    assert (await ask(engine))[-1] == Finish("stop")


async def test_llama_cpp_says_how_far_it_has_read(engine: OpenAIEngine, standin: StandIn) -> None:
    progress = [{"total": 500, "cache": 100, "processed": done, "time_ms": 1} for done in (100, 356, 500)]
    timings = {"cache_n": 100, "prompt_n": 400, "prompt_ms": 2000.0, "predicted_n": 3}
    standin.answers = [
        streaming(
            *(chunk({}, prompt_progress=each) for each in progress),
            chunk({"content": "ok"}),
            chunk({}, "stop", timings=timings),
            DONE,
        )
    ]
    pieces = [piece async for piece in engine.stream(ASK)]
    assert pieces[:3] == [PromptProgress(0, 400), PromptProgress(256, 400), PromptProgress(400, 400)]
    assert next(piece.reading_seconds for piece in pieces if isinstance(piece, TokenUsage)) == 2.0


async def test_llama_cpp_timings_count_too(engine: OpenAIEngine, standin: StandIn) -> None:
    timings = {"cache_n": 40, "prompt_n": 12, "predicted_n": 3}
    standin.answers = [streaming(chunk({"content": "ok"}), chunk({}, "stop", timings=timings), DONE)]
    assert TokenUsage(52, 3, 40) in await ask(engine)


async def test_reasoning_tools_and_logprobs(engine: OpenAIEngine, standin: StandIn) -> None:
    first = {"index": 0, "id": "c1", "function": {"name": "find", "arguments": ""}}
    more = {"index": 0, "function": {"arguments": '{"q":1}'}}
    probable = b"data: " + orjson.dumps(
        {"choices": [{"delta": {"content": "yes"}, "logprobs": {"content": [{"token": "yes", "logprob": -0.1}]}}]}
    )
    standin.answers = [
        streaming(
            chunk({"reasoning_content": "hm"}),
            chunk({"reasoning": "m"}),
            probable + b"\n\n",
            chunk({"tool_calls": [first]}),
            chunk({"tool_calls": [more]}, "tool_calls"),
            DONE,
        )
    ]
    pieces = await ask(engine)
    assert "".join(piece.text for piece in pieces if isinstance(piece, Reasoning)) == "hmm"
    assert Text("yes", ({"token": "yes", "logprob": -0.1},)) in pieces
    assert [piece for piece in pieces if isinstance(piece, ToolCall)] == [
        ToolCall(0, "c1", "find", ""),
        ToolCall(0, None, None, '{"q":1}'),
    ]
    assert pieces[-1] == Finish("tool_calls")


async def test_thinking_parts_as_mistral_has_them(engine: OpenAIEngine, standin: StandIn) -> None:
    parts = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}, {"type": "text", "text": "yes"}]
    standin.answers = [streaming(chunk({"content": parts}, "stop"), DONE)]
    assert await ask(engine) == [Reasoning("hm"), Text("yes"), Finish("stop")]


async def test_half_a_character_spoils_only_itself(engine: OpenAIEngine, standin: StandIn) -> None:
    broken = chunk({"content": "a?b"}, "stop").replace(b"?", "é".encode()[:1])
    standin.answers = [streaming(broken, DONE)]
    assert said(await ask(engine)) == "a\ufffdb"


@pytest.mark.parametrize(
    ("chunks", "fault"),
    [
        ([chunk({"content": "a"})], EngineBroken),
        ([chunk({"content": "a"}), DONE], EngineBroken),
        ([b"data: {half\n\n"], EngineBroken),
        ([b"data: [1]\n\n"], EngineBroken),
        ([b'event: error\ndata: {"message": "oh"}\n\n'], EngineBroken),
        ([chunk(error={"message": "too long", "code": 400})], EngineRefused),
        ([chunk(error={"message": "wait", "code": 429})], EngineBusy),
        ([b'error: {"message": "loading", "code": 503}\n\n'], EngineUnavailable),
        ([chunk({"content": "a"}, "error")], EngineBroken),
    ],
)
async def test_a_stream_that_goes_wrong(
    engine: OpenAIEngine, standin: StandIn, chunks: list[bytes], fault: type[EclairError]
) -> None:
    standin.answers = [streaming(*chunks)]
    with pytest.raises(fault):
        await ask(engine)
    assert len(standin.calls) == 1


async def test_a_cut_stream_keeps_what_came_and_is_not_asked_again(engine: OpenAIEngine, standin: StandIn) -> None:
    async def broken(call: Call) -> None:
        await call.stream(chunk({"content": "half"}), end=False)
        await cut(call)

    standin.answers = [broken]
    pieces: list[Delta] = []

    async def read() -> None:
        async for piece in engine.stream(ASK):
            pieces.append(piece)

    with pytest.raises(EngineBroken, match=r"broke off its answer: the connection ended too early; try again\.$"):
        await read()
    assert said(pieces) == "half"
    assert len(standin.calls) == 1


async def test_silence_ends(engine: OpenAIEngine, standin: StandIn) -> None:
    quick = OpenAIEngine("rack", f"{standin.url}/v1", dialect=PLAIN_DIALECT, idle=0.1)
    standin.answers = [streaming(chunk({"content": "a"}), end=False), streaming(end=False)]
    for _ in range(2):
        with pytest.raises(EngineUnavailable, match="stopped responding"):
            await ask(quick)
    await quick.close()


async def test_silence_before_the_first_word_ends_sooner(standin: StandIn) -> None:
    async def say_nothing(call: Call) -> None:
        await call.gone()

    engine = OpenAIEngine("rack", f"{standin.url}/v1", dialect=PLAIN_DIALECT, first_word_s=0.2)
    slow = streaming(chunk({"content": "a"}), end=False)
    standin.answers = [say_nothing, streaming(end=False), streaming(b": wait\n\n", end=False)]
    for _ in range(3):
        with pytest.raises(EngineUnavailable, match=r"said nothing for 0\.2 seconds \(first_word_seconds\)"):
            await ask(engine)
    standin.answers = [slow]
    pieces: list[Delta] = []

    async def read() -> None:
        async for piece in engine.stream(ASK):
            pieces.append(piece)

    reading = asyncio.create_task(read())
    await asyncio.sleep(0.6)
    assert (said(pieces), reading.done()) == ("a", False)  # the limit between two words is another
    reading.cancel()
    await asyncio.wait([reading])
    await engine.close()


@pytest.mark.parametrize("hangs", [None, "/health", "/slots"])
async def test_llama_cpp_may_be_silent_while_it_works(
    standin: StandIn, hangs: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(silence, "HEALTH_TIMEOUT_S", 0.3)
    release = asyncio.Event()

    async def read_long(call: Call) -> None:
        await release.wait()
        await call.stream(chunk({"content": "At last."}), chunk({}, "stop"), DONE)

    async def hang(call: Call) -> None:
        await call.gone()

    async def reply(call: Call) -> None:
        await call.reply(200, b"[]")

    standin.routes = {path: hang if path == hangs else reply for path in ("/health", "/slots")}
    standin.routes["/v1/chat/completions"] = read_long
    engine = OpenAIEngine("rack", f"{standin.url}/v1", dialect=LLAMACPP, idle=0.3, first_word_s=0.1)
    asking = asyncio.create_task(ask(engine))
    await asyncio.sleep(1.0)
    release.set()
    if hangs is None:
        assert said(await asking) == "At last."
    else:
        with pytest.raises(EngineUnavailable, match="said nothing"):
            await asking
    await engine.close()


async def test_llama_cpp_must_go_on_once_it_has_begun(standin: StandIn) -> None:
    standin.routes = {"/v1/chat/completions": streaming(chunk({"content": "a"}), end=False)}
    engine = OpenAIEngine("rack", f"{standin.url}/v1", dialect=LLAMACPP, idle=0.2)
    with pytest.raises(EngineUnavailable, match=r"stopped responding: it said nothing for 0\.2 seconds\."):
        await ask(engine)
    await engine.close()


@pytest.mark.parametrize(
    ("status", "fault", "words"),
    [
        (400, EngineRefused, "exceeds the context"),
        (401, EngineRefused, "engines.rack.key"),
        (404, EngineRefused, "exceeds the context"),
        (429, EngineBusy, "exceeds the context"),
        (500, EngineBroken, "exceeds the context"),
        (502, EngineUnavailable, "exceeds the context"),
        (302, EngineRefused, "exceeds the context"),
    ],
)
async def test_refusals(
    engine: OpenAIEngine, standin: StandIn, status: int, fault: type[EclairError], words: str
) -> None:
    standin.answers = [refusing(status, "the request exceeds the context")]
    with pytest.raises(fault, match=words):
        await ask(engine)


async def test_a_short_retry_after_is_waited_for(engine: OpenAIEngine, standin: StandIn, naps: list[float]) -> None:
    good = streaming(chunk({"content": "ok"}, "stop"), DONE)
    standin.answers = [refusing(429, Retry_After="1"), refusing(503, "loading", Retry_After="0"), good]
    assert said(await ask(engine)) == "ok"
    assert naps == [1.0, 0.6]


async def test_a_long_retry_after_is_passed_on(engine: OpenAIEngine, standin: StandIn, naps: list[float]) -> None:
    standin.answers = [refusing(429, "busy", Retry_After="30")]
    with pytest.raises(EngineBusy) as caught:
        await ask(engine)
    assert caught.value.retry_after == 30
    assert naps == []


async def test_three_attempts_and_no_more(engine: OpenAIEngine, standin: StandIn, naps: list[float]) -> None:
    standin.answers = [cut, cut, cut, cut]
    with pytest.raises(EngineUnavailable):
        await ask(engine)
    assert (len(standin.calls), naps) == (3, [0.0, 0.6])


async def test_nobody_there() -> None:
    async def nap(_: float) -> None:
        return

    engine = OpenAIEngine("rack", "http://127.0.0.1:9/v1", sleep=nap)
    with pytest.raises(EngineUnavailable, match="rack cannot be reached"):
        await ask(engine)
    assert (await engine.health()).state == "down"
    assert await engine.count("m", "four words for nothing") == 8
    await engine.close()


async def test_many_streams_are_read_in_fewer_pieces_without_losing_any(engine: OpenAIEngine, standin: StandIn) -> None:
    said = [f" w{number}" for number in range(60)]

    async def flow(call: Call) -> None:
        await call.stream(*(chunk({"content": word}) for word in said), chunk({}, "stop"), DONE)

    async def texts() -> list[str]:
        return [piece.text for piece in await ask(engine) if isinstance(piece, Text)]

    standin.answers = [flow] * (2 * UNPACED_STREAMS)
    alone = await texts()
    many = await asyncio.gather(*(texts() for _ in range(2 * UNPACED_STREAMS - 1)))
    assert {"".join(pieces) for pieces in [alone, *many]} == {"".join(said)}
    assert max(len(pieces) for pieces in many) < len(alone) / 2


@pytest.mark.parametrize("how", ["close", "cancel"])
async def test_stopping_closes_the_connection_at_once(engine: OpenAIEngine, standin: StandIn, how: str) -> None:
    gone: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    async def endless(call: Call) -> None:
        await call.stream(chunk({"content": "a"}), end=False)
        await call.gone()
        gone.set_result(time.perf_counter())

    standin.answers = [endless]
    first = asyncio.Event()

    async def read() -> None:
        async with aclosing(engine.stream(ASK)) as pieces:
            async for _ in pieces:
                first.set()
                if how == "close":
                    return

    task = asyncio.create_task(read())
    await first.wait()
    began = time.perf_counter()
    if how == "cancel":
        task.cancel()
    await asyncio.wait([task])
    assert await asyncio.wait_for(gone, 1) - began < 0.1


async def test_a_prompt_goes_to_completions(engine: OpenAIEngine, standin: StandIn) -> None:
    row = b'data: {"choices":[{"index":0,"text":"time","finish_reason":"stop"}]}\n\n'
    standin.answers = [streaming(row, DONE)]
    request = Request("m", prompt="Once upon a", sampling=Sampling(0.5, 0.9, 4, 1, ("\n",)), extra={"min_p": 0.1})
    assert said(await ask(engine, request)) == "time"
    call = standin.calls[0]
    assert call.path == "/v1/completions"
    expected = {"prompt": "Once upon a", "temperature": 0.5, "max_tokens": 4, "stop": ["\n"], "min_p": 0.1, "seed": 1}
    assert expected.items() <= call.json.items()


async def test_the_logprobs_of_plain_completions_are_those_of_chats(engine: OpenAIEngine, standin: StandIn) -> None:
    legacy = {"tokens": ["a", "b"], "token_logprobs": [-0.5, None], "top_logprobs": [{"a": -0.5, "x": -2}, None]}
    row = {"choices": [{"index": 0, "text": "ab", "logprobs": legacy, "finish_reason": "stop"}]}
    standin.answers = [streaming(b"data: " + orjson.dumps(row) + b"\n\n", DONE)]
    (text, _) = await ask(engine, Request("m", prompt="x", extra={"logprobs": 2}))
    assert isinstance(text, Text)
    first, second = text.logprobs
    top = [{"token": "a", "logprob": -0.5}, {"token": "x", "logprob": -2.0}]
    assert first == {"token": "a", "logprob": -0.5, "top_logprobs": top}
    assert second == {"token": "b", "logprob": 0.0, "top_logprobs": []}


FILL_IN = Request("m", prompt="def f():", suffix="return x", sampling=Sampling(max_tokens=9), extra={"logprobs": 1})


@pytest.mark.parametrize(
    ("dialect", "path", "fields"),
    [
        (LLAMACPP, "/infill", {"input_prefix": "def f():", "input_suffix": "return x", "max_tokens": 9, "n_probs": 1}),
        (OPENAI, "/v1/completions", {"prompt": "def f():", "suffix": "return x"}),
        (MISTRAL, "/v1/fim/completions", {"prompt": "def f():", "suffix": "return x"}),
    ],
    ids=lambda value: getattr(value, "name", None),
)
async def test_what_belongs_before_a_suffix_is_asked_for(
    standin: StandIn, dialect: Dialect, path: str, fields: dict[str, Any]
) -> None:
    rows = [{"content": "x", "completion_probabilities": [{"token": "x", "logprob": -1.0}], "stop": False}]
    rows += [{"content": "", "stop": True, "stop_type": "limit", "timings": {"prompt_n": 7, "predicted_n": 1}}]
    choice = {"index": 0, "text": "x", "finish_reason": "length"}
    spoken = rows if dialect is LLAMACPP else [{"choices": [choice]}]
    standin.answers = [streaming(*(b"data: " + orjson.dumps(row) + b"\n\n" for row in spoken))]
    engine = OpenAIEngine("other", f"{standin.url}/v1", dialect=dialect)
    pieces = await ask(engine, FILL_IN)
    await engine.close()
    assert (said(pieces), pieces[-1]) == ("x", Finish("length"))
    assert standin.calls[0].path == path
    assert fields.items() <= standin.calls[0].json.items()
    if dialect is LLAMACPP:
        assert pieces[0] == Text("x", ({"token": "x", "logprob": -1.0},))
        assert "prompt" not in standin.calls[0].json


async def test_a_suffix_is_refused_by_name_where_nothing_fills_in(standin: StandIn) -> None:
    engine = OpenAIEngine("other", f"{standin.url}/v1", dialect=VLLM)
    with pytest.raises(EngineRefused, match="suffix") as caught:
        await ask(engine, FILL_IN)
    assert caught.value.param == "suffix"
    llama = OpenAIEngine("other", f"{standin.url}/v1", dialect=LLAMACPP)
    missing = {"error": {"code": 501, "message": "Infill is not supported by this model"}}
    standin.answers = [lambda call: call.reply(501, orjson.dumps(missing))]
    with pytest.raises(EngineRefused, match="Infill is not supported"):
        await ask(llama, FILL_IN)
    await engine.close()
    await llama.close()


@pytest.mark.parametrize(("dialect", "field"), [(LLAMACPP, "content"), (VLLM, "prompt")])
async def test_tokens_are_turned_into_text_by_the_server(standin: StandIn, dialect: Dialect, field: str) -> None:
    engine = OpenAIEngine("other", f"{standin.url}/v1", dialect=dialect)
    standin.answers = [lambda call: call.reply(200, orjson.dumps({field: "Hi"})), lambda call: call.reply(200, b"{}")]
    assert await engine.detokenize("m", [1, 2]) == "Hi"
    assert (standin.calls[0].path, standin.calls[0].json) == ("/detokenize", {"model": "m", "tokens": [1, 2]})
    with pytest.raises(EngineBroken, match="no text"):
        await engine.detokenize("m", [1, 2])
    await engine.close()
    plain = OpenAIEngine("other", f"{standin.url}/v1", dialect=OPENAI)
    with pytest.raises(EngineRefused) as caught:
        await plain.detokenize("m", [1])
    assert caught.value.param == "prompt"
    await plain.close()


@pytest.mark.parametrize("dialect", [*DIALECTS, PLAIN_DIALECT], ids=lambda dialect: dialect.name)
def test_a_prediction_goes_to_servers_that_take_one(dialect: Dialect) -> None:
    body = build_body(Request("m", ASK.messages, prediction="def f(): ..."), dialect)
    taken = dialect in (MISTRAL, OPENAI)
    assert body.get("prediction") == ({"type": "content", "content": "def f(): ..."} if taken else None)


@pytest.mark.parametrize(
    "end",
    [
        {"usage": usage(7, 40), "timings": {"prompt_n": 7, "predicted_n": 40, "draft_n": 36, "draft_n_accepted": 30}},
        {"timings": {"prompt_n": 7, "predicted_n": 40, "draft_n": 36, "draft_n_accepted": 30}},
        {
            "usage": usage(7, 40),
            "metrics": {"speculative_decoding": {"num_draft_tokens": 36, "num_accepted_draft_tokens": 30}},
        },
        {
            "usage": usage(
                7, 40, completion_tokens_details={"accepted_prediction_tokens": 30, "rejected_prediction_tokens": 6}
            )
        },
    ],
    ids=["llama.cpp", "llama.cpp without usage", "vLLM", "OpenAI"],
)
async def test_guessed_tokens_are_counted(engine: OpenAIEngine, standin: StandIn, end: dict[str, Any]) -> None:
    standin.answers = [streaming(chunk({"content": "a"}, "stop"), chunk(**end), DONE)]
    counted = next(piece for piece in await ask(engine) if isinstance(piece, TokenUsage))
    assert (counted.completion_tokens, counted.drafted_tokens, counted.accepted_tokens) == (40, 36, 30)


@pytest.mark.parametrize("dialect", [*DIALECTS, PLAIN_DIALECT], ids=lambda dialect: dialect.name)
def test_each_dialect_continues_an_answer_its_own_way(dialect: Dialect) -> None:
    request = Request(
        "m", (PromptMessage("user", "Count."), PromptMessage("assistant", "One, tw")), sampling=Sampling(seed=3)
    )
    body = build_body(request, dialect)
    last = body["messages"][-1]
    match dialect.name:
        case "vllm":
            assert (body["continue_final_message"], body["add_generation_prompt"]) == (True, False)
        case "mistral":
            assert last["prefix"] is True
            assert body["random_seed"] == 3
            assert "stream_options" not in body
        case "plain" | "deepseek" | "openai":
            assert last["role"] == "user"
        case _:
            assert last == {"role": "assistant", "content": "One, tw"}


@pytest.mark.parametrize("owner", [*(dialect.owners[0] for dialect in DIALECTS), "someone"])
async def test_the_list_of_models_tells_the_dialect(standin: StandIn, owner: str) -> None:
    rows: list[dict[str, Any]] = [
        {"id": "a", "owned_by": owner, "max_model_len": 4096},
        {"id": "b", "meta": {"n_ctx": 512}},
        {"id": "d", "metadata": {"max_request_context_length": 1024}, "owned_by": owner},  # of Ray Serve LLM
    ]
    standin.routes["/v1/models"] = lambda call: call.reply(200, orjson.dumps({"data": rows}))
    standin.answers = [streaming(chunk({"content": "One, two"}, "stop"), DONE)]
    engine = configured_engine("rack", EngineSettings(f"{standin.url}/v1", models=("c", "a"), context=99))
    contexts = {model.id: model.context for model in await engine.models()}
    assert contexts == {"a": 4096, "b": 512, "c": 99, "d": 1024}
    assert (await engine.health()).state == "ready"
    pieces = await ask(engine, Request("a", (PromptMessage("user", "Count."), PromptMessage("assistant", "One, "))))
    assert said(pieces) == ("two" if owner == "mistralai" else "One, two")
    await engine.close()


@pytest.mark.parametrize(
    ("row", "dialect"),
    [
        ({"owned_by": "vllm"}, VLLM),
        ({"owned_by": "organization-owner"}, PLAIN_DIALECT),
        ({"owned_by": "organization-owner", "metadata": {"family": "muse"}}, PLAIN_DIALECT),
        ({"owned_by": "organization-owner", "metadata": {"max_request_context_length": None}}, RAY),
        ({"owned_by": "someone", "metadata": {"max_request_context_length": 4096}}, PLAIN_DIALECT),
    ],
)
def test_an_owner_that_many_state_tells_the_dialect_only_with_its_mark(row: JSON, dialect: Dialect) -> None:
    assert dialect_of_list([{"id": "other"}, {"id": "a", **row}]) is dialect


@pytest.mark.parametrize(("come", "left"), [(["On", "e, ", "two"], "two"), (["On", "ce"], "Once"), (["On"], "On")])
async def test_only_a_whole_echo_is_taken_off(standin: StandIn, come: list[str], left: str) -> None:
    engine = OpenAIEngine("rack", f"{standin.url}/v1", dialect=MISTRAL)
    standin.answers = [streaming(*(chunk({"content": text}) for text in come), chunk({}, "stop"), DONE)]
    request = Request("a", (PromptMessage("user", "Count."), PromptMessage("assistant", "One, ")))
    assert said(await ask(engine, request)) == left
    await engine.close()


async def test_tokens_are_counted_once(engine: OpenAIEngine, standin: StandIn) -> None:
    standin.routes["/tokenize"] = lambda call: call.reply(200, b'{"count": 3}')
    assert [await engine.count("m", "a b c") for _ in range(3)] == [3, 3, 3]
    assert [call.json for call in standin.calls] == [{"model": "m", "prompt": "a b c"}]


async def test_a_server_without_a_list_serves_what_the_settings_name(standin: StandIn) -> None:
    engine = OpenAIEngine("rack", f"{standin.url}/v1", models=("a",))
    assert [model.id for model in await engine.models()] == ["a"]
    await engine.close()


@pytest.mark.parametrize(
    ("told", "stop"),
    [({"stop_reason": "END"}, "END"), ({"stop_reason": 128009}, None), ({"matched_stop": "END"}, "END"), ({}, None)],
)
async def test_the_stop_sequence_that_ended_it(
    engine: OpenAIEngine, standin: StandIn, told: dict[str, Any], stop: str | None
) -> None:
    last: dict[str, Any] = {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop", **told}]}
    counted = usage(7, 5, completion_tokens_details={"reasoning_tokens": 3})
    standin.answers = [
        streaming(chunk({"content": "a"}), b"data: " + orjson.dumps(last) + b"\n\n", chunk(usage=counted), DONE)
    ]
    assert (await ask(engine))[-2:] == [TokenUsage(7, 5, None, 3), Finish("stop", stop)]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"{}", "invalid vector"),
        (b'{"data": null}', "invalid vector"),
        (b'{"data": [{"index": 0}]}', "invalid vector"),
        (b'{"data": [{"index": 0, "embedding": "AAAA"}]}', "invalid vector"),
        (b'{"data": [{"index": 0, "embedding": [[1]]}]}', "invalid vector"),
        (b'{"data": [{"index": 0, "embedding": []}]}', "a vector for each text"),
        (b'{"data": [{"index": 0, "embedding": [1]}, {"index": 1, "embedding": [1]}]}', "a vector for each text"),
    ],
)
async def test_what_is_no_vector_is_refused(engine: OpenAIEngine, standin: StandIn, body: bytes, message: str) -> None:
    standin.answers = [lambda call: call.reply(200, body)]
    with pytest.raises(EngineBroken, match=message):
        await engine.embed("m", ["a"], None)


async def test_a_server_without_vectors_refuses(engine: OpenAIEngine, standin: StandIn) -> None:
    standin.answers = [refusing(404, "no such route"), refusing(501, "start it with --embeddings")]
    with pytest.raises(EngineRefused, match="no such route"):
        await engine.embed("m", ["a"], None)
    with pytest.raises(EngineRefused, match="--embeddings"):
        await engine.embed("m", ["a"], None)


@given(st.text(min_size=1), st.lists(st.integers(0, 400)), st.sampled_from([b"\n", b"\r\n"]))
def test_cut_anywhere_a_stream_says_the_same(text: str, cuts: list[int], newline: bytes) -> None:
    whole = b"".join(b": ping" + newline * 2 + b"data: " + orjson.dumps({"t": letter}) + newline * 2 for letter in text)
    edges = sorted({0, len(whole), *(cut % (len(whole) + 1) for cut in cuts)})
    frames = SseFrames()
    payloads = [payload for start, end in itertools.pairwise(edges) for payload in frames.feed(whole[start:end])]
    assert "".join(orjson.loads(payload)["t"] for payload in payloads) == text


def test_a_line_without_an_end_is_refused() -> None:
    frames = SseFrames()
    assert list(frames.feed(b"x" * MAX_LINE_BYTES)) == []
    with pytest.raises(ValueError, match="without an end"):
        list(frames.feed(b"x"))
