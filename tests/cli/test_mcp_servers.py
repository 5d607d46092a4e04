"""`eclair mcp` as a person has it."""

from __future__ import annotations

import sys
from pathlib import Path

import orjson

from tests.cli.test_cli import Eclair, Screen
from tests.mcp_servers.test_mcp_service import ODD
from tests.server.test_elicitation import ASKING


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


def test_a_chat_asks_what_a_server_wants_to_know(tmp_path: Path) -> None:
    home = tmp_path / "home"
    run = Eclair(home)
    for era in ("new", "old"):
        run("mcp", "add", era, "--allow", "--", sys.executable, "-P", str(ASKING), era)
    screen = Screen(home, "chat")
    try:
        screen.until("/help lists commands")
        for era in ("new", "old"):
            screen.type(f'script: tool={era}__book{{"place":"Brest"}}\r')
            if era == "old":  # the first server's words may have led to it
                screen.until("it can only be allowed once")
                screen.until("y: once, n: no, never")
                screen.type("always\r")
                screen.until("Type y, n or never.")
            else:
                screen.until("y: once, c: in this conversation, always, n: no, never")
            screen.type("y\r")
            screen.until(f"The MCP server '{era}' asks you: Who stays in Brest?")
            for shown, typed in (
                ("Name", "A"),
                ("has to be at least 2 characters", "Anna"),
                ("E-mail (For the confirmation.; Enter leaves it out)", "mail"),
                ("has to be an e-mail address", ""),
                ("Day (Enter takes 2026-12-24)", ""),
                ("People (Enter takes 2)", "9"),
                ("has to be at most 8", "3"),
                ("Room (1: Quiet", "1"),
                ("Extras (1: breakfast", "bicycle, 1"),
                ("Send me news (y or n", "y"),
            ):
                screen.until(shown)
                screen.type(f"{typed}\r")
            screen.until("words · scripted")
        screen.type("/quit\r")
        screen.until("Saved as")
    finally:
        screen.close()
    screen = Screen(home, "ask", "--mcp", "new", 'script: tool=new__book{"place":"Brest"}')
    try:
        screen.until("y: once")
        screen.type("y\r")
        screen.until("The MCP server 'new' asks you: Who stays in Brest?")
        screen.until("Name")
        screen.type("/decline\r")
        screen.until("words · scripted")
    finally:
        screen.close()


def test_a_chat_shows_how_far_a_call_is(tmp_path: Path) -> None:
    home, folder = tmp_path / "home", tmp_path / "maps"
    folder.mkdir()
    command = ("--", sys.executable, "-P", str(ODD), "reports")
    added = Eclair(home)("mcp", "add", "odd", "--allow", "--folder", str(folder), *command)
    assert added.returncode == 0, added.stderr
    screen = Screen(home, "ask", "--mcp", "odd", f'script: tool=odd__read{{"text":"{folder / "go"}"}}')
    try:
        screen.until("25% Reading the map")
        (folder / "go").touch()
        screen.until("words · scripted")
    finally:
        screen.close()


def test_what_can_not_be_added_or_used_is_said_in_a_sentence(tmp_path: Path) -> None:
    run = Eclair(tmp_path / "home")
    gone = run("mcp", "add", "gone", "--", "no-such-program")
    assert (gone.returncode, "there is no command 'no-such-program'" in gone.stderr) == (4, True), gone.stderr
    pair = run("mcp", "add", "pair", "https://mcp.example.org", "--header", "Authorization")
    assert (pair.returncode, "--header takes a name and a value" in pair.stderr) == (2, True)
    name = run("mcp", "add", "Odd Name", "https://mcp.example.org")
    assert name.returncode == 2, name.stderr
