"""Skills from outside: whatever a zip or a SKILL.md holds, it is read whole or refused with one sentence."""

from __future__ import annotations

import io
import re
import stat
import zipfile
from collections.abc import Mapping

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from eclair.sandbox.protocol import Rejected
from eclair.schema.skills import MAX_SKILL_FILE_BYTES, MAX_SKILL_FILES, SKILL_FILE
from eclair.skills.front_matter import parse_skill_text, split_front_matter
from eclair.skills.packaged_skills import list_packaged, read_packaged
from eclair.skills.service import pack_skill
from eclair.skills.skill_protocol import UnpackedSkill, UnpackSkill
from eclair.skills.skill_worker import handle

HEAD = "---\nname: report\ndescription: Writes a report. Use it for reports.\n---\n"
TEXT = f"{HEAD}\n# Report\n\nWrite it.\n"
SENTENCE = re.compile(r"[^\n]{5,250}\.")


def unpack(data: bytes) -> UnpackedSkill:
    (found,) = handle(UnpackSkill(data))
    return found


def refusal(data: bytes) -> str:
    with pytest.raises(Rejected) as rejected:
        unpack(data)
    assert SENTENCE.fullmatch(rejected.value.message), rejected.value.message
    return rejected.value.message


def packed(files: Mapping[str, bytes | str], **fields: int) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name)
            info.external_attr = fields.get("mode", 0o100644) << 16 if name != SKILL_FILE else 0o100644 << 16
            archive.writestr(info, content, zipfile.ZIP_DEFLATED)
    return data.getvalue()


def test_a_folder_a_zip_and_a_text_alone_are_read() -> None:
    files = {SKILL_FILE: TEXT.encode(), "scripts/a.py": b"print(1)\n", "assets/logo.png": b"\x89PNG"}
    for data in (
        pack_skill("report", files),
        packed(files),
        packed({f"Other Folder/{n}": d for n, d in files.items()}),
    ):
        found = unpack(data)
        assert (found.name, found.description) == ("report", "Writes a report. Use it for reports.")
        assert {file.path: file.data for file in found.files} == files
    assert [file.path for file in unpack(TEXT.encode()).files] == [SKILL_FILE]
    left = packed({"report/" + SKILL_FILE: TEXT, "__MACOSX/report/._SKILL.md": b"x", "report/.DS_Store": b"x"})
    assert [file.path for file in unpack(left).files] == [SKILL_FILE]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("../evil.py", "no path within"),
        ("a/../../evil.py", "no path within"),
        ("/etc/passwd", "no path within"),
        ("C:\\evil.py", "no path within"),
        ("a//b", "no path within"),
        ("a\nb", "no path within"),
        ("x" * 130, "too long"),
        ("skill.MD", "twice"),
        (f"{SKILL_FILE}/a", "a file itself"),
    ],
)
def test_a_path_that_leads_elsewhere_is_refused(name: str, says: str) -> None:
    assert says in refusal(packed({SKILL_FILE: TEXT, name: "x"}))


