"""The names in the JSON that commands print: programs of others read them, so they stay."""

from __future__ import annotations

from eclair.cli._json import model_json, offer_json, server_json
from eclair.cli.mcp import mcp_server_json
from eclair.cli.schedules import schedule_json
from eclair.llm.local.profile import FileStamp, Speed, Tuning, TuningChoice, tuning_json
from eclair.llm.servers.jurisdiction import ServerLocation
from eclair.llm.servers.service import Server
from eclair.mcp_servers.server_views import McpServer
from eclair.models.catalog import starter_entry
from eclair.models.offers import Offer
from eclair.schema.mcp_servers import McpServerConfig
from eclair.schema.models import Model
from eclair.schema.schedules import Occurrence, Schedule, ScheduledQuestion


def test_a_model() -> None:
    assert set(model_json(Model("m", "M", "rack", parameters=0.1))) == {
        "id",
        "name",
        "engine",
        "context",
        "sampling",
        "maker",
        "country",
        "license",
        "languages",
        "size",
        "titles",
        "parameters",
        "active",
        "thinks",
        "place",
        "sees",
        "calls",
        "call_way",
        "calls_well",
        "calls_on_demand",
        "tier",
        "created",
    }
    assert model_json(Model("m", "M", "rack", parameters=0.1))["tier"] == "tiny"


def test_an_offer() -> None:
    row = offer_json(Offer(starter_entry(), "Q4_1", 1, 2, True, False, downloaded_bytes=3))
    assert set(row) == {"entry", "quant", "size", "memory", "fits", "installed", "options", "reason", "part", "known"}
    assert (row["part"], row["known"], row["entry"]["id"]) == (3, True, starter_entry().id)


def test_a_server() -> None:
    location = ServerLocation("country", "FR", "Mistral")
    row = server_json(Server("s", "http://x", "added", True, (), None, location, None, None, None))
    assert set(row) == {
        "name",
        "url",
        "origin",
        "keyed",
        "models",
        "context",
        "place",
        "note",
        "problem",
        "probe",
        "api",
        "endpoints",
    }
    assert row["place"] == {"where": "country", "country": "FR", "provider": "Mistral", "stated": False}


def test_a_tuning() -> None:
    speed = Speed(1, 2, 3)
    row = tuning_json(Tuning("m", FileStamp("f", 1, 2), "2026-11-25", TuningChoice(), 1, 2, speed, speed))
    assert set(row["choice"]) == {
        "layout",
        "writing",
        "reading",
        "kv",
        "flash",
        "guesses",
        "cost",
        "compiled",
        "kernels",
    }
    assert set(row) == {
        "machine",
        "source",
        "at",
        "choice",
        "bandwidth",
        "bytes",
        "before",
        "after",
        "trials",
        "drift",
        "build",
        "twice",
    }


def test_an_mcp_server() -> None:
    server = McpServer("m", "odd", "added", False, McpServerConfig(), (), "ready", None, True, None, None, True)
    row = mcp_server_json(server)
    assert set(row) == {
        *("id", "name", "origin", "command", "url", "folders", "readable", "network", "by_default", "secrets"),
        *("state", "on", "tools", "client_id", "signed_in", "signed_in_as"),
    }
    assert row["tools"] is None


def test_a_schedule() -> None:
    last = Occurrence(
        id="occ", schedule="s", due=1, status="done", conversation="c", question="q", began=1, process="p"
    )
    asks = ScheduledQuestion(text="What is new?")
    row = schedule_json(
        Schedule(
            id="s", owner="o", name="News", asks=asks, cron="0 7 * * *", zone="UTC", created=1, changed=1, last=last
        )
    )
    assert set(row) == {
        "id",
        "name",
        "asks",
        "cron",
        "zone",
        "created",
        "changed",
        "state",
        "next_due",
        "keeps",
        "mail",
        "failures",
        "reason",
        "conversation",
        "last",
    }
    assert set(row["asks"]) == {"text", "model", "web", "project", "assistant", "libraries", "feeds", "tools"}
    assert set(row["last"]) == {
        "id",
        "due",
        "status",
        "conversation",
        "began",
        "ended",
        "run",
        "fault",
        "is_missed",
        "is_manual",
    }
