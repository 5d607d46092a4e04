"""Has an engine edit a text: asks it for the pieces that change, and puts them in once all have come."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass

from eclair.chat.message_text import check_message
from eclair.chat.text_edits import Change, Task
from eclair.errors import EngineBroken, InvalidInput
from eclair.generation.meter import Meter
from eclair.generation.usage import AskModel, ask_uncounted
from eclair.llm.base import Engine, Finish, Request, Text, TokenUsage
from eclair.schema.messages import Sampling, Usage
from eclair.schema.models import Model
from eclair.schema.principal import Principal


@dataclass(frozen=True, slots=True)
class Edit:
    """The text as it is now, what was changed, by which model, and what that took."""

    text: str
    changes: tuple[Change, ...]
    model: str
    usage: Usage | None


def check(text: str, instruction: str, max_kb: int) -> None:
    """Raise InvalidInput or TooLarge for a text or an instruction that cannot be worked with."""
    if not instruction.strip():
        raise InvalidInput("The instruction is empty; say what to change.", param="instruction")
    check_message(text, max_kb)


async def edit(
    principal: Principal,
    engine: Engine,
    model: Model,
    text: str,
    instruction: str,
    max_tokens: int,
    accepted: float,
    ask: AskModel = ask_uncounted,
) -> Edit:
    """Change `text` as `instruction` says; `accepted` is when that was asked, on the clock of `time.perf_counter`.

    Raises EngineBroken where the answer is no list of changes or is cut off, and what `Engine.stream` raises.
    """
    task = Task(text, instruction)
    limit = max(max_tokens, 2 * await engine.count(model.id, text))  # a change of everything has its numbers besides
    request = Request(model.id, task.messages, sampling=Sampling(temperature=0.0, max_tokens=limit))
    meter = Meter(accepted)
    said: list[str] = []
    ended: Finish | None = None
    async with aclosing(ask(principal, engine, model, request)) as pieces:
        async for piece in pieces:
            match piece:
                case Text():
                    said.append(piece.text)
                    meter.text(piece.text)
                case TokenUsage():
                    meter.counted(piece)
                case Finish():
                    ended = piece
                case _:
                    pass
    if ended is None or ended.reason != "stop":
        raise EngineBroken("The model did not come to the end of its changes; nothing was changed.")
    edited = task.apply("".join(said))
    return Edit(edited.text, edited.changes, model.id, meter.usage())
