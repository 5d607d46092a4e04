"""Folders of earlier versions become projects, with what is in them and the rules that name them."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from eclair.errors import EclairError
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.open import open_storage
from eclair.storage.sqlite.database import migrations

BEFORE = 46


async def test_folders_become_projects(tmp_path: Path) -> None:
    database = apsw.Connection(str(tmp_path / "eclair.db"))
    for script in list(migrations())[:BEFORE]:
        database.execute(script)
    database.execute(f"PRAGMA user_version = {BEFORE}")
    database.execute("INSERT INTO folder (id, owner, created, name) VALUES ('fold_a', 'local', 7, 'Town')")
    database.execute(
        "INSERT INTO conversation (id, owner, title, created, updated, folder)"
        " VALUES ('conv_a', 'local', 'Bikes', 1, 2, 'fold_a')"
    )
    database.execute("INSERT INTO retention_rule VALUES ('folder', 'fold_a', 30, 1)")
    database.execute("INSERT INTO legal_hold VALUES ('folder', 'fold_a', 'Case 3', 1)")
    database.close()
    storage = open_storage(tmp_path)
    try:
        (listed,) = await storage.projects.list_projects(LOCAL_PRINCIPAL)
        assert (listed.project.id, listed.project.name, listed.project.created) == ("fold_a", "Town", 7)
        assert (listed.conversations, listed.project.instructions, listed.project.access) == (1, "", "own")
        assert (await storage.conversations.get_conversation(LOCAL_PRINCIPAL, "conv_a")).project_id == "fold_a"
        (rule,) = await storage.retention.list_rules()
        (hold,) = await storage.retention.list_holds()
        assert (rule.scope, rule.subject, hold.scope, hold.subject) == ("project", "fold_a", "project", "fold_a")
        with pytest.raises(EclairError):
            await storage.projects.delete_project(LOCAL_PRINCIPAL, "fold_a")
        with pytest.raises(EclairError):
            await storage.conversations.delete_conversation(LOCAL_PRINCIPAL, "conv_a", forever=True)
    finally:
        await storage.close()
