"""`eclair projects`: begun, changed, shared and deleted at the terminal; `eclair chat --project` asks in one."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from tests.cli.test_transfer import Eclair, run

__all__ = ["run"]

pytestmark = pytest.mark.filterwarnings("error")


def test_a_project_is_begun_changed_used_shared_and_deleted(run: Eclair) -> None:
    assert run("projects").stdout == "There are no projects; `eclair projects add NAME` begins one.\n"
    assert run("projects", "add", "Town hall").stdout == "Began the project Town hall.\n"
    options = ("--instructions", "Be brief.", "--model", "scripted", "--web", "off", "--tools", "run_python")
    assert run("projects", "edit", "Town hall", "--rename", "Town", *options).stdout == "Changed the project Town.\n"
    assert run("chat", "--project", "Town", stdin="script: words=1\n").returncode == 0
    found = run("search", "--project", "Town", "words")
    assert "eclair ask" not in found.stdout
    assert "message msg_" in found.stdout
    assert orjson.loads(run("search", "--project", "Town", "--json", "nowhere").stdout) == {
        "names": [],
        "hits": [],
        "passages": [],
    }
    unknown = run("projects", "edit", "Town", "--model", "nobody", "--web", "on")
    assert (unknown.returncode, unknown.stderr) == (2, "There is no model 'nobody'; `eclair models` lists them.\n")
    (listed,) = orjson.loads(run("projects", "--json").stdout)
    assert set(listed) == {
        *("id", "owner", "name", "created", "instructions", "model", "web", "tools", "memory", "access"),
        *("conversations", "used"),
    }
    assert (listed["conversations"], listed["tools"], listed["web"]) == (1, ["run_python"], "off")
    assert "Town  yours   1              scripted" in run("projects", "list").stdout
    assert run("projects", "show", "Town").stdout == "Be brief.\n"
    assert run("projects", "share", "Town", "everyone").stdout == "The project Town is shared with everyone.\n"
    ended = run("projects", "share", "Town", "everyone", "--end")
    assert ended.stdout == "The project Town is no longer shared with everyone.\n"
    assert "add --yes" in run("projects", "remove", "Town").stderr
    deleted, restoring = run("projects", "remove", "Town", "--yes").stdout.splitlines()
    assert deleted == "Deleted the project Town."
    assert f"`eclair projects restore {listed['id']}`" in restoring
    assert run("projects", "restore", listed["id"]).stdout == "Restored the project Town.\n"
    assert run("projects", "show", "Town").stdout == "Be brief.\n"


def test_its_files_and_memories_at_the_command_line(run: Eclair, tmp_path: Path) -> None:
    run("projects", "add", "Town")
    adds = "Town has no files; `eclair projects files NAME --add PATH` adds some.\n"
    assert run("projects", "files", "Town").stdout == adds
    file = tmp_path / "tower.txt"
    file.write_text("The tower is 40 metres high.")
    added = run("projects", "files", "Town", "--add", str(file))
    assert (added.returncode, added.stdout) == (0, "Town: 1 added.\n"), added.stderr
    (found,) = orjson.loads(run("projects", "files", "Town", "--json").stdout)
    assert (found["name"], found["state"], found["library"]) == ("tower.txt", "ready", "Town")
    assert "tower.txt" in run("search", "--project", "Town", "metres").stdout
    assert "`eclair projects files` lists" in run("projects", "files", "Town", "--remove", "none").stderr
    assert "add --yes" in run("projects", "files", "Town", "--remove", found["id"]).stderr
    removed = run("projects", "files", "Town", "--remove", found["id"], "--yes").stdout
    assert removed == "Removed tower.txt from Town.\n"
    assert run("projects", "files", "Town").stdout == adds
    assert "Nothing is kept in Town" in run("memory", "list", "--project", "Town").stdout
    assert "Nothing is kept in Town" in run("memory", "--project", "Town").stdout
    assert run("memory", "add", "The mayor is Ada", "--project", "Town").stdout.startswith("Kept as mem_")
    run("memory", "add", "I live in Gent")
    (kept,) = orjson.loads(run("memory", "list", "--project", "Town", "--json").stdout)
    run("memory", "add", "I live in Gent")
    assert orjson.loads(run("memory", "--project", "Town", "--json").stdout) == [kept]
    refused = run("memory", "--project", "Town", "export")
    assert (refused.returncode, refused.stderr) == (2, "`eclair memory export` takes no --project; leave it out.\n")
    (listed,) = orjson.loads(run("projects", "--json").stdout)
    assert (kept["text"], kept["project_id"], listed["memory"]) == ("The mayor is Ada", listed["id"], "own")
    assert len(orjson.loads(run("memory", "--json").stdout)) == 2
    assert run("projects", "edit", "Town", "--memory", "both").returncode == 0
    (listed,) = orjson.loads(run("projects", "--json").stdout)
    assert listed["memory"] == "both"


def test_a_question_is_answered_as_in_a_project_and_nothing_of_it_stays(run: Eclair, tmp_path: Path) -> None:
    run("projects", "add", "Town")
    run("projects", "edit", "Town", "--model", "scripted", "--tools", "")
    note = tmp_path / "note.txt"
    note.write_text("The tower is 40 metres high.")
    events = run(
        "ask", "--project", "Town", "--file", str(note), "--json", "How high is the tower?"
    ).stdout.splitlines()
    kinds = [orjson.loads(line)["type"] for line in events]
    assert (kinds[0], kinds[-1]) == ("run.started", "run.finished")
    assert "source.found" in kinds
    assert run("ask", "--project", "Town", "script: words=3").stdout.strip()
    (listed,) = orjson.loads(run("projects", "--json").stdout)
    assert listed["conversations"] == 0
    assert orjson.loads(run("files", "--json").stdout) == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["projects", "add", " "], "1 to 80 characters"),
        (["ask", "--project", "none", "Why?"], "There is no project 'none'."),
        (["ask", "--mcp", "none", "Why?"], "There is no MCP server 'none'"),
        (["search", "--project", "none", "Why"], "There is no project 'none'."),
        (["search", "--project", "none", "--days", "2", "Why"], "are for the web"),
        (["projects", "show", "none"], "There is no project 'none'."),
        (["projects", "files", "none"], "There is no project 'none'."),
        (["memory", "add", "--project", "none", "a"], "There is no project 'none'."),
        (["memory", "list", "--project", "none"], "There is no project 'none'."),
        (["memory", "--project", "none"], "There is no project 'none'."),
        (["projects", "restore", "proj_none"], "cannot be restored"),
        (["projects", "share", "none", "ben"], "is none of everyone, group:ID, person:ID."),
        (["projects", "edit", "none", "-f", "none.txt"], "There is no project 'none'."),
        (["chat", "--project", "none"], "There is no project 'none'."),
    ],
)
def test_what_makes_no_sense_is_refused(run: Eclair, given: list[str], said: str) -> None:
    refused = run(*given)
    assert refused.returncode == 2
    assert said in refused.stderr
