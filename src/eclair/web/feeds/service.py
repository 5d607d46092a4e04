"""The newsroom: feeds that an owner lists are fetched on a schedule, and what they brought is found at once.

Each feed is taken in the store before it is fetched, so that of several processes on the same data one fetches it. A
host is asked by one call at a time, with a pause after it; whoever fails is asked less and less often. One call is
`feed_calls`' affair, what bytes mean that of `feeds`.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import urlsplit

from eclair.errors import Conflict, Forbidden, InvalidInput, StoreError, UpstreamError, UserError
from eclair.network.client import CallContext, WebClient
from eclair.schema.feeds import FeedOutline
from eclair.schema.ids import Clock, new_id
from eclair.schema.principal import Principal
from eclair.schema.web import WebHit, WebPage, WebQuery
from eclair.storage.change_feed import ChangeFeed
from eclair.storage.feeds import EntryHit, FeedStore, FeedSummary, StoredFeed
from eclair.web.feeds.client import FeedError, FeedVersion, FetchedFeed, discover_feed, fetch_feed
from eclair.web.feeds.parser import UnreadableFeed, read_opml
from eclair.web.feeds.search import as_hits, asks_for_news
from eclair.web.feeds.search import as_page as entry_page

MAX_CONCURRENT_FETCHES = 4
"""Feeds that are fetched together."""
HOST_PAUSE_S = 1.0
"""Seconds between two calls to a host."""
FETCH_INTERVAL_S = 30 * 60.0
"""Seconds between two fetches of a feed that asks for no more."""
MAX_FETCH_INTERVAL_S = 24 * 3600.0
JITTER = 0.1
"""Share by which these are made longer or shorter, so that not all feeds are fetched together."""
CLAIM_TTL_S = 120.0
"""Seconds after which a feed that a dead process took is free again."""
POLL_INTERVAL_S = 60.0
"""Seconds between two looks at whether a feed is due which another process added."""
START_DELAY_S = 3.0
SWEEP_INTERVAL_S = 6 * 3600.0

MAX_ENTRIES_PER_FEED = 1000
"""Entries of one feed that are kept."""
MAX_RANKED_ENTRIES = 60
"""Entries that are ranked."""
MIN_SHARE = 0.4
"""Share of a query's weight that an entry must have the words of."""
NEWS_HALF_LIFE_DAYS, HALF_LIFE_DAYS = 2.0, 21.0
"""Days after which freshness counts half, where the query wants what is new and where not."""
MS_PER_S = 1000

