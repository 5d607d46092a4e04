"""`edit_picture`: a model that answers has a picture of the conversation changed, and the new one is in the answer.

As with `draw_picture`, nothing is lost: the picture that is changed stays.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from pydantic import BaseModel, ConfigDict, Field

from eclair.errors import NotFound
from eclair.generation.tools import LocalTool, ToolContext, ToolResult, define_function
from eclair.generation.untrusted import has_foreign_text
from eclair.images.service import ImageService
from eclair.llm.base import JSON, PromptMessage
from eclair.schema.events import Event
from eclair.schema.images import ImageRequest
from eclair.schema.messages import CallAccess, Message, Passage
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.tools.draw_picture import DRAW_TIMEOUT_S, MAX_SUMMARY_CHARS, AnswerRef, draw_into_answer, picture_result
from eclair.util.humanize import shorten_words

EDIT_TOOL_NAME = "edit_picture"
MAX_LISTED_PICTURES = 8


class EditPictureArguments(BaseModel):
    model_config = ConfigDict(extra="ignore")

    picture: str = Field(description="Its id.")
    prompt: str = Field(min_length=1, description="What is to be changed, in English, and what stays as it is.")


class EditPictureTool(LocalTool):
    """Implements `Tool`: edits pictures that answers of the conversation have."""

    name = EDIT_TOOL_NAME
    access: CallAccess = "compute"
    arguments: type[BaseModel] = EditPictureArguments
    timeout_s = DRAW_TIMEOUT_S

    def __init__(
        self, service: ImageService, principal: Principal, answer: AnswerRef, history: Sequence[Message]
    ) -> None:
        """`history` ends with the question."""
        self._service = service
        self._principal = principal
        self._answer = answer
        self._history = history
        self._pictures = made_pictures(history)

    def definition(self, model: Model, messages: Sequence[PromptMessage], passages: Sequence[Passage]) -> JSON | None:
        """Return the tool; None for a model that can't call tools, without a picture, or where foreign texts are."""
        is_foreign = passages or any(message.images for message in messages) or has_foreign_text(self._history)
        if not model.can_call_tools or is_foreign or not self._pictures:
            return None
        listed = "; ".join(f"{id} “{prompt}”" for id, prompt in self._pictures.items())
        return define_function(
            self.name,
            "Changes a picture of this conversation; the person sees the new one below your words. Call it when a "
            f"change to one is asked for. Pictures, newest last: {listed}.",
            EditPictureArguments,
        )

    def summary(self, arguments: EditPictureArguments) -> str:
        """See `Tool.summary`."""
        return f"Change the picture: “{shorten_words(arguments.prompt, MAX_SUMMARY_CHARS)}”"

    def asks_if_tainted(self, arguments: EditPictureArguments) -> bool:
        """See `Tool.asks_if_tainted`."""
        return True

    async def run(
        self, arguments: EditPictureArguments, context: ToolContext
    ) -> AsyncGenerator[Event | ToolResult, None]:
        """Have the picture changed. Raises what the service raises."""
        if arguments.picture not in self._pictures:
            known = ", ".join(self._pictures)
            raise NotFound(f"This conversation has no picture of that id. There are: {known}.")
        request = ImageRequest(sources=(arguments.picture,))
        job = await self._service.prepare(self._principal, arguments.prompt, request)
        async with aclosing(draw_into_answer(self._service, job, self._answer)) as events:
            async for event in events:
                if isinstance(event, tuple):
                    yield picture_result(event)
                else:
                    yield event


def made_pictures(history: Sequence[Message]) -> dict[str, str]:
    """Return the last pictures of a conversation: the prompt of each by its id."""
    parts = [part for message in history for part in message.parts if part.kind == "picture"]
    found = {part.id: shorten_words(part.text, MAX_SUMMARY_CHARS) for part in parts if part.id is not None}
    return dict(list(found.items())[-MAX_LISTED_PICTURES:])
