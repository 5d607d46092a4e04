"""The outbound gate: decides whether a call may leave, and records it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import NoReturn, Protocol

from eclair.errors import Refused
from eclair.network.policy import (
    OutboundPolicy,
    Purpose,
    country_of_call,
    host_and_port,
    is_loopback_url,
    strip_secrets,
)
from eclair.network.ssrf import MAX_URL_CHARS
from eclair.schema.principal import LOCAL_PRINCIPAL, Principal
from eclair.storage.egress import CallRecord, CallVerdict

CURRENT_RUN: ContextVar[str | None] = ContextVar("run", default=None)
"""The run that outgoing calls belong to. The egress log keeps no URLs for a run that isn't stored."""

CURRENT_CONVERSATION: ContextVar[str | None] = ContextVar("conversation", default=None)
"""The stored conversation that engines are called for."""

PRINCIPAL: ContextVar[Principal] = ContextVar("principal", default=LOCAL_PRINCIPAL)
"""On whose behalf engines are called now; the server sets it for each request."""


@dataclass(slots=True)
class SentBytes:
    """The bytes that calls sent while it was counted."""

    count: int = 0


SENT_BYTES: ContextVar[SentBytes | None] = ContextVar("sent", default=None)
"""Counts the bytes of calls that leave now, such as those of a tool."""


@dataclass(frozen=True, slots=True)
class CallContext:
    """The caller and purpose of a call. `run` defaults to `CURRENT_RUN`.

    `country` is the server's ISO code where the owner has stated it.
    """

    principal: Principal
    purpose: Purpose
    run: str | None = None
    country: str | None = None


class CallRecorder(Protocol):
    """Stores records of calls."""

    async def begin(self, call: CallRecord) -> int:
        """Store a call that is about to be made, and return its id; 0 if it can't be stored now."""
        ...

    def record(self, call: CallRecord, begun: Awaitable[int] | None = None) -> None:
        """Store a call that has ended, without waiting. `begun` gives the id it was begun under."""
        ...


@dataclass(slots=True)
class OutboundCall:
    """A call under way. `address` is the IP address connected to; `sent` and `received` are bytes."""

    context: CallContext
    method: str
    url: str
    sent: int
    started_ms: int
    started: float
    run: str | None = None
    address: str | None = None
    status: int | None = None
    received: int = 0
    begun: asyncio.Future[int] | None = None


@dataclass(slots=True)
class OutboundGate:
    """Applies the policy, which may change, to every call and records it. By default nothing leaves this machine."""

    policy: OutboundPolicy = field(default_factory=OutboundPolicy)
    recorder: CallRecorder | None = None
    clock: Callable[[], float] = time.time

    def begin(self, method: str, url: str, context: CallContext, body_bytes: int = 0) -> OutboundCall | None:
        """Let a call out, or raise Refused and record that.

        Returns None for a call to this machine, which is never recorded.
        """
        if is_loopback_url(url):
            return None
        call = self._new_call(method, url, context, body_bytes)
        fault = self.policy.refusal(call.url, context.purpose, context.country)
        if fault is not None:
            self.refuse(call, Refused(fault))
        if (sent := SENT_BYTES.get()) is not None:
            sent.count += call.sent
        return call

    async def store(self, call: OutboundCall) -> None:
        """Store a call that was let out. To be awaited before anything is sent."""
        if self.recorder is not None:
            call.begun = asyncio.ensure_future(self.recorder.begin(_describe(call, "begun", None)))
            await asyncio.shield(call.begun)

    def refuse_url(self, method: str, url: str, context: CallContext, why: Refused) -> NoReturn:
        """Record that a URL was refused, and raise `why`."""
        self.refuse(self._new_call(method, url, context, 0), why)

    def refuse(self, call: OutboundCall, why: Refused) -> NoReturn:
        """Record that a call was refused, and raise `why`."""
        self._record(replace(call, sent=0), "refused", why.message)
        raise why

    def end(self, call: OutboundCall, fault: str | None = None) -> None:
        """Record how a call ended; `fault` says why it wasn't answered in full."""
        self._record(call, "passed" if fault is None else "failed", fault)

    def _new_call(self, method: str, url: str, context: CallContext, body: int) -> OutboundCall:
        url = url[:MAX_URL_CHARS].encode(errors="replace").decode()
        host, _ = host_and_port(url)
        asked = len(url.encode()) - len(host)
        return OutboundCall(
            context,
            method,
            url,
            body + asked,
            int(self.clock() * 1000),
            time.perf_counter(),
            context.run or CURRENT_RUN.get(),
        )

    def _record(self, call: OutboundCall, verdict: CallVerdict, reason: str | None) -> None:
        if self.recorder is not None:
            self.recorder.record(_describe(call, verdict, reason), call.begun)


def _describe(call: OutboundCall, verdict: CallVerdict, reason: str | None) -> CallRecord:
    host, _ = host_and_port(call.url)
    context = call.context
    return CallRecord(
        owner=context.principal.id,
        moment=call.started_ms,
        purpose=context.purpose,
        run=call.run,
        method=call.method,
        url=strip_secrets(call.url),
        host=host,
        address=call.address,
        country=country_of_call(host, context.purpose, context.country),
        sent=call.sent,
        received=call.received,
        status=call.status,
        milliseconds=(time.perf_counter() - call.started) * 1000,
        verdict=verdict,
        reason=reason,
    )


CLOSED_GATE = OutboundGate()
"""The default: nothing leaves this machine."""
