"""People: adds and changes accounts, and the names that they may have."""

from __future__ import annotations

import re
import time
import unicodedata
from dataclasses import replace

from eclair.accounts.passwords import PasswordHasher, check_new_password
from eclair.accounts.principals import Principals
from eclair.errors import InvalidInput
from eclair.schema.ids import Clock, new_id
from eclair.schema.people import Person, PersonChange
from eclair.schema.principal import PersonRole, Principal
from eclair.storage.people import PeopleStore
from eclair.storage.sessions import SessionStore

MAX_DISPLAY_CHARS = 80
MAX_DERIVED_CHARS = 56
"""The longest name that is made of a directory's, which leaves room for a number."""

_NAME = re.compile(r"[^\W_][\w.@+-]{0,63}")
_NO_NAME = re.compile(r"[^\w.@+-]+")
_EMAIL = re.compile(r"[^\s@<>,;]{1,64}@[^\s@<>,;]{1,190}")


class People:
    """The accounts in a storage."""

    def __init__(
        self,
        store: PeopleStore,
        sessions: SessionStore,
        principals: Principals,
        hasher: PasswordHasher,
        clock: Clock = time.time,
    ) -> None:
        self._store = store
        self._sessions = sessions
        self._principals = principals
        self._hasher = hasher
        self._clock = clock

    async def add(
        self,
        principal: Principal,
        name: str,
        display_name: str = "",
        *,
        role: PersonRole = "member",
        email: str | None = None,
        password: str | None = None,
        id: str | None = None,
    ) -> Person:
        """Add an account. Raises InvalidInput, and Conflict where the name is taken."""
        name = normal_name(name)
        shown = normal_display_name(display_name or name)
        hashed = None
        if password is not None:
            check_new_password(password, name, shown)
            hashed = await self._hasher.hash(password)
        person = Person(
            id=id or new_id("person", self._clock),
            name=name,
            display_name=shown,
            email=normal_email(email) if email else None,
            role=role,
            created=self._now(),
        )
        await self._store.add_person(principal, person, password=hashed)
        return person

    async def change(self, principal: Principal, id: str, change: PersonChange) -> Person:
        """Change an account. Raises InvalidInput, NotFound and Conflict."""
        if change.name is not None:
            change = replace(change, name=normal_name(change.name))
        if change.display_name is not None:
            change = replace(change, display_name=normal_display_name(change.display_name))
        if change.email:
            change = replace(change, email=normal_email(change.email))
        person = await self._store.change_person(principal, id, change)
        self._principals.forget()
        return person

    async def lock(self, principal: Principal, id: str) -> Person:
        """Lock an account: its sessions end at once, and its keys let nobody in. Raises NotFound and Conflict."""
        person = await self._store.lock_person(principal, id, self._now())
        self._principals.forget()
        return person

    async def unlock(self, principal: Principal, id: str) -> Person:
        person = await self._store.lock_person(principal, id, None)
        self._principals.forget()
        return person

    async def delete(self, principal: Principal, id: str) -> None:
        """Delete an account, its sessions and its keys; what its person kept stays. Raises NotFound and Conflict."""
        await self._store.delete_person(principal, id)
        self._principals.forget()

    async def set_password(self, principal: Principal, person: Person, password: str, keep: str | None = None) -> None:
        """Set a password, and end all sessions but the one to keep. Raises InvalidInput for a weak one."""
        check_new_password(password, person.name, person.display_name)
        await self._store.set_password(principal, person.id, await self._hasher.hash(password))
        await self._sessions.end_sessions(principal, person.id, keep)
        self._principals.forget()

    async def has_administrator(self) -> bool:
        """Tell whether an administrator can come in."""
        return bool((await self._store.count_people()).get("admin"))

    def _now(self) -> int:
        return int(self._clock() * 1000)


def normal_name(name: str) -> str:
    """Return a name to sign in with in its usual form: composed, in lower case. Raises InvalidInput."""
    found = unicodedata.normalize("NFKC", name).strip().casefold()
    if _NAME.fullmatch(found) is None:
        raise InvalidInput(
            "A name to sign in with is 1 to 64 letters, digits and . _ @ + -; choose another.", param="name"
        )
    return found


def name_from(text: str) -> str:
    """Return a name to sign in with that is as close as can be to what a directory calls somebody."""
    wanted = _NO_NAME.sub("-", unicodedata.normalize("NFKC", text).strip())[:MAX_DERIVED_CHARS].lstrip("-_.@+")
    return normal_name(wanted or "person")


def normal_display_name(name: str) -> str:
    """Return a name as people read it. Raises InvalidInput."""
    found = " ".join(unicodedata.normalize("NFC", name).split())
    if not 1 <= len(found) <= MAX_DISPLAY_CHARS or not found.isprintable():
        raise InvalidInput(
            f"A name is 1 to {MAX_DISPLAY_CHARS} characters on one line; choose another.", param="display_name"
        )
    return found


def normal_email(email: str) -> str:
    """Return an address in lower case. Raises InvalidInput."""
    found = unicodedata.normalize("NFC", email).strip().lower()
    if _EMAIL.fullmatch(found) is None:
        raise InvalidInput("This is no e-mail address; write one such as ada@example.org.", param="email")
    return found
