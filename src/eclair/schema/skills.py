"""Skills, as the open Agent Skills specification has them: a folder with a SKILL.md, and the files beside it."""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_SKILLS = 50
"""Of one person."""
MAX_SKILL_NAME_CHARS = 64
MAX_SKILL_DESCRIPTION_CHARS = 1024
MAX_COMPATIBILITY_CHARS = 500
MAX_SKILL_FILES = 200
MAX_SKILL_FILE_BYTES = 4 << 20
MAX_SKILL_BYTES = 12 << 20
MAX_SKILL_ZIP_BYTES = 8 << 20
MAX_SKILL_TEXT_BYTES = 64 << 10
"""Of SKILL.md."""
MAX_SKILL_PATH_BYTES = 120
SKILL_FILE = "SKILL.md"
PACKAGED_PREFIX = "packaged-"
"""The ids of skills that come with Éclair begin so."""
_NAME = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*+")


@dataclass(frozen=True, slots=True, kw_only=True)
class SkillHead:
    """The front matter of a SKILL.md. `metadata` are pairs of its own; `allowed_tools` is a wish and grants nothing."""

    name: str
    description: str
    license: str | None = None
    compatibility: str | None = None
    allowed_tools: str | None = None
    metadata: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class SkillFile:
    """A file of a skill, by its path in the folder; `size` is in bytes."""

    path: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Skill:
    """A skill. Times are in milliseconds.

    Models are told of one that `is_on`: one from outside is foreign text until its person has looked at it and
    switched it on, and each change switches it off again.
    """

    id: str
    owner: str
    head: SkillHead
    files: tuple[SkillFile, ...]
    created: int
    changed: int
    is_on: bool = False

    @property
    def name(self) -> str:
        """Its name, which is unique for its owner."""
        return self.head.name

    @property
    def is_packaged(self) -> bool:
        """True for one that comes with Éclair, which nobody changes."""
        return self.id.startswith(PACKAGED_PREFIX)

    @property
    def scripts(self) -> tuple[str, ...]:
        """The paths of its Python scripts."""
        return tuple(file.path for file in self.files if is_script(file.path))


def is_skill_name(name: str) -> bool:
    """Tell if a skill can have that name: small letters and digits, with single hyphens between them."""
    return len(name) <= MAX_SKILL_NAME_CHARS and _NAME.fullmatch(name) is not None


def is_script(path: str) -> bool:
    """Tell if a file of a skill is a script that the sandbox can run."""
    return path.startswith("scripts/") and path.endswith(".py")
