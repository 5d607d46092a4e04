"""Services asked together: nobody waits for a slow one, one that fails rests, and the list grows better."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import date

import pytest

from eclair.network.client import CallContext
from eclair.schema.events import StepFinished, StepStarted
from eclair.schema.principal import LOCAL_PRINCIPAL, Principal
from eclair.schema.web import WebHit, WebQuery
from eclair.web.providers.base import ProviderError
from eclair.web.search import COOLDOWN_S, HITS_PER_QUERY, MAX_FAILURES, MetaSearch, RankedHits
from tests.web.services import TODAY, answering, today

CONTEXT = CallContext(LOCAL_PRINCIPAL, "search", "run_1")
QUERY = WebQuery("q", "de")
Event = StepStarted | StepFinished | RankedHits


@dataclass
class Scripted:
    """A service that answers as it is told: what is in `answers` in turn, each once its event is set."""

    name: str
    hits: list[WebHit] = field(default_factory=list[WebHit])
    jurisdiction: str = "DE"
    needs_key: bool = True
    terms: str = "https://example.org/terms"
    gates: list[asyncio.Event | None] = field(default_factory=list[asyncio.Event | None])
    faults: list[Exception] = field(default_factory=list[Exception])
    asked: list[WebQuery] = field(default_factory=list[WebQuery])
    cancelled: int = 0
    is_ready: bool = True
    is_local: bool = False

    @property
    def title(self) -> str:
        return self.name.title()

    async def serves(self, principal: Principal) -> bool:
        return True

    async def search(self, query: WebQuery, limit: int, context: CallContext, timeout_s: float) -> list[WebHit]:
        assert limit == HITS_PER_QUERY
        assert context == CONTEXT
        self.asked.append(query)
        gate = self.gates.pop(0) if self.gates else None
        try:
            if gate is not None:
                await gate.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.faults:
            raise self.faults.pop(0)
        return self.hits


def hit(name: str, *, by: str = "a", published: date | None = None) -> WebHit:
    return WebHit(f"https://{name}.org/", name, providers=(by,), published=published)


def never() -> asyncio.Event:
    return asyncio.Event()


def made(*services: Scripted, clock: Callable[[], float] | None = None, again: float = 60.0) -> MetaSearch:
    return MetaSearch(services, today=today, hedge_delay_s=again, clock=clock or time.monotonic)


async def told(search: MetaSearch, *queries: WebQuery, within: float = 20.0) -> list[Event]:
    return [event async for event in search.search(queries or (QUERY,), CONTEXT, timeout_s=within)]


def outcomes(events: list[Event]) -> dict[str, tuple[str | None, int | None]]:
    titles = {event.step: event.title for event in events if isinstance(event, StepStarted)}
    ended = [event for event in events if isinstance(event, StepFinished)]
    assert all(event.milliseconds >= 0 for event in ended)
    return {titles[event.step]: (event.outcome, event.count) for event in ended}


async def test_every_service_is_a_step_and_every_answer_a_better_list() -> None:
    slow = asyncio.Event()
    one, two = Scripted("one", [hit("a"), hit("b")]), Scripted("two", [hit("b", by="two")], gates=[slow])
    events: list[Event] = []
    async with aclosing(made(one, two).search((QUERY,), CONTEXT, timeout_s=20)) as found:
        async for event in found:
            events.append(event)
            if isinstance(event, RankedHits):
                slow.set()
    started = [event for event in events if isinstance(event, StepStarted)]
    assert [(event.kind, event.title) for event in started] == [("ask", "One"), ("ask", "Two")]
    assert events[:2] == started
    assert outcomes(events) == {"One": ("done", 2), "Two": ("done", 1)}
    ranked = [event for event in events if isinstance(event, RankedHits)]
    assert [[each.title for each in rank.hits] for rank in ranked] == [["a", "b"], ["b", "a"]]
    assert ranked[-1].hits[0].providers == ("two", "a")


async def test_a_slow_service_holds_up_nobody() -> None:
    quick, slow, empty = Scripted("quick", [hit("a")]), Scripted("slow", gates=[never()]), Scripted("empty")
    search = made(slow, quick, empty)
    events = await told(search, within=0.2)
    assert outcomes(events) == {"Quick": ("done", 1), "Empty": ("nothing", 0), "Slow": ("late", 0)}
    assert slow.cancelled == 1
    assert search.last_error("slow") == "Slow did not answer in time."
    assert search.last_error("quick") is None


async def test_whoever_leaves_takes_the_calls_along() -> None:
    slow = Scripted("slow", gates=[never()])
    async with aclosing(made(slow).search((QUERY,), CONTEXT, timeout_s=20)) as found:
        async for _ in found:
            break
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert slow.cancelled == len(slow.asked)


async def test_one_that_fails_rests_for_a_while() -> None:
    now = [0.0]
    bad = Scripted("bad", [hit("a")], faults=[ProviderError("failed", "Bad is down.") for _ in range(MAX_FAILURES)])
    good = Scripted("good", [hit("b")])
    search = made(bad, good, clock=lambda: now[0])
    for _ in range(MAX_FAILURES):
        assert outcomes(await told(search))["Bad"] == ("failed", 0)
    assert search.last_error("bad") == "Bad is down."
    assert outcomes(await told(search)) == {"Good": ("done", 1)}
    assert [service.name for service in search.active_providers()] == ["good"]
    now[0] += COOLDOWN_S + 1
    assert outcomes(await told(search)) == {"Bad": ("done", 1), "Good": ("done", 1)}
    assert search.last_error("bad") is None


async def test_where_all_rest_all_are_asked() -> None:
    bad = Scripted("bad", faults=[ProviderError("late", "Bad is slow.") for _ in range(MAX_FAILURES)])
    search = made(bad)
    for _ in range(MAX_FAILURES):
        await told(search)
    assert outcomes(await told(search)) == {"Bad": ("nothing", 0)}


async def test_what_the_policy_forbids_does_not_rest() -> None:
    refused = Scripted(
        "x", faults=[ProviderError("refused", "The policy is offline.") for _ in range(MAX_FAILURES + 1)]
    )
    search = made(refused, Scripted("y"))
    for _ in range(MAX_FAILURES + 1):
        assert outcomes(await told(search))["X"] == ("refused", 0)


async def test_a_mistake_of_ours_costs_one_service(caplog: pytest.LogCaptureFixture) -> None:
    broken = Scripted("broken", faults=[KeyError("x")])
    assert outcomes(await told(made(broken, Scripted("fine", [hit("a")])))) == {
        "Broken": ("failed", 0),
        "Fine": ("done", 1),
    }
    assert "KeyError" in caplog.text


async def test_only_what_is_ready_is_asked() -> None:
    waiting = Scripted("feeds", is_ready=False)
    search = made(waiting, Scripted("always"))
    assert [service.name for service in search.active_providers()] == ["always"]
    waiting.is_ready = True
    assert [service.name for service in search.active_providers()] == ["feeds", "always"]
    assert await told(made()) == []
    assert [event async for event in search.search((), CONTEXT, timeout_s=1)] == []


async def test_another_language_is_tried_where_little_was_found() -> None:
    thin = Scripted("thin", [hit("a")])
    rich = Scripted("rich", [hit(name) for name in "abc"])
    german, more, english = WebQuery("Wahl", "de"), WebQuery("Wahlen", "de"), WebQuery("election", "en")
    events = await told(made(thin, rich), german, more, english)
    assert rich.asked == [german, more]
    assert thin.asked == [german, more, english]
    assert outcomes(events)["Thin"] == ("done", 3)


async def test_what_is_no_address_is_left_out() -> None:
    odd = Scripted("odd", [WebHit("https://a.org:x/", "Odd"), WebHit("gopher://a.org/", "Old"), hit("a")])
    assert outcomes(await told(made(odd))) == {"Odd": ("done", 1)}


async def test_one_query_that_fails_leaves_the_others() -> None:
    half = Scripted("half", [hit("a")], faults=[ProviderError("failed", "Half is busy.")])
    assert outcomes(await told(made(half), WebQuery("a"), WebQuery("b"))) == {"Half": ("done", 1)}


async def test_one_that_stalls_is_asked_again_where_that_costs_nothing() -> None:
    stalls = Scripted("stalls", [hit("a")], needs_key=False, gates=[never(), None])
    paid = Scripted("paid", [hit("b")], gates=[never()])
    events = await told(made(stalls, paid, again=0.02), within=0.5)
    assert outcomes(events) == {"Stalls": ("done", 1), "Paid": ("late", 0)}
    assert (len(stalls.asked), stalls.cancelled) == (2, 1)
    assert len(paid.asked) == 1


async def test_freshness_counts_where_it_is_asked_for() -> None:
    hits = [hit("old", published=date(2020, 1, 1)), hit("new", published=TODAY)]
    events = await told(made(Scripted("x", hits)), WebQuery("q", "de", 7))
    (ranked,) = [event for event in events if isinstance(event, RankedHits)]
    assert [each.title for each in ranked.hits] == ["new", "old"]


@pytest.fixture
async def real() -> AsyncGenerator[MetaSearch]:
    hits = [WebHit("https://www.example.de/wahl?utm_source=x", "Wahl in Hessen", "So wurde gewählt")]
    async with answering("searxng", hits) as one, answering("mojeek", hits) as two, answering("brave") as three:
        three.instead = [lambda call: call.reply(500)]
        yield MetaSearch([one.service, two.service, three.service], today=today)


async def test_over_http(real: MetaSearch) -> None:
    events = await told(real)
    assert outcomes(events) == {"SearXNG": ("done", 1), "Mojeek": ("done", 1), "Brave Search": ("failed", 0)}
    ranked = [event for event in events if isinstance(event, RankedHits)]
    (best,) = ranked[-1].hits
    assert (best.url, set(best.providers)) == ("https://www.example.de/wahl", {"searxng", "mojeek"})
