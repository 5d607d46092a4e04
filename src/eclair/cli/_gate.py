"""The outbound gate of commands that have opened the database."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from eclair.network.egress_log import EgressLog
from eclair.network.gate import OutboundGate
from eclair.network.policy import OutboundPolicy
from eclair.settings import Settings
from eclair.storage.base import Storage


@asynccontextmanager
async def open_recorded_gate(settings: Settings, storage: Storage) -> AsyncGenerator[OutboundGate]:
    """Open a gate whose calls are in the egress log. Raises SettingsError."""
    calls = EgressLog(storage.egress)
    try:
        yield OutboundGate(OutboundPolicy.from_settings(settings), calls)
    finally:
        await calls.close()