def test_links_bombs_locks_and_damage_are_refused() -> None:
    assert "link" in refusal(packed({SKILL_FILE: TEXT, "link": "/etc/passwd"}, mode=stat.S_IFLNK | 0o777))
    assert "link" in refusal(packed({SKILL_FILE: TEXT, "pipe": ""}, mode=stat.S_IFIFO | 0o644))
    assert "too large" in refusal(packed({SKILL_FILE: TEXT, "bomb": b"\0" * (MAX_SKILL_FILE_BYTES + 1)}))
    bombs = {f"bomb{n}": b"\0" * MAX_SKILL_FILE_BYTES for n in range(4)}
    assert "too large" in refusal(packed({SKILL_FILE: TEXT, **bombs}))
    many = {f"{n}.txt": "" for n in range(MAX_SKILL_FILES)}
    assert "200" in refusal(packed({SKILL_FILE: TEXT, **many}))
    assert "no SKILL.md" in refusal(packed({"a/b/SKILL.md": TEXT}))
    assert "no SKILL.md" in refusal(packed({"a/SKILL.md": TEXT, "b/SKILL.md": TEXT}))
    whole = packed({SKILL_FILE: TEXT, "a.txt": "abc" * 1000})
    assert "damaged" in refusal(whole[:-10])
    assert "damaged" in refusal(whole[:60] + b"\xff" * 20 + whole[80:])
    locked = bytearray(packed({SKILL_FILE: TEXT}))
    for at in (locked.index(b"PK\3\4") + 6, locked.index(b"PK\1\2") + 8):
        locked[at] |= 1
    assert "password" in refusal(bytes(locked))
    odd = io.BytesIO()
    with zipfile.ZipFile(odd, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr(SKILL_FILE, TEXT)
    assert "uncommon" in refusal(odd.getvalue())


@given(st.binary(max_size=300), st.integers(0, 400))
@example(b"\x01", 294)  # an offset before the beginning
def test_whatever_bytes_come_they_are_read_or_refused(noise: bytes, at: int) -> None:
    whole = packed({SKILL_FILE: TEXT, "scripts/a.py": "print(1)"})
    for data in (noise, b"PK" + noise, whole[:at] + noise + whole[at + len(noise) :]):
        said = None
        try:
            assert unpack(data).name
        except Rejected as rejected:
            said = rejected.message
        assert said is None or SENTENCE.fullmatch(said), said


@pytest.mark.parametrize(
    ("head", "says"),
    [
        ("name: report", "no description"),
        ("description: text", "name must be"),
        ("name: Report\ndescription: text", "name must be"),
        ("name: a--b\ndescription: text", "name must be"),
        (f"name: {'a' * 65}\ndescription: text", "too long"),
        (f"name: a\ndescription: {'a' * 1025}", "too long"),
        ("name: a\ndescription: {b: c}", "no text"),
        ("- a\n- b", "no name and description"),
        ("name: [", "no YAML"),
        ("name: &a x\ndescription: *a", "anchors or tags"),
        ("name: !!python/object/apply:os.system ['id']\ndescription: x", "anchors or tags"),
        ("name: a\ndescription: " + "[" * 5000, "nested too deeply"),
        ("name: a\ndescription: b\nmore: " + "[" * 20 + "]" * 20, "nested too deeply"),
        ("x: " + "a" * 17_000, "too long"),
    ],
)
def test_a_wrong_front_matter_is_refused(head: str, says: str) -> None:
    assert says in refusal(f"---\n{head}\n---\nDo it.\n".encode())


def test_a_text_without_front_matter_or_instructions_is_refused() -> None:
    assert "no front matter" in refusal(b"# Report\n")
    assert "no front matter" in refusal(b"---\nname: a\ndescription: b\n")
    assert "no instructions" in refusal(HEAD.encode())
    assert "UTF-8" in refusal(b"---\n\xff\xfe")
    assert "NUL" in refusal(f"{TEXT}\0".encode())
    assert "kB" in refusal(f"{TEXT}{'a' * 70_000}".encode())


def test_what_other_programs_write_is_understood() -> None:
    text = (
        "\ufeff---\r\nname: report\r\ndescription: Use it: for reports, don't ask\r\nversion: 1.0\r\n"
        "allowed-tools: [Read, Bash(git:*)]\r\nmetadata:\r\n  author: A\r\n  deep: {b: c}\r\n  year: 2026\r\n"
        "---\r\nDo it.\r\n"
    )
    head = parse_skill_text(text.encode())
    assert head.description == "Use it: for reports, don't ask"
    assert head.allowed_tools == "Read Bash(git:*)"
    assert head.metadata == (("author", "A"), ("year", "2026"))
    assert split_front_matter(text.removeprefix("\ufeff"))[1] == "Do it."


WRITABLE = st.characters(codec="utf-8", exclude_characters="\x85")
"""Characters that come back from a text that PyYAML writes: it takes U+0085 for the end of a line."""


@given(
    st.from_regex(r"[a-z0-9]{1,20}(-[a-z0-9]{1,20}){0,2}", fullmatch=True),
    st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=200),
    st.dictionaries(st.from_regex(r"[a-z]{1,10}", fullmatch=True), st.text(WRITABLE, max_size=40), max_size=5),
)
def test_every_front_matter_comes_back_as_it_was_written(name: str, description: str, metadata: dict[str, str]) -> None:
    head = yaml.safe_dump({"name": name, "description": description, "metadata": metadata}, allow_unicode=True)
    found = parse_skill_text(f"---\n{head}---\nDo it.".encode())
    assert (found.name, found.description, dict(found.metadata)) == (name, description, metadata)


def test_the_packaged_skills_follow_the_specification_and_come_back_from_their_zip() -> None:
    assert [each.name for each in list_packaged()] == ["data-check", "law-summary", "meeting-minutes", "plain-letter"]
    for each in list_packaged():
        files = read_packaged(each.id)
        assert unpack(pack_skill(each.name, files)).name == each.name
        body = split_front_matter(files[SKILL_FILE].decode())[1]
        assert len(body.splitlines()) < 500
        assert "Use it" in each.head.description
        for path in re.findall(r"`((?:scripts|references|assets)/[^`]+)`", body):
            assert path in files
