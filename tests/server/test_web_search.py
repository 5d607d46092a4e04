"""`/api/web/services`, `/api/web/search` and `eclair search`, over stand-ins of the services."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace
from datetime import date
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import pytest

from eclair.schema.web import WebHit
from eclair.settings import Settings
from eclair.web.providers import providers_table
from tests.cli.test_cli import Eclair
from tests.support import JSON, Server, serving
from tests.web.services import Answering, answering, parameters

DOCS = (Path(__file__).parents[2] / "docs" / "web-search.md").read_text("utf-8")
FOUND = (
    WebHit("https://www.example.de/wahl?utm_source=x", "Wahl in Hessen", "So wurde gewählt", date(2026, 1, 2)),
    WebHit("https://example.org/", "Hessen"),
)


@pytest.fixture
async def searxng() -> AsyncGenerator[Answering]:
    async with answering("searxng", FOUND) as at_work:
        yield at_work


@pytest.fixture
async def searching(settings: Settings, searxng: Answering) -> AsyncGenerator[Server]:
    address = searxng.standin.url
    private = (urlsplit(address).netloc,)
    async with serving(
        replace(settings, searxng=address, web_search=("searxng", "mojeek"), private_addresses=private)
    ) as server:
        yield server


async def test_what_is_found(searching: Server, searxng: Answering) -> None:
    reply = await searching.post("/api/web/search", {"q": "Wer hat die Wahl in Hessen gewonnen?", "days": 7})
    assert reply.status == 200
    assert reply.body["queries"] == [{"text": "Wahl Hessen gewonnen", "language": "de", "days": 7}]
    (step,) = reply.body["steps"]
    assert (step["title"], step["outcome"], step["count"]) == ("SearXNG", "done", 2)
    assert {hit["url"]: (hit["title"], hit["published"], hit["by"]) for hit in reply.body["hits"]} == {
        "https://www.example.de/wahl": ("Wahl in Hessen", "2026-01-02", ["searxng"]),
        "https://example.org/": ("Hessen", None, ["searxng"]),
    }
    assert parameters(searxng.calls[0])["q"] == "Wahl Hessen gewonnen"


async def test_what_services_there_are(searching: Server, searxng: Answering) -> None:
    searxng.instead = [lambda call: call.reply(403)]
    failed = await searching.post("/api/web/search", {"q": "Hessen"})
    assert (failed.status, failed.body["hits"], failed.body["steps"][0]["outcome"]) == (200, [], "failed")
    services = {each["name"]: each for each in (await searching.get("/api/web/services")).body}
    assert list(services)[:2] == ["searxng", "mojeek"]
    assert services["searxng"]["asked"] is True
    assert services["searxng"]["jurisdiction"] == "machine"
    assert services["searxng"]["fault"] == (
        "SearXNG isn't allowed to answer in JSON; add json to `search.formats` in its settings."
    )
    assert (services["mojeek"]["asked"], services["mojeek"]["ready"]) == (False, False)
    assert (services["wikipedia"]["asked"], services["wikipedia"]["ready"]) == (False, True)
    assert services.pop("newsroom")["jurisdiction"] == "machine"
    assert all(each["terms"].startswith("https://") for each in services.values())


async def test_a_link_searches_for_nothing(searching: Server, searxng: Answering) -> None:
    reply = await searching.get("/api/web/search?q=Hessen")
    assert (reply.status, "does not support GET" in reply.error["message"]) == (405, True)
    assert searxng.calls == []


@pytest.mark.parametrize(
    "body",
    [{}, {"q": ""}, {"q": "?"}, {"q": "x", "language": "German"}, {"q": "x", "days": -1}, {"q": "x" * 2001}],
    ids=["nothing", "empty", "sign", "language", "days", "long"],
)
async def test_what_cannot_be_searched_for(searching: Server, body: JSON) -> None:
    reply = await searching.post("/api/web/search", body)
    assert reply.status == 400
    assert reply.error["param"] in ("q", "language", "days")


def test_the_table_of_services_is_that_of_the_code() -> None:
    assert providers_table() in DOCS


@pytest.fixture
def eclair(tmp_path: Path, searxng: Answering) -> Callable[..., Awaitable[subprocess.CompletedProcess[str]]]:
    """`eclair search …`, which asks the stand-in."""
    address = searxng.standin.url
    env = {
        "ECLAIR_SEARXNG": address,
        "ECLAIR_WEB_SEARCH": "searxng",
        "ECLAIR_PRIVATE_ADDRESSES": urlsplit(address).netloc,
    }

    async def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return await asyncio.to_thread(Eclair(tmp_path / "home"), "search", *arguments, **env)

    return run


Search = Callable[..., Awaitable[subprocess.CompletedProcess[str]]]


async def test_the_command_prints_what_is_found(eclair: Search) -> None:
    done = await eclair("Wahl", "in", "Hessen", "--limit", "1", "--language", "de")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[:4] == [
        " 1  Wahl in Hessen",
        "    https://www.example.de/wahl",
        "    2026-01-02 · SearXNG",
        "    So wurde gewählt",
    ]
    assert re.fullmatch(r"Searched for “Wahl Hessen”: SearXNG found 2 in [\d,]+ ms\.", lines[4])


async def test_the_command_prints_json(eclair: Search) -> None:
    done = await eclair("Hessen", "--json", "--days", "3")
    told = orjson.loads(done.stdout)
    assert {hit["title"] for hit in told["hits"]} == {"Wahl in Hessen", "Hessen"}
    assert (told["queries"][0]["days"], told["steps"][0]["outcome"]) == (3, "done")


async def test_the_command_says_what_is_wrong(eclair: Search, searxng: Answering) -> None:
    for arguments, said in (
        (("?",), "nothing to search for"),
        (("x", "--language", "deutsch"), "isn't a language code"),
        ((), "Write"),
    ):
        done = await eclair(*arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert said in done.stderr
    searxng.instead = [lambda call: call.reply(403)]
    done = await eclair("Hessen")
    assert done.returncode == 4
    assert "add json to `search.formats`" in done.stderr


async def test_the_command_lists_the_services(eclair: Search) -> None:
    done = await eclair("--services")
    states = {line.split()[0]: line for line in done.stdout.splitlines()[1:]}
    assert re.search(r"\bmachine +used\b", states["searxng"])
    assert "not used" in states["wikipedia"]
    assert "not set up" in states["mojeek"]
    assert {each["name"] for each in orjson.loads((await eclair("--services", "--json")).stdout)} == set(states)
    assert (await eclair("--markdown")).stdout == providers_table()
