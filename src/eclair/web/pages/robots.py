"""What servers ask of programs that fetch from them (robots.txt, RFC 9309). Who asks them is let through or not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from protego import Protego

from eclair.network.client import WebClient
from eclair.network.gate import CallContext
from eclair.network.response import BrokenReply
from eclair.util.lru import LruCache

ROBOTS_NAME = "Eclair"
"""The name under which a server may speak of us."""

RULES_TTL_S = 24 * 3600.0
"""Seconds for which what was read is believed, the most that the standard allows."""

RETRY_DELAY_S = 60.0
"""Seconds after which a server is asked anew that could not say."""

MAX_HOSTS = 500
"""Servers whose rules are kept."""

MAX_ROBOTS_BYTES = 512 << 10
"""Bytes that are read of a file; the standard asks for 500 KiB."""

MAX_CRAWL_DELAY_S = 5.0
"""Seconds between two calls to a server at most, even if it asks for more: a person waits."""


@dataclass(frozen=True, slots=True)
class RobotsRules:
    """What one server asks. `pause` is seconds between two calls; `fault` says why nothing may be fetched."""

    until: float
    parsed: Protego | None = None
    crawl_delay_s: float = 0.0
    fault: str | None = None
    sitemaps: tuple[str, ...] = ()

    def refusal(self, url: str) -> str | None:
        """Why the page may not be fetched, in a sentence; None where it may."""
        if self.fault is not None or self.parsed is None or self.parsed.can_fetch(url, ROBOTS_NAME):
            return self.fault
        host = urlsplit(url).hostname
        return f"{host} asks in its robots.txt that programs do not read this page; open it in a browser."


class RobotsCache:
    """Asks each server once, and keeps its rules."""

    def __init__(self, browser: WebClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._browser = browser
        self._clock = clock
        self._rules = LruCache[str, RobotsRules](MAX_HOSTS)
        self._asking: dict[str, asyncio.Lock] = {}

    async def rules(self, url: str, context: CallContext, timeout_s: float) -> RobotsRules:
        """The rules of the server of `url`. Raises what `Browser.get` does where it cannot be called."""
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc.lower()}"
        async with self._asking.setdefault(origin, asyncio.Lock()):
            try:
                rules = self._rules.get(origin)
                if rules is None or rules.until <= self._clock():
                    rules = await self._read(origin, replace(context, purpose="robots"), timeout_s)
                    self._rules.put(origin, rules)
            finally:
                self._asking.pop(origin, None)
        return rules

    async def _read(self, origin: str, context: CallContext, within: float) -> RobotsRules:
        now = self._clock()
        try:
            async with self._browser.get(f"{origin}/robots.txt", context, timeout_s=within) as reply:
                if reply.status == 429 or reply.status >= 500:
                    host = urlsplit(origin).hostname
                    return RobotsRules(
                        now + RETRY_DELAY_S,
                        fault=f"{host} cannot say what it lets programs read (its robots.txt answers "
                        f"{reply.status}); try again later.",
                    )
                if reply.status >= 300:  # there is none
                    return RobotsRules(now + RULES_TTL_S)
                body = await reply.body(MAX_ROBOTS_BYTES)
        except BrokenReply:  # one that leads in circles or is no HTTP is as good as none
            return RobotsRules(now + RETRY_DELAY_S)
        parsed = await asyncio.to_thread(Protego.parse, body.decode("utf-8", "replace"))
        pause = min(parsed.crawl_delay(ROBOTS_NAME) or 0.0, MAX_CRAWL_DELAY_S)
        return RobotsRules(now + RULES_TTL_S, parsed, pause, sitemaps=tuple(parsed.sitemaps)[:20])
