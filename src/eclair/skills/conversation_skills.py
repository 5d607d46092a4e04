"""The skills of a conversation: read, and run in its sandbox, for whichever model answers in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from eclair.errors import NotFound
from eclair.python.python_service import PythonRun, PythonService
from eclair.python.python_sessions import ReportPrinted
from eclair.schema.principal import Principal
from eclair.schema.skills import SKILL_FILE, Skill
from eclair.skills.front_matter import split_front_matter
from eclair.skills.service import SkillService

FOLDER = "skills"
"""The folder of skills in a session of Python."""

MAX_LISTED_FILES = 60

_RUN = """import runpy as _runpy, sys as _sys
_sys.argv = [{path!r}, *{arguments!r}]
_sys.path.insert(0, {folder!r})
try:
    _runpy.run_path({path!r}, run_name="__main__")
except SystemExit as _end:
    if _end.code not in (None, 0):
        raise RuntimeError(f"The script ended with {{_end.code}}.") from None
finally:
    _sys.path.remove({folder!r})
"""


@dataclass(frozen=True, slots=True)
class SkillSandbox:
    """Python of a conversation."""

    python: PythonService
    conversation: str


@dataclass(frozen=True, slots=True)
class ConversationSkills:
    """Skills that are on, one of each name. Without a `sandbox` no script is run."""

    service: SkillService
    principal: Principal
    skills: Sequence[Skill]
    sandbox: SkillSandbox | None = None

    @property
    def has_scripts(self) -> bool:
        return self.sandbox is not None and any(each.scripts for each in self.skills)

    def describe(self, name: str) -> str:
        """Return a skill's name for people; of one that comes with Éclair it says so, as others may have its name."""
        found = self._lookup(name)
        return f"the {'packaged ' if found is not None and found.is_packaged else ''}skill {name}"

    async def read(self, name: str, path: str | None = None) -> str:
        """Return the instructions of a skill with a list of its files, or one of those. Raises NotFound."""
        skill = self._find(name)
        files = await self._open(skill)
        if path is not None and path.removeprefix("./") != SKILL_FILE:
            return _text(skill, files, path.removeprefix("./"))
        return "\n\n".join(part for part in (instructions(files), self._list(skill)) if part)

    async def read_instructions(self, name: str) -> str:
        """Return the instructions of a skill alone. Raises NotFound."""
        return instructions(await self.service.read_files(self.principal, self._find(name).id))

    async def run(
        self,
        name: str,
        script: str,
        arguments: Sequence[str],
        report: ReportPrinted | None = None,
        *,
        model: str = "",
    ) -> PythonRun:
        """Run a script of a skill in the sandbox. `report` is told of what it prints while it runs; `model` calls it.

        Raises NotFound, and what Python raises.
        """
        skill = self._find(name)
        path = script.removeprefix("./")
        if self.sandbox is None or path not in skill.scripts:
            scripts = ", ".join(skill.scripts) or "none"
            raise NotFound(f"The skill {skill.name} has no script {path!r} that can be run here; these are: {scripts}.")
        files = await self._open(skill)
        python = self.sandbox.python
        whole = f"{FOLDER}/{skill.name}/{path}"
        if python.interpreter == "wasi":
            code = _RUN.format(path=whole, arguments=list(arguments), folder=str(PurePosixPath(whole).parent))
        else:
            code = _plain_code(_text(skill, files, path), [whole, *arguments])
        return await python.run(self.principal, self.sandbox.conversation, code, report, model=model)

    async def list_names(self) -> Sequence[str]:
        """List the names of the conversation's files that a script can read."""
        if self.sandbox is None:
            return ()
        return await self.sandbox.python.list_names(self.principal, self.sandbox.conversation)

    async def _open(self, skill: Skill) -> Mapping[str, bytes]:
        """Return the files of a skill, and give them to the sandbox."""
        files = await self.service.read_files(self.principal, skill.id)
        if self.sandbox is not None and len(files) > 1:
            self.sandbox.python.give_files(self.sandbox.conversation, f"{FOLDER}/{skill.name}", files)
        return files

    def _lookup(self, name: str) -> Skill | None:
        sought = name.strip().removeprefix("/")
        return next((each for each in self.skills if each.name == sought), None)

    def _find(self, name: str) -> Skill:
        found = self._lookup(name)
        if found is None:
            names = ", ".join(each.name for each in self.skills)
            raise NotFound(f"There is no skill {name.strip().removeprefix('/')!r}; these are there: {names}.")
        return found

    def _list(self, skill: Skill) -> str:
        others = [file for file in skill.files if file.path != SKILL_FILE]
        if not others:
            return ""
        listed = [f"- {file.path} ({file.size} bytes)" for file in others[:MAX_LISTED_FILES]]
        if len(others) > MAX_LISTED_FILES:
            listed.append(f"- and {len(others) - MAX_LISTED_FILES} more")
        parts = ["Files of the skill, which read_skill reads by their path:", *listed]
        if self.sandbox is not None:
            parts.append(f"run_python can read them in the folder {FOLDER}/{skill.name}.")
            if skill.scripts:
                parts.append("run_skill_script runs its scripts; don't copy their code.")
        return "\n".join(parts)


def instructions(files: Mapping[str, bytes]) -> str:
    """Return the instructions of a skill: its SKILL.md below the front matter."""
    return split_front_matter(files[SKILL_FILE].decode("utf-8-sig", "replace"))[1].strip()


def _plain_code(source: str, arguments: Sequence[str]) -> str:
    """Return a script as code of the small interpreter, which has no arguments of its own."""
    return source.replace("sys.argv", repr(list(arguments)))


def _text(skill: Skill, files: Mapping[str, bytes], path: str) -> str:
    data = files.get(path)
    if data is None:
        raise NotFound(f"The skill {skill.name} has no file {path!r}.")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return f"{path} is no text ({len(data)} bytes); code can read it."
