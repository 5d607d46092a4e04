"""`eclair prompts`: saved, changed, shared and deleted at the terminal."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from tests.cli.test_transfer import Eclair, run

__all__ = ["run"]

pytestmark = pytest.mark.filterwarnings("error")


def test_a_prompt_is_saved_changed_shared_and_deleted(run: Eclair, tmp_path: Path) -> None:
    assert run("prompts").stdout == "There are no prompts; `eclair prompts add NAME TEXT` saves one.\n"
    assert run("prompts", "add", "letter", "Write to {{who}}.").stdout == "Saved the prompt letter.\n"
    assert run("prompts", "show", "letter").stdout == "Write to {{who}}.\n"
    assert "choose another name" in run("prompts", "add", "Letter", "x").stderr
    file = tmp_path / "text.txt"
    file.write_text("Dear {{who}}\n", encoding="utf-8")
    changed = run("prompts", "edit", "letter", "--rename", "mail", "-f", str(file))
    assert changed.stdout == "Changed the prompt mail.\n"
    (listed,) = orjson.loads(run("prompts", "--json").stdout)
    assert set(listed) == {"id", "owner", "name", "text", "created", "access"}
    assert (listed["name"], listed["text"], listed["access"]) == ("mail", "Dear {{who}}", "own")
    assert "mail  yours   Dear {{who}}" in run("prompts", "list").stdout
    assert run("prompts", "share", "mail", "everyone").stdout == "The prompt mail is shared with everyone.\n"
    ended = run("prompts", "share", "mail", "everyone", "--end")
    assert ended.stdout == "The prompt mail is no longer shared with everyone.\n"
    assert "add --yes" in run("prompts", "remove", "mail").stderr
    assert run("prompts", "remove", "mail", "--yes").stdout == "Deleted the prompt mail.\n"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["add", "two words", "x"], "one word"),
        (["add", "a", ""], "1 to 20,000 characters"),
        (["show", "none"], "There is no prompt 'none'."),
        (["share", "none", "ben"], "is none of everyone, group:ID, person:ID."),
        (["add", "a", "-f", "none.txt"], "can't be read"),
    ],
)
def test_what_makes_no_sense_is_refused(run: Eclair, given: list[str], said: str) -> None:
    refused = run("prompts", *given)
    assert refused.returncode == 2
    assert said in refused.stderr
