"""`/api/announcements`: written by administrators, shown to everybody who is signed in, for a time."""

from __future__ import annotations

import time
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any

from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from tests.server.test_accounts import member, set_up
from tests.support import serving

HOUR_MS = 3_600_000
TEXT = {"language": "de", "texts": {"de": "Wartung am Montag", "en": "Maintenance on Monday"}}


async def test_what_is_shown_now_is_shown_to_everybody(settings: Settings) -> None:
    now = int(time.time() * 1000)
    async with serving(replace(settings, accounts="on", announcement="Welcome")) as server:
        admin = await set_up(server)
        _, guest = await member(server, admin, "gast", role="guest")
        assert (await server.get("/api/announcements")).status == 401
        for body in (
            {**TEXT, "level": "warning", "begins": now - HOUR_MS, "ends": now + HOUR_MS, "closable": False},
            {**TEXT, "begins": now + HOUR_MS},
            {**TEXT, "ends": now - HOUR_MS},
        ):
            assert (await server.post("/api/announcements", body, headers=admin)).status == 201
        stated, shown = (await server.get("/api/announcements", guest)).body["announcements"]
        assert (stated["texts"], stated["fixed"]) == ({"en": "Welcome"}, True)
        assert (shown["texts"], shown["level"], shown["closable"]) == (TEXT["texts"], "warning", False)
        listed = (await server.get("/api/announcements/all", admin)).body["announcements"]
        assert len(listed) == 4
        for method, path in (("GET", "/all"), ("POST", ""), ("PUT", "/a"), ("DELETE", f"/{shown['id']}")):
            assert (await server.call(method, f"/api/announcements{path}", TEXT, headers=guest)).status == 403
        changed = await server.call("PUT", f"/api/announcements/{shown['id']}", TEXT, headers=admin)
        assert (changed.body["level"], changed.body["changed"] > shown["changed"]) == ("info", True)
        assert (await server.call("DELETE", f"/api/announcements/{shown['id']}", headers=admin)).status == 204
        assert (await server.call("DELETE", f"/api/announcements/{shown['id']}", headers=admin)).status == 404
        assert (await server.call("DELETE", "/api/announcements/settings", headers=admin)).status == 409


REFUSED: tuple[tuple[dict[str, Any], str], ...] = (
    ({"texts": {"en": "x"}}, "a text in its default language, de"),
    ({"texts": {}}, "default language"),
    ({"texts": {"de": ""}}, ""),
    ({"texts": {"de": "x" * 1001}}, ""),
    ({"begins": 20, "ends": 10}, "ends after it begins"),
    ({"level": "loud"}, ""),
    ({"colour": "red"}, ""),
)


async def test_what_nobody_could_read_is_refused(settings: Settings) -> None:
    async with serving(settings) as server:
        for change, said in REFUSED:
            refused = await server.post("/api/announcements", {**TEXT, **change})
            assert (refused.status, said in refused.error["message"]) == (400, True), refused


async def test_the_policy_file_declares_announcements(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(
        "[announcements.maintenance]\nlevel = 'urgent'\nbegins = 2026-01-05T08:00:00+01:00\nends = 2099-01-01\n"
        "texts = { en = 'Down on Monday', de = 'Montag zu' }\n"
    )
    async with serving(replace(settings, policy_file=file)) as server:
        async with aclosing(server.app.changes.follow(LOCAL_PRINCIPAL)) as feed:
            await anext(feed)
            assert (await server.post("/api/policy/apply")).status == 200
            kinds = [change.kind for change in await anext(feed)]
        assert "announcements" in kinds, "open tabs are told"
        (shown,) = (await server.get("/api/announcements")).body["announcements"]
        assert (shown["id"], shown["begins"], shown["texts"]["de"]) == ("maintenance", 1767596400000, "Montag zu")
        file.write_bytes((await server.get("/api/policy/export")).raw)
        assert (await server.get("/api/policy/drift")).body["changes"] == []
        file.write_text("announcements = {}\n")
        assert (await server.post("/api/policy/apply")).status == 200
        assert (await server.get("/api/announcements")).body["announcements"] == []
