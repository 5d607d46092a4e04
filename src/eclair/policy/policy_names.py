"""Names of groups and people in a policy file, and the ids by which the store knows them."""

from __future__ import annotations

from collections.abc import Mapping

from eclair.schema.people import LOCAL_ORIGIN
from eclair.storage.policy import StoredPolicy


class PolicyNames:
    """Translates `group:NAME` and `person:NAME` to and from ids; everything else is the same in both."""

    def __init__(self, stored: StoredPolicy) -> None:
        self._people = dict(stored.names)
        self._ids = {name: id for id, name in stored.names.items()}
        self._groups = {group.id: group.name for group in stored.groups}
        self._group_ids: dict[str, str] = {}
        self.dropped: set[str] = set()
        """Subjects of groups that are about to be removed."""
        for name in set(self._groups.values()):
            same = [group for group in stored.groups if group.name == name]
            own = [group for group in same if group.origin == LOCAL_ORIGIN]
            if own or len(same) == 1:
                self._group_ids[name] = (own or same)[0].id

    def show(self, subject: str) -> str:
        """Return a subject of the store as a file has it; one without a name of its own keeps its id."""
        kind, _, id = subject.partition(":")
        if kind == "group" and id in self._groups:
            name = self._groups[id]
            return f"group:{name}" if self._group_ids.get(name) == id else subject
        if kind == "person" and id in self._people:
            return f"person:{self._people[id]}"
        return subject

    def find(self, subject: str) -> str:
        """Return a subject of a file as the store has it, as far as it is known."""
        kind, _, name = subject.partition(":")
        if kind == "group":
            return f"group:{self._group_ids.get(name, name)}"
        if kind == "person":
            return f"person:{self._ids.get(name.casefold(), name)}"
        return subject

    def normalize(self, subject: str) -> str:
        """Return a subject of a file as `show` returns it."""
        return self.show(self.find(subject))

    def knows(self, subject: str) -> bool:
        """Tell whether a group or person is there; everything else counts as known."""
        kind, _, id = self.find(subject).partition(":")
        return kind not in ("group", "person") or id in (self._groups if kind == "group" else self._people)

    def add_groups(self, ids: Mapping[str, str]) -> None:
        """Take in groups that are about to be added, by name."""
        for name, id in ids.items():
            self._groups[id] = name
            self._group_ids[name] = id

    def drop_group(self, id: str) -> None:
        """Forget a group that is about to be removed."""
        self.dropped.add(self.show(f"group:{id}"))
        name = self._groups.pop(id)
        if self._group_ids.get(name) == id:
            del self._group_ids[name]

    def add_person(self, id: str, name: str) -> None:
        """Take in a person whom a file names."""
        self._people[id] = name
        self._ids[name] = id
