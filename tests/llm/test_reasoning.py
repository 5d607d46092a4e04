"""How engines are told whether to think: what a stand-in was asked, and what one that refuses is asked next."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

import orjson
import pytest

from eclair.errors import EngineRefused
from eclair.llm.base import JSON, PromptMessage, Request, Text
from eclair.llm.openai.dialects import DIALECTS, PLAIN_DIALECT, Dialect, build_body
from eclair.llm.openai.openai_engine import OpenAIEngine
from eclair.llm.reasoning import REASONING_PROMPT
from eclair.schema.models import ReasoningSupport
from tests.llm.standin import Call, StandIn, standing_in

LLAMACPP, VLLM, RAY, SGLANG, MISTRAL, DEEPSEEK, OPENAI = DIALECTS
ASK = (PromptMessage("system", "Be brief."), PromptMessage("user", "Hello?"))


def fields(dialect: Dialect, thinks: ReasoningSupport | None, effort: str) -> JSON:
    """What the request says beside what it says without a word on thinking."""
    told = build_body(Request("m", ASK, extra={"reasoning_effort": effort}, reasoning=thinks), dialect)
    plain = build_body(Request("m", ASK, reasoning=thinks), dialect)
    return {name: value for name, value in told.items() if plain.get(name) != value}


def template(**arguments: bool | str) -> JSON:
    return {"chat_template_kwargs": arguments}


@pytest.mark.parametrize(
    ("dialect", "thinks", "off", "on"),
    [
        (LLAMACPP, "enable_thinking", template(enable_thinking=False), template(enable_thinking=True)),
        (VLLM, "enable_thinking", template(enable_thinking=False), template(enable_thinking=True)),
        (SGLANG, "thinking", template(thinking=False), template(thinking=True)),
        (LLAMACPP, "levels", template(reasoning_effort="low"), template(reasoning_effort="high")),
        (RAY, "enable_thinking", template(enable_thinking=False), template(enable_thinking=True)),
        (VLLM, "levels", {"reasoning_effort": "low"}, {"reasoning_effort": "high"}),
        (PLAIN_DIALECT, "levels", {"reasoning_effort": "low"}, {"reasoning_effort": "high"}),
        (VLLM, "effort", {"reasoning_effort": "none"}, {"reasoning_effort": "high"}),
        (MISTRAL, "effort", {"reasoning_effort": "none"}, {"reasoning_effort": "high"}),
        (PLAIN_DIALECT, "enable_thinking", {"reasoning_effort": "none"}, {"reasoning_effort": "high"}),
        (PLAIN_DIALECT, None, {"reasoning_effort": "none"}, {"reasoning_effort": "high"}),
        (DEEPSEEK, None, {"thinking": {"type": "disabled"}}, {"thinking": {"type": "enabled"}}),
        (VLLM, "always", {}, {}),
        (LLAMACPP, "never", {}, {}),
    ],
)
def test_each_family_is_told_in_its_own_way(
    dialect: Dialect, thinks: ReasoningSupport | None, off: JSON, on: JSON
) -> None:
    assert fields(dialect, thinks, "none") == off
    assert fields(dialect, thinks, "high") == on


def test_a_program_s_own_effort_goes_as_far_as_the_model_can() -> None:
    assert fields(PLAIN_DIALECT, "levels", "medium") == {"reasoning_effort": "medium"}
    assert fields(PLAIN_DIALECT, "levels", "minimal") == {"reasoning_effort": "low"}
    assert fields(PLAIN_DIALECT, None, "xhigh") == {"reasoning_effort": "xhigh"}
    assert fields(VLLM, "enable_thinking", "low") == template(enable_thinking=False)
    assert fields(VLLM, None, "low") == {"reasoning_effort": "low"} | template(enable_thinking=False, thinking=False)


def test_a_prompt_makes_mistral_s_models_think() -> None:
    (system, question) = fields(VLLM, "prompt", "high")["messages"]
    assert system == {"role": "system", "content": f"Be brief.\n\n{REASONING_PROMPT}"}
    assert question["role"] == "user"
    assert fields(VLLM, "prompt", "none") == {}
    alone = build_body(Request("m", ASK[1:], extra={"reasoning_effort": "high"}, reasoning="prompt"), VLLM)
    assert alone["messages"][0] == {"role": "system", "content": REASONING_PROMPT}


def test_a_plain_prompt_has_no_thoughts() -> None:
    assert "reasoning_effort" not in build_body(
        Request("m", prompt="Once", extra={"reasoning_effort": "none"}), PLAIN_DIALECT
    )


@pytest.fixture
async def standin() -> AsyncGenerator[StandIn]:
    async with standing_in() as standin:
        yield standin


@pytest.fixture
async def engine(standin: StandIn) -> AsyncGenerator[OpenAIEngine]:
    engine = OpenAIEngine("rack", f"{standin.url}/v1", dialect=VLLM)
    yield engine
    await engine.close()


async def ask(engine: OpenAIEngine, model: str, **extra: str) -> str:
    async with aclosing(engine.stream(Request(model, ASK, extra=dict(extra)))) as pieces:
        return "".join([piece.text async for piece in pieces if isinstance(piece, Text)])


async def say(call: Call) -> None:
    row = {"choices": [{"index": 0, "delta": {"content": "Yes."}, "finish_reason": "stop"}]}
    await call.stream(b"data: " + orjson.dumps(row) + b"\n\n", b"data: [DONE]\n\n")


async def refuse(call: Call) -> None:
    await call.reply(400, b'{"error": {"message": "chat_template_kwargs is not supported"}}')


async def test_a_refusal_does_not_fail_the_answer_and_is_remembered(engine: OpenAIEngine, standin: StandIn) -> None:
    async def strict(call: Call) -> None:
        await (refuse(call) if "chat_template_kwargs" in call.json else say(call))

    standin.routes["/v1/chat/completions"] = strict
    standin.routes["/v1/models"] = lambda call: call.reply(200, b'{"data": [{"id": "qwen3:8b", "owned_by": "vllm"}]}')
    assert [model.reasoning for model in await engine.models()] == ["enable_thinking"]
    standin.calls.clear()
    for _ in range(2):
        assert await ask(engine, "qwen3:8b", reasoning_effort="none") == "Yes."
    assert ["chat_template_kwargs" in call.json for call in standin.calls] == [True, False, False]
    assert [model.reasoning for model in await engine.models()] == ["never"]
    assert await ask(engine, "other", reasoning_effort="none") == "Yes."
    assert "chat_template_kwargs" in standin.calls[-2].json, "another model is asked for itself"


async def test_a_refusal_for_another_reason_is_passed_on_and_not_remembered(
    engine: OpenAIEngine, standin: StandIn
) -> None:
    standin.answers = [refuse, refuse, say]
    with pytest.raises(EngineRefused, match="refuses the request"):
        await ask(engine, "m", reasoning_effort="high")
    assert await ask(engine, "m", reasoning_effort="high") == "Yes."
    assert "chat_template_kwargs" in standin.calls[-1].json


async def test_without_a_wish_nothing_is_said(engine: OpenAIEngine, standin: StandIn) -> None:
    standin.answers = [say]
    await ask(engine, "qwen3:8b")
    assert {"chat_template_kwargs", "reasoning_effort"}.isdisjoint(standin.calls[0].json)
