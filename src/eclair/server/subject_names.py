"""Names of those whom rights and shares are for, as people know them."""

from __future__ import annotations

from eclair.errors import NotFound
from eclair.storage.base import Storage


class SubjectNames:
    """Finds the names of subjects such as `group:ID`, each once."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._found: dict[str, str | None] = {}

    async def find(self, subject: str) -> str:
        """Return the name of a person or group; of others the subject itself, without its kind."""
        return await self._look_up(subject) or subject.rpartition(":")[2]

    async def exists(self, subject: str) -> bool:
        """Tell if the person or group is there; everyone and the roles always are."""
        kind = subject.partition(":")[0]
        return kind not in ("person", "group") or await self._look_up(subject) is not None

    async def _look_up(self, subject: str) -> str | None:
        if subject not in self._found:
            self._found[subject] = await self._read(subject)
        return self._found[subject]

    async def _read(self, subject: str) -> str | None:
        kind, _, id = subject.partition(":")
        try:
            if kind == "person":
                return (await self._storage.people.get_person(id)).display_name
            if kind == "group":
                return (await self._storage.groups.get_group(id)).name
        except NotFound:
            pass
        return None
