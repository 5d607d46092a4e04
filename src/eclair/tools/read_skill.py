"""`read_skill`: a model that answers reads the instructions of a skill, and the files beside them, when a task fits.

Its definition lists the skills that are on, so that a model is told of them where it may read them, and only there.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence

from pydantic import BaseModel, ConfigDict, Field

from eclair.generation.tools import CALL_TIMEOUT_S, LocalTool, ToolContext, ToolResult, define_function
from eclair.llm.base import JSON, PromptMessage
from eclair.schema.events import Event
from eclair.schema.messages import CallAccess, Passage
from eclair.schema.models import Model
from eclair.skills.conversation_skills import ConversationSkills

READ_SKILL_TOOL_NAME = "read_skill"
LIST_CHARS = 8000
WINDOW_SHARE = 8
"""The list takes at most one of so many parts of a model's window."""
CHARS_PER_TOKEN = 4
DEFAULT_WINDOW = 8192

_DESCRIPTION = (
    "Reads a skill: instructions for a certain task. If the person asks for such a task, read its skill before "
    "anything else and do as it says. The skills are:"
)


class ReadSkillArguments(BaseModel):
    model_config = ConfigDict(extra="ignore")

    skill: str = Field(min_length=1, max_length=80, description="Its name.")
    file: str | None = Field(None, max_length=200, description="A file of the skill; by default its instructions.")


class ReadSkillTool(LocalTool):
    """Implements `Tool`: reads the skills of a conversation."""

    name = READ_SKILL_TOOL_NAME
    access: CallAccess = "read"
    arguments: type[BaseModel] = ReadSkillArguments
    timeout_s = CALL_TIMEOUT_S

    def __init__(self, skills: ConversationSkills) -> None:
        self.skills = skills

    def definition(self, model: Model, messages: Sequence[PromptMessage], passages: Sequence[Passage]) -> JSON | None:
        """Return the tool with the list of skills; None for a model that isn't trusted to choose among them."""
        if not (model.can_call_tools and model.can_plan):
            return None
        listed = "\n".join((_DESCRIPTION, *self._lines(model.context or DEFAULT_WINDOW)))
        return define_function(self.name, listed, ReadSkillArguments)

    def summary(self, arguments: ReadSkillArguments) -> str:
        """See `Tool.summary`."""
        skill = self.skills.describe(arguments.skill)
        return f"Read {arguments.file} of {skill}" if arguments.file else f"Read {skill}"

    async def run(
        self, arguments: ReadSkillArguments, context: ToolContext
    ) -> AsyncGenerator[Event | ToolResult, None]:
        """Read the skill. Raises NotFound for one that isn't on, and for a file."""
        yield ToolResult(await self.skills.read(arguments.skill, arguments.file))

    def _lines(self, window: int) -> list[str]:
        """Return a line for each skill; descriptions are shortened where they would take too much of the window."""
        room = min(LIST_CHARS, window * CHARS_PER_TOKEN // WINDOW_SHARE)
        skills = self.skills.skills
        each_room = max(room // len(skills), 40)
        is_tight = sum(len(each.name) + len(each.head.description) + 4 for each in skills) > room
        return [
            f"- {each.name}: {_shorten(each.head.description, each_room) if is_tight else each.head.description}"
            for each in skills
        ]


def _shorten(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
