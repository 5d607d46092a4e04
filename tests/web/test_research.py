"""Reports on several questions, through the HTTP door and as `eclair research` writes them."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from eclair.settings import Settings
from tests.cli.test_cli import Eclair
from tests.server.test_documents import TOWER, sentence
from tests.support import text_of
from tests.web.internet import Internet
from tests.web.search_server import looking


@pytest.fixture
def eclair(tmp_path: Path) -> Eclair:
    return Eclair(tmp_path / "home")


async def test_a_source_of_two_questions_is_told_once(settings: Settings, world: Internet) -> None:
    made = world.story("en-bridge-0")[0]
    both = [f"What does {made.url} say?", f"What else does {made.url} say?"]
    async with looking(settings, world) as (server, model, _):
        model.says = made.key
        message = dict(await server.say(await server.begin(), "The bridge", research=both))
    numbers = [passage["number"] for passage in message["passages"]]
    assert numbers
    assert len(numbers) == len(set(numbers))
    text = text_of(message)
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        *(f"## {number}. {question}" for number, question in enumerate(both, 1)),
        "## Sources",
    ]
    assert {citation["passage"] for citation in message["citations"]} <= set(numbers)
    assert all(sentence(message, citation) for citation in message["citations"])
    assert text.count(f"]({made.url})") == 1


async def ran(eclair: Eclair, world: Internet, *arguments: str) -> tuple[int, str, str]:
    done = await asyncio.to_thread(
        eclair, "research", *arguments, ECLAIR_PRIVATE_ADDRESSES=",".join(world.private), ECLAIR_WEB_SEARCH=""
    )
    return done.returncode, done.stdout, done.stderr


async def test_the_command_shows_it_and_writes_it(world: Internet, eclair: Eclair, tmp_path: Path) -> None:
    question = f"What does http://{world.private[0]}/article say?"
    file = tmp_path / "report.md"
    code, out, said = await ran(eclair, world, "The", "bridge", "--into", question, "--output", str(file))
    assert code == 0, said
    assert out.startswith(f"1. {question}\n")
    report = file.read_text("utf-8")
    assert report.startswith("# The bridge\n")
    assert f"## 1. {question}" in report
    assert "/article" in {each.path for each in world.asked}


async def test_the_command_reads_libraries_without_the_web(world: Internet, eclair: Eclair, tmp_path: Path) -> None:
    file = tmp_path / "tower.md"
    file.write_text(TOWER, "utf-8")
    added = await asyncio.to_thread(eclair, "add", str(file), "--library", "towers")
    assert added.returncode == 0, added.stderr
    question = "How high is the tower of Ettelbruck?"
    code, out, said = await ran(eclair, world, "Towers", "--into", question, "--library", "towers", "--no-web")
    assert code == 0, said
    assert f"## 1. {question}" in out
    assert "No source was found" not in out
    assert world.asked == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "There is no subject"),
        (("bridge", "--into", " "), "A question of a plan has 1 to"),
        (("bridge",), "add --yes, or name questions with --into"),
    ],
)
async def test_what_cannot_be_looked_into_is_one_sentence(
    world: Internet, eclair: Eclair, arguments: tuple[str, ...], says: str
) -> None:
    code, _, said = await ran(eclair, world, *arguments)
    assert code == 2
    assert says in said
    assert len(said.strip().splitlines()) == 1
