"""`run_skill_script`: a model that answers runs a script of a skill in the sandbox of the conversation."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Sequence
from functools import partial
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from eclair.generation.tools import LocalTool, ToolContext, ToolResult, define_function
from eclair.llm.base import JSON, PromptMessage
from eclair.python.python_service import PythonRun
from eclair.schema.events import CallProgressed, Event
from eclair.schema.messages import CallAccess, Passage
from eclair.schema.models import Model
from eclair.skills.conversation_skills import ConversationSkills
from eclair.tools.call_progress import report_printed
from eclair.tools.run_python import CALL_LIMIT_S, describe_run

RUN_SKILL_SCRIPT_TOOL_NAME = "run_skill_script"
MAX_ARGUMENTS = 40
_NEEDS_MORE = (
    "Note: Only a small Python is here, in which few modules can be imported. Scripts run in full once the person has "
    "installed the data tools, in the settings under Models."
)


class SkillScriptArguments(BaseModel):
    model_config = ConfigDict(extra="ignore")

    skill: str = Field(min_length=1, max_length=80, description="The name of the skill.")
    script: str = Field(min_length=1, max_length=200, description="The script, such as scripts/check.py.")
    arguments: list[Annotated[str, Field(max_length=2000)]] = Field(
        default_factory=list[str], max_length=MAX_ARGUMENTS, description="Its arguments, as at a command line."
    )


class RunSkillScriptTool(LocalTool):
    """Implements `Tool`: runs scripts of the skills of a conversation."""

    name = RUN_SKILL_SCRIPT_TOOL_NAME
    access: CallAccess = "compute"
    arguments: type[BaseModel] = SkillScriptArguments
    timeout_s = CALL_LIMIT_S

    def __init__(self, skills: ConversationSkills) -> None:
        self._skills = skills

    def definition(self, model: Model, messages: Sequence[PromptMessage], passages: Sequence[Passage]) -> JSON | None:
        """Return the tool; None for a model that isn't told of skills."""
        if not (model.can_call_tools and model.can_plan):
            return None
        return define_function(
            self.name,
            "Runs a Python script of a skill in the sandbox of run_python, with the person's files in the working "
            "directory, and returns what it prints. Read the skill first.",
            SkillScriptArguments,
        )

    def summary(self, arguments: SkillScriptArguments) -> str:
        """See `Tool.summary`."""
        return f"Run {arguments.script} of {self._skills.describe(arguments.skill)}"

    async def run(
        self, arguments: SkillScriptArguments, context: ToolContext
    ) -> AsyncGenerator[Event | ToolResult, None]:
        """Run the script. Raises what `ConversationSkills.run` raises."""
        model = context.model.id
        run = partial(self._skills.run, arguments.skill, arguments.script, arguments.arguments, model=model)
        async with contextlib.aclosing(report_printed(context.call, run)) as reports:
            async for each in reports:
                yield each if isinstance(each, CallProgressed) else await self._result(each)

    async def _result(self, found: PythonRun) -> ToolResult:
        is_lost = found.error is not None and "FileNotFoundError" in found.error
        text = describe_run(found, await self._skills.list_names() if is_lost else ())
        if found.error is not None and not is_lost and found.interpreter == "monty" and found.wants is None:
            text = f"{_NEEDS_MORE}\n\n{text}"
        return ToolResult(text, has_failed=found.error is not None)
