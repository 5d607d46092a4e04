from __future__ import annotations

from dataclasses import replace

from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.base import Storage
from eclair.storage.egress import CallFilter, CallRecord
from tests.storage.conftest import Opener
from tests.storage.helpers import SOMEONE, turn
from tests.support import Ids, conversation

ANY = CallFilter()

CALL = CallRecord(
    owner="local",
    moment=1_000,
    purpose="search",
    run=None,
    method="GET",
    url="https://example.org/a?q=1",
    host="example.org",
    address="192.0.2.1",
    country="FR",
    sent=120,
    received=4_000,
    status=200,
    milliseconds=12.5,
    verdict="passed",
    reason=None,
)

REFUSED = replace(CALL, verdict="refused", address=None, country=None, status=None, received=0, reason="Not allowed.")


async def test_calls_are_listed_newest_first_and_read_back_as_they_were(storage: Storage) -> None:
    calls = [CALL, REFUSED, replace(CALL, moment=900, method="POST")]
    await storage.egress.add_calls(calls[:2])
    await storage.egress.add_calls(calls[2:])
    listed = await storage.egress.list_calls(LOCAL_PRINCIPAL, ANY, 9)
    assert [replace(call, id=0) for call in listed] == calls[::-1]
    assert 0 < listed[2].id < listed[1].id < listed[0].id
    assert await storage.egress.list_calls(LOCAL_PRINCIPAL, ANY, 2) == listed[:2]
    assert await storage.egress.list_calls(LOCAL_PRINCIPAL, ANY, 2, before=listed[1].id) == listed[2:]


async def test_a_filter_matches_run_host_verdict_and_purpose(storage: Storage) -> None:
    await conversation(storage)
    run = await turn(storage, Ids())
    by_run = replace(CALL, run=run.id)
    subdomain = replace(CALL, host="www.example.org", verdict="failed")
    lookalike = replace(CALL, host="notexample.org")
    feed = replace(REFUSED, host="feeds.example.net", purpose="feed")
    await storage.egress.add_calls([by_run, subdomain, lookalike, feed])
    for matching, expected in (
        (ANY, [feed, lookalike, subdomain, by_run]),
        (CallFilter(run=run.id), [by_run]),
        (CallFilter(host="example.org"), [subdomain, by_run]),
        (CallFilter(host="www.example.org"), [subdomain]),
        (CallFilter(verdict="passed"), [lookalike, by_run]),
        (CallFilter(purpose="feed"), [feed]),
        (CallFilter(host="example.org", verdict="failed"), [subdomain]),
        (CallFilter(run=run.id, purpose="feed"), []),
    ):
        listed = await storage.egress.list_calls(LOCAL_PRINCIPAL, matching, 9)
        assert [replace(call, id=0) for call in listed] == expected
    assert await storage.egress.count_calls(LOCAL_PRINCIPAL, ANY) == {"passed": 2, "failed": 1, "refused": 1}
    assert await storage.egress.count_calls(LOCAL_PRINCIPAL, CallFilter(host="example.org")) == {
        "passed": 1,
        "failed": 1,
    }
    assert await storage.egress.count_calls(LOCAL_PRINCIPAL, CallFilter(purpose="none")) == {}


async def test_calls_are_seen_by_their_owner_only(storage: Storage) -> None:
    await storage.egress.add_calls([CALL, replace(CALL, owner="someone", moment=2_000)])
    assert [call.moment for call in await storage.egress.list_calls(LOCAL_PRINCIPAL, ANY, 9)] == [1_000]
    assert [call.moment for call in await storage.egress.list_calls(SOMEONE, ANY, 9)] == [2_000]
    assert await storage.egress.count_calls(SOMEONE, ANY) == {"passed": 1}
    await storage.egress.erase_urls(SOMEONE)
    assert [call.url for call in await storage.egress.list_calls(LOCAL_PRINCIPAL, ANY, 9)] == [CALL.url]
    (call,) = await storage.egress.list_calls(SOMEONE, ANY, 9)
    assert replace(call, id=0) == replace(CALL, owner="someone", moment=2_000, url=None)


async def test_a_url_goes_with_the_run_that_called_it(storage: Storage) -> None:
    await conversation(storage)
    run = await turn(storage, Ids())
    await storage.egress.add_calls([replace(CALL, run=run.id), replace(CALL, run="run_none"), CALL])
    listed = await storage.egress.list_calls(LOCAL_PRINCIPAL, ANY, 9)
    assert [call.url for call in listed] == [CALL.url, None, CALL.url]
    await storage.conversations.delete_conversation(LOCAL_PRINCIPAL, "conv_a", forever=True)
    await storage.conversations.erase_deleted(1)
    listed = await storage.egress.list_calls(LOCAL_PRINCIPAL, ANY, 9)
    assert [(call.run, call.url) for call in listed] == [(None, CALL.url), ("run_none", None), (run.id, None)]


async def test_a_call_is_begun_and_completed(storage: Storage) -> None:
    id = await storage.egress.begin_call(replace(CALL, verdict="begun", status=None))
    (begun,) = await storage.egress.list_calls(LOCAL_PRINCIPAL, ANY, 9)
    assert (begun.id, begun.verdict, begun.status) == (id, "begun", None)
    await storage.egress.mark_interrupted()
    await storage.egress.erase_urls(LOCAL_PRINCIPAL)
    await storage.egress.add_calls([replace(CALL, id=id, received=7), replace(CALL, moment=9)])
    calls = await storage.egress.list_calls(LOCAL_PRINCIPAL, ANY, 9)
    assert [(call.id, call.verdict, call.received, call.url) for call in calls] == [
        (id + 1, "passed", CALL.received, CALL.url),
        (id, "passed", 7, None),
    ]


async def test_a_call_of_a_dead_process_was_interrupted(storage: Storage, opener: Opener) -> None:
    other = opener()
    id = await other.egress.begin_call(replace(CALL, verdict="begun"))
    await storage.egress.mark_interrupted()
    assert [call.verdict for call in await storage.egress.list_calls(LOCAL_PRINCIPAL, ANY, 9)] == ["begun"]
    await other.close()
    await storage.egress.mark_interrupted()
    (call,) = await storage.egress.list_calls(LOCAL_PRINCIPAL, ANY, 9)
    assert (call.id, call.verdict) == (id, "interrupted")


async def test_old_calls_are_erased_whoever_made_them(storage: Storage) -> None:
    await storage.egress.add_calls([replace(CALL, moment=moment) for moment in (1, 2, 3)])
    await storage.egress.add_calls([replace(CALL, moment=moment, owner="someone") for moment in (1, 2)])
    await storage.egress.erase_calls(2)
    assert [call.moment for call in await storage.egress.list_calls(LOCAL_PRINCIPAL, ANY, 9)] == [3, 2]
    assert [call.moment for call in await storage.egress.list_calls(SOMEONE, ANY, 9)] == [2]
