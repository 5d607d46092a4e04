"""Edits a text with a model: asks for changes, shows them as they come, then applies all of them.

Where there is no text yet, the model writes one.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass

from eclair.chat.message_text import check_text
from eclair.chat.text_edits import EditTask, TextChange, TextPatch, WritingTask
from eclair.errors import EngineBroken, InvalidInput
from eclair.generation.meter import Meter
from eclair.generation.usage import AskModel, ask_uncounted
from eclair.llm.base import Engine, Finish, Request, Text, TokenUsage
from eclair.schema.messages import Sampling, Usage
from eclair.schema.models import Model
from eclair.schema.principal import Principal


@dataclass(frozen=True, slots=True)
class TextEdit:
    """The edited text, its changes, the model that made them, and its usage."""

    text: str
    changes: tuple[TextChange, ...]
    model: str
    usage: Usage | None


MIN_EDIT_TOKENS = 1024
"""Room for the changes to a short text, where the settings limit no answer."""


def check_edit(text: str, instruction: str, max_kb: int) -> None:
    """Raise InvalidInput or TooLarge for a text or instruction that can't be used; the text may be empty."""
    if not instruction.strip():
        raise InvalidInput("The instruction is empty; say what to change.", param="instruction")
    check_text(text, max_kb)


async def request_edit(
    principal: Principal,
    engine: Engine,
    model: Model,
    text: str,
    instruction: str,
    max_tokens: int | None,
    accepted: float,
    ask: AskModel = ask_uncounted,
    *,
    language: str = "markdown",
) -> TextEdit:
    """Change `text` as `instruction` says, or write one in `language` in place of an empty text.

    `accepted` is when the request arrived, on `time.perf_counter`. Raises EngineBroken if the answer is not a list of
    changes or was cut off, and what `Engine.stream` raises.
    """
    edits = stream_edit(principal, engine, model, text, instruction, max_tokens, accepted, ask, language=language)
    async with aclosing(edits):
        async for each in edits:
            if isinstance(each, TextEdit):
                return each
    raise AssertionError("an edit ends with the whole of it")


async def stream_edit(
    principal: Principal,
    engine: Engine,
    model: Model,
    text: str,
    instruction: str,
    max_tokens: int | None,
    accepted: float,
    ask: AskModel = ask_uncounted,
    *,
    language: str = "markdown",
) -> AsyncGenerator[TextPatch | TextEdit, None]:
    """Yield what changes as soon as it is known, and the whole edit at the end. Raises what `request_edit` raises."""
    if text.strip():
        task = EditTask(text, instruction, may_decline=model.can_plan)
        limit = max(
            max_tokens or MIN_EDIT_TOKENS, 2 * await engine.count(model.id, text)
        )  # a full rewrite has the piece numbers besides
        sampling = Sampling(temperature=0.0, max_tokens=limit)
    else:
        task, sampling = WritingTask(text, instruction, language), Sampling(max_tokens=max_tokens)
    request = Request(model.id, task.messages, sampling=sampling)
    meter = Meter(accepted)
    reply: list[str] = []
    reader = task.reader()
    finish: Finish | None = None
    async with aclosing(ask(principal, engine, model, request)) as deltas:
        async for delta in deltas:
            match delta:
                case Text():
                    reply.append(delta.text)
                    meter.count_text(delta.text)
                    for patch in reader.read(delta.text):
                        yield patch
                case TokenUsage():
                    meter.add_token_usage(delta)
                case Finish():
                    finish = delta
                case _:
                    pass
    if finish is None or finish.reason != "stop":
        raise EngineBroken("The model broke off before its last change; nothing was changed.")
    edited = task.apply("".join(reply))
    yield TextEdit(edited.text, edited.changes, model.id, meter.usage())
