"""Requests to the sandbox that unpacks and checks skills, and its results."""

from __future__ import annotations

from dataclasses import dataclass

from eclair.sandbox.protocol import SandboxProtocol
from eclair.schema.skills import MAX_SKILL_BYTES
from eclair.util.frames import Codec

CPU_LIMIT_S = 20
MEMORY_LIMIT_BYTES = 1 << 30


@dataclass(frozen=True, slots=True)
class UnpackSkill:
    """Check a skill: a zip of its folder, or the text of a SKILL.md alone."""

    data: bytes


@dataclass(frozen=True, slots=True)
class UnpackedFile:
    """A file of a skill by its path in the folder."""

    path: str
    data: bytes


@dataclass(frozen=True, slots=True)
class UnpackedSkill:
    """A skill whose front matter and files are as the specification has them."""

    name: str
    description: str
    license: str | None
    compatibility: str | None
    allowed_tools: str | None
    metadata_names: tuple[str, ...]
    metadata_values: tuple[str, ...]
    files: tuple[UnpackedFile, ...]


PROTOCOL = SandboxProtocol[UnpackSkill, UnpackedSkill](
    "eclair.skills.skill_worker",
    Codec(UnpackSkill),
    (UnpackedSkill,),
    max_result_bytes=MAX_SKILL_BYTES + (1 << 20),
)
