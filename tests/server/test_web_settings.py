"""`/api/web/settings` and tests of search services, over stand-ins of those."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import replace
from datetime import date
from typing import Any

import apsw
import pytest

from eclair.schema.web import WebHit
from eclair.settings import Settings
from eclair.web.web_settings import with_web_settings
from tests.support import Server, serving
from tests.web.services import Answering, answering

FOUND = (WebHit("https://www.example.de/wahl", "Wahl", "So wurde gewählt", date(2026, 1, 2)),)
KEY = "s3cret-of-mojeek"


@pytest.fixture
async def searxng() -> AsyncGenerator[Answering]:
    async with answering("searxng", FOUND) as at_work:
        yield at_work


@pytest.fixture
async def plain(settings: Settings) -> AsyncGenerator[Server]:
    async with serving(settings) as server:
        yield server


async def change(server: Server, **changed: Any) -> dict[str, Any]:
    reply = await server.call("PATCH", "/api/web/settings", changed)
    assert reply.status == 200, reply.body
    return reply.body


def used(report: dict[str, Any]) -> list[str]:
    return [each["name"] for each in report["services"] if each["used"]]


async def test_the_defaults_are_shown(plain: Server) -> None:
    report = (await plain.get("/api/web/settings")).body
    assert used(report) == ["newsroom", "wikipedia"]
    assert {name: report[name] for name in ("searxng", "policy", "hosts", "fixed_hosts", "fixed")} == {
        "searxng": None,
        "policy": "open",
        "hosts": [],
        "fixed_hosts": [],
        "fixed": [],
    }


async def test_a_searxng_of_ones_own_is_asked_at_once(plain: Server, searxng: Answering) -> None:
    url = f"{searxng.standin.url}/"
    assert (await plain.post("/api/web/services/searxng/test")).body["fault"].startswith("SearXNG isn't set up")
    report = await change(plain, searxng=url)
    assert report["searxng"] == searxng.standin.url
    assert "searxng" in used(report)
    tested = (await plain.post("/api/web/services/searxng/test")).body
    assert (tested["outcome"], tested["hits"], tested["fault"]) == ("done", 1, None)
    assert tested["milliseconds"] > 0
    assert used(await change(plain, services=["searxng"])) == ["searxng"]
    found = await plain.post("/api/web/search", {"q": "Wahl"})
    assert [step["title"] for step in found.body["steps"]] == ["SearXNG"]
    assert [hit["title"] for hit in found.body["hits"]] == ["Wahl"]
    searxng.instead = [lambda call: call.reply(500)]
    failed = (await plain.post("/api/web/services/searxng/test")).body
    assert (failed["outcome"], failed["hits"]) == ("failed", 0)
    assert "status 500" in failed["fault"]
    assert (await change(plain, searxng=""))["searxng"] is None


async def test_a_key_is_kept_encrypted_and_never_sent_back(plain: Server, settings: Settings) -> None:
    await change(plain, services=["wikipedia"])
    changed = await plain.call("PATCH", "/api/web/settings", {"keys": {"mojeek": KEY}})
    assert KEY.encode() not in changed.raw
    mojeek = next(each for each in changed.body["services"] if each["name"] == "mojeek")
    assert (mojeek["key"], mojeek["ready"], mojeek["used"]) == ("set", True, True)
    assert plain.app.settings.search_keys == {"mojeek": KEY}
    with apsw.Connection(str(settings.data_dir / "eclair.db")) as database:
        assert KEY not in str(list(database.execute("SELECT body FROM web_settings")))
    assert with_web_settings(settings).search_keys == {"mojeek": KEY}
    removed = await change(plain, keys={"mojeek": ""})
    assert next(each for each in removed["services"] if each["name"] == "mojeek")["key"] == "none"
    assert plain.app.settings.search_keys == {}


async def test_the_policy_holds_at_once_and_after_a_restart(settings: Settings, searxng: Answering) -> None:
    async with serving(settings) as server:
        assert (await change(server, policy="eu", hosts=["example.org"]))["hosts"] == ["example.org"]
        refused = (await server.post("/api/web/services/wikipedia/test")).body
        assert (refused["outcome"], "the policy is `eu`" in refused["fault"]) == ("refused", True)
        assert (await server.get("/api/egress")).body["policy"] == "eu"
        await change(server, policy="offline", searxng=searxng.standin.url)
        assert (await server.post("/api/feeds/refresh")).status == 403
        assert (await server.post("/api/web/services/searxng/test")).body["outcome"] == "done"
    async with serving(settings) as server:
        report = (await server.get("/api/web/settings")).body
        assert (report["policy"], report["hosts"], report["searxng"]) == (
            "offline",
            ["example.org"],
            searxng.standin.url,
        )
        assert (await server.get("/api/egress")).body["policy"] == "offline"
        await change(server, policy="open")
        assert (await server.post("/api/feeds/refresh")).body == {"feeds": 0}


async def test_what_the_settings_file_says_stays(settings: Settings) -> None:
    fixed = replace(
        settings, egress="eu", egress_hosts=("example.eu",), web_search=("wikipedia",), search_keys={"kagi": "k"}
    )
    async with serving(fixed) as server:
        report = await change(server, hosts=["example.org"])
        assert (report["fixed"], report["fixed_hosts"]) == (["services", "policy"], ["example.eu"])
        assert server.app.settings.egress_hosts == ("example.eu", "example.org")
        assert next(each for each in report["services"] if each["name"] == "kagi")["key"] == "file"
        for changed in ({"policy": "open"}, {"services": ["newsroom"]}, {"keys": {"kagi": "other"}}):
            reply = await server.call("PATCH", "/api/web/settings", changed)
            assert (reply.status, "settings file" in reply.error["message"]) == (409, True)


async def test_where_the_settings_file_decides_nothing_is_changed(settings: Settings) -> None:
    async with serving(settings) as server:
        await change(server, policy="offline", services=["wikipedia"])
    async with serving(replace(settings, engines_from="file")) as server:
        report = (await server.get("/api/web/settings")).body
        assert (report["policy"], used(report)) == ("open", ["newsroom", "wikipedia"])
        assert report["fixed"] == ["services", "searxng", "policy", "keys", "hosts"]
        for changed in ({"policy": "open"}, {"hosts": ["example.org"]}, {"keys": {"mojeek": KEY}}):
            assert (await server.call("PATCH", "/api/web/settings", changed)).status == 403


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"services": []}, 400),
        ({"services": ["altavista"]}, 404),
        ({"keys": {"altavista": "k"}}, 404),
        ({"keys": {"wikipedia": "k"}}, 400),
        ({"keys": {"mojeek": "two words"}}, 400),
        ({"searxng": "ftp://example.org"}, 400),
        ({"searxng": "http://user:secret@example.org"}, 400),
        ({"searxng": "http://[::1"}, 400),
        ({"policy": "none"}, 400),
        ({"hosts": ["https://example.org"]}, 400),
    ],
)
async def test_a_change_that_makes_no_sense_is_refused(plain: Server, changed: dict[str, Any], status: int) -> None:
    before = (await plain.get("/api/web/settings")).body
    assert (await plain.call("PATCH", "/api/web/settings", changed)).status == status
    assert (await plain.get("/api/web/settings")).body == before


async def test_an_unknown_service_is_not_tested(plain: Server) -> None:
    assert (await plain.post("/api/web/services/altavista/test")).status == 404
