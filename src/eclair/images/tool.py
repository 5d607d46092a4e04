"""The tool by which a model that answers has a picture drawn: its call becomes a picture in the same answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from eclair.errors import EngineBroken
from eclair.generation.parts import Parts
from eclair.images.request import shaped
from eclair.images.run import Drawing
from eclair.images.service import Commission, Studio
from eclair.llm.base import JSON, PromptMessage
from eclair.schema.events import Event
from eclair.schema.messages import Passage, Wish
from eclair.schema.models import Model
from eclair.schema.principal import Principal

NAME = "draw_picture"
MOST = 4
"""Pictures that an answer may have drawn."""

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


def offered(model: Model, messages: Sequence[PromptMessage], passages: Sequence[Passage]) -> tuple[JSON, ...]:
    """The tool, where the model can call it and is shown nothing from elsewhere that could ask for it: no passages, and
    no photos."""
    foreign = passages or any(said.images for said in messages)
    return (TOOL,) if model.can_call_tools and not foreign else ()


class _Call(BaseModel):
    model_config = ConfigDict(extra="ignore")

    prompt: str
    size: Shape = "square"


class Artist:
    """Draws what a model calls for in the answer whose parts are `within`."""

    def __init__(self, studio: Studio, principal: Principal, within: Callable[[Commission], Commission]) -> None:
        self._studio = studio
        self._principal = principal
        self._within = within

    async def draw(self, arguments: str, parts: Parts) -> AsyncGenerator[Event, None]:
        """Raises EngineBroken for a call that is none, and what the studio raises."""
        try:
            call = _Call.model_validate_json(arguments or "{}")
        except ValidationError as error:
            raise EngineBroken("The model called for a picture without saying which; ask again.") from error
        _, model = await self._studio.chosen(None)
        width, height = shaped(model, SHAPES[call.size])
        commission = await self._studio.wish(self._principal, call.prompt, Wish(width=width, height=height), model.id)
        drawing = Drawing(self._studio, self._within(commission), parts)
        async with aclosing(drawing.events()) as events:
            async for event in events:
                yield event
