"""The outbound gate: decides whether a call may leave, and records it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import NoReturn, Protocol

from eclair.errors import Refused
from eclair.network.policy import OutboundPolicy, Purpose, country_for, host_and_port, is_loopback_url, strip_secrets
from eclair.network.ssrf import MAX_URL_CHARS
from eclair.schema.principal import LOCAL_PRINCIPAL, Principal
from eclair.storage.audit import CallRecord, CallVerdict

CURRENT_RUN: ContextVar[str | None] = ContextVar("run", default=None)
"""The run that outgoing calls belong to. The audit log keeps no URLs for a run that isn't stored."""

PRINCIPAL: ContextVar[Principal] = ContextVar("principal", default=LOCAL_PRINCIPAL)
"""On whose behalf engines are called now; the server sets it for each request."""


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

    def record(self, call: CallRecord) -> None:
        """Store a call, without waiting."""
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


@dataclass(frozen=True, slots=True)
class OutboundGate:
    """Applies the policy to every call and records it. By default nothing leaves this machine."""

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
        return call

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
        if self.recorder is None:
            return
        host, _ = host_and_port(call.url)
        context = call.context
        self.recorder.record(
            CallRecord(
                owner=context.principal.id,
                moment=call.started_ms,
                purpose=context.purpose,
                run=call.run,
                method=call.method,
                url=strip_secrets(call.url),
                host=host,
                address=call.address,
                country=context.country or country_for(host, context.purpose),
                sent=call.sent,
                received=call.received,
                status=call.status,
                milliseconds=(time.perf_counter() - call.started) * 1000,
                verdict=verdict,
                reason=reason,
            )
        )


CLOSED_GATE = OutboundGate()
"""The default: nothing leaves this machine."""
