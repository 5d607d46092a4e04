"""`eclair permissions` as a person has it."""

from __future__ import annotations

from pathlib import Path

import orjson

from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.open import open_storage
from eclair.storage.tool_permissions import ToolPermission
from tests.cli.test_cli import Eclair, environ


async def test_permissions_at_the_command_line(tmp_path: Path) -> None:
    run = Eclair(tmp_path / "home")
    assert run("permissions").stdout == "No tool was allowed or refused beyond one call.\n"
    storage = open_storage(Path(environ(run.folder)["ECLAIR_DATA_DIR"]))
    for given in (
        ToolPermission("perm_1", "open_canvas", "", None, 1_790_000_000_000),
        ToolPermission("perm_2", "read_page", "example.org", None, 1_790_000_000_001, is_denied=True),
    ):
        await storage.tool_permissions.add_permission(LOCAL_PRINCIPAL, given)
    await storage.close()
    _, refused, allowed = run("permissions").stdout.splitlines()
    assert (refused.split()[0], refused.split()[2:]) == ("perm_2", ["read_page", "example.org", "never"])
    assert (allowed.split()[0], allowed.split()[2:]) == ("perm_1", ["open_canvas", "all", "always"])
    rows = orjson.loads(run("permissions", "--json").stdout)
    assert set(rows[0]) == {"id", "tool", "scope", "conversation", "created", "is_denied"}
    assert run("permissions", "remove", "perm_2").stdout == "Asked again from now on.\n"
    assert [each["id"] for each in orjson.loads(run("permissions", "list", "--json").stdout)] == ["perm_1"]
    missing = run("permissions", "remove", "perm_2")
    assert (missing.returncode, "There is no permission 'perm_2'" in missing.stderr) == (2, True)
