"""Uploaded exports as they are stored: each person's own, with what an attempt has made."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eclair.errors import NotFound
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.base import Storage
from eclair.storage.imports import WaitingImport
from eclair.storage.libraries import Library
from tests.storage.helpers import OTHER, SHA, SOMEONE

FIRST = WaitingImport(id="imp_first", owner=LOCAL_PRINCIPAL.id, name="all.zip", blob=SHA, created=1000, expires=3000)
SECOND = replace(FIRST, id="imp_second", name="tea.json", created=2000, expires=4000)
THEIRS = replace(SECOND, id="imp_theirs", owner=SOMEONE.id, blob=OTHER)


async def test_any_process_has_a_persons_own(storage: Storage, other: Storage) -> None:
    await storage.imports.add_import(LOCAL_PRINCIPAL, SECOND)
    await storage.imports.add_import(LOCAL_PRINCIPAL, FIRST)
    await storage.imports.add_import(SOMEONE, THEIRS)
    assert await other.imports.list_imports(LOCAL_PRINCIPAL) == [FIRST, SECOND]
    assert await other.imports.get_import(SOMEONE, THEIRS.id) == THEIRS
    for id in (THEIRS.id, "imp_none"):
        with pytest.raises(NotFound, match="send the file again"):
            await other.imports.get_import(LOCAL_PRINCIPAL, id)
        with pytest.raises(NotFound):
            await other.imports.delete_import(LOCAL_PRINCIPAL, id)
    await other.imports.delete_import(LOCAL_PRINCIPAL, FIRST.id)
    assert await storage.imports.list_imports(LOCAL_PRINCIPAL) == [SECOND]


async def test_bytes_are_named_as_long_as_one_has_them(storage: Storage) -> None:
    for principal, waiting in ((LOCAL_PRINCIPAL, FIRST), (LOCAL_PRINCIPAL, SECOND), (SOMEONE, THEIRS)):
        await storage.imports.add_import(principal, waiting)
    assert await storage.imports.list_expired_imports(2999) == []
    assert await storage.imports.list_expired_imports(3000) == [FIRST]
    await storage.imports.delete_import(LOCAL_PRINCIPAL, FIRST.id)
    assert await storage.imports.list_import_blobs() == {SHA, OTHER}
    await storage.imports.delete_import(LOCAL_PRINCIPAL, SECOND.id)
    assert await storage.imports.list_import_blobs() == {OTHER}


async def test_another_attempt_knows_what_the_one_before_has_made(storage: Storage) -> None:
    libraries = {"lib_there": Library("lib_here", LOCAL_PRINCIPAL.id, "Hives", 5)}
    await storage.imports.add_import(LOCAL_PRINCIPAL, FIRST)
    await storage.imports.note_libraries(SOMEONE, FIRST.id, {})
    await storage.imports.note_libraries(LOCAL_PRINCIPAL, FIRST.id, libraries)
    await storage.imports.note_libraries(LOCAL_PRINCIPAL, "imp_none", libraries)
    assert await storage.imports.get_import(LOCAL_PRINCIPAL, FIRST.id) == replace(FIRST, libraries=libraries)
