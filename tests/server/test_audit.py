"""`/api/audit` and `eclair audit`: who did what, and whether anything was changed since."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import apsw
import orjson

from eclair.audit.checkpoint_notes import read_notes
from eclair.settings import Settings
from tests.cli.test_cli import Eclair
from tests.server.test_accounts import member, set_up
from tests.support import JSON, Server, serving


async def make_key(server: Server, name: str = "laptop") -> JSON:
    reply = await server.post("/api/keys", {"name": name})
    assert reply.status == 201
    return reply.body


async def test_an_act_is_listed_filtered_verified_and_exported(settings: Settings) -> None:
    async with serving(settings) as server:
        made = await make_key(server)
        listed = (await server.get("/api/audit")).body
        (act,) = listed["acts"]
        assert (act["number"], act["action"], act["outcome"]) == (1, "key.made", "success")
        assert (act["actor"], act["object"], act["erased"]) == ("local", made["id"], False)
        assert made["secret"] not in str(listed)
        assert (await server.get("/api/audit?action=engine")).body["acts"] == []
        assert (await server.get("/api/audit?person=local&action=key")).body["acts"] == [act]
        assert (await server.get(f"/api/audit?since={act['moment'] + 1}")).body["acts"] == []
        checkpoint = await server.get("/api/audit/checkpoint")
        assert [note.size for note in read_notes(checkpoint.raw.decode())] == [2]
        whole = (await server.get("/api/audit/verify")).body
        assert (whole["acts"], whole["checkpoints"], whole["unsealed"], whole["fault"]) == (2, 1, 0, None)
        ours = await server.get("/api/audit/export?action=key")
        assert [orjson.loads(line)["action"] for line in ours.raw.decode().splitlines()] == ["key.made"]
        theirs = await server.get("/api/audit/export?format=ocsf&action=key")
        (event,) = map(orjson.loads, theirs.raw.decode().splitlines())
        assert (event["class_uid"], event["type_uid"], event["actor"]["user"]["uid"]) == (6003, 600301, "local")
        assert event["metadata"]["event_code"] == "key.made"
        page = (await server.get("/api/audit?limit=1")).body
        assert page["acts"][0]["action"] == "audit.exported"
        assert (await server.get(f"/api/audit?before={page['next']}")).body["acts"][-1] == act


async def test_what_was_changed_behind_its_back_is_found(settings: Settings) -> None:
    async with serving(settings) as server:
        for name in ("laptop", "phone", "watch"):
            await make_key(server, name)
        database = apsw.Connection(str(settings.data_dir / "eclair.db"))
        database.execute("DROP TRIGGER audit_keeps; UPDATE audit SET action = 'key.revoked' WHERE number = 2")
        database.close()
        found = (await server.get("/api/audit/verify")).body
        assert (found["number"], found["fault"]) == (2, "Row 2 isn't the one that was written.")


async def test_works_council_mode_shows_nothing_by_person(settings: Settings) -> None:
    async with serving(replace(settings, works_council=True)) as server:
        await make_key(server)
        (act,) = (await server.get("/api/audit")).body["acts"]
        assert (act["action"], act["actor"], act["object"]) == ("key.made", None, None)
        assert (await server.get("/api/audit?person=local")).status == 400
        assert "local" not in (await server.get("/api/audit/export?action=key")).raw.decode()


async def test_a_checkpoint_that_was_kept_proves_what_is_missing(settings: Settings, tmp_path: Path) -> None:
    run = Eclair(tmp_path)
    for name in ("laptop", "phone"):
        run("key", "new", name)
    kept = tmp_path / "kept"
    kept.write_text(run("audit", "checkpoint").stdout)
    run("key", "new", "watch")
    assert "key.made" in run("audit").stdout
    assert run("audit", "list", "--what", "engine").stdout == "The audit log has no such acts.\n"
    assert run("audit", "verify", "--checkpoint", str(kept)).returncode == 0
    lines = run("audit", "export", "--ocsf").stdout.splitlines()
    assert [orjson.loads(line)["metadata"]["sequence"] for line in lines] == [1, 2, 3, 4, 5]
    (path,) = await asyncio.to_thread(lambda: list(tmp_path.rglob("eclair.db")))
    database = apsw.Connection(str(path))
    database.execute("DROP TRIGGER audit_keeps_all; DELETE FROM audit WHERE number > 1")
    database.execute("DELETE FROM audit_value WHERE number > 1; DELETE FROM audit_checkpoint")
    database.close()
    assert run("audit", "verify").returncode == 0
    cut = run("audit", "verify", "--checkpoint", str(kept))
    assert (cut.returncode, cut.stdout) == (
        1,
        "The audit log was changed: Rows 2 to 3 are missing: a checkpoint of 3 rows exists.\n",
    )
    kept.write_text("nothing")
    assert run("audit", "verify", "--checkpoint", str(kept)).returncode != 0


async def test_what_people_and_administrators_do_is_recorded(settings: Settings) -> None:
    async with serving(replace(settings, accounts="on")) as server:
        admin = await set_up(server)
        ben, his = await member(server, admin)
        wrong = await server.post("/api/session", {"name": "ben", "password": "a password of mine"})
        assert wrong.status == 401
        assert (await server.get("/api/audit", his)).status == 403
        assert (await server.call("PATCH", f"/api/people/{ben}", {"role": "auditor"}, headers=admin)).status == 200
        listed = (await server.get("/api/audit?limit=200", his)).body
        acts = [(act["action"], act["outcome"], act["actor"], act["object"]) for act in reversed(listed["acts"])]
        for expected in (
            ("person.added", "success", "local", ben),
            ("sign_in.failed", "failure", "nobody", ben),
            ("access.denied", "denied", ben, "GET /api/audit"),
            ("role.changed", "success", "local", ben),
        ):
            assert expected in acts
        assert [actor for action, _, actor, _ in acts if action == "session.started"] == ["local", ben]
        assert listed["people"] == {"local": "Ada L.", ben: "ben"}
        assert "a password of mine" not in str(listed)
        (failed,) = [act for act in listed["acts"] if act["action"] == "sign_in.failed"]
        assert failed["address"] == "127.0.0.1"
        of_ben = (await server.get("/api/audit?person=ben&limit=200", admin)).body["acts"]
        assert {act["actor"] for act in of_ben} == {"local", "nobody", ben}
        assert (await server.get("/api/audit/verify", admin)).body["fault"] is None


async def test_acts_of_engines_exports_and_deletions_are_recorded(settings: Settings) -> None:
    async with serving(settings) as server:
        conversation = await server.begin()
        await server.say(conversation, "A question of mine")
        body = {"name": "rack", "url": "http://127.0.0.1:9/v1"}
        assert (await server.post("/api/engines", body)).status == 201
        assert (await server.call("DELETE", "/api/engines/rack")).status == 204
        assert (await server.get(f"/api/conversations/{conversation}/export")).status == 200
        assert (await server.post(f"/api/conversations/{conversation}/shares", {})).status == 201
        assert (await server.call("DELETE", f"/api/conversations/{conversation}")).status == 204
        listed = (await server.get("/api/audit")).body
        assert [(act["action"], act["actor"]) for act in reversed(listed["acts"])] == [
            *(("engine.added", "local"), ("engine.removed", "local"), ("export.made", "local")),
            *(("share.made", "local"), ("conversation.deleted", "local")),
        ]
        assert "question" not in str(listed)
