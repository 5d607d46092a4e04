"""Prompts that were in the preferences before become rows, whatever else stands there."""

from __future__ import annotations

from pathlib import Path

import apsw
import orjson
import pytest

from eclair.schema.principal import LOCAL_PRINCIPAL, Principal
from eclair.storage.open import open_storage
from eclair.storage.sqlite.database import migrations

BEFORE = 38
"""The version without prompts of their own."""
KEPT = {
    "theme": "dark",
    "prompts": [
        {"name": "letter", "text": "Write to {{who}}."},
        {"name": "thé", "text": "Élégant"},
        {"name": "letter", "text": "twice"},
        {"name": 7, "text": "no name"},
        "no prompt",
        None,
    ],
}


@pytest.mark.parametrize("damaged", ["{", "[]", "3", '{"prompts": 3}', '{"prompts": {"a": 1}}'])
async def test_prompts_move_out_of_the_preferences(tmp_path: Path, damaged: str) -> None:
    database = apsw.Connection(str(tmp_path / "eclair.db"))
    for script in list(migrations())[:BEFORE]:
        database.execute(script)
    database.execute(f"PRAGMA user_version = {BEFORE}")
    rows = [(LOCAL_PRINCIPAL.id, orjson.dumps(KEPT).decode()), ("other", damaged)]
    database.executemany("INSERT INTO preference (owner, version, body) VALUES (?, 3, ?)", rows)
    database.close()
    storage = open_storage(tmp_path)
    try:
        found = await storage.prompts.list_prompts(LOCAL_PRINCIPAL)
        assert [(each.name, each.text, each.access) for each in found] == [
            ("letter", "Write to {{who}}.", "own"),
            ("thé", "Élégant", "own"),
        ]
        assert {len(each.id) for each in found} == {33}
        assert await storage.prompts.list_prompts(Principal("other")) == []
        version, body = await storage.preferences.get_preferences(LOCAL_PRINCIPAL)
        assert (version, orjson.loads(body)) == (3, {"theme": "dark"})
    finally:
        await storage.close()
