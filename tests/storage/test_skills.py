"""Skills in the storage: seen by their owner alone, off until they are switched on, and off again once changed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eclair.errors import Conflict, HeldBack, NotFound
from eclair.schema.skills import MAX_SKILLS, Skill, SkillFile, SkillHead
from eclair.storage.audit import ActFilter
from eclair.storage.base import Storage
from eclair.storage.retention import LegalHold
from tests.storage.helpers import ME, SOMEONE

FILES = {"SKILL.md": b"text", "scripts/a.py": b"print(1)"}
REPORT = Skill(
    id="skill_a",
    owner="me",
    head=SkillHead(name="report", description="Writes a report.", metadata=(("author", "A"),)),
    files=(SkillFile("SKILL.md", 4), SkillFile("scripts/a.py", 8)),
    created=5,
    changed=5,
)


async def test_a_skill_is_kept_replaced_and_deleted(storage: Storage) -> None:
    assert await storage.skills.put_skill(ME, REPORT, FILES) == REPORT
    assert await storage.skills.list_skills(ME) == [REPORT]
    assert await storage.skills.read_skill_files(ME, "skill_a") == FILES
    await storage.skills.switch_skill(ME, "skill_a", is_on=True, changed=5)
    assert (await storage.skills.get_skill(ME, "skill_a")).is_on
    other = replace(REPORT, id="skill_b", head=SkillHead(name="report", description="Better."), changed=5)
    replaced = await storage.skills.put_skill(ME, other, {"SKILL.md": b"newer"})
    assert (replaced.id, replaced.head, replaced.created, replaced.changed) == ("skill_a", other.head, 5, 6)
    assert replaced.files == (SkillFile("SKILL.md", 5),)
    assert not replaced.is_on
    with pytest.raises(Conflict, match="look at it again"):
        await storage.skills.switch_skill(ME, "skill_a", is_on=True, changed=5)
    await storage.skills.switch_skill(ME, "skill_a", is_on=True, changed=6)
    await storage.skills.switch_skill(ME, "skill_a", is_on=False, changed=6)
    await storage.skills.switch_skill(ME, "packaged-x", is_on=False, changed=0)
    assert await storage.skills.list_switches(ME) == {"skill_a": False, "packaged-x": False}
    await storage.skills.delete_skill(ME, "skill_a")
    assert await storage.skills.list_skills(ME) == []
    assert await storage.skills.list_switches(ME) == {"packaged-x": False}
    acts = [each.action for each in await storage.audit.list_acts(ActFilter(action="skill"), 20)]
    assert sorted(set(acts)) == ["skill.deleted", "skill.imported", "skill.switched"]


async def test_nobody_sees_or_changes_anothers_skills(storage: Storage) -> None:
    await storage.skills.put_skill(ME, REPORT, FILES)
    await storage.skills.switch_skill(ME, "skill_a", is_on=True, changed=5)
    assert await storage.skills.list_skills(SOMEONE) == []
    assert await storage.skills.list_switches(SOMEONE) == {}
    for attempt in (
        storage.skills.get_skill(SOMEONE, "skill_a"),
        storage.skills.read_skill_files(SOMEONE, "skill_a"),
        storage.skills.switch_skill(SOMEONE, "skill_a", is_on=False, changed=5),
        storage.skills.delete_skill(SOMEONE, "skill_a"),
    ):
        with pytest.raises(NotFound):
            await attempt
    theirs = await storage.skills.put_skill(SOMEONE, replace(REPORT, id="skill_c"), FILES)
    assert (theirs.id, theirs.owner, theirs.is_on) == ("skill_c", "someone", False)
    assert (await storage.skills.get_skill(ME, "skill_a")).is_on


async def test_a_person_has_so_many_skills_and_a_hold_keeps_them(storage: Storage) -> None:
    for number in range(MAX_SKILLS):
        head = SkillHead(name=f"report-{number}", description="Writes a report.")
        await storage.skills.put_skill(ME, replace(REPORT, id=f"skill_{number}", head=head), {})
    with pytest.raises(Conflict, match="delete one first"):
        await storage.skills.put_skill(ME, REPORT, FILES)
    await storage.retention.place_hold(ME, LegalHold(scope="person", subject="me", reason="a case", placed=1))
    with pytest.raises(HeldBack):
        await storage.skills.delete_skill(ME, "skill_0")
