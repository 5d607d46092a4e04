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
    (listed,) = orjson.loads(run("projects", "--json").stdout)
    assert set(listed) == {
        *("id", "owner", "name", "created", "instructions", "model", "web", "tools", "access"),
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
