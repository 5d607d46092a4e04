"""`eclair retention` and `eclair erasure`: rules, holds, and what is asked to be erased."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from eclair.schema.messages import Conversation
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.open import open_storage
from tests.cli.test_transfer import Eclair, run

__all__ = ["run"]

pytestmark = pytest.mark.filterwarnings("error")


def test_rules_and_holds(run: Eclair, tmp_path: Path) -> None:
    asyncio.run(begin(tmp_path / "home"))
    assert run("retention", "--set", "everyone", "365").stdout == "Rule for everyone: erased after 365 days.\n"
    assert run("retention", "--set", "everyone", "temporary").stdout == "Rule for everyone: temporary chats only.\n"
    assert run("retention", "--set", "everyone", "forever").stdout == "Rule for everyone: kept for ever.\n"
    placed = run("retention", "--hold", "conversation:conv_a", "--reason", "Case 7")
    assert placed.stdout == "Placed the legal hold on conversation conv_a.\n"
    shown = run("retention").stdout
    assert "Rule for everyone: kept for ever." in shown
    assert "Legal hold on conversation conv_a since" in shown
    assert "Case 7" in shown
    assert "legal hold" in run("erasure", "ask", "local", "--yes").stderr
    assert run("retention", "--lift", "conversation:conv_a").returncode == 0
    assert run("retention", "--unset", "everyone").stdout == "Deleted the rule for everyone.\n"
    assert "no rule" in run("retention", "--unset", "everyone").stderr.replace("no such rule", "no rule")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--set", "everyone", "0"], "'0' is no limit"),
        (["--set", "everyone:x", "3"], "is none of everyone, group:ID, project:ID, library:ID."),
        (["--set", "project:x", "temporary"], "for everyone or for a group"),
        (["--set", "project:x", "3"], "There is no project 'x'."),
        (["--hold", "library:x"], "is none of person:ID, project:ID, conversation:ID."),
    ],
)
def test_what_makes_no_sense_is_refused(run: Eclair, given: list[str], said: str) -> None:
    refused = run("retention", *given)
    assert refused.returncode == 2
    assert said in refused.stderr


def test_an_erasure_is_asked_for_and_withdrawn(run: Eclair, tmp_path: Path) -> None:
    asyncio.run(begin(tmp_path / "home"))
    assert run("erasure", "list").stdout == "Nobody's erasure was asked for.\n"
    assert "There is nothing of 'nobody' here" in run("erasure", "ask", "nobody", "--yes").stderr
    assert "add --yes" in run("erasure", "ask", "local").stderr
    assert "withdraw local" in run("erasure", "ask", "local", "--yes").stdout
    (line,) = run("erasure", "list").stdout.splitlines()
    assert "due" in line
    assert "isn't done yet" in run("erasure", "receipt", line.split()[0]).stderr
    assert run("erasure", "withdraw", "local").stdout == "Withdrawn; nothing is erased.\n"
    (tmp_path / "receipt.json").write_text("{}")
    assert run("erasure", "verify", str(tmp_path / "receipt.json")).returncode == 2


async def begin(folder: Path) -> None:
    storage = open_storage(folder)
    await storage.conversations.add_conversation(LOCAL_PRINCIPAL, Conversation("conv_a", "local", "Bread", 1, 1))
    await storage.close()
