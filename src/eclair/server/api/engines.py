"""`/api/engines`: list, add, change, probe and remove model servers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Annotated, Literal, Self

from fastapi import APIRouter
from pydantic import BaseModel, Field

from eclair.app import App
from eclair.errors import EclairError
from eclair.llm.base import EndpointState, PooledEngine
from eclair.llm.servers.jurisdiction import LocationKind, ModelProvider, known_providers
from eclair.llm.servers.probe import Probe, ProbeFinding
from eclair.llm.servers.service import MAX_ENDPOINTS, Server, ServerChange
from eclair.network.policy import strip_login
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody
from eclair.server.sse import EventStream, StreamError, StreamFault, encode_frame
from eclair.settings import EndpointSettings, EngineApi, hide_login

ModelNames = Annotated[list[str], Field(max_length=100)]
Context = Annotated[int | None, Field(ge=0, le=100_000_000)]


class EndpointBody(RequestBody):
    """A further address that shares a server's work; one of twice the weight gets twice as much."""

    url: str
    weight: Annotated[float, Field(allow_inf_nan=False)] = 1.0


Endpoints = Annotated[list[EndpointBody], Field(max_length=MAX_ENDPOINTS)]


class EngineBody(RequestBody):
    """Settings of a server. An empty `key`, `country` or `api`, or a `context` of 0, clears it.

    `endpoints` replace those that the server has.
    """

    url: str | None = None
    key: str | None = None
    models: ModelNames | None = None
    context: Context = None
    country: str | None = None
    api: EngineApi | Literal[""] | None = None
    endpoints: Endpoints | None = None

    def change(self) -> ServerChange:
        return ServerChange(
            url=self.url,
            key=self.key,
            models=None if self.models is None else tuple(self.models),
            context=self.context,
            country=self.country,
            api=self.api,
            endpoints=None
            if self.endpoints is None
            else tuple(EndpointSettings(each.url, each.weight) for each in self.endpoints),
        )


class NewEngine(EngineBody):
    name: str
    url: str  # pyright: ignore[reportIncompatibleVariableOverride, reportGeneralTypeIssues]


class LocationReport(BaseModel):
    where: LocationKind
    country: str | None
    provider: str | None
    stated: bool


class EndpointReport(BaseModel):
    """One of the addresses that share a server's work; `detail` says why it is down."""

    url: str
    weight: float
    state: Literal["ready", "down"]
    detail: str | None
    running: int

    @classmethod
    def from_endpoint(cls, endpoint: EndpointState) -> Self:
        fault = endpoint.fault
        return cls(
            url=strip_login(endpoint.url),
            weight=endpoint.weight,
            state="ready" if fault is None else "down",
            detail=None if fault is None else hide_login(fault.message),
            running=endpoint.running,
        )


class EngineReport(BaseModel):
    """A server, with the result of the last request for its models.

    `detail` says why it is down; `answers` are the models it offers. `api` is the API that it speaks, null if its
    address tells it. `endpoints` share its work, if there are several.
    """

    name: str
    url: str
    origin: Literal["file", "added"]
    keyed: bool
    state: Literal["ready", "down"]
    detail: str | None
    answers: list[str]
    models: list[str]
    context: int | None
    place: LocationReport
    note: str | None
    probe: Probe | None
    api: EngineApi | None
    endpoints: list[EndpointReport]

    @classmethod
    def from_server(
        cls, server: Server, answers: Sequence[str], fault: EclairError | None, endpoints: Sequence[EndpointState]
    ) -> Self:
        problem = server.problem or (fault.message if fault is not None else None)
        location = server.location
        return cls(
            name=server.name,
            url=server.url,
            origin=server.origin,
            keyed=server.has_key,
            state="ready" if problem is None else "down",
            detail=problem,
            answers=list(answers),
            models=list(server.models),
            context=server.context,
            place=LocationReport(
                where=location.kind, country=location.country, provider=location.provider, stated=location.stated
            ),
            note=server.note,
            probe=server.probe,
            api=server.api,
            endpoints=[EndpointReport.from_endpoint(each) for each in endpoints],
        )


class EngineList(BaseModel):
    """All servers. With `fixed`, only the settings may name any."""

    engines: list[EngineReport]
    providers: list[ModelProvider]
    fixed: bool


class FindingFrame(BaseModel):
    found: ProbeFinding


class ProbeFinishedFrame(BaseModel):
    finished: Probe


ProbeFrame = FindingFrame | ProbeFinishedFrame | StreamError
"""A frame of a probe; the last one has the result or an error."""


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/engines", tags=["engines"])

    async def report(server: Server) -> EngineReport:
        models = await app.registry.models()
        answers = [model.id for model in models if model.engine == server.name]
        engine = app.registry.engines.get(server.name)
        endpoints = engine.endpoints if isinstance(engine, PooledEngine) else ()
        return EngineReport.from_server(server, answers, app.registry.fault(server.name), endpoints)

    @api.get("")
    async def list_engines(principal: Caller) -> EngineList:
        is_admin = principal.role == "admin"
        servers = [
            each for each in await app.servers.all() if is_admin or app.rights.may(principal, f"engine:{each.name}")
        ]
        known = [await report(server) for server in servers]
        return EngineList(engines=known, providers=list(known_providers()), fixed=app.servers.is_fixed)

    @api.post("", status_code=201)
    async def add_engine(body: NewEngine) -> EngineReport:
        server = await app.servers.add(body.name, body.change())
        app.registry.refresh()
        return await report(server)

    @api.get("/{name}")
    async def show_engine(name: str) -> EngineReport:
        return await report(await app.servers.get(name))

    @api.patch("/{name}")
    async def change_engine(name: str, body: EngineBody) -> EngineReport:
        server = await app.servers.change(name, body.change())
        app.registry.refresh()
        return await report(server)

    @api.delete("/{name}", status_code=204)
    async def remove_engine(name: str) -> None:
        await app.servers.remove(name)
        app.registry.refresh()

    @api.post("/{name}/probe", response_class=EventStream, responses={200: {"model": ProbeFrame}})
    async def probe_engine(name: str) -> EventStream:
        findings = app.servers.probe(name)
        first = await anext(findings)  # an error before the first finding becomes the response
        return EventStream(_probe_events(first, findings, app))

    return api


async def _probe_events(
    first: ProbeFinding | Probe, rest: AsyncGenerator[ProbeFinding | Probe, None], app: App
) -> AsyncGenerator[bytes, None]:
    """Stream each finding as it comes, then the result."""
    async with aclosing(rest):
        yield _frame(first)
        try:
            async for found in rest:
                yield _frame(found)
        except EclairError as error:
            yield encode_frame(StreamError(error=StreamFault.from_error(error)))
    app.registry.refresh()


def _frame(found: ProbeFinding | Probe) -> bytes:
    return encode_frame(ProbeFinishedFrame(finished=found) if isinstance(found, Probe) else FindingFrame(found=found))
