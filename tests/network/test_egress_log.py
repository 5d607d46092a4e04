"""The rows of what left: written in batches, lost at no stop, kept while they should be."""

# ruff: noqa: ASYNC110 (what is waited for here happens where no event of ours can be set)

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from eclair.errors import StoreError
from eclair.network import egress_log
from eclair.network.client import DownloadClient, OutboundGate
from eclair.network.egress_log import EgressLog, open_gate
from eclair.network.policy import OutboundPolicy
from eclair.schema.principal import LOCAL_PRINCIPAL, Principal
from eclair.settings import Settings
from eclair.storage.base import Storage
from eclair.storage.egress import CallFilter, CallRecord
from eclair.storage.open import open_storage
from tests.llm.standin import standing_in
from tests.network.gates import CONTEXT
from tests.storage.helpers import turn
from tests.support import Ids, conversation

DAY = 86_400_000
CALL = CallRecord(
    owner="local",
    moment=1_000,
    purpose="search",
    run=None,
    method="GET",
    url="https://search.example/?q=secret",
    host="search.example",
    address="192.0.2.1",
    country="DE",
    sent=20,
    received=300,
    status=200,
    milliseconds=1.5,
    verdict="passed",
    reason=None,
)
ANY = CallFilter()


class Counting:
    """A store that fails as long as it is told to."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        self.batches: list[int] = []
        self.fails = False

    async def add_calls(self, calls: Sequence[CallRecord]) -> None:
        if self.fails:
            raise StoreError("The disk is full.")
        self.batches.append(len(calls))
        await self._storage.egress.add_calls(calls)

    def __getattr__(self, name: str) -> object:
        return getattr(self._storage.egress, name)


async def kept(storage: Storage, which: CallFilter = ANY, limit: int = 10_000) -> list[CallRecord]:
    return await storage.egress.list_calls(LOCAL_PRINCIPAL, which, limit)


async def test_what_comes_together_is_written_together(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(egress_log, "WRITE_DELAY_S", 0.0)
    counting = Counting(storage)
    rows = EgressLog(counting)  # pyright: ignore[reportArgumentType]
    for at in range(1200):
        rows.record(replace(CALL, moment=at))
    await rows.close()
    assert [call.moment for call in await kept(storage)] == list(reversed(range(1200)))
    assert sum(counting.batches) == 1200
    assert len(counting.batches) <= 4


async def test_a_normal_stop_loses_nothing(storage: Storage) -> None:
    rows = EgressLog(storage.egress)
    await rows.start()
    rows.record(CALL)
    await asyncio.sleep(0)
    rows.record(replace(CALL, moment=2))
    await rows.close()
    assert len(await kept(storage)) == 2


async def test_a_store_that_cannot_serve_is_asked_again(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(egress_log, "WRITE_DELAY_S", 0.0)
    counting = Counting(storage)
    counting.fails = True
    rows = EgressLog(counting)  # pyright: ignore[reportArgumentType]
    with caplog.at_level(logging.ERROR, "eclair.network.egress_log"):
        rows.record(CALL)
        await rows.flush()
    assert "1 calls are not in the egress log yet: The disk is full." in caplog.text
    counting.fails = False
    await rows.close()
    assert len(await kept(storage)) == 1


async def test_a_deleted_conversation_takes_what_was_asked_and_leaves_the_proof(
    storage: Storage, tmp_path: Path
) -> None:
    ids = Ids()
    await conversation(storage)
    first, second = await turn(storage, ids), await turn(storage, ids, where="conv_a")
    await conversation(storage, "conv_b")
    other = await turn(storage, ids, where="conv_b")
    await storage.egress.add_calls([replace(CALL, run=run.id) for run in (first, second, other)])
    await storage.conversations.delete_conversation(LOCAL_PRINCIPAL, "conv_a")
    assert all(call.url == CALL.url for call in await kept(storage))  # it may be brought back
    await storage.conversations.delete_conversation(LOCAL_PRINCIPAL, "conv_a", forever=True)
    await storage.conversations.erase_deleted(1)
    found = {call.run: call for call in await kept(storage)}
    assert found[other.id].url == CALL.url
    for run in (first, second):
        assert replace(found[run.id], id=0) == replace(CALL, run=run.id, url=None)
    database = (await asyncio.to_thread(_bytes, tmp_path / "store")).count(str(CALL.url).encode())
    assert database == 1


def _bytes(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.glob("eclair.db*"))


async def test_what_a_run_asked_that_is_not_kept_is_not_kept(storage: Storage) -> None:
    """A temporary chat has a run that nothing keeps; and one that ended late may have been erased meanwhile."""
    await storage.egress.add_calls([replace(CALL, run="run_gone"), CALL])
    with_run, without = (await kept(storage, CallFilter(run="run_gone")))[0], (await kept(storage))[0]
    assert (with_run.url, without.url) == (None, CALL.url)


async def test_erasing_everything_erases_what_was_asked(storage: Storage) -> None:
    await storage.egress.add_calls([CALL, replace(CALL, owner="someone")])
    await storage.egress.erase_urls(LOCAL_PRINCIPAL)
    assert [call.url for call in await kept(storage)] == [None]
    assert [call.url for call in await storage.egress.list_calls(Principal("someone"), ANY, 9)] == [CALL.url]


async def test_old_rows_are_erased_by_themselves(storage: Storage) -> None:
    await storage.egress.add_calls([replace(CALL, moment=at * DAY) for at in (1, 5, 9)])
    forever = EgressLog(storage.egress, 0, lambda: 10 * 86_400)
    await forever.start()
    await forever.close()
    assert len(await kept(storage)) == 3
    rows = EgressLog(storage.egress, 5, lambda: 10 * 86_400)
    await rows.start()
    while len(await kept(storage)) == 3:
        await asyncio.sleep(0.001)
    await rows.close()
    assert [call.moment // DAY for call in await kept(storage)] == [9, 5]


async def test_rows_are_filtered_counted_and_paged(storage: Storage) -> None:
    await storage.egress.add_calls(
        [
            CALL,
            replace(CALL, host="de.search.example", verdict="failed"),
            replace(CALL, host="research.example", purpose="page"),
            replace(CALL, host="other.example", verdict="refused"),
        ]
    )

    async def hosts(which: CallFilter) -> list[str]:
        return [call.host for call in await kept(storage, which)]

    assert await hosts(CallFilter(host="search.example")) == ["de.search.example", "search.example"]
    assert await hosts(CallFilter(host="%")) == []
    assert await hosts(CallFilter(verdict="refused")) == ["other.example"]
    assert await hosts(CallFilter(purpose="page")) == ["research.example"]
    assert await storage.egress.count_calls(LOCAL_PRINCIPAL, ANY) == {"passed": 2, "failed": 1, "refused": 1}
    first = await kept(storage, limit=3)
    (last,) = await storage.egress.list_calls(LOCAL_PRINCIPAL, ANY, 3, before=first[-1].id)
    assert last.host == "search.example"


async def test_a_command_leaves_its_rows_where_the_server_has_them(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path / "data", egress="listed", egress_hosts=("hub.example",))
    async with open_gate(settings):
        pass
    assert not (tmp_path / "data").exists()
    async with standing_in() as proxy, open_gate(settings) as gate:
        proxy.routes["http://hub.example/x"] = lambda call: call.reply(200, b"123")
        downloads = DownloadClient(gate, proxy=proxy.url)
        async with downloads.get("http://hub.example/x") as reply:
            assert await reply.body() == b"123"
        await downloads.close()
    storage = open_storage(settings.data_dir)
    (row,) = await kept(storage)
    await storage.close()
    assert (row.host, row.purpose, row.received, row.verdict) == ("hub.example", "model", 3, "passed")


async def test_half_characters_and_endless_addresses_can_be_kept(storage: Storage) -> None:
    rows = EgressLog(storage.egress)
    gate = OutboundGate(OutboundPolicy("offline"), rows)
    for url in ("http://\ud800.example/\udfff", "http://a.example/" + "a" * 100_000, "http://[", "\x00"):
        with pytest.raises(Exception, match=r"\.$"):
            gate.begin("GET", url, CONTEXT)
    await rows.close()
    assert len(await kept(storage)) == 4
    assert max(len(str(call.url)) for call in await kept(storage)) <= 8192
