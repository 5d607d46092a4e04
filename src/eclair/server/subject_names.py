"""Names of those whom rules and shares are for, and of what they are to, as people know them."""

from __future__ import annotations

from typing import cast, get_args

from eclair.errors import NotFound
from eclair.storage.base import Storage
from eclair.storage.owned_names import OwnedKind, OwnedName


class SubjectNames:
    """Finds the names of subjects such as `group:ID`, and of objects such as `library:ID`, each once."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self._found: dict[str, str | None] = {}

    async def find(self, subject: str) -> str:
        """Return the name of a person, group or key; of others the subject itself, without its kind."""
        return await self._look_up(subject) or subject.rpartition(":")[2]

    async def find_owned(self, object: str) -> OwnedName | None:
        """Return name and owner of an assistant, library, project or prompt; None for others, and what is gone."""
        kind, _, id = object.partition(":")
        if kind not in get_args(OwnedKind):
            return None
        return (await self._storage.owned_names.get_names(cast(OwnedKind, kind), [id])).get(id)

    async def find_owner(self, owned: OwnedName | None) -> str | None:
        """Return the name of the owner of what was found."""
        return None if owned is None else await self.find(f"person:{owned.owner}")

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
            return None
        key = await self._storage.api_keys.get_key(id) if kind == "key" else None
        return None if key is None else key.name
