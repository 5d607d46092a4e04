"""The loop of tools on every kind of engine, each before a stand-in of its API: calls, and their results as it takes
them back."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from eclair.generation.answer_request import AnswerRequest
from eclair.generation.fallback import Fallback
from eclair.generation.pipeline import AnswerPipeline
from eclair.generation.route import Route
from eclair.llm.anthropic.anthropic_engine import AnthropicEngine
from eclair.llm.base import Engine
from eclair.llm.gemini.gemini_engine import GeminiEngine
from eclair.llm.openai.dialects import DIALECTS, PLAIN_DIALECT, Dialect
from eclair.llm.openai.openai_engine import OpenAIEngine
from eclair.llm.registry import Registry
from eclair.schema.events import Event, RunStarted, fold
from eclair.schema.messages import Message
from eclair.schema.models import Model
from eclair.schema.principal import LOCAL_PRINCIPAL
from tests.generation.test_tool_loop import Allowing, Echo, Prompts, results
from tests.llm import anthropic_standin, gemini_standin
from tests.llm.standin import Call, StandIn, standing_in
from tests.llm.test_mistral_dialect import check

JSON = dict[str, Any]
Calls = list[tuple[str, JSON]]
ONE: Calls = [("echo", {"say": "one"})]
BOTH: Calls = [*ONE, ("echo", {"say": "two"})]
LAST = "So it is."


@dataclass
class Dialogue:
    """An engine, and its stand-in: what it says next, and the results that it was sent back in the last request."""

    engine: Engine
    model: str
    says: Callable[[list[Calls | str]], None]
    results: Callable[[], list[str]]
    choices: Callable[[], list[str]]
    """Return the `tool_choice` of each request: `auto` or `none`."""


@asynccontextmanager
async def openai_dialogue(standin: StandIn, dialect: Dialect) -> AsyncGenerator[Dialogue]:
    rounds: list[Calls | str] = []
    bodies: list[JSON] = []

    async def answer(call: Call) -> None:
        bodies.append(call.json)
        if dialect.name == "mistral":
            check(call.json)
        await call.stream(*_frames(rounds.pop(0), len(bodies), dialect))

    standin.routes["/v1/chat/completions"] = answer
    engine = OpenAIEngine("one", f"{standin.url}/v1", "k", dialect=dialect)
    yield Dialogue(
        engine,
        "muse",
        rounds.extend,
        lambda: [message["content"] for message in bodies[-1]["messages"] if message["role"] == "tool"],
        lambda: [body.get("tool_choice", "auto") for body in bodies],
    )
    ids = [message["tool_call_id"] for message in bodies[-1]["messages"] if message["role"] == "tool"]
    asked = [each["id"] for message in bodies[-1]["messages"] for each in message.get("tool_calls") or ()]
    assert ids == asked, "each result names its call"
    assert len(set(ids)) == len(ids)
    await engine.close()


def _frames(said: Calls | str, round: int, dialect: Dialect) -> list[bytes]:
    """Stream as servers do: the arguments in pieces, or whole from Mistral's and Ollama's."""
    deltas: list[JSON] = [{"role": "assistant", "content": ""}]
    if isinstance(said, str):
        deltas += [{"content": said[:20]}, {"content": said[20:]}]
    else:
        for index, (name, arguments) in enumerate(said):
            text = orjson.dumps(arguments).decode()
            head: JSON = {"index": index, "id": f"call{round}{index:04}", "type": "function"}
            if dialect.name in ("mistral", "plain"):
                deltas.append({"tool_calls": [{**head, "function": {"name": name, "arguments": text}}]})
                continue
            deltas.append({"tool_calls": [{**head, "function": {"name": name, "arguments": text[:5]}}]})
            deltas.append({"tool_calls": [{"index": index, "function": {"arguments": text[5:]}}]})
    reason = "stop" if isinstance(said, str) or dialect.name == "plain" else "tool_calls"
    frames: list[JSON] = [{"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas]
    frames.append({"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]})
    frames.append({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 4}})
    return [*(b"data: " + orjson.dumps(frame) + b"\n\n" for frame in frames), b"data: [DONE]\n\n"]


@asynccontextmanager
async def anthropic_dialogue(standin: StandIn, dialect: Dialect) -> AsyncGenerator[Dialogue]:
    claude = anthropic_standin.SpeakingAnthropic(standin)
    claude.says = []
    engine = AnthropicEngine("claude", claude.url, anthropic_standin.KEY)

    def say(rounds: list[Calls | str]) -> None:
        for number, said in enumerate(rounds):
            if isinstance(said, str):
                claude.says.append(anthropic_standin.answer({"type": "text", "text": said}))
                continue
            uses = [
                {"type": "tool_use", "id": f"toolu_{number}{index}", "name": name, "input": arguments}
                for index, (name, arguments) in enumerate(said)
            ]
            claude.says.append(anthropic_standin.answer(*uses, reason="tool_use"))

    def sent() -> list[str]:
        blocks = [block for message in claude.bodies[-1]["messages"] for block in message["content"]]
        uses = [block["id"] for block in blocks if block["type"] == "tool_use"]
        answers = [block for block in blocks if block["type"] == "tool_result"]
        assert [block["tool_use_id"] for block in answers] == uses
        return [_text(block["content"]) for block in answers]

    def choices() -> list[str]:
        return [body.get("tool_choice", {}).get("type", "auto") for body in claude.bodies]

    yield Dialogue(engine, "claude-muse", say, sent, choices)
    await engine.close()


@asynccontextmanager
async def gemini_dialogue(standin: StandIn, dialect: Dialect) -> AsyncGenerator[Dialogue]:
    gemini = gemini_standin.SpeakingGemini(standin)
    gemini.says = []
    engine = GeminiEngine("google", gemini.url, gemini_standin.KEY)

    def say(rounds: list[Calls | str]) -> None:
        for said in rounds:
            if isinstance(said, str):
                gemini.says.append(gemini_standin.answer({"text": said}))
                continue
            calls: list[JSON] = [{"functionCall": {"name": name, "args": arguments}} for name, arguments in said]
            calls[0]["thoughtSignature"] = gemini_standin.SIGNATURE
            gemini.says.append(gemini_standin.answer(*calls))

    def sent() -> list[str]:
        parts = [part for turn in gemini.bodies[-1]["contents"] for part in turn["parts"]]
        answers = [part["functionResponse"] for part in parts if "functionResponse" in part]
        return [next(iter(each["response"].values())) for each in answers]

    def choices() -> list[str]:
        modes = [body.get("toolConfig", {}).get("functionCallingConfig", {}).get("mode") for body in gemini.bodies]
        return [str(mode or "AUTO").lower() for mode in modes]

    yield Dialogue(engine, gemini.model, say, sent, choices)
    await engine.close()


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "".join(block["text"] for block in content)


KINDS: dict[str, tuple[Any, Dialect]] = {
    "anthropic": (anthropic_dialogue, PLAIN_DIALECT),
    "gemini": (gemini_dialogue, PLAIN_DIALECT),
    "ollama": (openai_dialogue, PLAIN_DIALECT),
    **{dialect.name: (openai_dialogue, dialect) for dialect in DIALECTS},
}


@pytest.fixture(params=KINDS)
async def dialogue(request: pytest.FixtureRequest) -> AsyncGenerator[Dialogue]:
    open_dialogue, dialect = KINDS[request.param]
    async with standing_in() as standin, open_dialogue(standin, dialect) as found:
        yield found


async def answered(dialogue: Dialogue, tool: Echo, *rounds: Calls | str) -> Message:
    dialogue.says(list(rounds))
    model = Model(dialogue.model, "Muse", dialogue.engine.name, context=100_000, can_call_tools=True)
    route = Route(dialogue.engine, model, Fallback(Registry([])))
    request = AnswerRequest(
        route, Prompts(), time.perf_counter(), LOCAL_PRINCIPAL, tools=(tool,), permissions=Allowing()
    )
    work = AnswerPipeline().run(request)
    events: list[Event] = [RunStarted("r", "a", "c", "q", model.id, 2)]
    async with aclosing(work.events()) as stream:
        events += [event async for event in stream]
    return fold([*events, *work.closing_events()])


async def test_calls_at_once_and_their_results_go_back_in_order(dialogue: Dialogue) -> None:
    message = await answered(dialogue, Echo(), BOTH, [("echo", {"say": "three"})], LAST)
    assert [(call.tool, call.outcome) for call in message.calls] == [("echo", "done")] * 3
    assert results(message) == dialogue.results() == ["one", "two", "three"]
    assert (message.parts[-1].text, message.finish_reason) == (LAST, "stop")
    assert message.usage is not None
    assert message.usage.prompt_tokens is not None
    assert message.usage.prompt_tokens >= 27, "all rounds are counted"


async def test_a_failed_call_is_told(dialogue: Dialogue) -> None:
    message = await answered(dialogue, Echo(fails=True), ONE, LAST)
    assert [call.outcome for call in message.calls] == ["failed"]
    (told,) = dialogue.results()
    assert told == "Error: The echo is gone; try another place."


async def test_arguments_that_do_not_fit_are_told(dialogue: Dialogue) -> None:
    message = await answered(dialogue, Echo(), [("echo", {"words": 1})], ONE, LAST)
    assert [call.outcome for call in message.calls] == ["failed", "done"]
    first, second = dialogue.results()
    assert first.startswith("Error: The arguments are not right. say: Field required.")
    assert second == "one"


async def test_in_the_last_round_nothing_may_be_called(dialogue: Dialogue) -> None:
    rounds: list[Calls | str] = [[("echo", {"say": str(number)})] for number in range(7)]
    message = await answered(dialogue, Echo(), *rounds, LAST)
    assert len(message.calls) == 7
    assert dialogue.choices()[-1] == "none"
    assert "none" not in dialogue.choices()[:-1]
    assert message.parts[-1].text == LAST


WRITTEN = [
    '<tool_call>\n{"name": "echo", "arguments": {"say": "one"}}\n</tool_call>',
    '{"name": "echo", "arguments": {"say": "one"}}',
    '```json\n{"name": "echo", "parameters": {"say": "one"}}\n```',
    "<function=echo>\n<parameter=say>\none\n</parameter>\n</function>",
    '[TOOL_CALLS]echo{"say": "one"}',
]


@pytest.mark.parametrize("text", WRITTEN)
@pytest.mark.parametrize("dialect", [*DIALECTS, PLAIN_DIALECT], ids=lambda dialect: dialect.name)
async def test_calls_that_are_written_as_text_are_made(dialect: Dialect, text: str) -> None:
    async with standing_in() as standin, openai_dialogue(standin, dialect) as dialogue:
        message = await answered(dialogue, Echo(), text, LAST)
        assert results(message) == dialogue.results() == ["one"]
        assert [part.text for part in message.parts if part.kind == "text"] == [LAST]
