"""Port of skills, which people import and switch on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from eclair.schema.principal import Principal
from eclair.schema.skills import Skill


class SkillStore(Protocol):
    """A skill belongs to one person, with whether it is on; so does whether a skill of the package is on for them."""

    async def put_skill(self, principal: Principal, skill: Skill, files: Mapping[str, bytes]) -> Skill:
        """Add a skill with its files, switched off; one of the principal's of that name is replaced, and keeps its id.

        Raises Conflict where the principal has MAX_SKILLS.
        """
        ...

    async def get_skill(self, principal: Principal, id: str) -> Skill:
        """Return a skill. Raises NotFound."""
        ...

    async def list_skills(self, principal: Principal) -> list[Skill]:
        """List the principal's skills by name."""
        ...

    async def read_skill_files(self, principal: Principal, id: str) -> Mapping[str, bytes]:
        """Return the files of a skill by their paths. Raises NotFound."""
        ...

    async def switch_skill(self, principal: Principal, id: str, *, is_on: bool, changed: int) -> None:
        """Switch a skill on or off, as it was at `changed`.

        Raises NotFound, and Conflict where it was changed since. Packaged ones aren't looked up.
        """
        ...

    async def list_switches(self, principal: Principal) -> Mapping[str, bool]:
        """Return the skills that the principal has switched, and whether each is on."""
        ...

    async def delete_skill(self, principal: Principal, id: str) -> None:
        """Delete a skill. Raises NotFound."""
        ...
