"""`draw_picture`: a model that answers has an image generated, which becomes part of the same answer."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from eclair.generation.tools import LocalTool, ToolContext, ToolResult, define_function, failed_result
from eclair.images.job import ImageJob
from eclair.images.request import size_for_shape
from eclair.images.run import ImageRun
from eclair.images.service import ImageService
from eclair.llm.base import JSON, PromptMessage
from eclair.schema.events import Event, FoldedParts, PartDelta, PartFinished, PartStarted
from eclair.schema.images import ImageRequest
from eclair.schema.messages import CallAccess, Message, Part, Passage
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.util.humanize import shorten_words

DRAW_TOOL_NAME = "draw_picture"
DRAW_TIMEOUT_S = 1800.0
"""Images may wait for others, and take minutes on a processor."""

MAX_SUMMARY_CHARS = 120
"""Of the prompt in the summary."""

ImageShape = Literal["square", "wide", "tall"]
ASPECT_RATIOS: dict[ImageShape, float] = {"square": 1.0, "wide": 1.5, "tall": 1 / 1.5}


class DrawArguments(BaseModel):
    model_config = ConfigDict(extra="ignore")

    prompt: str = Field(
        min_length=1, description="What is to be seen, in English: the things, the place, the light, the style."
    )
    size: ImageShape = Field("square", description="The shape of the picture.")


DRAW_TOOL = define_function(
    DRAW_TOOL_NAME,
    "Draws a picture, which the person then sees below your words. Call it when a picture is asked for, and not "
    "otherwise.",
    DrawArguments,
)


@dataclass(frozen=True, slots=True)
class AnswerRef:
    """The answer that an image becomes part of."""

    run: str
    conversation: str
    message: str


class ImageTool(LocalTool):
    """Implements `Tool`: generates the images that a model calls for into its answer."""

    name = DRAW_TOOL_NAME
    access: CallAccess = "compute"
    arguments: type[BaseModel] = DrawArguments
    timeout_s = DRAW_TIMEOUT_S

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

    def summary(self, arguments: DrawArguments) -> str:
        """See `Tool.summary`."""
        return f"Draw “{shorten_words(arguments.prompt, MAX_SUMMARY_CHARS)}”"

    def asks_if_tainted(self, arguments: DrawArguments) -> bool:
        """See `Tool.asks_if_tainted`."""
        return True

    async def run(self, arguments: DrawArguments, context: ToolContext) -> AsyncGenerator[Event | ToolResult, None]:
        """Have the image generated. Raises what the service raises."""
        _, model = await self._service.resolve_model(None)
        width, height = size_for_shape(model, ASPECT_RATIOS[arguments.size])
        request, answer = ImageRequest(width=width, height=height), self._answer
        job = await self._service.prepare(self._principal, arguments.prompt, request, model.id)
        async with aclosing(draw_into_answer(self._service, job, answer)) as events:
            async for event in events:
                if isinstance(event, tuple):
                    yield picture_result(event)
                else:
                    yield event


async def draw_into_answer(
    service: ImageService, job: ImageJob, answer: AnswerRef
) -> AsyncGenerator[Event | tuple[Part, ...], None]:
    """Have the images of a job made into an answer; yield its steps, and then the pictures."""
    made = FoldedParts()
    job = job.with_answer(answer.run, answer.conversation, answer.message)
    async with aclosing(ImageRun(service, job).events()) as events:
        async for event in events:
            if isinstance(event, PartStarted | PartDelta | PartFinished):
                made.add(event)
            else:
                yield event
    yield tuple(replace(part, round=0) for part in made.parts())


def picture_result(pictures: tuple[Part, ...]) -> ToolResult:
    """Return the result with the pictures that were made."""
    if not pictures:
        return failed_result("No picture was made.", "no_picture", "No picture was made.")
    told = "The picture is drawn, and the person sees it in your answer. Don't describe how it was made."
    return ToolResult(told, pictures=pictures)
