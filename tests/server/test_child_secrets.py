"""Processes that a server starts hold none of its secrets."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import aiohttp
import psutil

from tests.support import Process

SECRETS = {
    "ECLAIR_API_KEY": "k" * 32 + "-of-the-door",
    "HF_TOKEN": "hf_of_the_hub",
    "OPENAI_API_KEY": "sk-of-another-program",
}


def environments(process: int | None) -> list[dict[str, str]]:
    """The environments of the children of a process that have begun."""
    found: list[dict[str, str]] = []
    for child in psutil.Process(process).children(recursive=True):
        with contextlib.suppress(psutil.Error):
            found.append(child.environ())
    return [environment for environment in found if environment]


async def test_no_child_has_them(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    server = await Process.start(tmp_path, http, **SECRETS)
    try:
        headers = {
            "Authorization": f"Bearer {SECRETS['ECLAIR_API_KEY']}",
            "Content-Type": "application/octet-stream",
        }
        reply = await server.call("POST", "/api/files?name=bees.pdf", data=b"%PDF-1.4\n", headers=headers)
        assert reply.status < 300, reply.body
        children: list[dict[str, str]] = []
        async with asyncio.timeout(30):
            while not children:
                children = environments(server.process.pid)
                await asyncio.sleep(0.01)
        assert all("PATH" in environment for environment in children)
        assert [name for name, secret in SECRETS.items() if any(secret in each.values() for each in children)] == []
    finally:
        await server.close()
