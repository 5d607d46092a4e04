"""What is in the files of the database: indexes, constraints, and nothing that was erased."""

from __future__ import annotations

import random
from pathlib import Path

import apsw
import pytest

from eclair.errors import NotFound
from eclair.schema.messages import Conversation
from eclair.schema.principal import LOCAL_PRINCIPAL, Principal
from eclair.storage.base import Storage
from eclair.storage.open import open_storage
from eclair.storage.sql.documents import SQLDocumentStore
from eclair.storage.sql.files import SQLFileStore
from eclair.storage.sqlite.database import SQLiteDatabase
from tests.storage.helpers import ME, SHA, SOMEONE, directions, file, read, turn
from tests.support import Ids, conversation


@pytest.mark.parametrize("more", ["", " AND (updated, id) < (5, 'x')"])
async def test_the_list_is_read_from_its_index(database: SQLiteDatabase, more: str) -> None:
    def plan(db: apsw.Connection) -> list[str]:
        rows = db.execute(
            "EXPLAIN QUERY PLAN SELECT * FROM conversation WHERE owner = 'a' AND shelf = 'list'"
            f"{more} ORDER BY updated DESC, id DESC LIMIT 50"
        )
        return [row[-1] for row in rows]

    (step,) = await database.read(plan)
    assert "USING INDEX conversation_on_shelf" in step


async def test_what_is_erased_is_in_no_file_any_more(storage: Storage, tmp_path: Path) -> None:
    await conversation(storage)
    await turn(storage, Ids(), "abracadabra " * 500, "simsalabim")

    def found() -> set[str]:
        whole = b"".join(path.read_bytes() for path in (tmp_path / "store").glob("eclair.db*")).lower()
        return {word for word in ("abracadabra", "simsalabim") if word.encode() in whole}

    assert found() == {"abracadabra", "simsalabim"}
    await storage.conversations.delete_conversation(LOCAL_PRINCIPAL, "conv_a", forever=True)
    await storage.conversations.erase_deleted(1)
    assert found() == set()


async def test_no_page_keeps_a_copy_of_what_was_erased(tmp_path: Path) -> None:
    """Rows move between pages as others come and go; the space that they leave is not cleared."""
    storage, numbers = open_storage(tmp_path / "moved"), random.Random(1)  # with this seed, one stays
    ids = [f"conv_{numbers.randrange(10**12):012d}" for _ in range(1200)]
    for at, id in enumerate(ids):
        title = f"zq{at:05d}zq" + "x" * numbers.randrange(20, 400)
        await storage.conversations.add_conversation(ME, Conversation(id, "local", title, at, at))
    erased = numbers.sample(range(1200), 600)
    for at in erased:
        await storage.conversations.delete_conversation(ME, ids[at], forever=True)
    await storage.conversations.erase_deleted(1)
    await storage.close()
    whole = (tmp_path / "moved" / "eclair.db").read_bytes()
    assert [at for at in erased if f"zq{at:05d}zq".encode() in whole] == []
    kept = set(range(1200)) - set(erased)
    assert all(f"zq{at:05d}zq".encode() in whole for at in kept)


async def test_foreign_keys_hold(database: SQLiteDatabase) -> None:
    def orphan(db: apsw.Connection) -> None:
        db.execute("INSERT INTO message (id, conversation, parent, text, body) VALUES ('m', 'none', NULL, '', '{}')")

    with pytest.raises(apsw.ConstraintError):
        await database.write(orphan)


async def test_text_goes_with_the_last_file_that_has_it(storage: Storage, tmp_path: Path) -> None:
    scope = await read(storage, ["the zyzzyva beetle"])
    await storage.files.add_file(ME, file("file_b"), 1)
    await storage.chunks.add_vectors("e5", await storage.chunks.list_unembedded("e5", 9), directions(1))
    assert await storage.files.delete_file(ME, "file_a") is None
    assert (await storage.documents.get_state(SHA)).state == "ready"
    assert await storage.chunks.search_vectors(scope, "e5", directions(1)[0], 5) == []
    with pytest.raises(NotFound):
        await storage.files.delete_file(SOMEONE, "file_b")
    assert await storage.files.delete_file(ME, "file_b") == SHA
    with pytest.raises(NotFound):
        await storage.documents.get_state(SHA)
    with pytest.raises(NotFound):
        await storage.documents.add_pages(SHA, [], [])
    for path in (tmp_path / "store").glob("eclair.db*"):
        assert b"zyzzyva" not in path.read_bytes()


async def test_a_deletion_that_was_cut_short_is_finished(storage: Storage, database: SQLiteDatabase) -> None:
    texts = [f"page {i}" for i in range(300)]
    await read(storage, texts)
    documents = SQLDocumentStore(database, storage.processes.current)
    files = SQLFileStore(database, documents)
    assert await files._delete(Principal("me"), "file_a") == SHA  # pyright: ignore[reportPrivateUsage]
    assert not await documents._erase_some(1, 100)  # pyright: ignore[reportPrivateUsage]
    assert (await storage.files.add_file(ME, file("file_b"), 1)).pages_read == 0  # it begins again meanwhile
    await storage.documents.erase_orphans()
    for table in ("piece", "page"):
        assert await database.read(lambda db, table=table: list(db.execute(f"SELECT count(*) FROM {table}"))) == [(0,)]
    assert (await storage.documents.get_state(SHA)).state == "queued"
