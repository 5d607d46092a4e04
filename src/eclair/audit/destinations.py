"""Destinations of the audit log outside the database: a file, a syslog server, a webhook.

Each gets every act, as a line of OCSF, and every checkpoint. One that can't be reached gets them later, in order.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from eclair.audit.audit_export import act_line
from eclair.audit.checkpoint_notes import checkpoint_line
from eclair.errors import UpstreamError
from eclair.network.client import CallContext, HttpClient, OutboundGate
from eclair.network.syslog import INFORMATIONAL, WARNING, SyslogClient, SyslogMessage
from eclair.schema.audit import SYSTEM_PRINCIPAL, AuditAct, AuditCheckpoint
from eclair.settings import Settings

CONTEXT = CallContext(SYSTEM_PRINCIPAL, "audit")
WEBHOOK_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """An act or a checkpoint, as destinations get it."""

    moment: int
    name: str
    line: bytes
    is_failure: bool = False

    @classmethod
    def of_act(cls, act: AuditAct) -> AuditEntry:
        return cls(act.moment, act.action, act_line(act, "ocsf"), act.outcome != "success")

    @classmethod
    def of_checkpoint(cls, checkpoint: AuditCheckpoint) -> AuditEntry:
        return cls(checkpoint.moment, "checkpoint", checkpoint_line(checkpoint).encode())


class AuditDestination(Protocol):
    """Takes entries. `name` stays the same as long as it is the same place."""

    name: str

    async def send(self, entries: Sequence[AuditEntry]) -> None:
        """Raises EclairError where they aren't taken."""
        ...

    async def close(self) -> None: ...


class FileDestination:
    """A file that is only appended to, best on another disk or with `chattr +a`."""

    def __init__(self, path: Path) -> None:
        self.name = f"file:{path}"
        self._path = path

    async def send(self, entries: Sequence[AuditEntry]) -> None:
        try:
            await asyncio.to_thread(self._append, b"".join(entry.line + b"\n" for entry in entries))
        except OSError as error:
            raise UpstreamError(f"{self._path} can't be written: {error.strerror}.") from error

    async def close(self) -> None: ...

    def _append(self, data: bytes) -> None:
        handle = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            while data:
                data = data[os.write(handle, data) :]
            os.fsync(handle)
        finally:
            os.close(handle)


class SyslogDestination:
    """A syslog server."""

    def __init__(self, url: str, gate: OutboundGate) -> None:
        self.name = f"syslog:{url}"
        self._client = SyslogClient(url, gate)

    async def send(self, entries: Sequence[AuditEntry]) -> None:
        messages = [
            SyslogMessage(entry.moment, entry.name, entry.line, WARNING if entry.is_failure else INFORMATIONAL)
            for entry in entries
        ]
        await self._client.send(messages, CONTEXT)

    async def close(self) -> None: ...


class WebhookDestination:
    """An address that takes lines of JSON by POST."""

    def __init__(self, url: str, key: str | None, gate: OutboundGate) -> None:
        self.name = f"webhook:{url}"
        self._url = url
        self._client = HttpClient(url, key, gate=gate)

    async def send(self, entries: Sequence[AuditEntry]) -> None:
        body = b"".join(entry.line + b"\n" for entry in entries)
        try:
            async with (
                asyncio.timeout(WEBHOOK_TIMEOUT_S),
                self._client.post(self._url, body, content_type="application/x-ndjson", context=CONTEXT) as reply,
            ):
                if reply.status >= 300:
                    raise UpstreamError(f"{self._url} answers with {reply.status}.")
        except TimeoutError as error:
            raise UpstreamError(f"{self._url} took too long.") from error

    async def close(self) -> None:
        await self._client.close()


def build_destinations(settings: Settings, gate: OutboundGate) -> list[AuditDestination]:
    """Build the destinations that the settings name."""
    found = list[AuditDestination]()
    if settings.audit_file is not None:
        found.append(FileDestination(settings.audit_file))
    if settings.audit_syslog is not None:
        found.append(SyslogDestination(settings.audit_syslog, gate))
    if settings.audit_webhook is not None:
        found.append(WebhookDestination(settings.audit_webhook, settings.audit_webhook_key, gate))
    return found
