"""`/api/web/services` and `/api/web/search`: search providers and hits."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date
from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from eclair.app import App
from eclair.network.client import CallContext
from eclair.schema.messages import StepOutcome
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody
from eclair.web import queries
from eclair.web.search import SEARCH_TIMEOUT_S, run_search


class SearchRequest(RequestBody):
    """A search: words or a question, in a language, among pages of the last days."""

    q: Annotated[str, Field(min_length=1, max_length=2000)]
    language: Annotated[str | None, Field(pattern="^[a-z]{2}$")] = None
    days: Annotated[int | None, Field(ge=0, le=36_500)] = None


class ServiceBody(BaseModel):
    """A search provider; `jurisdiction` is a country (ISO 3166) or `machine`, `network`, `unknown`."""

    name: str
    title: str
    jurisdiction: str
    asked: bool
    ready: bool
    needs_key: bool
    terms: str
    fault: str | None


class QueryBody(BaseModel):
    text: str
    language: str | None
    days: int | None


class HitBody(BaseModel):
    """A result page; `by` lists the providers that found it, best rank first."""

    url: str
    title: str
    snippet: str
    published: date | None
    by: tuple[str, ...]


class StepBody(BaseModel):
    """The outcome of searching with one provider."""

    title: str
    outcome: StepOutcome | None
    count: int | None
    milliseconds: float | None


class SearchBody(BaseModel):
    queries: list[QueryBody]
    steps: list[StepBody]
    hits: list[HitBody]


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/web", tags=["web"])

    @api.get("/services")
    async def list_services(principal: Caller) -> list[ServiceBody]:
        services: list[ServiceBody] = []
        for listed in app.web.access.search.list_providers():
            service = ServiceBody.model_validate(listed.as_dict())
            service.asked = service.asked and await listed.provider.serves(principal)
            services.append(service)
        return services

    @api.post("/search")  # no GET, which a link could make a browser send: it calls out
    async def search_web(principal: Caller, body: SearchRequest) -> SearchBody:
        app.rights.require(principal, "web", "Your account may not search the web; ask an administrator.")
        made = queries.parse_search(body.q, body.language, body.days, date.today())
        found = await run_search(
            app.web.access.search, made, CallContext(principal, "search"), timeout_s=SEARCH_TIMEOUT_S
        )
        return SearchBody(
            queries=[QueryBody(**asdict(query)) for query in made],
            steps=[
                StepBody(title=step.title, outcome=step.outcome, count=step.count, milliseconds=step.milliseconds)
                for step in found.steps
            ],
            hits=[
                HitBody(url=hit.url, title=hit.title, snippet=hit.snippet, published=hit.published, by=hit.providers)
                for hit in found.hits
            ],
        )

    return api
