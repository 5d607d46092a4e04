"""Records of an archive: written and read again they are the same, and what nobody writes is none."""

from __future__ import annotations

import orjson
from hypothesis import given
from hypothesis import strategies as st

from eclair.schema.skills import MAX_SKILL_NAME_CHARS
from eclair.transfer.archive import ArchivedSkill, dump_record, is_archive_member, load_record

IDS = st.from_regex(r"skill_[0-9a-z]{26}", fullmatch=True)
NAMES = st.from_regex(r"[a-z0-9]+(-[a-z0-9]+)*", fullmatch=True).filter(lambda name: len(name) <= MAX_SKILL_NAME_CHARS)
SKILLS = st.builds(ArchivedSkill, IDS, NAMES, st.integers(1, 1 << 40), st.booleans())
VALUES = st.none() | st.booleans() | st.integers(-(1 << 62), 1 << 62) | st.text() | st.lists(st.text(), max_size=2)


@given(SKILLS)
def test_a_skill_is_read_as_it_was_written(skill: ArchivedSkill) -> None:
    assert load_record(orjson.loads(dump_record(skill))) == skill
    assert is_archive_member(skill.member)


@given(st.fixed_dictionaries({}, optional=dict.fromkeys(("id", "name", "size", "is_on"), VALUES)))
def test_what_is_no_skill_is_left_out(fields: dict[str, object]) -> None:
    record = load_record({"eclair_record": "skill", "value": fields})
    assert record is None or (isinstance(record, ArchivedSkill) and is_archive_member(record.member))


@given(st.text() | st.from_regex(r"skills/.{0,40}\.zip"))
def test_only_names_of_records_are_members(name: str) -> None:
    assert not is_archive_member(name) or ".." not in name
