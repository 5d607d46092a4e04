"""`look_at_picture`: a model that answers has a vision model look at a picture of the conversation.

It helps models without vision, and all models with pictures that answers have, which prompts don't show. What is seen
may hold foreign words, so the call reads.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from eclair.documents.vision import VisionService
from eclair.errors import EngineBroken, NotFound
from eclair.generation.tools import LocalTool, ToolContext, ToolResult, define_function
from eclair.generation.usage import AskModel
from eclair.images.service import ImageService
from eclair.llm.base import JSON, Engine, PromptImage, PromptMessage, Request, Text
from eclair.llm.reasoning import FLASH_EFFORT
from eclair.schema.events import Event
from eclair.schema.messages import CallAccess, Message, Passage, Sampling
from eclair.schema.models import OWN_LOCATIONS, Model
from eclair.tools.edit_picture import made_pictures

LOOK_TIMEOUT_S = 300.0
"""A vision model may have to be loaded."""
MAX_REPLY_TOKENS = 500
"""Of what the vision model says."""


@dataclass(frozen=True, slots=True)
class PictureViewer:
    """The pictures of a conversation, and who may look at them.

    `viewers` are vision models that the person may use; `ask` counts their usage.
    """

    images: ImageService
    vision: VisionService
    ask: AskModel
    viewers: Sequence[tuple[Engine, Model]]
    history: Sequence[Message]

    def list_for(self, model: Model) -> Mapping[str, str]:
        """Return what there is to see for a model beside its prompt: each name by its id."""
        photos: dict[str, str] = {}
        if model.vision_pixels is None:
            attached = (file for message in self.history for file in message.files)
            photos = {file.id: file.name for file in attached if file.media.startswith("image/")}
        return {**photos, **made_pictures(self.history)}

    def viewer_for(self, model: Model) -> tuple[Engine, Model] | None:
        """Return who looks for a model: itself, one of the house, or one of its own server, which knows the rest."""
        others = [each for each in self.viewers if each[1].location in OWN_LOCATIONS or each[1].engine == model.engine]
        return next((each for each in others if each[1].id == model.id), next(iter(others), None))


class LookArguments(BaseModel):
    model_config = ConfigDict(extra="ignore")

    picture: str = Field(description="Its id.")
    question: str = Field(min_length=1, max_length=1000, description="What you want to know of it.")


class LookTool(LocalTool):
    """Implements `Tool`: asks a vision model about a picture."""

    name = "look_at_picture"
    access: CallAccess = "read"
    arguments: type[BaseModel] = LookArguments
    timeout_s = LOOK_TIMEOUT_S

    def __init__(self, viewer: PictureViewer) -> None:
        self._viewer = viewer

    def definition(self, model: Model, messages: Sequence[PromptMessage], passages: Sequence[Passage]) -> JSON | None:
        """Return the tool; None for a model that can't call tools, without a picture, or without a viewer."""
        pictures = self._viewer.list_for(model)
        if not model.can_call_tools or not pictures or self._viewer.viewer_for(model) is None:
            return None
        listed = "; ".join(f"{id} “{name}”" for id, name in pictures.items())
        return define_function(
            self.name,
            f"Answers a question about a picture that you can't see yourself. Pictures: {listed}.",
            LookArguments,
        )

    def summary(self, arguments: LookArguments) -> str:
        """See `Tool.summary`."""
        return f"Look at a picture: “{' '.join(arguments.question.split())}”"

    async def run(self, arguments: LookArguments, context: ToolContext) -> AsyncGenerator[Event | ToolResult, None]:
        """Ask the vision model. Raises NotFound, EngineBroken, and what reading the picture and asking raise."""
        mine = self._viewer
        pictures, viewer = mine.list_for(context.model), mine.viewer_for(context.model)
        if arguments.picture not in pictures or viewer is None:
            listed = ", ".join(pictures) or "none"
            raise NotFound(f"This conversation has no picture of that id. There are: {listed}.")
        engine, model = viewer
        name, data = await mine.images.read_source(context.principal, arguments.picture)
        seen = await mine.vision.prepare_bytes(data, name, model.vision_pixels or 1)
        picture = PromptImage(seen.media, seen.data, seen.width, seen.height)
        request = Request(
            model.id,
            (PromptMessage("user", arguments.question, images=(picture,)),),
            sampling=Sampling(max_tokens=MAX_REPLY_TOKENS),
            extra={} if model.reasoning in (None, "never") else {"reasoning_effort": FLASH_EFFORT},
            reasoning=model.reasoning,
            purpose="notes",
        )
        said = ""
        async with aclosing(mine.ask(context.principal, engine, model, request)) as deltas:
            async for delta in deltas:
                said += delta.text if isinstance(delta, Text) else ""
        if not said.strip():
            raise EngineBroken(f"{model.name} said nothing about the picture.")
        yield ToolResult(f"{model.name} looked at the picture and says:\n{said.strip()}")
