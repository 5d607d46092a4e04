"""Prompts for foreign requests: messages, with passages above the question."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from eclair.app import App
from eclair.generation.answer_request import AnswerRequest
from eclair.generation.cost import find_rates
from eclair.generation.pipeline import AnswerStream
from eclair.generation.prompt import PreparedTurn, with_passages
from eclair.generation.route import Route
from eclair.generation.sources import Note, PassageNumbers, Retriever
from eclair.generation.tool_loop import loop_budget
from eclair.generation.tools import Tool
from eclair.generation.use_warning import check_use
from eclair.llm.base import JSON, Engine, PromptMessage, Request, control_tokens
from eclair.schema.messages import Passage
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.server.request_images import RequestImages
from eclair.settings import Settings


@dataclass(frozen=True, slots=True)
class RequestPrompt:
    """Implements `PromptBuilder`. `build_request` returns a model's request, with all its messages."""

    settings: Settings
    route: Route
    images: RequestImages
    build_request: Callable[[Model], Request]

    async def build(
        self, engine: Engine, model: Model, passages: Sequence[Passage] = (), notes: Sequence[Note] = ()
    ) -> PreparedTurn:
        """See `PromptBuilder.build`."""
        check_use(_question(self.build_request(model)), self.settings)
        tokens = await control_tokens(engine, model)
        request = _with_passages(self.route.with_effort(self.build_request(model)), passages, notes, tokens)
        return PreparedTurn(engine, model, self.images.insert(request, model), rates=find_rates(self.settings, model))


def start_answer(
    app: App,
    principal: Principal,
    route: Route,
    build_request: Callable[[Model], Request],
    images: RequestImages,
    retriever: Retriever | None = None,
    *,
    tools: tuple[Tool, ...] = (),
    numbers: PassageNumbers | None = None,
    allows_lead: bool = True,
    shows_steps: bool = False,
) -> AnswerStream:
    """Start the answer to a request.

    `tools` are Éclair's own that the model may call beside the client's; what they find has `numbers`, as what the
    `retriever` found. With `allows_lead`, quotes may go before the model's words. With `shows_steps`, loading is
    reported.
    """
    prompt = RequestPrompt(app.settings, route, images, build_request)
    messages = build_request(route.model).messages if tools else ()
    request = AnswerRequest(
        route,
        prompt,
        time.perf_counter(),
        principal,
        retriever,
        tools,
        numbers=numbers,
        is_tainted=any(message.role == "tool" for message in messages),
        asked_words="\n".join(_text(message) for message in messages if message.role == "user"),
        allows_lead=allows_lead,
        shows_steps=shows_steps,
        budget=loop_budget(app.settings),
    )
    return app.pipeline.run(request)


def _question(request: Request) -> str:
    """Return the text of the last question."""
    return next((_text(each) for each in reversed(request.messages) if each.role == "user"), "")


def _text(message: PromptMessage) -> str:
    content = message.content
    if not isinstance(content, list):
        return content or ""
    return "\n".join(str(part.get("text", "")) for part in content)


def _with_passages(
    request: Request, passages: Sequence[Passage], notes: Sequence[Note], tokens: tuple[str, ...]
) -> Request:
    """Insert the passages, and notes on what was too long to show, above the question."""
    if not passages:
        return request
    messages = list(request.messages)
    at = max(number for number, message in enumerate(messages) if message.role == "user")
    messages[at] = replace(messages[at], content=_above_last_text(messages[at].content, passages, notes, tokens))
    return replace(request, messages=tuple(messages))


def _above_last_text(
    content: str | list[JSON] | None,
    passages: Sequence[Passage],
    notes: Sequence[Note],
    tokens: tuple[str, ...],
) -> str | list[JSON]:
    if not isinstance(content, list):
        return with_passages(content or "", passages, notes, control_tokens=tokens)
    parts: list[dict[str, Any]] = [*content]
    at = max(number for number, part in enumerate(parts) if part.get("type") == "text")
    text = with_passages(str(parts[at].get("text", "")), passages, notes, control_tokens=tokens)
    parts[at] = {**parts[at], "text": text}
    return parts
