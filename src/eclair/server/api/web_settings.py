"""`/api/web/settings`: which services are searched, with what, and which hosts may be called."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from eclair.app import App
from eclair.network.client import CallContext
from eclair.network.policy import PolicyMode
from eclair.schema.messages import StepOutcome
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody
from eclair.settings import HostName
from eclair.web.search import ProviderStatus
from eclair.web.web_settings import MAX_FIELD_CHARS, MAX_HOSTS, KeyState, WebSettingsChange

ServiceName = Annotated[str, Field(max_length=100)]
FieldText = Annotated[str, Field(max_length=MAX_FIELD_CHARS)]


class WebSettingsBody(RequestBody):
    """Changes to the web settings; what is left out stays. An empty address or key removes it."""

    services: Annotated[list[ServiceName] | None, Field(max_length=100)] = None
    searxng: FieldText | None = None
    keys: Annotated[dict[ServiceName, FieldText], Field(max_length=100)] = Field(default_factory=dict)
    policy: PolicyMode | None = None
    hosts: Annotated[list[Annotated[HostName, Field(max_length=253)]] | None, Field(max_length=MAX_HOSTS)] = None

    def change(self) -> WebSettingsChange:
        return WebSettingsChange(
            services=None if self.services is None else tuple(self.services),
            searxng=self.searxng,
            keys=self.keys,
            policy=self.policy,
            hosts=None if self.hosts is None else tuple(self.hosts),
        )


class ServiceSettings(BaseModel):
    """A search service; `used` where it is asked once it is `ready`. A key is never sent back."""

    name: str
    title: str
    jurisdiction: str
    used: bool
    ready: bool
    needs_key: bool
    key: KeyState
    terms: str
    fault: str | None


class WebSettingsReport(BaseModel):
    """The web settings in force. `fixed` names what the settings file says, which can't be changed here.

    `hosts` are those chosen here, `fixed_hosts` those of the settings file.
    """

    services: list[ServiceSettings]
    searxng: str | None
    policy: PolicyMode
    hosts: tuple[str, ...]
    fixed_hosts: tuple[str, ...]
    fixed: list[str]


class ServiceTest(BaseModel):
    """Result of asking a service for one word; `fault` is a sentence where it gave nothing."""

    outcome: StepOutcome
    hits: int
    milliseconds: float
    fault: str | None


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/web", tags=["web"])
    web = app.web_settings

    async def report() -> WebSettingsReport:
        stored, fixed = await web.get(), web.fixed
        settings = app.settings
        keys: dict[str, KeyState] = {**dict.fromkeys(stored.keys, "set"), **dict.fromkeys(fixed.keys, "file")}
        named = (
            *(("services", fixed.services), ("searxng", fixed.searxng), ("policy", fixed.policy)),
            *(("keys", fixed.everything), ("hosts", fixed.everything)),
        )
        return WebSettingsReport(
            services=[_service(each, keys) for each in web.list_services()],
            searxng=settings.searxng,
            policy=settings.egress,
            hosts=stored.hosts,
            fixed_hosts=fixed.hosts,
            fixed=[name for name, is_fixed in named if is_fixed],
        )

    @api.get("/settings")
    async def read_web_settings() -> WebSettingsReport:
        return await report()

    @api.patch("/settings")
    async def change_web_settings(body: WebSettingsBody) -> WebSettingsReport:
        await web.change(body.change())
        return await report()

    @api.post("/services/{name}/test")
    async def test_service(principal: Caller, name: str) -> ServiceTest:
        found = await web.test(name, CallContext(principal, "search"))
        return ServiceTest(outcome=found.outcome, hits=found.hits, milliseconds=found.milliseconds, fault=found.error)

    return api


def _service(listed: ProviderStatus, keys: dict[str, KeyState]) -> ServiceSettings:
    provider = listed.provider
    return ServiceSettings(
        name=provider.name,
        title=provider.title,
        jurisdiction=provider.jurisdiction,
        used=listed.is_selected,
        ready=provider.is_ready,
        needs_key=provider.needs_key,
        key=keys.get(provider.name, "none"),
        terms=provider.terms,
        fault=listed.error,
    )
