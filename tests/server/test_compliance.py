"""Compliance reports: made of the settings in force, in the reader's language, for those who may see them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eclair.compliance.report import REPORT_NAMES
from eclair.compliance.report_texts import ai_notices
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import EngineSettings, Settings
from eclair.storage.retention import RetentionRule
from tests.support import JSON, Server, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def report(server: Server, name: str, language: str = "en") -> JSON:
    reply = await server.get(f"/api/compliance/{name}?language={language}")
    assert reply.status == 200, reply
    return dict(reply.body["report"])


def section(found: JSON, id: str) -> JSON:
    return next(each for each in found["sections"] if each["id"] == id)


@pytest.mark.parametrize("name", REPORT_NAMES)
async def test_each_report_is_there_in_every_language_and_as_markdown(server: Server, name: str) -> None:
    for language in ai_notices():
        found = await report(server, name, language)
        assert found["language"] == language
        assert found["text_language"] in (language, "en")
    english = await report(server, name)
    reply = await server.get(f"/api/compliance/{name}?format=markdown")
    assert reply.headers["Content-Type"].startswith("text/markdown")
    text = reply.raw.decode()
    assert text.startswith(f"# {english['title']}\n")
    for each in english["sections"]:
        assert f"## {each['heading']}" in text
        assert all(line in text for line in each["done"])


async def test_unknown_reports_and_languages_are_refused_or_english(server: Server) -> None:
    assert (await server.get("/api/compliance/nonsense")).status == 400
    assert (await server.get("/api/compliance/models?language=english")).status == 400
    assert (await report(server, "models", "xx"))["text_language"] == "en"


async def test_the_duties_follow_the_settings(settings: Settings) -> None:
    async with serving(settings) as server:
        found = await report(server, "ai-act")
        assert section(found, "interaction")["state"] == "met"
        assert section(found, "high_risk")["state"] == "none"
        assert any("use_warnings" in line for line in section(found, "prohibited")["todo"])
    risky = replace(settings, high_risk_use=True, use_warnings="warn", egress_days=30, run_log_days=0)
    async with serving(risky) as server:
        found = await report(server, "ai-act")
        assert section(found, "high_risk")["state"] == "later"
        logs = section(found, "logs")
        assert logs["state"] == "later"
        assert ["egress_days" in line for line in logs["todo"]] == [True]
        assert not any("Switch on" in line for line in section(found, "prohibited")["todo"])


async def test_the_literacy_page_is_counted_and_by_nobody(server: Server) -> None:
    path = "/api/compliance/literacy"
    for event in ("offered", "offered", "read"):
        assert (await server.post(path, {"event": event})).status == 204
    assert (await server.post(path, {"event": "skipped"})).status == 400
    counts = section(await report(server, "ai-act"), "literacy")["done"][1]
    assert counts.startswith("Offered: 2; confirmed as read: 1.")


async def test_the_records_name_recipients_periods_and_measures(settings: Settings) -> None:
    engines = {"far": EngineSettings("https://api.openai.com/v1", models=("gpt",))}
    away = replace(settings, scripted=False, engines=engines, keep_days=90, organisation="Amt für Wasser")
    async with serving(away) as server:
        found = await report(server, "records")
        (name, *_) = section(found, "controller")["table"]["rows"]
        assert name == ["Name", "Amt für Wasser"]
        conversations = section(found, "conversations")
        assert "Kept: 90 days (`keep_days`)" in conversations["done"]
        (row,) = conversations["table"]["rows"]
        assert (row[0], row[2], row[3]) == ("api.openai.com", "US", "yes, or possible")
        assert conversations["todo"]
        impact = await report(server, "impact", "de")
        levels = {row[0]: row[2] for row in section(impact, "risks")["table"]["rows"]}
        assert levels["Daten gelangen in Länder ohne gleichwertigen Schutz"] == "hoch"
        assert levels["Daten werden länger als nötig aufbewahrt"] == "niedrig"
    async with serving(settings) as server:
        rule = RetentionRule(scope="everyone", subject="", days=30)
        await server.app.storage.retention.set_rule(LOCAL_PRINCIPAL, rule)
        ruled = await report(server, "records")
        assert section(ruled, "rules")["table"]["rows"][0][0] == "everyone"
        conversations = section(ruled, "conversations")
        assert conversations["table"] is None
        assert "Recipients: nobody outside this installation" in conversations["done"]


async def test_integrators_get_the_notice_in_24_languages(server: Server) -> None:
    notices = (await server.get("/api/about")).body["ai_notice"]
    assert len(notices) == 24
    assert notices["en"] == "You are talking to an AI. Answers are generated and can be wrong."
