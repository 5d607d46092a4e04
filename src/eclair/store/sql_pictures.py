"""The port of pictures on SQLite: which of its methods reads and which writes. What they do stands in
`statements/pictures.py`."""

from __future__ import annotations

from collections.abc import Sequence

from eclair.pictures.values import Picture
from eclair.store.database import Database
from eclair.store.pictures import ListedPictures
from eclair.store.statements import deletion, pictures


class SQLPictures:
    """Implements `PictureStore`; see there for what each method promises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, picture: Picture, message: str | None = None) -> None:
        await self._database.write(lambda db: pictures.add(db, picture, message))

    async def picture(self, owner: str, id: str) -> Picture:
        return await self._database.read(lambda db: pictures.owned(db, owner, id))

    async def pictures(self, owner: str, limit: int, *, words: str = "", before: str | None = None) -> ListedPictures:
        return await self._database.read(lambda db: pictures.page(db, owner, limit, words, before))

    async def delete(self, owner: str, id: str) -> None:
        await self._database.write(lambda db: pictures.delete(db, owner, id))
        await self._database.read(deletion.empty_log)

    async def gone(self) -> list[str]:
        return await self._database.read(pictures.gone)

    async def forget(self, blobs: Sequence[str]) -> None:
        await self._database.write(lambda db: pictures.forget(db, blobs))

    async def held(self) -> set[str]:
        return await self._database.read(pictures.held)
