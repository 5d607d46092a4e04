"""Reloads the settings while Éclair serves: those that need no restart, and the TLS certificate.

Requests that have begun, and the answers being made, go on as they are.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass

from eclair.errors import EclairError, SettingsError
from eclair.live_settings import LiveSettings, SettingsChange
from eclair.network.tls import load_certificate, load_tls
from eclair.schema.audit import SYSTEM_PRINCIPAL
from eclair.server.service_manager import ServiceManager
from eclair.settings import Settings
from eclair.storage.audit import AuditStore
from eclair.util.log_context import log_admin_act

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SettingsSource:
    """A way to read the settings; `apply_logging` sets up the log as they say."""

    read: Callable[[], Settings]
    apply_logging: Callable[[Settings], None]


class SettingsReload:
    """Reloads the settings from a source when asked to. `check` raises SettingsError for those that can't work."""

    def __init__(self, source: SettingsSource, check: Callable[[Settings], None], tls: ssl.SSLContext | None) -> None:
        self._source = source
        self._check = check
        self._tls = tls
        self._requested = asyncio.Event()

    def request(self) -> None:
        """Ask for a reload; several that wait are one."""
        self._requested.set()

    async def run(self, live: LiveSettings, manager: ServiceManager, audit: AuditStore) -> None:
        """Reload whenever asked to, until cancelled."""
        while True:
            await self._requested.wait()
            self._requested.clear()
            manager.reloading()
            fault = await self._reload(live)
            manager.reloaded(fault)
            outcome = "success" if fault is None else "failure"
            await audit.add_act(SYSTEM_PRINCIPAL, "settings.reloaded", outcome=outcome)

    async def _reload(self, live: LiveSettings) -> str | None:
        """Reload once; return what was wrong, in which case everything stays as it was."""
        try:
            change = await asyncio.to_thread(self._prepare, live)
        except EclairError as error:
            log.error("The settings stay as they were: %s", error.message)
            return error.message
        live.apply(change)
        if self._tls is not None:
            load_certificate(self._tls, change.settings)
        self._source.apply_logging(change.settings)
        changed = ", ".join(change.changed)
        log_admin_act(
            "settings.reloaded", f"The settings were read again; changed: {changed or 'none'}.", changed=changed
        )
        if change.pending:
            log.warning("Restart for these settings: %s.", ", ".join(change.pending))
        return None

    def _prepare(self, live: LiveSettings) -> SettingsChange:
        """Read and check the settings. Raises EclairError."""
        change = live.plan_change(self._source.read())
        self._check(change.settings)
        if (load_tls(change.settings) is None) != (self._tls is None):
            raise SettingsError("Serving over https can't be switched on or off without a restart; restart Éclair.")
        return change
