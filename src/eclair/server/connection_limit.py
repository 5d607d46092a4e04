"""The limit of connections: all of them together, and those of one client."""

from __future__ import annotations

import logging
from collections import Counter

from eclair.live_settings import LiveSettings
from eclair.server.client_address import ClientAddresses, client_network
from eclair.settings import Settings
from eclair.util.rare_log import RareLog

MAX_CLIENT_SHARE = 0.5
"""No client may have more of all connections, whatever the settings say."""
MAX_SURPLUS_SHARE = 0.25
"""So many more connections, by the limit of all, are kept until they ask for something and can be told."""
MAX_CLIENT_SURPLUS = 32
"""So many of them may be one client's."""

log = logging.getLogger(__name__)


class ConnectionLimit:
    """Counts the connections that were admitted. This machine's own and trusted proxies' count only together."""

    def __init__(self, max_connections: int, settings: LiveSettings) -> None:
        self.max_connections = max_connections
        self._clients = Counter[str]()
        self._total = 0
        self._surplus = Counter[str | None]()
        self._log = RareLog(log)
        settings.follow(self._apply)

    def _apply(self, settings: Settings) -> None:
        self._max_of_client = min(settings.max_client_connections, int(self.max_connections * MAX_CLIENT_SHARE))
        self._addresses = ClientAddresses(settings.trusted_proxies)

    def find_client(self, address: str) -> str | None:
        """Return the client that a connection counts for; None for this machine and trusted proxies."""
        return None if self._addresses.is_proxy(address) else client_network(address)

    def admit(self, client: str | None) -> tuple[int, str] | None:
        """Count a connection, or return the status and the sentence that refuse it."""
        if self._total >= self.max_connections:
            self._log.warn("", f"Refused connections: all {self.max_connections:,} are taken, the limit.")
            return 503, "Éclair has as many open connections as it can hold; try again in a minute."
        if client is not None:
            if self._clients[client] >= self._max_of_client:
                most = f"{self._max_of_client:,}"
                self._log.warn(client, f"Refused connections of {client}: it has {most} open, the limit.")
                return 429, (
                    f"Your address has {most} connections open, the limit; "
                    "close some pages (ECLAIR_MAX_CLIENT_CONNECTIONS)."
                )
            self._clients[client] += 1
        self._total += 1
        return None

    def keep_surplus(self, client: str | None) -> bool:
        """Count a connection that wasn't admitted; return False for one that should be closed unheard."""
        if self._surplus.total() >= int(self.max_connections * MAX_SURPLUS_SHARE):
            return False
        if client is not None and self._surplus[client] >= MAX_CLIENT_SURPLUS:
            return False
        self._surplus[client] += 1
        return True

    def drop_surplus(self, client: str | None) -> None:
        """Forget a connection that was kept as surplus: it ended, or was admitted."""
        self._surplus[client] -= 1
        if not self._surplus[client]:
            del self._surplus[client]

    def release(self, client: str | None) -> None:
        """Give back the place of a connection that was admitted."""
        self._total -= 1
        if client is not None:
            self._clients[client] -= 1
            if not self._clients[client]:
                del self._clients[client]
