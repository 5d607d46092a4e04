"""Fetches the feeds that a person lists on a schedule, and searches their entries.

A feed is claimed in the store before it is fetched, so that only one process fetches it. A host gets one request at a
time, with a pause after it; feeds that fail are fetched less and less often. `feed_client` fetches a feed,
`feed_parser` parses it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal
from urllib.parse import urlsplit

from eclair.errors import INTERNAL_ERROR, Conflict, Forbidden, InvalidInput, StoreError, UpstreamError, UserError
from eclair.network.client import CallContext, WebClient
from eclair.schema.feeds import FeedOutline
from eclair.schema.ids import Clock, new_id
from eclair.schema.principal import Principal
from eclair.schema.web import WebHit, WebPage, WebQuery
from eclair.storage.change_feed import ChangeFeed
from eclair.storage.feeds import EntryHit, FeedStore, FeedSummary, ListedEntry, StoredFeed
from eclair.web.feeds.feed_client import FeedError, FeedVersion, FetchedFeed, discover_feed, fetch_feed
from eclair.web.feeds.feed_parser import UnreadableFeed, read_opml
from eclair.web.feeds.feed_search import as_hits, asks_for_news
from eclair.web.feeds.feed_search import as_page as entry_page

MAX_CONCURRENT_FETCHES = 4
HOST_PAUSE_S = 1.0
"""Pause between two requests to a host."""
FETCH_INTERVAL_S = 30 * 60.0
"""Between two fetches of a feed that doesn't ask for a longer one."""
MAX_FETCH_INTERVAL_S = 24 * 3600.0
JITTER = 0.1
"""Share by which intervals vary, so that feeds aren't all fetched at once."""
CLAIM_TTL_S = 120.0
"""A claim of a process that has died expires after this time."""
POLL_INTERVAL_S = 60.0
"""Between two checks for feeds that another process has added."""
START_DELAY_S = 3.0
SWEEP_INTERVAL_S = 6 * 3600.0

MAX_ENTRIES_PER_FEED = 1000
MAX_RANKED_ENTRIES = 60
MIN_SHARE = 0.4
"""Share of a query's weighted words that an entry must have."""
NEWS_HALF_LIFE_DAYS, HALF_LIFE_DAYS = 2.0, 21.0
"""Age at which freshness counts half, for queries that ask for recent entries and for others."""
MS_PER_S = 1000

FeedState = Literal["off", "waiting", "fetching", "ready", "failing", "gone"]

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RefreshProgress:
    """Progress of a refresh; `feeds` are those fetched since the last report."""

    done: int
    total: int
    feeds: tuple[StoredFeed, ...]


@dataclass(frozen=True, slots=True)
class ImportedFeeds:
    """Result of an import: the feeds that were added, and how many were listed already."""

    added: tuple[StoredFeed, ...]
    already_listed: int


