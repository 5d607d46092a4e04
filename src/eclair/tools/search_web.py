"""`search_web`: a model searches the web, and is shown passages of the best pages."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import replace
from datetime import date

from pydantic import BaseModel, ConfigDict, Field

from eclair.documents.reading_budget import reading_budget
from eclair.generation.passage_results import fit_passages, passage_result
from eclair.generation.tools import CALL_TIMEOUT_S, ToolContext, ToolResult, define_function, failed_result
from eclair.llm.base import JSON, Engine, PromptMessage
from eclair.schema.events import Event, Notice
from eclair.schema.messages import CallAccess, Passage
from eclair.schema.models import Model
from eclair.schema.web import WebHit, WebQuery
from eclair.text.language import identify_language
from eclair.web.contradictions import difference_notices, find_differences
from eclair.web.public_words import PublicWords
from eclair.web.question import WebQuestion
from eclair.web.retriever import WebService, late_notices
from eclair.web.session import WebSession

SEARCH_WEB_TOOL_NAME = "search_web"
MAX_QUERY_CHARS = 300
MAX_OTHER_HITS = 5
MAX_SNIPPET_CHARS = 160

_DESCRIPTION = (
    "Searches the web and returns passages of the pages that it finds. Use it for what may have changed, or what you "
    "don't know for sure: news, prices, results, who holds an office, products, places, versions. Not for lasting "
    "knowledge, language, sums or code. Today is {today}."
)


class ToolQuery(BaseModel):
    model_config = ConfigDict(extra="ignore")

    query: str = Field(
        min_length=1,
        max_length=MAX_QUERY_CHARS,
        description="Keywords and names as they stand on a good page, in the language of such a page.",
    )
    days: int | None = Field(
        None, ge=0, le=36_500, description="How many days old a page may be; leave it out where its age doesn't matter."
    )


class _GivenQuery:
    """Implements `QueryMaker`: the query that the model called with."""

    def __init__(self, query: WebQuery) -> None:
        self._query = query

    async def write(
        self, question: WebQuestion, engine: Engine, model: Model, today: date, timeout_s: float
    ) -> tuple[WebQuery, ...]:
        return (self._query,)


class SearchWebTool:
    """Implements `Tool`: searches for one question. With `demands_skill` only a model that calls well is offered it."""

    name = SEARCH_WEB_TOOL_NAME
    access: CallAccess = "outbound"
    arguments: type[BaseModel] = ToolQuery

    def __init__(
        self, web: WebService, question: WebQuestion, public: PublicWords, *, demands_skill: bool = True
    ) -> None:
        self._web = web
        self._question = question
        self._public = public
        self._demands_skill = demands_skill
        self.timeout_s = max(CALL_TIMEOUT_S, web.timeout_s + 10)

    def definition(self, model: Model, messages: Sequence[PromptMessage], passages: Sequence[Passage]) -> JSON | None:
        """Return the tool with the day; None for a model that isn't known to call it where it should."""
        self._public.add_passages(passages)
        if not (model.can_look_up if self._demands_skill else model.can_call_tools):
            return None
        today = self._web.access.today()
        return define_function(self.name, _DESCRIPTION.format(today=f"{today:%A, %-d %B %Y}"), ToolQuery)

    def summary(self, arguments: ToolQuery) -> str:
        """See `Tool.summary`."""
        return f"Search the web for “{' '.join(arguments.query.split())}”"

    def scope(self, arguments: ToolQuery) -> str:
        """See `Tool.scope`."""
        return ""

    def sends(self, arguments: ToolQuery) -> str:
        """See `Tool.sends`."""
        return self._public.find_private(arguments.query)

    def asks_if_tainted(self, arguments: ToolQuery) -> bool:
        """See `Tool.asks_if_tainted`."""
        return False

    async def run(self, arguments: ToolQuery, context: ToolContext) -> AsyncGenerator[Event | ToolResult, None]:
        """Search, read the best pages, and choose the passages that fit. Raises RightMissing and InvalidInput."""
        web = self._web
        web.require_open(context.principal)
        text = " ".join(arguments.query.split())
        query = WebQuery(text, identify_language(text), arguments.days)
        question = replace(self._question, text=text, before=())
        access = replace(web.access, queries=_GivenQuery(query))
        session = WebSession(
            access, question, context.engine, context.model, web.timeout_s, f"{context.call}.", urls=()
        )
        async with aclosing(session.findings()) as steps:
            async for step in steps:
                yield step
        found = await web.choose_passages(question, session, reading_budget(context.model).passages)
        passages = fit_passages(found, context)
        self._public.add_passages(passages)
        others = session.unread_hits[:MAX_OTHER_HITS]
        self._public.add_hits(others)
        for notice in (*late_notices(session), *await _differences(text, passages)):
            yield notice
        if passages:
            yield passage_result(passages, _describe_hits(others))
        elif others:
            yield ToolResult(f"No page could be read.\n\n{_describe_hits(others)}")
        elif session.got_reply:
            yield ToolResult("Nothing was found. Try other words, or answer without it and say so.")
        else:
            told = "No search service could be reached."
            yield failed_result(told, "web_unreachable", told)


async def _differences(question: str, passages: Sequence[Passage]) -> list[Notice]:
    return list(difference_notices(await find_differences(question, passages), passages))


def _describe_hits(hits: Sequence[WebHit]) -> str:
    """List pages that were found and not read."""
    lines = [
        " – ".join(
            [
                f"- {' '.join(hit.title.split()) or hit.url}",
                hit.url,
                *([hit.published.isoformat()] if hit.published is not None else []),
                *([" ".join(hit.snippet.split())[:MAX_SNIPPET_CHARS]] if hit.snippet else []),
            ]
        )
        for hit in hits
    ]
    return "\n".join(["Found, not read:", *lines]) if lines else ""
