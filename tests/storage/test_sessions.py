"""Sessions are found by the hash of their secret, and end by person, by provider, and with time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eclair.errors import NotFound
from eclair.schema.people import PersonSession
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.base import Storage
from eclair.storage.people import PrincipalFacts
from tests.storage.test_people import ADA, BEN, add

LAPTOP = PersonSession(
    id="session_a", person="local", created=10, seen=10, expires=100, device="Firefox", address="192.0.2.7"
)
PHONE = replace(LAPTOP, id="session_b", seen=20, issuer="oidc:https://id", provider_session="sid-1")


async def begin(storage: Storage, *sessions: PersonSession) -> None:
    await add(storage, ADA, BEN)
    for session in sessions:
        await storage.sessions.add_session(LOCAL_PRINCIPAL, session, session.id.encode())


async def ids(storage: Storage) -> list[str]:
    return [session.id for session in await storage.sessions.list_sessions("local")]


async def test_a_session_is_found_with_its_person(storage: Storage, other: Storage) -> None:
    await begin(storage, LAPTOP, PHONE)
    assert await other.sessions.find_session(b"session_a") == (LAPTOP, PrincipalFacts(ADA, frozenset()))
    assert await storage.sessions.find_session(b"nothing") is None
    assert await ids(storage) == ["session_b", "session_a"]
    await storage.sessions.touch_session("session_a", 30)
    assert await ids(storage) == ["session_a", "session_b"]


async def test_a_person_ends_one_session_or_all_others(storage: Storage) -> None:
    await begin(storage, LAPTOP, PHONE)
    with pytest.raises(NotFound):
        await storage.sessions.end_session(LOCAL_PRINCIPAL, "person_b", "session_a")
    await storage.sessions.end_session(LOCAL_PRINCIPAL, "local", "session_a")
    assert await ids(storage) == ["session_b"]
    await storage.sessions.add_session(LOCAL_PRINCIPAL, LAPTOP, b"session_a")
    assert await storage.sessions.end_sessions(LOCAL_PRINCIPAL, "local", "session_a") == 1
    assert await ids(storage) == ["session_a"]
    assert await storage.sessions.end_sessions(LOCAL_PRINCIPAL, "local") == 1


async def test_a_provider_ends_a_session_or_those_of_a_person(storage: Storage) -> None:
    await begin(storage, LAPTOP, PHONE)
    assert await storage.sessions.end_provider_sessions(LOCAL_PRINCIPAL, "oidc:https://other", "sid-1", None) == 0
    assert await storage.sessions.end_provider_sessions(LOCAL_PRINCIPAL, "oidc:https://id", "sid-1", "person_b") == 0
    assert await storage.sessions.end_provider_sessions(LOCAL_PRINCIPAL, "oidc:https://id", "sid-1", None) == 1
    await storage.sessions.add_session(LOCAL_PRINCIPAL, PHONE, b"session_b")
    assert await storage.sessions.end_provider_sessions(LOCAL_PRINCIPAL, "oidc:https://id", None, "local") == 1
    assert await ids(storage) == ["session_a"]


async def test_sessions_that_have_ended_are_deleted(storage: Storage) -> None:
    await begin(storage, LAPTOP, PHONE)
    assert await storage.sessions.delete_ended(50, 15) == 1
    assert await ids(storage) == ["session_b"]
    assert await storage.sessions.delete_ended(100, 0) == 1


async def test_a_locked_or_deleted_person_has_no_sessions(storage: Storage) -> None:
    await begin(storage, LAPTOP, replace(PHONE, person="person_b"))
    await storage.people.lock_person(LOCAL_PRINCIPAL, "person_b", 5)
    assert await storage.sessions.find_session(b"session_b") is None
    assert await ids(storage) == ["session_a"]
