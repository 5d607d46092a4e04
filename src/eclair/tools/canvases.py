"""`open_canvas` and `edit_canvas`: a model that answers puts a text beside the conversation, and changes one.

Nothing leaves the machine, and nothing but the conversation's own canvases is changed, whose versions all stay: so the
calls compute, and nobody is asked. Where foreign text may have led to a call that changes something, it is asked for.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict, Field

from eclair.errors import NotFound
from eclair.generation.tools import CALL_TIMEOUT_S, LocalTool, ToolContext, ToolResult, define_function, failed_result
from eclair.llm.base import JSON, PromptMessage
from eclair.schema.canvases import Canvas, CanvasVersion, NewCanvasVersion
from eclair.schema.events import Event
from eclair.schema.ids import new_id
from eclair.schema.messages import CallAccess, Passage
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.storage.canvases import CanvasStore
from eclair.storage.change_feed import ChangeFeed
from eclair.util.humanize import shorten_words

OPEN_CANVAS_TOOL_NAME = "open_canvas"
EDIT_CANVAS_TOOL_NAME = "edit_canvas"
MAX_TITLE_CHARS = 120
MAX_QUOTED_CHARS = 100
MAX_ID_CHARS = 100


@dataclass(frozen=True, slots=True)
class ConversationCanvases:
    """The canvases of one conversation, for whoever asks in it. `known` are those there are, by their ids."""

    store: CanvasStore
    changes: ChangeFeed
    principal: Principal
    conversation: str
    known: dict[str, Canvas]


class OpenCanvasArguments(BaseModel):
    model_config = ConfigDict(extra="ignore")

    title: str = Field(min_length=1, max_length=MAX_TITLE_CHARS, description="A few words.")
    language: str = Field(
        "markdown",
        pattern=r"^[a-z0-9+#.-]{0,30}$",
        description="`markdown` for texts, else such as `python`, `html`, `svg`, `jsx` or `mermaid`.",
    )
    text: str = Field(min_length=1, description="All of the text.")


class OpenCanvasTool(LocalTool):
    """Implements `Tool`: opens a new canvas."""

    name = OPEN_CANVAS_TOOL_NAME
    access: CallAccess = "compute"
    arguments: type[BaseModel] = OpenCanvasArguments
    timeout_s = CALL_TIMEOUT_S

    def __init__(self, canvases: ConversationCanvases) -> None:
        self._canvases = canvases

    def definition(self, model: Model, messages: Sequence[PromptMessage], passages: Sequence[Passage]) -> JSON | None:
        """See `Tool.definition`."""
        if not model.can_edit_canvases:
            return None
        return define_function(
            self.name,
            "Opens a long text, a program, a page or a diagram beside the conversation, where the person edits it on. "
            "Call it when something is asked for that is to be kept and worked on, not for short answers.",
            OpenCanvasArguments,
        )

    def summary(self, arguments: OpenCanvasArguments) -> str:
        """See `Tool.summary`."""
        return f"Open the canvas “{arguments.title}”"

    def asks_if_tainted(self, arguments: OpenCanvasArguments) -> bool:
        """See `Tool.asks_if_tainted`."""
        return True

    async def run(
        self, arguments: OpenCanvasArguments, context: ToolContext
    ) -> AsyncGenerator[Event | ToolResult, None]:
        """Add the canvas. Raises NotFound once the conversation was deleted."""
        now = int(time.time() * 1000)
        mine = self._canvases
        title = " ".join(arguments.title.split()) or "Canvas"
        canvas = Canvas(new_id("canv"), mine.conversation, title, arguments.language, now, now)
        version = CanvasVersion(1, None, "model", context.model.id, "", now)
        await mine.store.add_canvas(mine.principal, canvas, [(version, arguments.text.replace("\0", ""))])
        mine.known[canvas.id] = canvas
        mine.changes.publish(mine.principal, mine.conversation, "canvases")
        yield ToolResult(f"The canvas is open beside the conversation as {canvas.id}. Don't repeat its text.")


class CanvasReplacement(BaseModel):
    old: str = Field(min_length=1, description="Words that stand in the text exactly once, as they are.")
    new: str = Field(description="What takes their place.")


class EditCanvasArguments(BaseModel):
    model_config = ConfigDict(extra="ignore")

    canvas: str = Field(
        max_length=MAX_ID_CHARS,
        description="Its id, as in `canv_01h…`, which `open_canvas` or the person's message tells.",
    )
    changes: list[CanvasReplacement] = Field(
        default_factory=list[CanvasReplacement], max_length=100, description="None to read the text."
    )


class EditCanvasTool(LocalTool):
    """Implements `Tool`: changes a canvas of the conversation, or reads its text."""

    name = EDIT_CANVAS_TOOL_NAME
    access: CallAccess = "compute"
    arguments: type[BaseModel] = EditCanvasArguments
    timeout_s = CALL_TIMEOUT_S

    def __init__(self, canvases: ConversationCanvases) -> None:
        self._canvases = canvases

    @property
    def known(self) -> Sequence[Canvas]:
        """The canvases that there are, the oldest first."""
        return sorted(self._canvases.known.values(), key=lambda canvas: canvas.created)

    def definition(self, model: Model, messages: Sequence[PromptMessage], passages: Sequence[Passage]) -> JSON | None:
        """See `Tool.definition`."""
        if not model.can_edit_canvases:
            return None
        return define_function(
            self.name,
            "Changes a canvas beside the conversation, or without changes returns its text: read it before you change "
            "it.",
            EditCanvasArguments,
        )

    def summary(self, arguments: EditCanvasArguments) -> str:
        """See `Tool.summary`."""
        known = self._canvases.known.get(arguments.canvas)
        title = arguments.canvas if known is None else known.title
        return f"{'Change' if arguments.changes else 'Read'} the canvas “{title}”"

    def asks_if_tainted(self, arguments: EditCanvasArguments) -> bool:
        """Return True for changes; reading shows the model what the conversation has."""
        return bool(arguments.changes)

    async def run(
        self, arguments: EditCanvasArguments, context: ToolContext
    ) -> AsyncGenerator[Event | ToolResult, None]:
        """Make all changes or none. Raises NotFound."""
        mine = self._canvases
        canvas = await mine.store.get_canvas(mine.principal, arguments.canvas)
        if canvas.conversation != mine.conversation:
            raise NotFound("This canvas is in another conversation.")
        _, text = await mine.store.get_version(mine.principal, canvas.id, canvas.current)
        if not arguments.changes:
            yield ToolResult(text)
            return
        for change in arguments.changes:
            if (count := text.count(change.old)) != 1:
                stands = f"stands in the text {count} times, not once; nothing was changed."
                quoted = f"“{shorten_words(change.old, MAX_QUOTED_CHARS)}”"
                yield failed_result(f"{change.old!r} {stands}", "text_not_unique", f"{quoted} {stands}")
                return
            text = text.replace(change.old, change.new.replace("\0", ""))
        new = NewCanvasVersion(canvas.current, text, "model", context.model.id)
        after, version = await mine.store.add_version(mine.principal, canvas.id, new)
        mine.changes.publish(mine.principal, mine.conversation, "canvases")
        if after.current != version.number:
            yield ToolResult(
                f"The canvas was changed meanwhile; your text is kept as version {version.number} beside it."
            )
        else:
            yield ToolResult(f"The canvas is changed; it is version {version.number} now.")
