"""Google's Gemini API, asked by our engine."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from eclair.errors import (
    ContextExceeded,
    EclairError,
    EngineBroken,
    EngineBusy,
    EngineRefused,
    EngineUnavailable,
    KeyRefused,
    UpstreamError,
)
from eclair.llm.base import (
    Delta,
    Finish,
    PromptImage,
    PromptMessage,
    Reasoning,
    Request,
    Text,
    TokenUsage,
    ToolCall,
)
from eclair.llm.gemini.gemini_engine import GeminiEngine
from eclair.llm.gemini.gemini_parser import GeminiParser
from eclair.schema.messages import Sampling
from tests.llm.gemini_standin import KEY, SIGNATURE, SpeakingGemini, answer, chunk, fail
from tests.llm.standin import Call, StandIn, cut, standing_in

JSON = dict[str, Any]
ASK = Request("gemini-3-muse", (PromptMessage("system", "Be brief."), PromptMessage("user", "Hello?")))
PARAMETERS: JSON = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
TOOL: JSON = {
    "type": "function",
    "function": {"name": "weather", "description": "The weather now.", "parameters": PARAMETERS},
}


@pytest.fixture
async def standin() -> AsyncGenerator[StandIn]:
    async with standing_in() as standin:
        yield standin


@pytest.fixture
def gemini(standin: StandIn) -> SpeakingGemini:
    return SpeakingGemini(standin)


@pytest.fixture
async def engine(gemini: SpeakingGemini) -> AsyncGenerator[GeminiEngine]:
    async def nap(_: float) -> None:
        return

    engine = GeminiEngine("google", gemini.url, KEY, idle=2.0, sleep=nap)
    yield engine
    await engine.close()


async def ask(engine: GeminiEngine, request: Request = ASK) -> list[Delta]:
    return [delta async for delta in engine.stream(request)]


def said(deltas: list[Delta]) -> str:
    return "".join(delta.text for delta in deltas if isinstance(delta, Text))


async def test_an_answer_with_its_tokens(engine: GeminiEngine, gemini: SpeakingGemini) -> None:
    gemini.says = [
        answer({"text": "Hmm.", "thought": True}, {"text": "Hello."}, cachedContentTokenCount=5, thoughtsTokenCount=3)
    ]
    deltas = await ask(engine, replace(ASK, sampling=Sampling(0.5, 0.9, 50, 7, ("END",)), extra={"top_k": 4}))
    assert [delta for delta in deltas if isinstance(delta, Reasoning)] == [Reasoning("Hmm.")]
    assert said(deltas) == "Hello."
    assert deltas[-2:] == [TokenUsage(9, 15, 5, 3), Finish("stop")]
    (body,) = gemini.bodies
    assert body["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
    assert body["contents"] == [{"role": "user", "parts": [{"text": "Hello?"}]}]
    assert body["generationConfig"] == {
        "temperature": 0.5,
        "topP": 0.9,
        "topK": 4,
        "maxOutputTokens": 50,
        "seed": 7,
        "stopSequences": ["END"],
    }


async def test_the_list_tells_names_windows_and_methods(engine: GeminiEngine) -> None:
    found = {model.id: model for model in await engine.models()}
    assert list(found) == ["gemini-3-muse", "embed-muse"]
    muse = found["gemini-3-muse"]
    assert (muse.name, muse.context, muse.country, muse.maker) == ("Gemini Muse", 1_048_576, "US", "Google")
    assert (muse.vision_pixels is not None, found["embed-muse"].can_call_tools) == (True, False)
    assert (await engine.health()).state == "ready"


async def test_a_function_is_called_and_its_signature_goes_back(engine: GeminiEngine, gemini: SpeakingGemini) -> None:
    call = {"functionCall": {"name": "weather", "args": {"city": "Paris"}}, "thoughtSignature": SIGNATURE}
    second: JSON = {"functionCall": {"id": "own", "name": "weather", "args": {}}}
    gemini.says = [answer({"text": "Let me see."}, call, second), answer({"text": "21 °C."})]
    request = replace(ASK, tools=(TOOL,))
    deltas = await ask(engine, request)
    calls = [delta for delta in deltas if isinstance(delta, ToolCall)]
    assert [(each.index, each.name, each.arguments) for each in calls] == [
        (0, "weather", '{"city":"Paris"}'),
        (1, "weather", "{}"),
    ]
    assert deltas[-1] == Finish("tool_calls")
    assert gemini.bodies[-1]["tools"][0]["functionDeclarations"][0]["parametersJsonSchema"] == PARAMETERS
    made = tuple(
        {"id": each.id, "type": "function", "function": {"name": each.name, "arguments": each.arguments}}
        for each in calls
    )
    loop = (
        *ASK.messages,
        PromptMessage("assistant", "Let me see.", tool_calls=made),
        PromptMessage("tool", "21 °C", tool_call_id=calls[0].id),
        PromptMessage("tool", '{"celsius": 21}', tool_call_id="own", images=(PromptImage("image/png", b"p", 28, 28),)),
    )
    assert said(await ask(engine, replace(request, messages=loop))) == "21 °C."
    _, turn, results = gemini.bodies[-1]["contents"]
    assert turn["parts"] == [{"text": "Let me see."}, call, second]
    assert [part["functionResponse"] for part in results["parts"] if "functionResponse" in part] == [
        {"name": "weather", "response": {"result": "21 °C"}},
        {"name": "weather", "response": {"celsius": 21}, "id": "own"},
    ]


async def test_a_call_of_another_engine_is_taken(engine: GeminiEngine, gemini: SpeakingGemini) -> None:
    foreign = {"id": "toolu_1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    loop = (
        *ASK.messages,
        PromptMessage("assistant", None, tool_calls=(foreign,)),
        PromptMessage("tool", "21 °C", tool_call_id="toolu_1"),
    )
    await ask(engine, replace(ASK, messages=loop, tools=(TOOL,)))
    assert gemini.bodies[-1]["contents"][1]["parts"][0]["thoughtSignature"] == "skip_thought_signature_validator"


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        ("auto", None),
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        (
            {"type": "function", "function": {"name": "weather"}},
            {"mode": "ANY", "allowedFunctionNames": ["weather"]},
        ),
    ],
)
async def test_the_choice_of_a_function(
    engine: GeminiEngine, gemini: SpeakingGemini, choice: Any, config: JSON | None
) -> None:
    await ask(engine, replace(ASK, tools=(TOOL,), tool_choice=choice))
    assert gemini.bodies[-1].get("toolConfig") == ({"functionCallingConfig": config} if config else None)


@pytest.mark.parametrize(
    ("model", "effort", "thinking"),
    [
        ("gemini-3-muse", None, None),
        ("gemini-3-muse", "none", {"thinkingLevel": "MINIMAL"}),
        ("gemini-3-muse", "medium", {"includeThoughts": True, "thinkingLevel": "MEDIUM"}),
        ("gemini-3-muse", "xhigh", {"includeThoughts": True, "thinkingLevel": "HIGH"}),
        ("gemini-2.5-flash", "none", {"thinkingBudget": 0}),
        ("gemini-2.5-pro", "none", {"thinkingBudget": 128}),
        ("gemini-2.5-flash", "low", {"includeThoughts": True, "thinkingBudget": 1024}),
        ("gemini-2.5-flash", "high", {"includeThoughts": True, "thinkingBudget": -1}),
    ],
)
async def test_an_effort_is_put_in_each_models_way(
    standin: StandIn, model: str, effort: str | None, thinking: JSON | None
) -> None:
    gemini = SpeakingGemini(standin, model)
    engine = GeminiEngine("google", gemini.url, KEY)
    extra = {} if effort is None else {"reasoning_effort": effort}
    await ask(engine, replace(ASK, model=model, extra=extra))
    assert gemini.bodies[-1].get("generationConfig", {}).get("thinkingConfig") == thinking
    await engine.close()


async def test_thinking_that_a_model_refuses_is_left_out_from_then_on(
    engine: GeminiEngine, gemini: SpeakingGemini
) -> None:
    refusals = 0

    async def picky(call: Call) -> None:
        nonlocal refusals
        if "thinkingConfig" in call.json.get("generationConfig", {}):
            refusals += 1
            await fail(call, 400, "INVALID_ARGUMENT", "Thinking is not enabled for this model")
        else:
            await call.stream(*answer({"text": "Hello there."}))

    gemini.standin.routes[gemini.path] = picky
    thinking = replace(ASK, extra={"reasoning_effort": "high"})
    assert [said(await ask(engine, thinking)) for _ in range(2)] == ["Hello there."] * 2
    assert refusals == 1


async def test_forms_of_json(engine: GeminiEngine, gemini: SpeakingGemini) -> None:
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": PARAMETERS}}
    await ask(engine, replace(ASK, response_format=form))
    asked = {"responseMimeType": "application/json", "responseJsonSchema": PARAMETERS}
    assert gemini.bodies[-1]["generationConfig"] == asked
    await ask(engine, replace(ASK, response_format={"type": "json_object"}))
    assert gemini.bodies[-1]["generationConfig"] == {"responseMimeType": "application/json"}


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"response_format": {"type": "grammar"}}, "response_format"),
        ({"extra": {"logprobs": True}}, "logprobs"),
        ({"extra": {"parallel_tool_calls": False}}, "parallel_tool_calls"),
        ({"prompt": "Once", "messages": ()}, "prompt"),
        ({"messages": (PromptMessage("user", [{"type": "input_audio"}]),)}, "messages"),
    ],
)
async def test_what_the_api_cannot_do_is_refused_by_name(engine: GeminiEngine, change: JSON, param: str) -> None:
    with pytest.raises(EngineRefused) as caught:
        await ask(engine, replace(ASK, **change))
    assert caught.value.param == param


async def test_images_and_continuations(engine: GeminiEngine, gemini: SpeakingGemini) -> None:
    image = PromptImage("image/jpeg", b"jpeg", 28, 28)
    messages = (PromptMessage("user", "And this?", images=(image,)), PromptMessage("assistant", "The first"))
    await ask(engine, replace(ASK, messages=messages, prediction="The first one."))
    first, _, last = gemini.bodies[-1]["contents"]
    assert first["parts"][0] == {"inlineData": {"mimeType": "image/jpeg", "data": "anBlZw=="}}
    assert last["role"] == "user"


@pytest.mark.parametrize(
    ("reason", "finish"),
    [("STOP", "stop"), ("MAX_TOKENS", "length"), ("SAFETY", "content_filter"), ("RECITATION", "content_filter"),
     ("SOMETHING_NEW", "stop")],
)  # fmt: skip
async def test_why_it_ended(engine: GeminiEngine, gemini: SpeakingGemini, reason: str, finish: Any) -> None:
    gemini.says = [answer({"text": "ok"}, reason=reason)]
    assert (await ask(engine))[-1] == Finish(finish)


async def test_a_prompt_that_is_blocked(engine: GeminiEngine, gemini: SpeakingGemini) -> None:
    blocked = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 9}}
    gemini.says = [[b"data: " + orjson.dumps(blocked) + b"\r\n\r\n"]]
    assert await ask(engine) == [TokenUsage(9, 0), Finish("content_filter")]


@pytest.mark.parametrize(
    ("status", "kind", "message", "fault"),
    [
        (400, "INVALID_ARGUMENT", "The input token count (9) exceeds the maximum number of tokens allowed (8).",
         ContextExceeded),
        (400, "INVALID_ARGUMENT", "Bad", EngineRefused),
        (400, "INVALID_ARGUMENT", f"API key not valid. {KEY}", KeyRefused),
        (403, "PERMISSION_DENIED", "no", KeyRefused),
        (404, "NOT_FOUND", f"models/x is not found {KEY}", EngineRefused),
        (500, "INTERNAL", "oh", EngineBroken),
        (503, "UNAVAILABLE", "The model is overloaded.", EngineUnavailable),
    ],
)  # fmt: skip
async def test_refusals(
    engine: GeminiEngine, gemini: SpeakingGemini, status: int, kind: str, message: str, fault: type[EclairError]
) -> None:
    gemini.standin.routes[gemini.path] = lambda call: fail(call, status, kind, message)
    with pytest.raises(fault) as caught:
        await ask(engine)
    assert type(caught.value) is fault
    assert KEY not in caught.value.message


async def test_who_is_busy_says_until_when(engine: GeminiEngine, gemini: SpeakingGemini) -> None:
    wait = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "32.5s"}
    gemini.standin.routes[gemini.path] = lambda call: fail(call, 429, "RESOURCE_EXHAUSTED", "Quota", wait)
    with pytest.raises(EngineBusy) as caught:
        await ask(engine)
    assert caught.value.retry_after == 32.5


@pytest.mark.parametrize(
    ("code", "fault"),
    [(429, EngineBusy), (503, EngineUnavailable), (400, EngineRefused), (500, EngineBroken), ("x", EngineBroken)],
)
async def test_errors_in_the_stream(
    engine: GeminiEngine, gemini: SpeakingGemini, code: Any, fault: type[EclairError]
) -> None:
    error = {"error": {"code": code, "message": "Oh", "status": "X"}}
    gemini.says = [[chunk({"text": "a"}), b"data: " + orjson.dumps(error) + b"\r\n\r\n"]]
    with pytest.raises(fault, match="Oh"):
        await ask(engine)


async def test_a_stream_that_breaks_off_or_gives_up(engine: GeminiEngine, gemini: SpeakingGemini) -> None:
    async def broken(call: Call) -> None:
        await call.stream(chunk({"text": "half"}), end=False)
        await cut(call)

    gemini.says = [answer({"text": "a"}, reason="MALFORMED_FUNCTION_CALL")]
    with pytest.raises(EngineBroken, match="gave up"):
        await ask(engine)
    gemini.standin.routes[gemini.path] = broken
    with pytest.raises(EngineBroken, match="try again"):
        await ask(engine)


async def test_stopping_closes_the_connection(engine: GeminiEngine, gemini: SpeakingGemini) -> None:
    gone = asyncio.Event()

    async def endless(call: Call) -> None:
        await call.stream(chunk({"text": "word"}), end=False)
        await call.gone()
        gone.set()

    gemini.standin.routes[gemini.path] = endless
    async with aclosing(engine.stream(ASK)) as deltas:
        await anext(deltas)
    await asyncio.wait_for(gone.wait(), 5)


async def test_vectors(engine: GeminiEngine) -> None:
    found = await engine.embed("embed-muse", ["a"] * 100 + ["abc"], 2)
    assert (len(found.vectors), found.vectors[0], found.vectors[-1]) == (101, [0.5, 1.0], [0.5, 3.0])
    assert found.tokens == 101


def summary(deltas: list[Delta]) -> tuple[Any, ...]:
    calls = [(each.name, each.arguments) for each in deltas if isinstance(each, ToolCall)]
    thoughts = "".join(each.text for each in deltas if isinstance(each, Reasoning))
    return said(deltas), thoughts, calls, [each for each in deltas if isinstance(each, Finish | TokenUsage)]


def parse(data: bytes, edges: list[int]) -> list[Delta] | None:
    """What a stream says that is cut at `edges`; None if it is invalid."""
    parser = GeminiParser("google", lambda call, parts: None)
    try:
        found = [delta for start, end in itertools.pairwise(edges) for delta in parser.feed(data[start:end])]
        return [*found, *parser.finish()]
    except UpstreamError:
        return None


WHOLE = b"".join(
    answer({"text": "Hm.", "thought": True}, {"text": "Grüße 🌍"}, {"functionCall": {"name": "f", "args": {"a": 1}}})
)


@given(st.lists(st.integers(0, len(WHOLE))))
def test_cut_anywhere_a_stream_says_the_same(cuts: list[int]) -> None:
    whole, pieces = parse(WHOLE, [0, len(WHOLE)]), parse(WHOLE, sorted({0, len(WHOLE), *cuts}))
    assert whole is not None
    assert pieces is not None
    assert summary(whole) == summary(pieces)


KEYS = ["candidates", "content", "parts", "text", "functionCall", "name", "args", "finishReason", "usageMetadata"]
MORE_KEYS = ["promptFeedback", "blockReason", "error", "code", "thought", "promptTokenCount", "index"]
values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS + MORE_KEYS), inner, max_size=5),
    max_leaves=12,
)


@given(st.lists(values, max_size=6), st.binary(max_size=20))
def test_junk_is_a_sentence(chunks: list[Any], junk: bytes) -> None:
    parse(b"".join(b"data: " + orjson.dumps(each) + b"\n\n" for each in chunks), [0, 10_000])
    parse(WHOLE[:100] + junk + b"\n" + WHOLE[100:], [0, 10_000])
