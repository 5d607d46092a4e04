"""`eclair read`, as a person has it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from subprocess import CompletedProcess

import orjson
import pytest

from tests.cli.test_cli import Eclair
from tests.web.internet import Internet


@pytest.fixture
def eclair(tmp_path: Path) -> Eclair:
    return Eclair(tmp_path / "home")


async def ran(eclair: Eclair, world: Internet, *arguments: str) -> CompletedProcess[str]:
    return await asyncio.to_thread(eclair, *arguments, ECLAIR_PRIVATE_ADDRESSES=",".join(world.private))


async def test_the_text_is_output_and_what_is_known_of_the_page_is_said_beside_it(
    world: Internet, eclair: Eclair
) -> None:
    url = f"http://{world.private[0]}/article"
    done = await ran(eclair, world, "read", url)
    made = world.story("fr-bridge-0")[0]
    assert done.stdout.startswith(f"{made.title}\n\n")
    assert made.key in done.stdout.replace("\u202f", " ")
    assert done.stderr.strip().endswith(f"127.0.0.1 · {made.author} · {made.day}")
    told = orjson.loads((await ran(eclair, world, "read", url, "--json")).stdout)
    assert (told["title"], told["language"], told["published"]) == (made.title, "fr", str(made.day))
    assert made.key in told["text"]


@pytest.mark.parametrize(
    ("address", "code", "says"),
    [
        ("http://{world}/missing", 4, "no such page"),
        ("http://{world}/private", 2, "169.254.169.254"),
        ("ftp://{world}/article", 2, "only http:// and https://"),
        ("http://127.0.0.1:9/", 2, "private_addresses"),
    ],
)
async def test_what_cannot_be_read_is_one_sentence(
    world: Internet, eclair: Eclair, address: str, code: int, says: str
) -> None:
    done = await ran(eclair, world, "read", address.format(world=world.private[0]))
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not done.stdout