class FeedService:
    """A person's feeds. They are fetched between `start` and `close` while not offline, and can always be searched.

    Entries are kept for `days`.
    """

    def __init__(
        self,
        store: FeedStore,
        client: WebClient,
        changes: ChangeFeed,
        *,
        is_offline: Callable[[], bool] = lambda: False,
        days: int = 60,
        pause: float = HOST_PAUSE_S,
        clock: Clock = time.time,
    ) -> None:
        self._store = store
        self._client = client
        self._changes = changes
        self._is_offline = is_offline
        self._days = days
        self._pause = pause
        self._clock = clock
        self._wake = asyncio.Event()
        self._fetched = asyncio.Condition()
        self._busy_hosts = set[str]()
        self._fetches = set[asyncio.Task[None]]()
        self._schedule: asyncio.Task[None] | None = None

    def start(self, after: float = START_DELAY_S) -> None:
        if self._schedule is None:
            self._schedule = asyncio.create_task(self._run(after), name="fetch feeds")

    async def close(self) -> None:
        tasks = [*self._fetches, *([self._schedule] if self._schedule is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._schedule = None

    # The list

    async def list_feeds(self, principal: Principal) -> list[FeedSummary]:
        return await self._store.list_feeds(principal)

    def get_state(self, feed: StoredFeed) -> FeedState:
        """Return the state of a feed as it is listed."""
        now_ms = self._now_ms()
        if not feed.active:
            return "off"
        if feed.taken > now_ms:
            return "fetching"
        if feed.gone:
            return "gone"
        if feed.due <= now_ms or feed.checked is None:
            return "waiting"
        return "failing" if feed.fault is not None else "ready"

    async def has_feeds(self, principal: Principal) -> bool:
        """Return whether there are entries to search."""
        return any(listed.entries and listed.feed.active for listed in await self._store.list_feeds(principal))

    async def add(self, principal: Principal, url: str) -> StoredFeed:
        """Add the feed at a URL, or the one that the page there links to, with its current entries.

        Raises InvalidInput if there is no feed, Conflict if it is listed already, Forbidden by the policy, and
        UpstreamError.
        """
        url = check_feed_url(url)
        self._refuse_offline()
        try:
            got = await discover_feed(self._client, CallContext(principal, "feed"), url, self._clock)
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
        """Add the feeds without fetching them yet."""
        new = [self._new_feed(principal, outline) for outline in outlines]
        added = await self._store.add_feeds(principal, new)
        self._notify(principal)
        return ImportedFeeds(tuple(added), len(new) - len(added))

    async def import_opml(self, principal: Principal, data: bytes, name: str) -> ImportedFeeds:
        """Add the feeds of an OPML file called `name`. Raises InvalidInput."""
        try:
            outlines = await read_opml(data)
        except UnreadableFeed as error:
            raise InvalidInput(f"{name} {error}.") from error
        if not outlines:
            raise InvalidInput(f"{name} names no feed; an OPML list has them as xmlUrl.")
        return await self.import_outlines(principal, outlines)

    async def set_active(self, principal: Principal, id: str, *, active: bool) -> StoredFeed:
        """Switch the fetching of a feed on or off. Raises NotFound."""
        feed = await self._store.set_active(principal, id, self._now_ms(), active=active)
        self._notify(principal)
        return feed

    async def delete(self, principal: Principal, id: str) -> None:
        """Delete a feed with its entries. Raises NotFound."""
        await self._store.delete_feed(principal, id)
        self._notify(principal)

    async def list_entries(
        self, principal: Principal, limit: int, before: tuple[int, int] | None = None, feed: str | None = None
    ) -> list[ListedEntry]:
        """List entries of all feeds, or of one, newest first, after the one at `before`. Raises NotFound."""
        if feed is not None:
            await self._store.get_feed(principal, feed)
        return await self._store.list_entries(principal, limit, before, feed)

    # Fetching

    async def refresh_soon(self, principal: Principal, id: str | None = None) -> int:
        """Make one feed, or all active ones, due now; return how many. Raises NotFound, Forbidden when offline."""
        self._refuse_offline()
        ids = await self._store.mark_due(principal, self._now_ms(), id)
        self._notify(principal)
        return len(ids)

    async def refresh(self, principal: Principal, ids: Sequence[str] = ()) -> AsyncGenerator[RefreshProgress, None]:
        """Like `refresh_soon`, yielding progress until all have been fetched, by any process."""
        self._refuse_offline()
        began = self._now_ms()
        requested = [found for id in ids or [None] for found in await self._store.mark_due(principal, began, id)]
        self._notify(principal)
        waiting = set(requested)
        while True:
            feeds = {listed.feed.id: listed.feed for listed in await self._store.list_feeds(principal)}
            done = [id for id in requested if id in waiting and _is_done(feeds.get(id), began)]
            waiting.difference_update(done)
            fetched = tuple(feeds[id] for id in done if id in feeds)
            yield RefreshProgress(len(requested) - len(waiting), len(requested), fetched)
            if not waiting:
                return
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.5), self._fetched:  # another process may fetch, too
                    await self._fetched.wait()

    async def _run(self, after: float) -> None:
        """Fetch due feeds forever, and sweep old entries."""
        await asyncio.sleep(after)
        swept = 0.0
        while True:
            try:
                if self._clock() - swept > SWEEP_INTERVAL_S:
                    swept = self._clock()
                    await self._store.erase_entries(self._oldest_kept_ms())
                if self._is_offline():
                    await asyncio.sleep(POLL_INTERVAL_S)
                else:
                    await self._fetch_due()
            except StoreError as error:
                log.warning("feeds cannot be fetched now: %s", error.message)
                await asyncio.sleep(POLL_INTERVAL_S)

    async def _fetch_due(self) -> None:
        self._wake.clear()
        now = self._now_ms()
        while len(self._fetches) < MAX_CONCURRENT_FETCHES:
            feed = await self._store.claim_due(now, now + int(CLAIM_TTL_S * MS_PER_S), self._busy_hosts)
            if feed is None:
                break
            self._busy_hosts.add(feed.host)
            task = asyncio.create_task(self._fetch(feed), name=f"feed {feed.id}")
            self._fetches.add(task)
            task.add_done_callback(self._fetches.discard)
        wait = POLL_INTERVAL_S
        if (
            len(self._fetches) < MAX_CONCURRENT_FETCHES
            and (due := await self._store.get_next_due()) is not None
            and due > now
        ):
            wait = min(POLL_INTERVAL_S, (due - now) / MS_PER_S)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait):
                await self._wake.wait()

    async def _fetch(self, feed: StoredFeed) -> None:
        self._changes.publish(Principal(feed.owner), None, "feeds")
        try:
            known = FeedVersion(feed.url, feed.etag, feed.modified, feed.digest)
            await self._store_fetched(
                feed, await fetch_feed(self._client, CallContext(Principal(feed.owner), "feed"), known, self._clock)
            )
        except FeedError as fault:
            await self._store_failure(feed, fault)
        except StoreError as error:
            log.warning("the entries of a feed cannot be stored: %s", error.message)
        except Exception:  # a bug of ours: log it, and let nobody wait in vain
            log.exception("fetching feed %s failed", feed.id)
            await self._store_failure(feed, FeedError(INTERNAL_ERROR))
        finally:
            asyncio.get_running_loop().call_later(self._pause, self._release_host, feed.host)
            async with self._fetched:
                self._fetched.notify_all()
        self._wake.set()

    def _release_host(self, host: str) -> None:
        """Allow the next request to a host, after its pause."""
        self._busy_hosts.discard(host)
        self._wake.set()

    async def _store_fetched(self, feed: StoredFeed, got: FetchedFeed) -> None:
        now = self._now_ms()
        minutes = got.feed.ttl_minutes if got.feed is not None else None
        brought = () if got.feed is None else got.feed.entries
        oldest = self._oldest_kept_ms()
        entries = [
            entry
            for entry in brought
            if (entry.published is None or entry.published >= oldest) and self._client.may_lead(feed.url, entry.url)
        ]
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
        self._changes.publish(Principal(feed.owner), None, "feeds")

    async def _store_failure(self, feed: StoredFeed, fault: FeedError) -> None:
        """Store a failure; the next try waits twice as long, and at least as long as the server asks for."""
        now = self._now_ms()
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
        self._changes.publish(Principal(feed.owner), None, "feeds")

    # Searching

    async def search(self, principal: Principal, query: WebQuery, limit: int) -> list[WebHit]:
        """Search the entries, best first, by their share of the query's words and by freshness. Raises StoreError."""
        now = self._now_ms()
        since = None if query.days is None else now - query.days * 86_400 * MS_PER_S
        if asks_for_news(query.text):
            newest = await self._store.list_newest_entries(
                principal, limit * 4, query.language, since or now - 2 * 86_400 * MS_PER_S
            )
            return as_hits(newest, limit)
        found = await self._store.search_entries(
            principal, query.text, MAX_RANKED_ENTRIES, min_share=MIN_SHARE, since=since
        )
        half_life_days = HALF_LIFE_DAYS if query.days is None else NEWS_HALF_LIFE_DAYS

        def score(each: EntryHit) -> float:
            age_days = max(0.0, (now - each.at) / (86_400 * MS_PER_S))
            is_same_language = query.language is not None and each.entry.language == query.language
            return (
                each.share
                + 0.2 * each.titled
                + 0.3 * 0.5 ** (age_days / half_life_days)
                + (0.05 if is_same_language else 0.0)
            )

        return as_hits(sorted(found, key=score, reverse=True), limit)

    async def find_page(self, principal: Principal, url: str) -> WebPage | None:
        """Return the stored entry of a page, which can be cited without fetching it. Raises StoreError."""
        found = await self._store.find_entry(principal, url)
        return None if found is None else entry_page(found)

    def _new_feed(self, principal: Principal, outline: FeedOutline) -> StoredFeed:
        now = self._now_ms()
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

    def _now_ms(self) -> int:
        return int(self._clock() * MS_PER_S)

    def _oldest_kept_ms(self) -> int:
        return self._now_ms() - self._days * 86_400 * MS_PER_S

    def _notify(self, principal: Principal) -> None:
        self._wake.set()
        self._changes.publish(principal, None, "feeds")

    def _refuse_offline(self) -> None:
        if self._is_offline():
            raise Forbidden("Éclair is offline, so it doesn't fetch feeds; choose another policy with `egress`.")


def check_feed_url(url: str) -> str:
    """Complete and check a URL that a person typed. Raises InvalidInput."""
    url = url.strip()
    full = url if "://" in url else f"https://{url}"
    try:
        parts = urlsplit(full)
        is_valid = (
            parts.scheme in ("http", "https") and bool(parts.hostname) and not parts.username and len(full) <= 2000
        )
    except ValueError:
        is_valid = False
    if not is_valid or any(sign.isspace() or sign < " " for sign in full):
        raise InvalidInput(
            f"{url[:200]!r} isn't the address of a feed or site; write one like https://example.org/feed."
        )
    return full


def _host(url: str) -> str:
    return urlsplit(url).hostname or url


def _is_done(feed: StoredFeed | None, began: int) -> bool:
    """Return whether a feed that was due at `began` has been fetched since, or no longer needs to be."""
    return feed is None or not feed.active or (feed.due > began and feed.taken == 0)


def _as_user_error(fault: FeedError) -> UserError | UpstreamError:
    match fault.kind:
        case "refused":
            return Forbidden(str(fault))
        case "unreadable":
            return InvalidInput(str(fault))
        case "gone" | "failed":
            return UpstreamError(str(fault))
