from __future__ import annotations

import pytest

from eclair.errors import Conflict
from eclair.storage.base import Storage


async def test_preferences_that_were_changed_elsewhere_are_not_overwritten(storage: Storage, other: Storage) -> None:
    assert await storage.preferences.get_preferences("local") == (0, "{}")
    assert await storage.preferences.replace_preferences("local", 0, '{"theme":"dark"}') == 1
    with pytest.raises(Conflict, match="read them again"):
        await other.preferences.replace_preferences("local", 0, "{}")
    assert await other.preferences.replace_preferences("local", 1, '{"theme":"light"}') == 2
    assert await storage.preferences.get_preferences("local") == (2, '{"theme":"light"}')
    assert await storage.preferences.get_preferences("someone") == (0, "{}")
