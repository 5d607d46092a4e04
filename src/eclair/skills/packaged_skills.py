"""The skills that come with Éclair, which everybody may use and nobody changes."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path

from eclair.schema.skills import PACKAGED_PREFIX, SKILL_FILE, Skill, SkillFile

_FOLDER = Path(__file__).parent / "packaged"


@functools.cache
def list_packaged() -> tuple[Skill, ...]:
    """Return the skills by name."""
    from eclair.skills.front_matter import parse_skill_text  # YAML takes time to import

    found: list[Skill] = []
    for name, files in _files().items():
        head = parse_skill_text(files[SKILL_FILE])
        listed = tuple(SkillFile(path, len(data)) for path, data in files.items())
        found.append(
            Skill(id=PACKAGED_PREFIX + name, owner="", head=head, files=listed, created=0, changed=0, is_on=True)
        )
    return tuple(found)


def read_packaged(id: str) -> Mapping[str, bytes]:
    """Return the files of a skill that is listed, by their paths."""
    return _files()[id.removeprefix(PACKAGED_PREFIX)]


@functools.cache
def _files() -> Mapping[str, Mapping[str, bytes]]:
    return {
        folder.name: {
            file.relative_to(folder).as_posix(): file.read_bytes()
            for file in sorted(folder.rglob("*"))
            if file.is_file() and "__pycache__" not in file.parts
        }
        for folder in sorted(_FOLDER.iterdir())
        if (folder / SKILL_FILE).is_file()
    }
