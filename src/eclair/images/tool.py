"""The tool with which a model that answers has an image generated, which becomes part of the same answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from eclair.errors import EngineBroken
from eclair.generation.parts import Parts
from eclair.images.request import size_for_shape
from eclair.images.run import ImageRun
from eclair.images.service import ImageService
from eclair.llm.base import JSON, PromptMessage
from eclair.schema.events import Event
from eclair.schema.images import ImageRequest
from eclair.schema.messages import Message, Passage
from eclair.schema.models import Model
from eclair.schema.principal import Principal

DRAW_TOOL_NAME = "draw_picture"
ImageShape = Literal["square", "wide", "tall"]
ASPECT_RATIOS: dict[ImageShape, float] = {"square": 1.0, "wide": 1.5, "tall": 1 / 1.5}

DRAW_TOOL: JSON = {
    "type": "function",
    "function": {
        "name": DRAW_TOOL_NAME,
        "description": "Draws a picture, which the person then sees below your words. Call it when a picture is asked "
        "for, and not otherwise.",
        "parameters": {
            "type": "object",
            "properties": {
                "prompt": {
                    "type": "string",
                    "description": "What is to be seen, in English: the things, the place, the light, the style.",
                },
                "size": {"type": "string", "enum": list(ASPECT_RATIOS), "description": "The shape of the picture."},
            },
            "required": ["prompt"],
        },
    },
}


@dataclass(frozen=True, slots=True)
class AnswerRef:
    """The answer that an image becomes part of."""

    run: str
    conversation: str
    message: str


class _Call(BaseModel):
    model_config = ConfigDict(extra="ignore")

    prompt: str
    size: ImageShape = "square"


class ImageTool:
    """Implements `Tool`: generates the images that a model calls for into its answer."""

    name = DRAW_TOOL_NAME

    def __init__(
        self, service: ImageService, principal: Principal, answer: AnswerRef, history: Sequence[Message]
    ) -> None:
        """`history` ends with the question; what is foreign in it rules the tool out."""
        self._service = service
        self._principal = principal
        self._answer = answer
        self._has_foreign = any(message.passages or message.files or message.libraries for message in history)

    def definition(self, model: Model, messages: Sequence[PromptMessage], passages: Sequence[Passage]) -> JSON | None:
        """Return the tool; None for a model that can't call tools, or where the conversation has foreign texts.

        Passages, files and photos could ask for an image, and so could earlier answers that rest on them.
        """
        is_foreign = self._has_foreign or passages or any(message.images for message in messages)
        return DRAW_TOOL if model.can_call_tools and not is_foreign else None

    async def call(self, arguments: str, parts: Parts) -> AsyncGenerator[Event, None]:
        """Carry out a call, adding to `parts`.

        Raises EngineBroken for malformed arguments, and what the service raises.
        """
        try:
            call = _Call.model_validate_json(arguments or "{}")
        except ValidationError as error:
            raise EngineBroken("The model asked for an image without saying which; ask again.") from error
        _, model = await self._service.resolve_model(None)
        width, height = size_for_shape(model, ASPECT_RATIOS[call.size])
        request, answer = ImageRequest(width=width, height=height), self._answer
        job = await self._service.prepare(self._principal, call.prompt, request, model.id)
        job = job.with_answer(answer.run, answer.conversation, answer.message)
        async with aclosing(ImageRun(self._service, job, parts).events()) as events:
            async for event in events:
                yield event
