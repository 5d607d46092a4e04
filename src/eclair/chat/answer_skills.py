"""The skills of an answer: as tools of a model that chooses by itself, or read on its behalf where one fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eclair.accounts.rights import OPEN_RULES, RightRules
from eclair.generation.tools import Tool
from eclair.python.python_service import PythonService
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.skills.conversation_skills import ConversationSkills, SkillSandbox
from eclair.skills.service import SkillService
from eclair.skills.skill_fit import SkillFit
from eclair.tools.read_skill import ReadSkillTool
from eclair.tools.run_python import PYTHON_TOOL_NAME
from eclair.tools.run_skill_script import RunSkillScriptTool


@dataclass(frozen=True, slots=True)
class ReadSkill:
    """A skill that was read on behalf of a model, as its people are told of it; no `title` for none."""

    title: str | None = None
    text: str = ""


NO_SKILL = ReadSkill()


class AnswerSkills:
    """Offers the skills that are on. Scripts run where there is Python, and the person may run it."""

    def __init__(
        self, service: SkillService, fit: SkillFit, python: PythonService | None = None, rights: RightRules = OPEN_RULES
    ) -> None:
        self._service = service
        self._fit = fit
        self._python = python
        self._rights = rights

    async def tools(self, principal: Principal, conversation: str | None) -> tuple[Tool, ...]:
        """Return the tools on skills, if any is on. Without a stored `conversation` no script is run."""
        usable = await self._service.usable(principal)
        if not usable:
            return ()
        may_run = self._rights.may(principal, f"tool:{PYTHON_TOOL_NAME}")
        sandbox: SkillSandbox | None = None
        if self._python is not None and conversation is not None and may_run:
            sandbox = SkillSandbox(self._python, conversation)
        skills = ConversationSkills(self._service, principal, usable, sandbox)
        reader = ReadSkillTool(skills)
        return (reader, RunSkillScriptTool(skills)) if skills.has_scripts else (reader,)

    async def read_for(self, model: Model, tools: Sequence[Tool], question: str) -> ReadSkill:
        """Read the skill that a question calls for, if it may be read and the model doesn't do that by itself."""
        reader = next((tool for tool in tools if isinstance(tool, ReadSkillTool)), None)
        if reader is None or reader.definition(model, (), ()) is not None:
            return NO_SKILL
        found = await self._fit.choose(reader.skills.skills, question)
        if found is None:
            return NO_SKILL
        return ReadSkill(reader.skills.describe(found.name), await reader.skills.read_instructions(found.name))
