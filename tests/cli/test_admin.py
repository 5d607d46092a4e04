"""`eclair admin`: the code of the first account, people and groups."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from tests.cli.test_cli import Eclair


@pytest.fixture
def run(tmp_path: Path) -> Eclair:
    return Eclair(tmp_path)


def test_people_are_added_changed_and_deleted(run: Eclair) -> None:
    first, second = (run("admin", "setup-code").stdout.strip() for _ in range(2))
    assert len(first) == len(second) == len("ABCDE-ABCDE-ABCDE-ABCDE")
    assert first != second, "a new one replaces the last"
    added = run("admin", "people", "add", "Ada", "--role", "admin", "--email", "ada@example.org")
    assert added.stdout.startswith("http://127.0.0.1:")
    assert "/join#" in added.stdout
    assert "shown only now" in added.stderr
    run("admin", "people", "add", "ben", "--display-name", "Ben Ó Murchú")
    assert run("admin", "people", "role", "ben", "auditor").stdout == "ben is auditor now.\n"
    assert run("admin", "people", "lock", "BEN").returncode == 0
    listed = orjson.loads(run("admin", "people", "list", "--json").stdout)
    assert [(each["name"], each["role"], each["locked"] is None) for each in listed] == [
        ("ada", "admin", True),
        ("ben", "auditor", False),
    ]
    assert run("admin", "people", "list", "murch").stdout.splitlines()[1].endswith("locked")
    assert run("admin", "people", "unlock", "ben").returncode == 0
    assert "/join#" in run("admin", "people", "reset-password", "ben").stdout
    assert run("admin", "people", "end-sessions", "ben").stdout == "Ended 0 sessions of ben.\n"
    assert run("admin", "people", "delete", "ben").returncode == 0
    gone = run("admin", "people", "lock", "ben")
    assert (gone.returncode, "Nobody signs in as 'ben'" in gone.stderr) == (2, True)
    last = run("admin", "people", "delete", "ada")
    assert (last.returncode, "administrator" in last.stderr) == (2, True)


def test_a_budget_is_for_a_person_or_a_group_by_name(run: Eclair) -> None:
    assert run("admin", "groups", "add", "Legal").returncode == 0
    assert run("admin", "people", "add", "ada", "--display-name", "Ada").returncode == 0
    (group,) = orjson.loads(run("admin", "groups", "list", "--json").stdout)
    (person,) = orjson.loads(run("admin", "people", "list", "--json").stdout)
    for kind, name, id in (("group", "Legal", group["id"]), ("person", "ada", person["id"])):
        for subject in (name, id):
            made = run("budget", "set", "--for", f"{kind}:{subject}", "--tokens", "1000")
            assert made.stdout.startswith(f"{kind}:{id}: 1,000 tokens"), made
        unknown = run("budget", "set", "--for", f"{kind}:nobody", "--tokens", "1000")
        assert (unknown.returncode, "nobody" in unknown.stderr) == (2, True)


def test_groups_get_members(run: Eclair) -> None:
    run("admin", "people", "add", "ada", "--role", "admin")
    assert run("admin", "groups", "add", "Legal").stdout == "Added the group Legal.\n"
    assert run("admin", "groups", "add-member", "Legal", "ada").stdout == "ada is in Legal now.\n"
    assert run("admin", "groups", "list").stdout.splitlines()[1].split() == ["Legal", "local", "1"]
    (member,) = orjson.loads(run("admin", "groups", "members", "Legal", "--json").stdout)
    assert member["name"] == "ada"
    assert run("admin", "groups", "remove-member", "Legal", "ada").returncode == 0
    assert run("admin", "groups", "members", "Legal").stdout == "None found.\n"
    assert run("admin", "groups", "delete", "Legal").returncode == 0
    assert run("admin", "groups", "delete", "Legal").returncode == 2


def test_rights_of_a_person_are_shown_with_their_reason(run: Eclair) -> None:
    run("admin", "people", "add", "ada", "--role", "admin")
    run("admin", "people", "add", "gast", "--role", "guest")
    rights = {each["object"]: each for each in orjson.loads(run("admin", "rights", "gast", "--json").stdout)}
    assert (rights["web"]["allowed"], rights["web"]["reason"]) == (True, "open")
    assert (rights["keys"]["allowed"], rights["keys"]["reason"]) == (False, "guest")
    table = [line.split() for line in run("admin", "rights", "gast").stdout.splitlines()]
    assert ["share", "no", "closed", "to", "guests"] in table
    assert run("admin", "rights", "nobody").returncode == 2


def test_announcements_are_added_listed_and_removed(run: Eclair) -> None:
    assert run("admin", "announcements", "list").stdout == "There are no announcements.\n"
    added = run(
        *("admin", "announcements", "add", "--text", "de=Montag zu", "--text", "Closed on Monday"),
        *("--level", "urgent", "--until", "2099-01-01", "--keep-open"),
    )
    assert added.stdout.endswith(", shown now.\n"), added
    (listed,) = orjson.loads(run("admin", "announcements", "list", "--json").stdout)
    assert (listed["language"], listed["texts"]) == ("de", {"de": "Montag zu", "en": "Closed on Monday"})
    assert (listed["level"], listed["closable"], listed["begins"]) == ("urgent", False, None)
    assert "Montag zu" in run("admin", "announcements", "list").stdout
    refused = run("admin", "announcements", "add", "--text", "x", "--from", "Monday")
    assert (refused.returncode, "--from: it is no time; write it as 2026-12-01" in refused.stderr) == (2, True)
    assert run("admin", "announcements", "remove", listed["id"]).stdout == f"Removed {listed['id']}.\n"
    assert run("admin", "announcements", "remove", listed["id"]).returncode == 2
