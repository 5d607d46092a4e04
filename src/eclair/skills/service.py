"""Skills of people: those of the package and their own, which of them are on, and how they come in and go out."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import replace

from eclair.errors import Conflict, Forbidden, InvalidInput, NotFound
from eclair.sandbox.pool import SandboxPool
from eclair.sandbox.protocol import Rejected, SandboxError
from eclair.schema.ids import Clock, new_id
from eclair.schema.principal import Principal
from eclair.schema.skills import MAX_SKILL_ZIP_BYTES, PACKAGED_PREFIX, Skill, SkillFile, SkillHead
from eclair.skills.packaged_skills import list_packaged, read_packaged
from eclair.skills.skill_protocol import CPU_LIMIT_S, PROTOCOL, UnpackedSkill, UnpackSkill
from eclair.storage.change_feed import ChangeFeed
from eclair.storage.skills import SkillStore

TIMEOUT_S = CPU_LIMIT_S + 40
GONE = "There is no such skill; it may have been deleted."
TOO_LARGE = f"A skill has {MAX_SKILL_ZIP_BYTES >> 20} MB at most once packed; this is larger."


class SkillService:
    """Reads and changes skills, and publishes each change."""

    def __init__(
        self,
        skills: SkillStore,
        changes: ChangeFeed,
        *,
        clock: Clock = time.time,
        ids: Callable[[str], str] = new_id,
    ) -> None:
        self._skills = skills
        self._changes = changes
        self._clock = clock
        self._ids = ids

    async def list(self, principal: Principal) -> list[Skill]:
        """List by name the skills of a principal, and then those of the package."""
        own = await self._skills.list_skills(principal)
        switches = await self._skills.list_switches(principal)
        return [*own, *(replace(each, is_on=switches.get(each.id, True)) for each in list_packaged())]

    async def usable(self, principal: Principal) -> tuple[Skill, ...]:
        """List by name the skills that are on, one of each name: the principal's own comes first."""
        found: dict[str, Skill] = {}
        for each in await self.list(principal):
            if each.is_on:
                found.setdefault(each.name, each)
        return tuple(found[name] for name in sorted(found))

    async def get(self, principal: Principal, id: str) -> Skill:
        """Return a skill. Raises NotFound."""
        if not id.startswith(PACKAGED_PREFIX):
            return await self._skills.get_skill(principal, id)
        for each in await self.list(principal):
            if each.id == id:
                return each
        raise NotFound(GONE)

    async def get_by_name(self, principal: Principal, name: str) -> Skill:
        """Return the skill of that name or id, the principal's own before one of the package. Raises NotFound."""
        for each in await self.list(principal):
            if name in (each.name, each.id):
                return each
        raise NotFound(f"There is no skill {name!r}; choose another.")

    async def read_files(self, principal: Principal, id: str) -> Mapping[str, bytes]:
        """Return the files of a skill by their paths. Raises NotFound."""
        if not id.startswith(PACKAGED_PREFIX):
            return await self._skills.read_skill_files(principal, id)
        return read_packaged((await self.get(principal, id)).id)

    async def import_skill(self, principal: Principal, data: bytes, *, replaces: bool = True) -> Skill:
        """Add the skill of a zip, or of a SKILL.md alone, switched off; one's own of that name is replaced.

        Without `replaces`, one's own stays, and Conflict is raised. Raises InvalidInput, and Conflict where there
        are MAX_SKILLS.
        """
        if len(data) > MAX_SKILL_ZIP_BYTES:
            raise InvalidInput(TOO_LARGE)
        unpacked = await _unpack(data)
        if not replaces and unpacked.name in {each.name for each in await self._skills.list_skills(principal)}:
            raise Conflict(f"There is a skill {unpacked.name!r} already; delete it first.")
        now = int(self._clock() * 1000)
        files = {file.path: file.data for file in unpacked.files}
        listed = tuple(SkillFile(path, len(each)) for path, each in sorted(files.items()))
        new = Skill(
            id=self._ids("skill"), owner=principal.id, head=_head(unpacked), files=listed, created=now, changed=now
        )
        stored = await self._skills.put_skill(principal, new, files)
        self._changes.publish(principal, None, "skills")
        return stored

    async def switch(self, principal: Principal, id: str, *, is_on: bool, changed: int) -> Skill:
        """Switch a skill on or off, as it was at `changed`. Raises NotFound, and Conflict if it is newer."""
        await self.get(principal, id)
        await self._skills.switch_skill(principal, id, is_on=is_on, changed=changed)
        self._changes.publish(principal, None, "skills")
        return await self.get(principal, id)

    async def export(self, principal: Principal, id: str) -> tuple[str, bytes]:
        """Return a skill's name, and a zip of its folder. Raises NotFound."""
        skill = await self.get(principal, id)
        return skill.name, pack_skill(skill.name, await self.read_files(principal, id))

    async def delete(self, principal: Principal, id: str) -> None:
        """Delete a skill. Raises NotFound, and Forbidden for one of the package."""
        if (await self.get(principal, id)).is_packaged:
            raise Forbidden("This skill comes with Éclair and can't be deleted; switch it off.")
        await self._skills.delete_skill(principal, id)
        self._changes.publish(principal, None, "skills")


def pack_skill(name: str, files: Mapping[str, bytes]) -> bytes:
    """Return a zip of a skill's folder, the same for the same files."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for path, data in sorted(files.items()):
            info = zipfile.ZipInfo(f"{name}/{path}")
            info.external_attr = 0o100644 << 16
            archive.writestr(info, data, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


async def _unpack(data: bytes) -> UnpackedSkill:
    try:
        return await SandboxPool(PROTOCOL, max_processes=1).run_once(UnpackSkill(data), timeout_s=TIMEOUT_S)
    except Rejected as rejected:
        raise InvalidInput(rejected.message) from None
    except SandboxError as error:
        raise InvalidInput("This skill can't be read: it is damaged, or takes too much; pack it again.") from error


def _head(unpacked: UnpackedSkill) -> SkillHead:
    return SkillHead(
        name=unpacked.name,
        description=unpacked.description,
        license=unpacked.license,
        compatibility=unpacked.compatibility,
        allowed_tools=unpacked.allowed_tools,
        metadata=tuple(zip(unpacked.metadata_names, unpacked.metadata_values, strict=True)),
    )
