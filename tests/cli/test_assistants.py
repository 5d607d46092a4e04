"""`eclair assistants`: set up, changed, shared, exported, imported and deleted at the terminal."""

from __future__ import annotations

import re
from pathlib import Path

import orjson
import pytest

from tests.cli.test_transfer import Eclair, run

__all__ = ["run"]

pytestmark = pytest.mark.filterwarnings("error")


def test_an_assistant_at_the_command_line(run: Eclair, tmp_path: Path) -> None:
    assert "eclair assistants add" in run("assistants").stdout
    text = tmp_path / "text.txt"
    text.write_text("Answer with a recipe.\n", encoding="utf-8")
    added = run("assistants", "add", "Cook", "-f", str(text), "--starter", "What today?", "--emoji", "🍲")
    assert added.stdout == "Set up Cook; `eclair chat --assistant Cook` begins a conversation with it.\n"
    assert "choose another name" in run("assistants", "add", "cook").stderr
    shown = run("assistants", "show", "cook").stdout
    assert shown == "🍲 Cook\nstarter: What today?\n\nAnswer with a recipe.\n"
    changed = run("assistants", "edit", "Cook", "--rename", "Chef", "--description", "Cooks", "--web", "off")
    assert changed.stdout == "Changed the assistant Chef.\n"
    assert run("assistants", "edit", "Chef", "--model", "scripted").returncode == 0
    unknown = run("assistants", "edit", "Chef", "--model", "nobody")
    assert (unknown.returncode, unknown.stderr) == (2, "There is no model 'nobody'; `eclair models` lists them.\n")
    (listed,) = orjson.loads(run("assistants", "--json").stdout)
    assert listed["model"] == "scripted"
    assert set(listed) == {
        *("id", "owner", "name", "description", "emoji", "instructions", "model", "web", "tools", "libraries"),
        *("starters", "created", "changed", "access", "library"),
    }
    assert (listed["name"], listed["web"], listed["instructions"]) == ("Chef", "off", "Answer with a recipe.")
    assert "Chef  yours   Cooks" in run("assistants", "list").stdout
    assert run("assistants", "share", "Chef", "everyone").stdout == "The assistant Chef is shared with everyone.\n"
    ended = run("assistants", "share", "Chef", "everyone", "--end")
    assert ended.stdout == "The assistant Chef is no longer shared with everyone.\n"
    file = tmp_path / "chef.json"
    file.touch()
    file.chmod(0o640)
    assert run("assistants", "export", "Chef", "-o", str(file)).stdout == f"Wrote Chef to {file}.\n"
    assert file.stat().st_mode & 0o777 == 0o640, "a file that is there keeps its mode"
    assert f"{tmp_path} cannot be written" in run("assistants", "export", "Chef", "-o", str(tmp_path)).stderr
    assert "add --yes" in run("assistants", "remove", "Chef").stderr
    assert run("assistants", "remove", "Chef", "--yes").stdout == "Deleted the assistant Chef.\n"
    assert run("assistants", "import", str(file)).stdout == "Added the assistant Chef.\n"
    file.write_bytes(orjson.dumps({"name": "GPT", "instructions": "x", "actions": [{}]}))
    assert "Not imported: actions." in run("assistants", "import", str(file)).stdout


def test_its_files_at_the_command_line(run: Eclair, tmp_path: Path) -> None:
    run("assistants", "add", "Town guide")
    file = tmp_path / "tower.txt"
    file.write_text("The tower is 40 metres high.", encoding="utf-8")
    added = run("assistants", "files", "Town guide", "--add", str(file))
    assert (added.returncode, added.stdout) == (0, "Town-guide: 1 added.\n"), added.stderr
    assert "files: tower.txt\n" in run("assistants", "show", "Town guide").stdout
    (found,) = orjson.loads(run("assistants", "files", "Town guide", "--json").stdout)
    assert (found["name"], found["state"], found["library"]) == ("tower.txt", "ready", "Town guide")
    assert "with -o FILE" in run("assistants", "export", "Town guide").stderr
    packed = tmp_path / "guide.zip"
    wrote = run("assistants", "export", "Town guide", "-o", str(packed)).stdout
    assert wrote == f"Wrote Town guide with 1 file to {packed}.\n"
    assert "has no file 'none'" in run("assistants", "files", "Town guide", "--remove", "none").stderr
    removed = run("assistants", "files", "Town guide", "--remove", "tower.txt", "--yes").stdout
    assert removed == "Removed tower.txt from Town guide.\n"
    run("assistants", "remove", "Town guide", "--yes")
    taken = run("assistants", "import", str(packed))
    assert taken.stdout.startswith("Added the assistant Town guide.\n"), taken.stderr
    listed = run("assistants", "files", "Town guide").stdout
    assert re.search(r"^file_\w+ +tower.txt +28 bytes +queued$", listed, re.MULTILINE), listed


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["add", " "], "name: it is empty"),
        (["add", "a", "--tool", "two words"], "tools.0"),
        (["add", "a", "--library", "none"], "none"),
        (["add", "a", "--model", "nobody"], "There is no model 'nobody'; `eclair models` lists them."),
        (["show", "none"], "There is no assistant 'none'"),
        (["share", "none", "ben"], "is none of everyone, group:ID, person:ID."),
        (["add", "a", "-f", "none.txt"], "can't be read"),
        (["import", "none.json"], "can't be read"),
    ],
)
def test_what_makes_no_sense_is_refused(run: Eclair, given: list[str], said: str) -> None:
    refused = run("assistants", *given)
    assert refused.returncode == 2
    assert said in refused.stderr
