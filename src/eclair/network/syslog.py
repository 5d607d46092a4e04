"""Syslog: sends messages of RFC 5424 to another machine, by UDP, TCP or TLS, through the outbound gate."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlsplit

from eclair.errors import UpstreamError
from eclair.network.gate import CallContext, OutboundCall, OutboundGate

DEFAULT_PORTS = {"udp": 514, "tcp": 601, "tls": 6514}
SEND_TIMEOUT_S = 10.0
LOG_AUDIT = 13
INFORMATIONAL = 6
WARNING = 4

_UNPRINTABLE = re.compile(r"[^!-~]+")


@dataclass(frozen=True, slots=True)
class SyslogMessage:
    """A message: `id` names its kind, `moment` is in milliseconds since 1970."""

    moment: int
    id: str
    text: bytes
    severity: int = INFORMATIONAL

    def encode(self) -> bytes:
        time = datetime.fromtimestamp(self.moment / 1000, UTC).isoformat(timespec="milliseconds")
        host = _UNPRINTABLE.sub("-", socket.gethostname())[:255] or "-"
        head = f"<{LOG_AUDIT * 8 + self.severity}>1 {time} {host} eclair {os.getpid()} {self.id[:32]} - "
        return head.encode() + self.text


class SyslogClient:
    """Sends to the machine at `url`, such as `tls://log.example.org:6514`."""

    def __init__(self, url: str, gate: OutboundGate) -> None:
        parts = urlsplit(url)
        self._url = url
        self._scheme = parts.scheme
        self._host = parts.hostname or ""
        self._port = parts.port or DEFAULT_PORTS[parts.scheme]
        self._gate = gate

    async def send(self, messages: Sequence[SyslogMessage], context: CallContext) -> None:
        """Send all messages. Raises Refused by the policy, and UpstreamError."""
        encoded = [message.encode() for message in messages]
        call = self._gate.begin("SYSLOG", self._url, context, sum(map(len, encoded)))
        if call is not None:
            await self._gate.store(call)
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await (self._send_datagrams(encoded, call) if self._scheme == "udp" else self._stream(encoded, call))
        except (OSError, TimeoutError) as error:
            why = "it took too long" if isinstance(error, TimeoutError) else str(error)
            if call is not None:
                self._gate.end(call, why)
            raise UpstreamError(f"{self._url} can't be sent to: {why}.") from error
        if call is not None:
            self._gate.end(call)

    async def _send_datagrams(self, messages: Sequence[bytes], call: OutboundCall | None) -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            asyncio.DatagramProtocol, remote_addr=(self._host, self._port)
        )
        try:
            _note_address(transport, call)
            for message in messages:
                transport.sendto(message)
        finally:
            transport.close()

    async def _stream(self, messages: Sequence[bytes], call: OutboundCall | None) -> None:
        """Frame by octet counting, as RFC 5425 and RFC 6587 have it."""
        context = ssl.create_default_context() if self._scheme == "tls" else None
        _, writer = await asyncio.open_connection(self._host, self._port, ssl=context)
        try:
            _note_address(writer.transport, call)
            for message in messages:
                writer.write(b"%d %b" % (len(message), message))
            await writer.drain()
        finally:
            writer.close()
            await writer.wait_closed()


def _note_address(transport: asyncio.BaseTransport, call: OutboundCall | None) -> None:
    peer = transport.get_extra_info("peername")
    if call is not None and peer:
        call.address = str(peer[0])
