"""Limits of requests for each client: how many at a time, and how many a minute that take work.

Whoever works on this machine has none. Behind a trusted proxy, the client is the one that it names.
"""

from __future__ import annotations

import contextlib
import logging
import math
import time
from collections import Counter
from collections.abc import Callable, Generator

from starlette.datastructures import Headers
from starlette.types import Scope

from eclair.accounts.person_limits import PersonLimits
from eclair.errors import TooBusy
from eclair.live_settings import LiveSettings
from eclair.schema.principal import Principal
from eclair.server.client_address import ClientAddresses, client_network
from eclair.server.lazy_routes import route_prefix
from eclair.settings import Settings
from eclair.util.lru import LruCache
from eclair.util.rare_log import RareLog

MCP_ROUTE = "mcp"
"""There a person is charged for calls of tools alone, when they are made."""

COSTLY_ROUTES = frozenset(
    {
        "api/answers",
        "api/chat",
        "api/conversations",
        "api/edits",
        "api/embed",
        "api/embeddings",
        "api/generate",
        "api/imports",
        "api/marks",
        "api/pictures",
        "api/research",
        "api/speech",
        "v1/audio",
        "v1/chat",
        "v1/completions",
        "v1/embeddings",
        "v1/fim",
        "v1/images",
        "v1/messages",
        "v1/rerank",
        "v1/responses",
        MCP_ROUTE,
    }
)
"""Prefixes under which a POST takes a model, a sandbox or the web."""
MAX_CLIENTS = 4096
"""Clients whose rate is remembered, those that asked last."""
RETRY_HELD_S = 10.0

log = logging.getLogger(__name__)


def is_costly(scope: Scope) -> bool:
    """Tell whether a request takes a model, a sandbox or the web."""
    return scope["method"] == "POST" and route_prefix(scope["path"]) in COSTLY_ROUTES


class ClientLimits:
    """Counts the requests of clients; a client is a network and the key that it uses."""

    def __init__(
        self, settings: LiveSettings, limits: PersonLimits, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._held = Counter[str]()
        self._allowances: LruCache[tuple[str, str | None], tuple[float, float]] = LruCache(MAX_CLIENTS)
        self._log = RareLog(log)
        settings.follow(self._apply)

    def _apply(self, settings: Settings) -> None:
        self._max_held = settings.max_client_connections
        self._per_minute = settings.client_requests_per_minute
        self._addresses = ClientAddresses(settings.trusted_proxies)

    def find_client(self, scope: Scope, headers: Headers) -> str | None:
        """Return the network that a request comes from; None for this machine, and proxies that name nobody."""
        address = self._addresses.find(scope, headers)
        return None if self._addresses.is_proxy(address) else client_network(address)

    @contextlib.contextmanager
    def holding(self, client: str | None) -> Generator[None]:
        """Count a request of a client as long as it lasts, event streams too. Raises TooBusy."""
        if client is None:
            yield
            return
        if self._held[client] >= self._max_held:
            self._log.warn(f"held {client}", f"Refused requests of {client}: it has {self._max_held:,} at a time.")
            raise TooBusy(
                f"Your address has {self._max_held:,} requests open, the limit; "
                "close some pages (ECLAIR_MAX_CLIENT_CONNECTIONS).",
                retry_after=RETRY_HELD_S,
            )
        self._held[client] += 1
        try:
            yield
        finally:
            self._held[client] -= 1
            if not self._held[client]:
                del self._held[client]

    def charge(self, client: str | None, principal: Principal, scope: Scope) -> None:
        """Take a costly request off its client's allowance, which fills up again within a minute, and its person's.

        Raises TooBusy.
        """
        prefix = route_prefix(scope["path"])
        if not is_costly(scope):
            return
        if prefix != MCP_ROUTE:
            self._limits.charge(principal)
        if client is None or not self._per_minute:
            return
        now, per_second = self._clock(), self._per_minute / 60
        left, since = self._allowances.get((client, principal.key)) or (float(self._per_minute), now)
        left = min(left + (now - since) * per_second, self._per_minute)
        if left < 1:
            wait_s = math.ceil((1 - left) / per_second)
            self._log.warn(f"rate {client}", f"Refused requests of {client}: more than {self._per_minute:,} a minute.")
            raise TooBusy(
                f"You ask more than {self._per_minute:,} times a minute; wait {wait_s} s "
                "(ECLAIR_CLIENT_REQUESTS_PER_MINUTE).",
                retry_after=wait_s,
            )
        self._allowances.put((client, principal.key), (left - 1, now))
