"""`eclair skills`: imported, shown, switched, exported and deleted at the terminal."""

from __future__ import annotations

import zipfile
from pathlib import Path

import orjson
import pytest

from tests.cli.test_transfer import Eclair, run

__all__ = ["run"]

pytestmark = pytest.mark.filterwarnings("error")

TEXT = "---\nname: report\ndescription: Writes a report. Use it for reports.\n---\n# Report\n\nWrite it.\n"


def test_a_skill_at_the_command_line(run: Eclair, tmp_path: Path) -> None:
    folder = tmp_path / "report"
    (folder / "scripts").mkdir(parents=True)
    (folder / ".git").mkdir()
    (folder / ".git" / "config").write_text("secret", encoding="utf-8")
    (folder / "SKILL.md").write_text(TEXT, encoding="utf-8")
    (folder / "scripts" / "count.py").write_text("print(1)\n", encoding="utf-8")
    said = run("skills", "import", str(folder)).stdout
    assert said == "Imported the skill report; `eclair skills on report` shows it and switches it on.\n"
    listed = {each["name"]: each for each in orjson.loads(run("skills", "--json").stdout)}
    assert set(listed["report"]) == {
        *("id", "name", "description", "license", "compatibility", "allowed_tools", "metadata", "owner", "files"),
        *("created", "changed", "is_on", "is_packaged"),
    }
    assert [each["path"] for each in listed["report"]["files"]] == ["SKILL.md", "scripts/count.py"]
    assert (listed["report"]["is_on"], listed["plain-letter"]["is_on"]) == (False, True)
    assert run("skills", "show", "report").stdout == f"{TEXT}scripts/count.py (9 bytes)\n"
    assert run("skills", "show", "report", "scripts/count.py").stdout == "print(1)\n"
    asked = run("skills", "on", "report")
    assert (asked.returncode, "# Report" in asked.stdout, "then add --yes" in asked.stderr) == (2, True, True)
    assert run("skills", "on", "report", "--yes").stdout == "The skill report is on.\n"
    assert "report           on     you" in run("skills").stdout
    assert run("skills", "off", "plain-letter").stdout == "The skill plain-letter is off.\n"
    assert "plain-letter     off    Éclair" in run("skills", "list").stdout
    file = tmp_path / "out.zip"
    assert run("skills", "export", "report", "-o", str(file)).stdout == f"Wrote report to {file}.\n"
    with zipfile.ZipFile(file) as archive:
        assert archive.namelist() == ["report/SKILL.md", "report/scripts/count.py"]
    assert "add --yes" in run("skills", "remove", "report").stderr
    assert run("skills", "remove", "report", "--yes").stdout == "Deleted the skill report.\n"
    assert "choose another" in run("skills", "show", "report").stderr
    assert "switch it off" in run("skills", "remove", "data-check").stderr
    assert "Imported the skill report" in run("skills", "import", str(file)).stdout


def test_an_archive_switches_skills_on_only_if_that_is_said(run: Eclair, tmp_path: Path) -> None:
    (tmp_path / "SKILL.md").write_text(TEXT, encoding="utf-8")
    run("skills", "import", str(tmp_path / "SKILL.md"))
    run("skills", "on", "report", "--yes")
    archive = str(tmp_path / "all.zip")
    run("export", "-o", archive)
    other = Eclair(tmp_path / "other")
    other("import", archive)
    assert "report           off    you" in other("skills").stdout
    other("skills", "remove", "report", "--yes")
    other("import", archive, "--switch-skills-on")
    assert "report           on     you" in other("skills").stdout


def test_what_is_no_skill_is_refused_at_the_command_line(run: Eclair, tmp_path: Path) -> None:
    assert "can't be read" in run("skills", "import", str(tmp_path / "nothing")).stderr
    (tmp_path / "SKILL.md").write_text("# Report\n", encoding="utf-8")
    assert "no front matter" in run("skills", "import", str(tmp_path / "SKILL.md")).stderr
    (tmp_path / "link").symlink_to("/etc/passwd")
    assert "is a link" in run("skills", "import", str(tmp_path)).stderr
