"""`/api/policy`: the policy file and the store that a server runs on."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

from eclair.settings import Settings
from tests.cli.test_cli import Eclair
from tests.server.test_accounts import member, set_up
from tests.server.test_retention import until
from tests.support import serving

POLICY = """
[[groups]]
name = "Research"
[[grants]]
subject = "group:Research"
object = "web"
effect = "deny"
[web]
policy = "offline"
"""


async def test_the_file_is_compared_applied_and_exported(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    async with serving(settings) as server:
        assert (await server.get("/api/policy/drift")).body["file"] is None
        refused = await server.post("/api/policy/apply")
        assert (refused.status, "No policy file is known" in refused.error["message"]) == (400, True)
    async with serving(replace(settings, policy_file=file)) as server:
        lost = (await server.get("/api/policy/drift")).body
        assert (lost["differs"], "There is no file" in lost["problem"]) == (True, True)
        file.write_text(POLICY)
        drift = (await server.get("/api/policy/drift")).body
        assert [(each["table"], each["action"]) for each in drift["changes"]] == [
            ("groups", "add"),
            ("grants", "add"),
            ("web", "change"),
        ]
        tried = (await server.post("/api/policy/apply?dry_run=true")).body
        assert tried["changes"] == drift["changes"]
        assert (await server.post("/api/policy/apply")).body == tried
        after = (await server.get("/api/policy/drift")).body
        assert (after["differs"], after["changes"], after["problem"]) == (False, [], None)
        assert (await server.get("/api/web/settings")).body["policy"] == "offline", "in force at once"
        exported = await server.get("/api/policy/export")
        assert 'name = "Research"' in exported.raw.decode()
        file.write_bytes(exported.raw)
        assert (await server.get("/api/policy/drift")).body["changes"] == []


async def test_what_a_command_applies_is_in_force_in_a_running_server(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(POLICY)
    async with serving(settings) as server:
        data_dir = {"ECLAIR_DATA_DIR": str(settings.data_dir)}
        done = await asyncio.to_thread(lambda: Eclair(tmp_path)("admin", "apply", str(file), **data_dir))
        assert done.returncode == 0, done

        async def is_in_force() -> bool:
            return (await server.get("/api/web/settings")).body["policy"] == "offline"

        await until(is_in_force)


async def test_administrators_apply_and_auditors_look(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "policy.toml"
    file.write_text(POLICY)
    async with serving(replace(settings, accounts="on", policy_file=file)) as server:
        admin = await set_up(server)
        _, auditor = await member(server, admin, "aud", role="auditor")
        _, guest = await member(server, admin, "gast", role="guest")
        assert (await server.get("/api/policy/drift", auditor)).status == 200
        assert (await server.post("/api/policy/apply", headers=auditor)).status == 403
        assert (await server.get("/api/policy/export", auditor)).status == 403
        assert (await server.get("/api/policy/drift", guest)).status == 403
        assert (await server.post("/api/policy/apply", headers=admin)).status == 200
        audit = (await server.get("/api/audit?action=policy", admin)).body
        assert [each["action"] for each in audit["acts"]] == ["policy.applied"]
