"""The store on SQLite: which of its methods reads and which writes. What they do stands in `statements/`."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path

import apsw

from eclair.schema.ids import Clock
from eclair.schema.messages import Conversation, Hit, Message, Usage
from eclair.storage.database import Database, translated
from eclair.storage.lease import Lease, held
from eclair.storage.sql_audit import SQLEgress
from eclair.storage.sql_documents import SQLDocuments
from eclair.storage.sql_feeds import SQLFeeds
from eclair.storage.sql_images import SQLPictures
from eclair.storage.sql_web import SQLWeb
from eclair.storage.statements import conversations, deletion, preferences, runs, servers, shares, spending, trees
from eclair.storage.types import (
    AddedServer,
    Chunk,
    Deleted,
    Edit,
    Grouping,
    Listed,
    NewTurn,
    Place,
    RunRecord,
    Share,
    Spent,
)


class SQLStore:
    """Implements `Store`; see there for what each method promises."""

    def __init__(self, database: Database, lease: Lease, leases: Path, clock: Clock = time.time) -> None:
        self._database = database
        self._lease = lease
        self._leases = leases
        self._clock = clock
        self.documents = SQLDocuments(database)
        self.egress = SQLEgress(database)
        self.feeds = SQLFeeds(database)
        self.pictures = SQLPictures(database)
        self.web = SQLWeb(database)

    @classmethod
    def open(cls, folder: Path, clock: Clock = time.time) -> SQLStore:
        """Open the database in `folder`, making both if need be. Raises StoreError."""
        leases = folder / "leases"
        with translated(leases):
            lease = Lease.take(leases)
        try:
            return cls(Database.open(folder / "eclair.db"), lease, leases, clock)
        except BaseException:
            lease.release()
            raise

    @property
    def process(self) -> str:
        return self._lease.name

    def alive(self, process: str) -> bool:
        return process == self.process or held(self._leases, process)

    async def close(self) -> None:
        await self._database.close()
        self._lease.release()

    async def add_conversation(self, conversation: Conversation) -> Conversation:
        return await self._database.write(lambda db: conversations.begun(db, conversation))

    async def conversation(self, owner: str, id: str) -> Conversation:
        return await self._database.read(lambda db: conversations.owned(db, owner, id))

    async def conversations(
        self, owner: str, limit: int, *, archived: bool = False, tag: str | None = None, before: Place | None = None
    ) -> Listed:
        return await self._database.read(
            lambda db: conversations.page(db, owner, limit, archived=archived, tag=tag, before=before)
        )

    async def conversation_ids(self, owner: str) -> list[str]:
        return await self._database.read(lambda db: conversations.ids(db, owner))

    async def count(self, owner: str) -> int:
        return await self._database.read(lambda db: conversations.count(db, owner))

    async def tags(self, owner: str, *, archived: bool = False) -> dict[str, int]:
        return await self._database.read(lambda db: conversations.tags(db, owner, archived=archived))

    async def change_conversation(self, owner: str, id: str, edit: Edit) -> Conversation:
        return await self._database.write(lambda db: conversations.change(db, owner, id, edit))

    async def may_be_named(self, owner: str, id: str) -> bool:
        return await self._database.read(lambda db: conversations.may_be_named(db, owner, id))

    async def name_conversation(self, owner: str, id: str, title: str) -> bool:
        return await self._database.write(lambda db: conversations.name(db, owner, id, title))

    async def add_tree(self, conversation: Conversation, messages: Sequence[Message]) -> bool:
        return await self._database.write(lambda db: trees.add(db, conversation, messages))

    async def delete_conversation(self, owner: str, id: str, *, forever: bool = False) -> None:
        await self._database.write(lambda db: deletion.delete(db, owner, id, self._now(), forever=forever))

    async def delete_all(self, owner: str, *, forever: bool = False) -> Deleted:
        return await self._database.write(lambda db: deletion.delete_all(db, owner, self._now(), forever=forever))

    async def restore_conversation(self, owner: str, id: str, since: int) -> Conversation:
        return await self._database.write(lambda db: deletion.restore(db, owner, id, since))

    async def restore_all(self, owner: str, moment: int, since: int) -> int:
        return await self._database.write(lambda db: deletion.restore_all(db, owner, moment, since))

    async def erase_deleted(self, before: int) -> None:
        ids = await self._database.read(lambda db: deletion.due(db, before))
        for id in ids:  # each by itself: others write in between
            await self._database.write(lambda db, id=id: deletion.erase(db, id, before))
        if ids:
            await self._database.read(deletion.empty_log)

    async def delete_message(self, owner: str, id: str, message: str) -> Conversation:
        return await self._database.write(lambda db: deletion.delete_message(db, owner, id, message))

    async def tree(self, owner: str, id: str) -> tuple[Conversation, list[Message]]:
        return await self._database.read(lambda db: trees.whole(db, owner, id))

    async def speeds(self) -> dict[str, float]:
        return await self._database.read(trees.speeds)

    async def search(self, owner: str, words: str, limit: int) -> list[Hit]:
        return await self._database.read(lambda db: trees.search(db, owner, words, limit))

    async def open_turn(self, turn: NewTurn) -> RunRecord:
        return await self._database.write(lambda db: runs.open_turn(db, turn, self._now()))

    async def append(self, chunks: list[Chunk]) -> None:
        await self._database.write(lambda db: runs.append(db, chunks))

    async def close_run(self, run: RunRecord, message: Message, rest: Chunk | None) -> None:
        await self._database.write(lambda db: runs.close(db, run, message, rest, self._now()))

    async def add_spent(self, owner: str, model: str, usage: Usage, *, answers: int = 1) -> None:
        await self._database.write(lambda db: spending.add(db, owner, model, usage, self._now(), answers=answers))

    async def spent(
        self, owner: str, first: date | None = None, last: date | None = None, by: Grouping | None = None
    ) -> list[Spent]:
        return await self._database.read(lambda db: spending.summed(db, owner, first, last, by))

    async def run(self, owner: str, id: str) -> RunRecord:
        return await self._database.read(lambda db: runs.one(db, owner, id))

    async def chunks(self, run: str, after: int) -> list[Chunk]:
        return await self._database.read(lambda db: runs.chunks(db, run, after))

    async def running(self, conversation: str | None = None) -> list[RunRecord]:
        return await self._database.read(lambda db: runs.running(db, conversation))

    async def add_share(self, share: Share, body: str) -> None:
        await self._database.write(lambda db: shares.add(db, share, body))

    async def shares(self, owner: str) -> list[Share]:
        return await self._database.read(lambda db: shares.listed(db, owner))

    async def share(self, id: str) -> tuple[Share, str]:
        return await self._database.read(lambda db: shares.one(db, id))

    async def delete_share(self, owner: str, id: str) -> None:
        await self._database.write(lambda db: shares.delete(db, owner, id))

    async def preferences(self, owner: str) -> tuple[int, str]:
        return await self._database.read(lambda db: preferences.read(db, owner))

    async def change_preferences(self, owner: str, version: int, body: str) -> int:
        return await self._database.write(lambda db: preferences.change(db, owner, version, body))

    async def servers(self) -> list[AddedServer]:
        return await self._database.read(servers.listed)

    async def add_server(self, server: AddedServer) -> None:
        await self._database.write(lambda db: servers.add(db, server))

    async def change_server(self, name: str, edit: Callable[[AddedServer], AddedServer]) -> AddedServer:
        return await self._database.write(lambda db: servers.change(db, name, edit))

    async def delete_server(self, name: str) -> None:
        await self._database.write(lambda db: servers.delete(db, name))

    async def probes(self) -> dict[str, str]:
        return await self._database.read(servers.probes)

    async def keep_probe(self, name: str, body: str) -> None:
        await self._database.write(lambda db: servers.keep_probe(db, name, body))

    async def version(self) -> int:
        return await self._database.write(_version)  # to the connection that writes, what it writes is no change

    def _now(self) -> int:
        return int(self._clock() * 1000)


def _version(db: apsw.Connection) -> int:
    version = db.pragma("data_version")
    assert isinstance(version, int)
    return version
