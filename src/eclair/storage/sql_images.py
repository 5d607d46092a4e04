"""The port of pictures on SQLite: which of its methods reads and which writes. What they do stands in
`statements/pictures.py`."""

from __future__ import annotations

from collections.abc import Sequence

from eclair.schema.images import Picture
from eclair.storage.database import Database
from eclair.storage.images import ListedPictures
from eclair.storage.statements import deletion, images


class SQLPictures:
    """Implements `PictureStore`; see there for what each method promises."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, picture: Picture, message: str | None = None) -> None:
        await self._database.write(lambda db: images.add(db, picture, message))

    async def picture(self, owner: str, id: str) -> Picture:
        return await self._database.read(lambda db: images.owned(db, owner, id))

    async def pictures(self, owner: str, limit: int, *, words: str = "", before: str | None = None) -> ListedPictures:
        return await self._database.read(lambda db: images.page(db, owner, limit, words, before))

    async def delete(self, owner: str, id: str) -> None:
        await self._database.write(lambda db: images.delete(db, owner, id))
        await self._database.read(deletion.empty_log)

    async def gone(self) -> list[str]:
        return await self._database.read(images.gone)

    async def forget(self, blobs: Sequence[str]) -> None:
        await self._database.write(lambda db: images.forget(db, blobs))

    async def held(self) -> set[str]:
        return await self._database.read(images.held)
