"""The pages of docs/clients: what they say to type works, through the clients themselves."""

from __future__ import annotations

import asyncio
import contextlib
import io
import re
import tomllib
from pathlib import Path
from typing import Any

import orjson
import pytest

from tests.support import Server

PAGES = Path(__file__).parents[2] / "docs" / "clients"
ADDRESS = "http://127.0.0.1:8642"
INSTALLED = ("anthropic", "mistralai", "ollama", "openai")
"""The pages whose packages the tests have; `bench/clients.py` runs the others' blocks."""


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)


def printed(block: str) -> str:
    """What a block prints when it is run as a program, whose end closes its connections."""
    out = io.StringIO()
    names: dict[str, Any] = {"__name__": "__main__"}
    with contextlib.redirect_stdout(out):
        exec(compile(block, "block", "exec"), names)
    if hasattr(names["client"], "close"):
        names["client"].close()
    return out.getvalue()


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", INSTALLED)
async def test_python_blocks_print_an_answer(server: Server, name: str) -> None:
    found = blocks(PAGES / f"{name}.md", "python")
    assert found != []
    for block in found:
        assert ADDRESS in block
        text = await asyncio.to_thread(printed, block.replace(ADDRESS, server.address))
        assert len(text.split()) > 3, block


@pytest.mark.parametrize("page", sorted(PAGES.glob("*.md")), ids=lambda page: page.stem)
def test_addresses_and_settings_are_whole(page: Path) -> None:
    """Every page names the address, and what is to be copied into a file can be read by its program."""
    assert ":8642" in page.read_text("utf-8")
    for block in blocks(page, "json"):
        orjson.loads(block)
    for block in blocks(page, "toml"):
        tomllib.loads(block)


def test_each_page_is_in_the_index() -> None:
    index = (PAGES / "README.md").read_text("utf-8")
    assert [
        page.name for page in PAGES.glob("*.md") if page.name != "README.md" and f"({page.name})" not in index
    ] == []
