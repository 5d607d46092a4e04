"""`eclair memory` as a person has it."""

from __future__ import annotations

from pathlib import Path

import orjson

from tests.cli.test_cli import Eclair

FIELDS = {"id", "text", "maker", "created", "changed", "conversation", "message", "project_id"}


def test_memory_at_the_command_line(tmp_path: Path) -> None:
    run = Eclair(tmp_path / "home")
    assert "eclair memory add" in run("memory").stdout
    assert run("memory", "add", "My", "dog", "is", "called", "Rex").stdout.startswith("Kept as mem_")
    run("memory", "add", "I live in Gent")
    (found,) = orjson.loads(run("memory", "list", "DOG", "--json").stdout)
    assert set(found) == FIELDS
    assert (found["text"], found["maker"]) == ("My dog is called Rex", "person")
    assert "No memory has 'zebra'." in run("memory", "list", "zebra").stdout
    assert "Max" in run("memory", "edit", found["id"], "My dog is called Max").stdout
    file = tmp_path / "memories.json"
    assert run("memory", "export", "-o", str(file)).stdout == f"Wrote 2 memories to {file}.\n"
    assert {each["text"] for each in orjson.loads(file.read_bytes())} == {"My dog is called Max", "I live in Gent"}
    missing = run("memory", "remove", "mem_none")
    assert (missing.returncode, "`eclair memory` lists them" in missing.stderr) == (2, True)
    assert run("memory", "remove", found["id"]).stdout == "Erased.\n"
    assert len(orjson.loads(run("memory", "--json").stdout)) == 1
    empty = run("memory", "add", " ")
    assert (empty.returncode, "write one" in empty.stderr) == (2, True)
