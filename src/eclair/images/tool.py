"""The tool by which a model that answers has a picture drawn: its call becomes a picture in the same answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from eclair.errors import EngineBroken
from eclair.generation.parts import Parts
from eclair.images.request import shaped
from eclair.images.run import Drawing
from eclair.images.service import Studio
from eclair.llm.base import JSON, PromptMessage
from eclair.schema.events import Event
from eclair.schema.messages import Passage, Wish
from eclair.schema.models import Model
from eclair.schema.principal import Principal

NAME = "draw_picture"
Shape = Literal["square", "wide", "tall"]
SHAPES: dict[Shape, float] = {"square": 1.0, "wide": 1.5, "tall": 1 / 1.5}

TOOL: JSON = {
    "type": "function",
    "function": {
        "name": NAME,
        "description": "Draws a picture, which the person then sees below your words. Call it when a picture is asked "
        "for, and not otherwise.",
        "parameters": {
            "type": "object",
            "properties": {
                "prompt": {
                    "type": "string",
                    "description": "What is to be seen, in English: the things, the place, the light, the style.",
                },
                "size": {"type": "string", "enum": list(SHAPES), "description": "The shape of the picture."},
            },
            "required": ["prompt"],
        },
    },
}


class _Call(BaseModel):
    model_config = ConfigDict(extra="ignore")

    prompt: str
    size: Shape = "square"


@dataclass(frozen=True, slots=True)
class AnswerRef:
    """The answer that a picture becomes part of."""

    run: str
    conversation: str
    message: str


class DrawingTool:
    """Implements `Tool`: draws what a model calls for into its answer."""

    name = NAME

    def __init__(self, studio: Studio, principal: Principal, answer: AnswerRef) -> None:
        self._studio = studio
        self._principal = principal
        self._answer = answer

    def definition(self, model: Model, messages: Sequence[PromptMessage], passages: Sequence[Passage]) -> JSON | None:
        """None for a model that calls no tools, or is shown passages or photos, which could ask for a picture."""
        is_foreign = passages or any(said.images for said in messages)
        return TOOL if model.can_call_tools and not is_foreign else None

    async def call(self, arguments: str, parts: Parts) -> AsyncGenerator[Event, None]:
        """Raise EngineBroken for a call that names no picture, and what the studio raises."""
        try:
            call = _Call.model_validate_json(arguments or "{}")
        except ValidationError as error:
            raise EngineBroken("The model called for a picture without saying which; ask again.") from error
        _, model = await self._studio.chosen(None)
        width, height = shaped(model, SHAPES[call.size])
        commission = await self._studio.wish(self._principal, call.prompt, Wish(width=width, height=height), model.id)
        answer = self._answer
        commission = commission.within(answer.run, answer.conversation, answer.message)
        async with aclosing(Drawing(self._studio, commission, parts).events()) as events:
            async for event in events:
                yield event
