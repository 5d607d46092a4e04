"""A gate over a stand-in on loopback: names under `.test` lead to it, and every record is kept to be looked at."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from eclair.network.client import CallContext, OutboundGate, WebClient
from eclair.network.policy import OutboundPolicy
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.egress import CallRecord
from tests.llm.standin import StandIn, standing_in

CONTEXT = CallContext(LOCAL_PRINCIPAL, "page")


@dataclass
class Rows:
    calls: list[CallRecord] = field(default_factory=list[CallRecord])
    begun: list[CallRecord] = field(default_factory=list[CallRecord])

    async def begin(self, call: CallRecord) -> int:
        self.begun.append(call)
        return len(self.begun)

    def record(self, call: CallRecord, begun: Awaitable[int] | None = None) -> None:
        self.calls.append(call)


class Names:
    """Leads each name to its addresses, in turn where it is asked again; others to `port` of this machine."""

    def __init__(self, port: int, names: Mapping[str, list[str]] | None = None) -> None:
        self.port = port
        self.names = names or {}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[tuple[str, int]]:
        self.asked.append(host)
        if host not in self.names and not host.endswith(".test"):
            raise OSError("Name or service not known")
        there = port if host in self.names else self.port
        return [(address, there) for address in self.names.get(host, ["127.0.0.1"])]


@dataclass
class House:
    standin: StandIn
    browser: WebClient
    rows: Rows
    names: Names
    port: int


@asynccontextmanager
async def house(
    rules: OutboundPolicy | None = None, names: Mapping[str, list[str]] | None = None
) -> AsyncGenerator[House]:
    """A browser for which the stand-in is the one private service, unless `rules` say otherwise."""
    async with standing_in() as standin:
        port = int(standin.url.rpartition(":")[2])
        rows, resolver = Rows(), Names(port, names)
        gate = OutboundGate(rules or OutboundPolicy("open", (), frozenset({("127.0.0.1", port)})), rows)
        browser = WebClient(gate, resolver=resolver)
        try:
            yield House(standin, browser, rows, resolver, port)
        finally:
            await browser.close()
