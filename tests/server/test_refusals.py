"""Keys that are long enough, and what wrong ones cost their sender."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import pytest_asyncio

from eclair.accounts.api_keys import ApiKeys
from eclair.errors import SettingsError, TooBusy
from eclair.network.exposure import MIN_KEY_CHARS
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.server import refusals
from eclair.server.refusals import (
    FIRST_DELAY_S,
    FORGET_AFTER_S,
    FREE_REFUSALS,
    MAX_ADDRESSES,
    MAX_DELAY_S,
    MAX_WAITING,
    Refusals,
)
from eclair.server.serve import serve
from eclair.settings import Settings
from tests.support import Server, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY = "k" * MIN_KEY_CHARS
RIGHT, WRONG = {"Authorization": f"Bearer {KEY}"}, {"Authorization": "Bearer guessed"}
NAME = "ai.example.org"


@pytest_asyncio.fixture(loop_scope="module")
async def exposed(settings: Settings) -> AsyncGenerator[Server]:
    """A server with a public name, behind a proxy of this machine."""
    async with serving(replace(settings, allowed_hosts=(NAME,), api_key=KEY)) as server:
        yield server


@dataclass
class Slept:
    """A clock that moves when somebody sleeps."""

    now: float = 1000.0
    slept: list[float] = field(default_factory=list[float])

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.mark.parametrize("given", [{"host": "0.0.0.0"}, {"allowed_hosts": (NAME,)}])
async def test_a_short_key_is_refused_where_others_can_reach_it(tmp_path: Path, given: dict[str, str]) -> None:
    settings = Settings(data_dir=tmp_path / "data", embedded=False, port=0, api_key="k" * (MIN_KEY_CHARS - 1))
    with pytest.raises(SettingsError, match=f"fewer than {MIN_KEY_CHARS} characters"):
        await serve(replace(settings, **given), lambda _: None)  # type: ignore[reportArgumentType]
    assert not (tmp_path / "data").exists(), "nothing was begun"


async def test_whoever_guesses_waits_and_is_logged(exposed: Server, caplog: pytest.LogCaptureFixture) -> None:
    sender = {"X-Forwarded-For": "10.0.0.1, 192.0.2.7"}
    with caplog.at_level(logging.INFO):
        for _ in range(FREE_REFUSALS + 1):
            assert (await exposed.get("/api/conversations", WRONG | sender)).status == 401
        began = time.monotonic()
        assert (await exposed.get("/api/conversations", RIGHT | sender)).status == 200
        assert time.monotonic() - began >= FIRST_DELAY_S * 0.9, "even the right one, or waiting would tell it"
        assert (await exposed.get("/api/conversations", sender)).status == 401
    began = time.monotonic()
    for other in ({"X-Forwarded-For": "192.0.2.8"}, {}):
        assert (await exposed.get("/api/conversations", RIGHT | other)).status == 200
    assert time.monotonic() - began < FIRST_DELAY_S, "others do not"
    said = [record.message for record in caplog.records if record.name == refusals.__name__]
    assert said == [
        *(f"Refused a wrong key from 192.0.2.7 ({count} so far)." for count in (1, 2, 4)),
        "Refused a request without a key from 192.0.2.7 (1 so far).",
    ]
    assert "guessed" not in caplog.text


async def test_a_made_key_never_waits(exposed: Server) -> None:
    made = (await ApiKeys(exposed.app.storage.api_keys).add(LOCAL_PRINCIPAL, "phone")).secret
    sender = {"X-Forwarded-For": "192.0.2.9"}
    for _ in range(FREE_REFUSALS + 1):
        await exposed.get("/api/conversations", WRONG | sender)
    began = time.monotonic()
    assert (await exposed.get("/api/conversations", {"x-api-key": made, **sender})).status == 200
    assert time.monotonic() - began < FIRST_DELAY_S


async def test_the_account_that_runs_it_never_waits(keyed: Server) -> None:
    began = time.monotonic()
    for _ in range(FREE_REFUSALS + 5):
        assert (await keyed.get("/api/conversations", WRONG)).status == 401
    assert time.monotonic() - began < MAX_DELAY_S


async def test_waits_grow_to_a_limit_and_are_forgotten() -> None:
    clock = Slept()
    watched = Refusals(clock, clock.sleep)
    for _ in range(FREE_REFUSALS + 8):
        await watched.wait("192.0.2.7")
        watched.note("192.0.2.7", had_key=True)
    assert clock.slept == [0.25, 0.5, 1, 2, 4, 4, 4]
    await watched.wait("192.0.2.8")
    assert len(clock.slept) == 7
    clock.now += FORGET_AFTER_S + 1
    for _ in range(FREE_REFUSALS):
        watched.note("192.0.2.7", had_key=True)
        await watched.wait("192.0.2.7")
    assert len(clock.slept) == 7


async def test_few_wait_at_once() -> None:
    watched = Refusals()
    for _ in range(FREE_REFUSALS + 1):
        watched.note("192.0.2.7", had_key=True)
    waiting = [asyncio.create_task(watched.wait("192.0.2.7")) for _ in range(MAX_WAITING)]
    await asyncio.sleep(0)
    with pytest.raises(TooBusy, match="wrong keys"):
        await watched.wait("192.0.2.7")
    await asyncio.gather(*waiting)
    await watched.wait("192.0.2.7")


async def test_few_addresses_are_remembered() -> None:
    watched = Refusals()
    for number in range(MAX_ADDRESSES + 100):
        watched.note(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", had_key=True)
    assert len(watched._records) == MAX_ADDRESSES  # pyright: ignore[reportPrivateUsage]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.7", "192.0.2.7", True),
        ("192.0.2.7", "192.0.2.8", False),
        ("fe80::1%eth0", "fe80::1", True),
        ("", "unknown", True),
    ],
)
async def test_a_network_is_one_sender(one: str, other: str, same: bool) -> None:
    clock = Slept()
    watched = Refusals(clock, clock.sleep)
    for _ in range(FREE_REFUSALS + 1):
        watched.note(one, had_key=True)
    await watched.wait(other)
    assert (clock.slept != []) is same
