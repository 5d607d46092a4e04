"""`/metrics`, through HTTP, and the files that rest on its names."""

from __future__ import annotations

import asyncio
import json
import math
import re
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import apsw
import pytest
import yaml

from eclair.schema.events import encode
from eclair.settings import Settings
from eclair.storage.runs import EventChunk
from tests.postgres import TestDatabases, databases
from tests.support import Ids, Server, new_turn, serving

__all__ = ["databases"]

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROOT = Path(__file__).parents[2]
NAME = re.compile(r"\b(?:eclair|process)_[a-z_]+")


async def sample(server: Server) -> dict[str, float]:
    """The value of each metric, by name and labels."""
    reply = await server.get("/metrics")
    assert reply.status == 200, reply
    assert reply.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    lines = [line for line in reply.raw.decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


async def test_requests_answers_and_states_are_counted(fresh: Server) -> None:
    conversation = await fresh.begin()
    await fresh.say(conversation, "script: words=60 rate=200")
    await fresh.say(conversation, "script: fail=2")
    begun = await fresh.ask(conversation, "script: words=1000 rate=50")
    assert (await sample(fresh))["eclair_answers_running"] == 1
    await fresh.post(f"/api/runs/{begun['run']}/stop")
    found = await sample(fresh)
    turns = 'eclair_http_requests_total{method="POST",route="/api/conversations/{id}/turns",status="202"}'
    assert found[turns] == 3
    outcomes = [found[f'eclair_answers_total{{outcome="{name}"}}'] for name in ("finished", "failed", "stopped")]
    assert outcomes == [1, 1, 1]
    assert found["eclair_answer_words_total"] >= 60
    assert found["eclair_first_word_seconds_count"] >= 1
    assert found['eclair_words_per_second_bucket{le="+Inf"}'] >= 1
    assert found['eclair_engine_state{engine="scripted",state="ready"}'] == 1
    assert found["eclair_database_bytes"] > 0
    assert found["eclair_disk_free_bytes"] > 0
    assert found['eclair_queue_length{queue="documents"}'] == 0


async def test_a_database_that_is_away_is_a_sample_and_no_fault(settings: Settings, databases: TestDatabases) -> None:
    async with serving(replace(settings, database_url=databases.create())) as server:
        found = await sample(server)
        assert (found['eclair_check_ok{check="database"}'], found['eclair_check_ok{check="disk"}']) == (1, 1)
        assert 'eclair_workers{kind="read"}' in found
        await server.begin()
        async with asyncio.timeout(60):
            while not (found := await sample(server))["eclair_notice_seconds_count"]:
                pass
        assert abs(found["eclair_clock_offset_seconds"]) < 5
        assert (found["eclair_lease_age_seconds"] < 5, found["eclair_lease_renewal_failures_total"]) == (True, 0)
        await asyncio.to_thread(databases.stop)
        try:
            async with asyncio.timeout(60):
                while not (found := await sample(server))["eclair_lease_renewal_failures_total"]:
                    pass
        finally:
            await asyncio.to_thread(databases.start)
        assert found["eclair_lease_age_seconds"] > 0
        assert (found['eclair_check_ok{check="database"}'], found['eclair_check_ok{check="disk"}']) == (0, 1)
        assert 'eclair_workers{kind="read"}' not in found
        async with asyncio.timeout(60):
            while not (await sample(server))['eclair_check_ok{check="database"}']:
                pass


async def test_what_was_taken_over_from_a_dead_process_is_counted(settings: Settings) -> None:
    async with serving(settings) as server:
        kinds = [f'eclair_taken_over_total{{kind="{kind}"}}' for kind in ("answers", "jobs", "schedules")]
        assert [(await sample(server))[kind] for kind in kinds] == [0, 0, 0]
        added, started = new_turn(server.app.storage, Ids(), await server.begin(), "Why?")
        first = EventChunk(started.run, 1, encode(replace(started, seq=1)))
        run = replace(added.run, process="process_dead")
        await server.app.storage.runs.open_turn(replace(added, run=run, first=first))
        with closing(apsw.Connection(str(settings.data_dir / "eclair.db"))) as db:
            db.set_busy_timeout(10_000)
            db.execute(
                "INSERT INTO job (kind, subject, process, claimed, attempts)"
                " VALUES ('import', 'imp_left', 'process_dead', 1, 1)"
            )
        async with asyncio.timeout(60):
            while [(await sample(server))[kind] for kind in kinds] != [1, 1, 0]:
                pass
        assert "eclair_lease_age_seconds" not in await sample(server), "nobody renews it"


async def test_the_age_of_backups_is_shown_where_some_are_to_be_made(settings: Settings, tmp_path: Path) -> None:
    async with serving(replace(settings, backup_folder=tmp_path / "backups", backup_hours=6)) as server:
        found = await sample(server)
        assert found["eclair_backup_age_seconds"] == math.inf
        assert found["eclair_backup_interval_seconds"] == 6 * 3600
        server.app.backups.run_now()
        async with asyncio.timeout(60):
            while (age_s := (await sample(server))["eclair_backup_age_seconds"]) == math.inf:
                pass
        assert age_s < 60


async def test_alerts_say_what_is_wrong_and_what_to_do() -> None:
    (group,) = yaml.safe_load((ROOT / "deploy" / "alerts.yml").read_text("utf-8"))["groups"]
    names = [rule["alert"] for rule in group["rules"]]
    assert len(set(names)) == len(names)
    for rule in group["rules"]:
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert rule["annotations"].keys() == {"summary", "description"}
    runbook = (ROOT / "docs" / "runbook.md").read_text("utf-8")
    assert set(re.findall(r"`(Eclair\w+)`", runbook)) <= set(names)


async def test_addresses_that_nobody_knows_are_counted_together(fresh: Server) -> None:
    for number in range(3):
        await fresh.get(f"/unknown-{number}")
        await fresh.call(f"MADE{'UP' * number}", "/api/models")
    names = [name for name in await sample(fresh) if "http_requests_total" in name]
    assert not [name for name in names if "unknown" in name or "MADE" in name]


async def test_it_needs_the_key(keyed: Server) -> None:
    assert (await keyed.get("/metrics")).status == 401
    assert (await keyed.get("/metrics", {"Authorization": "Bearer s3crêt"})).status == 200


@pytest.mark.parametrize("path", ["deploy/grafana.json", "deploy/alerts.yml", "docs/monitoring.md"])
async def test_every_metric_that_is_named_is_there(fresh: Server, path: str) -> None:
    await fresh.say(await fresh.begin(), "script: words=3")
    known = {name.partition("{")[0] for name in await sample(fresh)}
    rendered = (await fresh.get("/metrics")).raw.decode()
    known |= set(re.findall(r"^# TYPE (\w+)", rendered, re.MULTILINE))  # some have no sample yet
    text = (ROOT / path).read_text("utf-8")
    if path.endswith("json"):
        json.loads(text)
    named = set(NAME.findall(text))
    assert len(named) >= 8
    assert not {name for name in named if name not in known and f"{name}_count" not in known}
