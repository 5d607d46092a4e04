"""Tools of MCP clients that search the web and read its pages, as far as the person may."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import BaseModel, Field

from eclair.app import App
from eclair.errors import Refused, UpstreamError
from eclair.network.client import CallContext
from eclair.schema.principal import Principal
from eclair.server.mcp.document_tools import more_note
from eclair.server.mcp.readable_files import cut_text
from eclair.server.mcp.tool import CallReply, ServedTool, TellProgress, ToolArguments
from eclair.web import queries
from eclair.web.pages.fetch import PageUnreadable
from eclair.web.search import SEARCH_TIMEOUT_S, run_search

READ_TIMEOUT_S = 30.0


class SearchWebArguments(ToolArguments):
    query: Annotated[str, Field(min_length=1, max_length=2000, description="Words or a question.")]
    language: Annotated[str | None, Field(pattern="^[a-z]{2}$", description="Its language (ISO 639-1).")] = None
    days: Annotated[int | None, Field(ge=0, le=36_500, description="Only pages of the last so many days.")] = None
    limit: Annotated[int, Field(ge=1, le=50, description="The most hits to return.")] = 10


class FoundWebPage(BaseModel):
    """A hit; `by` lists the services that found it."""

    url: str
    title: str
    snippet: str
    published: date | None
    by: list[str]


class FoundWebPages(BaseModel):
    hits: list[FoundWebPage]


class ReadPageArguments(ToolArguments):
    url: Annotated[str, Field(max_length=4000, pattern="^[Hh][Tt][Tt][Pp][Ss]?://", description="Its URL.")]
    start: Annotated[int, Field(ge=0, description="Read from this character on; `next` of the reply before.")] = 0


class WebPageText(BaseModel):
    """Characters `start` to `end` of a page's text. `next` is the `start` of the rest, null at the end.

    `wall` says why only a part of it is shown: `pay`, `consent` or `script`.
    """

    url: str
    title: str
    site: str
    author: str | None
    published: date | None
    language: str | None
    wall: str | None
    text: str
    start: int
    end: int
    of: int
    next: int | None


class WebTools:
    """The tools of the web, over the services of `app`."""

    def __init__(self, app: App) -> None:
        self._app = app

    def tools(self) -> list[ServedTool]:
        return [
            ServedTool(
                "search_web",
                "Search the web",
                "Searches the web with the services that are set up here, and returns addresses with excerpts.",
                SearchWebArguments,
                FoundWebPages,
                self._search,
                needs_web=True,
                is_outbound=True,
            ),
            ServedTool(
                "read_page",
                "Read a web page",
                "Reads the clean text of a web page.",
                ReadPageArguments,
                WebPageText,
                self._read,
                needs_web=True,
                is_outbound=True,
            ),
        ]

    async def _search(self, principal: Principal, arguments: SearchWebArguments, report: TellProgress) -> CallReply:
        self._app.web.require_open(principal)
        made = queries.parse_search(arguments.query, arguments.language, arguments.days, date.today())
        await report("Searching the web")
        found = await run_search(
            self._app.web.access.search, made, CallContext(principal, "search"), timeout_s=SEARCH_TIMEOUT_S
        )
        if not found.hits and found.steps and all(step.outcome in ("failed", "late") for step in found.steps):
            raise UpstreamError("No search service answered; try again later.")
        hits = [
            FoundWebPage(
                url=hit.url, title=hit.title, snippet=hit.snippet, published=hit.published, by=list(hit.providers)
            )
            for hit in found.hits[: arguments.limit]
        ]
        texts = [f"{hit.title}\n{hit.url}\n{hit.snippet}".rstrip() for hit in hits]
        return CallReply(FoundWebPages(hits=hits), "\n\n".join(texts) or "Nothing was found.")

    async def _read(self, principal: Principal, arguments: ReadPageArguments, report: TellProgress) -> CallReply:
        self._app.web.require_open(principal)
        await report(f"Reading {arguments.url}")
        try:
            page = await self._app.web.access.reader.read(
                arguments.url, CallContext(principal, "page"), timeout_s=READ_TIMEOUT_S
            )
        except PageUnreadable as fault:
            error = Refused if fault.outcome == "refused" else UpstreamError
            raise error(fault.message) from fault
        part = cut_text(page.text, arguments.start)
        result = WebPageText(
            url=page.url,
            title=page.title,
            site=page.site,
            author=page.author,
            published=page.published,
            language=page.language,
            wall=page.wall,
            text=part.text,
            start=part.start,
            end=part.end,
            of=part.of,
            next=part.next,
        )
        return CallReply(result, f"{page.title}\n{page.url}\n\n{part.text}{more_note(part.next)}")
