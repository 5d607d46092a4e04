"""`eclair mcp` as a person has it."""

from __future__ import annotations

import sys
from pathlib import Path

import orjson

from tests.cli.test_cli import Eclair
from tests.mcp_servers.test_mcp_service import ODD


def test_a_server_at_the_command_line(tmp_path: Path) -> None:
    run = Eclair(tmp_path / "home")
    assert "eclair mcp add" in run("mcp").stdout
    command = (sys.executable, "-P", str(ODD), "well")
    added = run("mcp", "add", "odd", "--variable", "TOKEN=hidden", "--", *command)
    assert added.returncode == 0, added.stderr
    assert f"Added odd: {' '.join(command)}" in added.stdout
    assert "read (reads): Returns the text." in added.stdout
    assert "write (may change things): Keeps the text." in added.stdout
    (unseen,) = orjson.loads(run("mcp", "--json").stdout)
    assert (unseen["state"], unseen["secrets"], unseen["tools"]) == ("unseen", ["TOKEN"], ["read", "write"])
    assert "Models may call these tools" in run("mcp", "check", "odd", "--allow").stdout
    assert run("mcp", "off", "odd").stdout == "odd is off.\n"
    (ready,) = orjson.loads(run("mcp", "list", "--json").stdout)
    assert (ready["state"], ready["on"]) == ("ready", False)
    assert run("mcp", "on", "odd").stdout == "odd is on.\n"
    assert run("mcp", "remove", "odd").stdout == "Removed odd.\n"
    missing = run("mcp", "check", "odd")
    assert (missing.returncode, "`eclair mcp` lists them" in missing.stderr) == (2, True)


def test_resources_and_prompts_at_the_command_line(tmp_path: Path) -> None:
    run = Eclair(tmp_path / "home")
    run("mcp", "add", "odd", "--allow", "--", sys.executable, "-P", str(ODD), "well")
    listed = run("mcp", "resources", "odd").stdout
    assert ("notes://tower.md" in listed, "The tower" in listed) == (True, True)
    assert "71 metres" in run("mcp", "read", "odd", "notes://tower.md").stdout
    assert "who [where]" in run("mcp", "prompts", "odd").stdout
    assert run("mcp", "prompt", "odd", "greet", "who=Ada").stdout == "Greet Ada in Brest.\n"
    missing = run("mcp", "prompt", "odd", "greet")
    assert (missing.returncode, "needs the argument 'who'" in missing.stderr) == (2, True)


def test_what_can_not_be_added_or_used_is_said_in_a_sentence(tmp_path: Path) -> None:
    run = Eclair(tmp_path / "home")
    gone = run("mcp", "add", "gone", "--", "no-such-program")
    assert (gone.returncode, "there is no command 'no-such-program'" in gone.stderr) == (4, True), gone.stderr
    pair = run("mcp", "add", "pair", "https://mcp.example.org", "--header", "Authorization")
    assert (pair.returncode, "--header takes a name and a value" in pair.stderr) == (2, True)
    name = run("mcp", "add", "Odd Name", "https://mcp.example.org")
    assert name.returncode == 2, name.stderr
