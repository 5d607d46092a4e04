"""Whether a call may go out, and the row that it leaves in the ledger. The connection itself is made by `egress`."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import NoReturn, Protocol

from eclair.errors import Refused
from eclair.network.policy import Purpose, Rules, is_loopback, located, seat, without_key
from eclair.network.ssrf import LONGEST
from eclair.storage.audit import CallRecord, Verdict

RUN: ContextVar[str | None] = ContextVar("run", default=None)
"""The run for which whatever is called now is called. Of one that is not kept, the ledger keeps no addresses."""

OWNER = "local"
"""Who owns what is kept, until there are accounts."""


@dataclass(frozen=True, slots=True)
class Errand:
    """For whom and for what a call is made; `run` is that of `RUN` where it is None. `country` is that of the server,
    where the owner has stated it."""

    owner: str
    purpose: Purpose
    run: str | None = None
    country: str | None = None


class Recorder(Protocol):
    """What keeps the calls."""

    def record(self, call: CallRecord) -> None:
        """Keep it, without a wait."""
        ...


@dataclass(slots=True)
class Out:
    """A call that is out. `address` is where the connection went; `sent` and `received` are bytes."""

    errand: Errand
    method: str
    url: str
    sent: int
    moment: int
    begun: float
    run: str | None = None
    address: str | None = None
    status: int | None = None
    received: int = 0


@dataclass(frozen=True, slots=True)
class Door:
    """Rules, and who records what they let out. The default lets nothing leave this machine."""

    rules: Rules = field(default_factory=Rules)
    recorder: Recorder | None = None
    clock: Callable[[], float] = time.time

    def begin(self, method: str, url: str, errand: Errand, body: int = 0) -> Out | None:
        """A call that may go out now; None for one that stays on this machine, which is never recorded.

        `body` is its length in bytes. Raises Refused, having recorded that.
        """
        if is_loopback(url):
            return None
        call = self._opened(method, url, errand, body)
        fault = self.rules.fault(call.url, errand.purpose, errand.country)
        if fault is not None:
            self.refuse(call, Refused(fault))
        return call

    def refuse_url(self, method: str, url: str, errand: Errand, why: Refused) -> NoReturn:
        """Record that an address was refused, and raise `why`."""
        self.refuse(self._opened(method, url, errand, 0), why)

    def refuse(self, call: Out, why: Refused) -> NoReturn:
        """Record that a call was refused, and raise `why`."""
        self._record(replace(call, sent=0), "refused", why.message)
        raise why

    def end(self, call: Out, fault: str | None = None) -> None:
        """Record how a call ended; `fault` says what kept it from being answered whole."""
        self._record(call, "passed" if fault is None else "failed", fault)

    def _opened(self, method: str, url: str, errand: Errand, body: int) -> Out:
        url = url[:LONGEST].encode(errors="replace").decode()
        host, _ = located(url)
        asked = len(url.encode()) - len(host)
        return Out(
            errand, method, url, body + asked, int(self.clock() * 1000), time.perf_counter(), errand.run or RUN.get()
        )

    def _record(self, call: Out, verdict: Verdict, reason: str | None) -> None:
        if self.recorder is None:
            return
        host, _ = located(call.url)
        errand = call.errand
        self.recorder.record(
            CallRecord(
                owner=errand.owner,
                moment=call.moment,
                purpose=errand.purpose,
                run=call.run,
                method=call.method,
                url=without_key(call.url),
                host=host,
                address=call.address,
                country=errand.country or seat(host, errand.purpose),
                sent=call.sent,
                received=call.received,
                status=call.status,
                milliseconds=(time.perf_counter() - call.begun) * 1000,
                verdict=verdict,
                reason=reason,
            )
        )


CLOSED = Door()
"""What is used where nobody gave a door."""
