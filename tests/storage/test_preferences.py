from __future__ import annotations

import pytest

from eclair.errors import Conflict
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.base import Storage
from tests.storage.helpers import SOMEONE


async def test_preferences_that_were_changed_elsewhere_are_not_overwritten(storage: Storage, other: Storage) -> None:
    assert await storage.preferences.get_preferences(LOCAL_PRINCIPAL) == (0, "{}")
    assert await storage.preferences.replace_preferences(LOCAL_PRINCIPAL, 0, '{"theme":"dark"}') == 1
    with pytest.raises(Conflict, match="read them again"):
        await other.preferences.replace_preferences(LOCAL_PRINCIPAL, 0, "{}")
    assert await other.preferences.replace_preferences(LOCAL_PRINCIPAL, 1, '{"theme":"light"}') == 2
    assert await storage.preferences.get_preferences(LOCAL_PRINCIPAL) == (2, '{"theme":"light"}')
    assert await storage.preferences.get_preferences(SOMEONE) == (0, "{}")