FeedState = Literal["off", "waiting", "fetching", "ready", "failing", "gone"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RefreshProgress:
    """How far a refresh is: feeds that are `done` of how many, and those that were fetched since the last word."""

    done: int
    total: int
    feeds: tuple[StoredFeed, ...]


@dataclass(frozen=True, slots=True)
class ImportedFeeds:
    """What became of a list of feeds: these were added, so many were listed already."""

    added: tuple[StoredFeed, ...]
    already_listed: int


class FeedService:
    """Fetches between `start` and `close`; what is there can be searched without. `offline`, nothing is fetched.

    Entries are kept for `days`.
    """

    def __init__(
        self,
        store: FeedStore,
        browser: WebClient,
        changes: ChangeFeed,
        *,
        offline: bool = False,
        days: int = 60,
        pause: float = HOST_PAUSE_S,
        clock: Clock = time.time,
    ) -> None:
        self._store = store
        self._browser = browser
        self._changes = changes
        self._offline = offline
        self._days = days
        self._pause = pause
        self._clock = clock
        self._woken = asyncio.Event()
        self._fetched = asyncio.Condition()
        self._busy = set[str]()
        self._calls = set[asyncio.Task[None]]()
        self._schedule: asyncio.Task[None] | None = None

    def start(self, after: float = START_DELAY_S) -> None:
        if self._schedule is None and not self._offline:
            self._schedule = asyncio.create_task(self._run(after), name="newsroom")

    async def close(self) -> None:
        tasks = [*self._calls, *([self._schedule] if self._schedule is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._schedule = None

    # The list

    async def list_feeds(self, principal: Principal) -> list[FeedSummary]:
        return await self._store.list_feeds(principal)

    async def has_feeds(self, principal: Principal) -> bool:
        """Whether there is anything to search."""
        return any(listed.entries and listed.feed.active for listed in await self._store.list_feeds(principal))

    async def add(self, principal: Principal, url: str) -> StoredFeed:
        """List the feed at an address, or the one that the page there names, with what it has now.

        Raises InvalidInput where there is none, Conflict where it is listed, Forbidden by the policy, UpstreamError.
        """
        url = check_feed_url(url)
        self._refuse_offline()
        try:
            got = await discover_feed(self._browser, CallContext(principal, "feed"), url, self._clock)
        except FeedError as fault:
            raise _as_user_error(fault) from fault
        assert got.feed is not None
        outline = FeedOutline(got.version.url, got.feed.title, got.feed.site, got.feed.language)
        added = await self._store.add_feeds(principal, [self._new_feed(principal, outline)])
        if not added:
            raise Conflict(f"The feed {got.version.url} is listed already.")
        await self._store_fetched(added[0], got)
        return await self._store.get_feed(principal, added[0].id)

    async def import_outlines(self, principal: Principal, outlines: Sequence[FeedOutline]) -> ImportedFeeds:
        """List them all, without asking any of them now."""
        new = [self._new_feed(principal, outline) for outline in outlines]
        added = await self._store.add_feeds(principal, new)
        self._notify()
        return ImportedFeeds(tuple(added), len(new) - len(added))

    async def import_opml(self, principal: Principal, data: bytes, name: str) -> ImportedFeeds:
        """List what stands in an OPML list that is called `name`. Raises InvalidInput."""
        try:
            outlines = await read_opml(data)
        except UnreadableFeed as error:
            raise InvalidInput(f"{name} {error}.") from error
        if not outlines:
            raise InvalidInput(f"{name} names no feed; an OPML list has them as xmlUrl.")
        return await self.import_outlines(principal, outlines)

    async def set_active(self, principal: Principal, id: str, *, active: bool) -> StoredFeed:
        """Have it fetched, or no more. Raises NotFound."""
        feed = await self._store.set_active(principal, id, self._now(), active=active)
        self._notify()
        return feed

    async def delete(self, principal: Principal, id: str) -> None:
        """Erase it with its entries. Raises NotFound."""
        await self._store.delete_feed(principal, id)
        self._notify()

    # Fetching

    async def refresh_soon(self, principal: Principal, id: str | None = None) -> int:
        """Have all that are on fetched now, or that one; how many. Raises NotFound, Forbidden when offline."""
        self._refuse_offline()
        ids = await self._store.mark_due(principal, self._now(), id)
        self._notify()
        return len(ids)

    async def refresh(self, principal: Principal, ids: Sequence[str] = ()) -> AsyncGenerator[RefreshProgress, None]:
        """As `refresh_soon`, telling how far it is until all have been fetched, by whichever process."""
        self._refuse_offline()
        began = self._now()
        wanted = [found for id in ids or [None] for found in await self._store.mark_due(principal, began, id)]
        self._notify()
        waiting = set(wanted)
        while True:
            feeds = {listed.feed.id: listed.feed for listed in await self._store.list_feeds(principal)}
            done = [id for id in wanted if id in waiting and _is_done(feeds.get(id), began)]
            waiting.difference_update(done)
            fetched = tuple(feeds[id] for id in done if id in feeds)
            yield RefreshProgress(len(wanted) - len(waiting), len(wanted), fetched)
            if not waiting:
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.5), self._fetched:  # another process may fetch, too
                    await self._fetched.wait()

    async def _run(self, after: float) -> None:
        """Take what is due, as long as there are places; then wait until more is."""
        await asyncio.sleep(after)
        swept = 0.0
        while True:
            try:
                if self._clock() - swept > SWEEP_INTERVAL_S:
                    swept = self._clock()
                    await self._store.erase_entries(self._oldest())
                await self._fetch_due()
            except StoreError as error:
                log.warning("feeds cannot be fetched now: %s", error.message)
                await asyncio.sleep(POLL_INTERVAL_S)

    async def _fetch_due(self) -> None:
        self._woken.clear()
        now = self._now()
        while len(self._calls) < MAX_CONCURRENT_FETCHES:
            feed = await self._store.claim_due(now, now + int(CLAIM_TTL_S * MS_PER_S), self._busy)
            if feed is None:
                break
            self._busy.add(feed.host)
            task = asyncio.create_task(self._fetch(feed), name=f"feed {feed.id}")
            self._calls.add(task)
            task.add_done_callback(self._calls.discard)
        wait = POLL_INTERVAL_S
        if (
            len(self._calls) < MAX_CONCURRENT_FETCHES
            and (due := await self._store.get_next_due()) is not None
            and due > now
        ):
            wait = min(POLL_INTERVAL_S, (due - now) / MS_PER_S)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self._woken.wait()

    async def _fetch(self, feed: StoredFeed) -> None:
        self._changes.publish(None, "feeds")
        try:
            known = FeedVersion(feed.url, feed.etag, feed.modified, feed.digest)
            await self._store_fetched(
                feed, await fetch_feed(self._browser, CallContext(Principal(feed.owner), "feed"), known, self._clock)
            )
        except FeedError as fault:
            await self._store_failure(feed, fault)
        except StoreError as error:
            log.warning("what a feed brought cannot be kept: %s", error.message)
        except Exception:  # a bug of ours: it is logged whole, and nobody waits in vain
            log.exception("fetching feed %s failed", feed.id)
            await self._store_failure(feed, FeedError("Éclair made a mistake of its own; its log has the details."))
        finally:
            asyncio.get_running_loop().call_later(self._pause, self._release_host, feed.host)
            async with self._fetched:
                self._fetched.notify_all()
        self._woken.set()

    def _release_host(self, host: str) -> None:
        """The host has had its pause."""
        self._busy.discard(host)
        self._woken.set()

    async def _store_fetched(self, feed: StoredFeed, got: FetchedFeed) -> None:
        now = self._now()
        minutes = got.feed.ttl_minutes if got.feed is not None else None
        brought = () if got.feed is None else got.feed.entries
        entries = [entry for entry in brought if entry.published is None or entry.published >= self._oldest()]
        kept = replace(
            feed,
            url=got.version.url,
            host=_host(got.version.url),
            etag=got.version.etag,
            modified=got.version.modified,
            digest=got.version.digest,
            title=feed.title or (got.feed.title if got.feed is not None else "") or _host(feed.url),
            site=feed.site or (got.feed.site if got.feed is not None else None),
            language=feed.language or (got.feed.language if got.feed is not None else None),
            checked=now,
            brought=now if entries else feed.brought,
            due=now + self._jittered_ms(max(FETCH_INTERVAL_S, 60.0 * (minutes or 0))),
            taken=0,
            failures=0,
            fault=None,
            gone=False,
        )
        await self._store.save_fetch(kept, entries, now, MAX_ENTRIES_PER_FEED)
        self._changes.publish(None, "feeds")

    async def _store_failure(self, feed: StoredFeed, fault: FeedError) -> None:
        """It is asked again twice as late as the time before, and not before the server wants to be."""
        now = self._now()
        log.info("feed %s: %s", feed.id, fault)
        wait = max(min(FETCH_INTERVAL_S * 2**feed.failures, MAX_FETCH_INTERVAL_S), fault.retry_after_s)
        failed = replace(
            feed,
            checked=now,
            due=now + self._jittered_ms(wait),
            taken=0,
            failures=min(feed.failures + 1, 20),
            fault=str(fault),
            gone=fault.kind == "gone",
        )
        await self._store.save_fetch(failed, (), now, MAX_ENTRIES_PER_FEED)
        self._changes.publish(None, "feeds")

    # Searching

    async def search(self, principal: Principal, query: WebQuery, limit: int) -> list[WebHit]:
        """What entries say of it, best first: by the share of the query's words that they have, and by freshness.
        Raises StoreError."""
        now = self._now()
        since = None if query.days is None else now - query.days * 86_400 * MS_PER_S
        if asks_for_news(query.text):
            newest = await self._store.list_newest_entries(
                principal, limit * 4, query.language, since or now - 2 * 86_400 * MS_PER_S
            )
            return as_hits(newest, limit)
        found = await self._store.search_entries(
            principal, query.text, MAX_RANKED_ENTRIES, least=MIN_SHARE, since=since
        )
        half = HALF_LIFE_DAYS if query.days is None else NEWS_HALF_LIFE_DAYS

        def worth(each: EntryHit) -> float:
            age = max(0.0, (now - each.at) / (86_400 * MS_PER_S))
            own = query.language is not None and each.entry.language == query.language
            return each.share + 0.2 * each.titled + 0.3 * 0.5 ** (age / half) + (0.05 if own else 0.0)

        return as_hits(sorted(found, key=worth, reverse=True), limit)

    async def find_page(self, principal: Principal, url: str) -> WebPage | None:
        """What is kept of that page, which can be cited without fetching it. Raises StoreError."""
        found = await self._store.find_entry(principal, url)
        return None if found is None else entry_page(found)

    def _new_feed(self, principal: Principal, outline: FeedOutline) -> StoredFeed:
        now = self._now()
        return StoredFeed(
            id=new_id("feed", self._clock),
            owner=principal.id,
            url=outline.url,
            host=_host(outline.url),
            title=outline.title,
            site=outline.site,
            language=outline.language,
            created=now,
            due=now,
        )

    def _jittered_ms(self, seconds: float) -> int:
        return int(seconds * random.uniform(1 - JITTER, 1 + JITTER) * MS_PER_S)  # noqa: S311  no secret

    def _now(self) -> int:
        return int(self._clock() * MS_PER_S)

    def _oldest(self) -> int:
        return self._now() - self._days * 86_400 * MS_PER_S

    def _notify(self) -> None:
        self._woken.set()
        self._changes.publish(None, "feeds")

    def _refuse_offline(self) -> None:
        if self._offline:
            raise Forbidden("Éclair is offline, so that no feed is fetched; set `egress` to another policy for that.")


def feed_state(feed: StoredFeed, now: float) -> FeedState:
    """How it stands with a feed at that moment, in seconds."""
    if not feed.active:
        return "off"
    if feed.taken > now * MS_PER_S:
        return "fetching"
    if feed.gone:
        return "gone"
    if feed.due <= now * MS_PER_S or feed.checked is None:
        return "waiting"
    return "failing" if feed.fault is not None else "ready"


def check_feed_url(url: str) -> str:
    """An address of the web that a person wrote. Raises InvalidInput."""
    url = url.strip()
    whole = url if "://" in url else f"https://{url}"
    try:
        parts = urlsplit(whole)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.username and len(whole) <= 2000
    except ValueError:
        sound = False
    if not sound or any(sign.isspace() or sign < " " for sign in whole):
        raise InvalidInput(
            f"{url[:200]!r} is no address of a feed or a site; write one such as https://example.org/feed."
        )
    return whole


def _host(url: str) -> str:
    return urlsplit(url).hostname or url


def _is_done(feed: StoredFeed | None, began: int) -> bool:
    """Whether what was due then has been done, or is not to be."""
    return feed is None or not feed.active or (feed.due > began and feed.taken == 0)


def _as_user_error(fault: FeedError) -> UserError | UpstreamError:
    match fault.kind:
        case "refused":
            return Forbidden(str(fault))
        case "unreadable":
            return InvalidInput(str(fault))
        case "gone" | "failed":
            return UpstreamError(str(fault))
