"""Fetches and caches robots.txt (RFC 9309), and decides which URLs may be fetched."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

from protego import Protego

from eclair.network.client import WebClient
from eclair.network.gate import CallContext
from eclair.network.response import BrokenReply
from eclair.util.lru import LruCache

ROBOTS_PRODUCT = "Eclair"
"""Éclair's product token in robots.txt."""

RULES_TTL_S = 24 * 3600.0
"""The longest time that the standard allows."""

RETRY_DELAY_S = 60.0
"""After a robots.txt that could not be fetched."""

MAX_HOSTS = 500

MAX_ROBOTS_BYTES = 512 << 10
"""The standard asks for at least 500 KiB."""

MAX_CRAWL_DELAY_S = 5.0
"""A longer delay is cut, as a person waits."""


@dataclass(frozen=True, slots=True)
class RobotsRules:
    """The rules of one host, valid until `until`. `fault` says why nothing at all may be fetched."""

    until: float
    parsed: Protego | None = None
    crawl_delay_s: float = 0.0
    fault: str | None = None
    sitemaps: tuple[str, ...] = ()

    def refusal(self, url: str) -> str | None:
        """Explain in a sentence why a URL may not be fetched; None if it may."""
        if self.fault is not None or self.parsed is None or self.parsed.can_fetch(url, ROBOTS_PRODUCT):
            return self.fault
        host = urlsplit(url).hostname
        return f"{host} asks in its robots.txt that programs do not read this page; open it in a browser."


class RobotsCache:
    """Fetches the rules of each host once, and caches them."""

    def __init__(self, client: WebClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._clock = clock
        self._rules = LruCache[str, RobotsRules](MAX_HOSTS)
        self._asking = WeakValueDictionary[str, asyncio.Lock]()

    async def rules(self, url: str, context: CallContext, timeout_s: float) -> RobotsRules:
        """Return the rules of the URL's host. Raises as `WebClient.get` does."""
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc.lower()}"
        async with self._asking.setdefault(origin, asyncio.Lock()):
            rules = self._rules.get(origin)
            if rules is None or rules.until <= self._clock():
                rules = await self._read(origin, replace(context, purpose="robots"), timeout_s)
                self._rules.put(origin, rules)
        return rules

    async def _read(self, origin: str, context: CallContext, timeout_s: float) -> RobotsRules:
        now = self._clock()
        try:
            async with self._client.get(f"{origin}/robots.txt", context, timeout_s=timeout_s) as reply:
                if reply.status == 429 or reply.status >= 500:
                    host = urlsplit(origin).hostname
                    return RobotsRules(
                        now + RETRY_DELAY_S,
                        fault=f"{host} cannot say what it lets programs read (its robots.txt answers "
                        f"{reply.status}); try again later.",
                    )
                if reply.status >= 300:  # there are no rules
                    return RobotsRules(now + RULES_TTL_S)
                body = await reply.body(MAX_ROBOTS_BYTES)
        except BrokenReply:  # redirects in circles or invalid HTTP: as if there were no rules
            return RobotsRules(now + RETRY_DELAY_S)
        parsed = await asyncio.to_thread(Protego.parse, body.decode("utf-8", "replace"))
        pause = min(parsed.crawl_delay(ROBOTS_PRODUCT) or 0.0, MAX_CRAWL_DELAY_S)
        return RobotsRules(now + RULES_TTL_S, parsed, pause, sitemaps=tuple(parsed.sitemaps)[:20])
