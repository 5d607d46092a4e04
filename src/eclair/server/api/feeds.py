"""`/api/feeds`: list, add, switch, fetch and delete news feeds; OPML."""

from __future__ import annotations

import time
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from eclair.app import App
from eclair.errors import InvalidInput, TooLarge
from eclair.schema.feeds import FeedOutline
from eclair.schema.principal import Principal
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody
from eclair.storage.feeds import FeedSummary, ListedEntry, StoredFeed
from eclair.web.feeds.feed_parser import MAX_FEED_BYTES, StarterFeed, starter_feeds, write_opml
from eclair.web.feeds.service import FeedService, FeedState

MAX_SUMMARY_CHARS = 500

_OPML: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"text/x-opml": {"schema": {"type": "string", "format": "binary"}}}}
}
_FILE: dict[int | str, dict[str, Any]] = {200: {"content": {"text/x-opml": {}}}}


class FeedBody(BaseModel):
    """A feed, with times in milliseconds since 1970.

    `fault` says why the last fetch failed; `due` is the time of the next one.
    """

    id: str
    url: str
    title: str
    site: str | None
    language: str | None
    active: bool
    state: FeedState
    entries: int
    checked: int | None
    brought: int | None
    due: int | None
    fault: str | None

    @classmethod
    def from_summary(cls, listed: FeedSummary, state: FeedState) -> FeedBody:
        feed = listed.feed
        return cls(
            id=feed.id,
            url=feed.url,
            title=feed.title or feed.host,
            site=feed.site,
            language=feed.language,
            active=feed.active,
            state=state,
            entries=listed.entries,
            checked=feed.checked,
            brought=feed.brought,
            due=None if state in ("off", "gone") else feed.due,
            fault=feed.fault,
        )


class StarterBody(BaseModel):
    """A feed of the starter list; `listed` if it was added already."""

    name: str
    url: str
    language: str
    country: str
    publisher: str
    terms: str | None
    listed: bool


class NewFeed(RequestBody):
    """The address of a feed, or of a site that names one."""

    url: Annotated[str, Field(min_length=1, max_length=2000)]


class FeedEdit(RequestBody):
    active: bool


class StarterSelection(RequestBody):
    """Starter feeds by address, or all of a language."""

    urls: Annotated[tuple[str, ...], Field(max_length=1000)] = ()
    language: Annotated[str | None, Field(pattern="^[a-z]{2}$")] = None


class AddedFeeds(BaseModel):
    """Number of feeds added, and of feeds that were listed before."""

    added: int
    known: int


class RefreshedFeeds(BaseModel):
    """Number of feeds being fetched; the list has the state of each."""

    feeds: int


class EntryBody(BaseModel):
    """An entry of a feed: `source` is the feed's title, `at` when it was published, or else first seen.

    `summary` is its beginning where the feed has no summary.
    """

    id: str
    feed: str
    source: str
    url: str
    title: str
    summary: str
    author: str | None
    language: str | None
    at: int

    @classmethod
    def from_entry(cls, listed: ListedEntry) -> EntryBody:
        entry = listed.entry
        return cls(
            id=f"{listed.at}-{listed.number}",
            feed=listed.feed,
            source=listed.source,
            url=entry.url,
            title=entry.title,
            summary=(entry.summary or entry.text)[:MAX_SUMMARY_CHARS],
            author=entry.author,
            language=entry.language,
            at=listed.at,
        )


class EntryList(BaseModel):
    """A page of entries, newest first. Pass `next` as `before` to get the next page."""

    entries: list[EntryBody]
    next: str | None


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/feeds", tags=["feeds"])
    feeds = app.feeds
    _add_entries(api, feeds)

    async def list_shown(principal: Principal) -> list[FeedBody]:
        listed = await feeds.list_feeds(principal)
        return [FeedBody.from_summary(each, feeds.get_state(each.feed)) for each in listed]

    async def shown(principal: Principal, feed: StoredFeed) -> FeedBody:
        return next(each for each in await list_shown(principal) if each.id == feed.id)

    @api.get("")
    async def list_feeds(principal: Caller) -> list[FeedBody]:
        return await list_shown(principal)

    @api.post("", status_code=201)
    async def add_feed(principal: Caller, body: NewFeed) -> FeedBody:
        return await shown(principal, await feeds.add(principal, body.url))

    @api.post("/refresh", status_code=202)
    async def refresh_feeds(principal: Caller, id: Annotated[str | None, Query()] = None) -> RefreshedFeeds:
        return RefreshedFeeds(feeds=await feeds.refresh_soon(principal, id))

    @api.get("/starter")
    async def list_starters(principal: Caller) -> list[StarterBody]:
        listed = {each.feed.url for each in await feeds.list_feeds(principal)}
        return [_starter(each, listed) for each in starter_feeds()]

    @api.post("/starter", status_code=201)
    async def add_starters(principal: Caller, body: StarterSelection) -> AddedFeeds:
        chosen = [each for each in starter_feeds() if each.url in body.urls or each.language == body.language]
        if not chosen:
            raise InvalidInput("No feed of the starter list matches; GET /api/feeds/starter lists them.")
        imported = await feeds.import_outlines(
            principal, [FeedOutline(each.url, each.name, None, each.language) for each in chosen]
        )
        return AddedFeeds(added=len(imported.added), known=imported.already_listed)

    @api.get("/opml", response_class=Response, responses=_FILE)
    async def export_opml(principal: Caller) -> Response:
        listed = [each.feed for each in await feeds.list_feeds(principal)]
        written = write_opml(
            (FeedOutline(feed.url, feed.title, feed.site, feed.language) for feed in listed), time.time()
        )
        headers = {"Content-Disposition": 'attachment; filename="eclair-feeds.opml"'}
        return Response(written, media_type="text/x-opml", headers=headers)

    @api.post("/opml", status_code=201, openapi_extra=_OPML)
    async def import_opml(
        principal: Caller, request: Request, name: Annotated[str, Query(min_length=1, max_length=200)] = "The file"
    ) -> AddedFeeds:
        imported = await feeds.import_opml(principal, await _read_body(request, name), name)
        return AddedFeeds(added=len(imported.added), known=imported.already_listed)

    @api.patch("/{id}")
    async def switch_feed(principal: Caller, id: str, body: FeedEdit) -> FeedBody:
        return await shown(principal, await feeds.set_active(principal, id, active=body.active))

    @api.delete("/{id}", status_code=204)
    async def delete_feed(principal: Caller, id: str) -> None:
        await feeds.delete(principal, id)

    return api


def _add_entries(api: APIRouter, feeds: FeedService) -> None:
    """Add the route that lists entries."""

    @api.get("/entries")
    async def list_entries(
        principal: Caller,
        feed: Annotated[str | None, Query(max_length=100)] = None,
        before: Annotated[str | None, Query(pattern=r"^\d{1,18}-\d{1,18}$")] = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> EntryList:
        moment, _, number = (before or "").partition("-")
        cursor = (int(moment), int(number)) if before else None
        found = await feeds.list_entries(principal, limit + 1, cursor, feed)
        entries = [EntryBody.from_entry(each) for each in found[:limit]]
        return EntryList(entries=entries, next=entries[-1].id if len(found) > limit else None)


async def _read_body(request: Request, name: str) -> bytes:
    """Read the body. Raises TooLarge, and InvalidInput if the client disconnects."""
    data = bytearray()
    try:
        async for chunk in request.stream():
            data += chunk
            if len(data) > MAX_FEED_BYTES:
                raise TooLarge(f"{name} is larger than {MAX_FEED_BYTES >> 20} MB, the limit of a list of feeds.")
    except ClientDisconnect:
        raise InvalidInput("The file did not arrive whole; send it again.") from None
    return bytes(data)


def _starter(each: StarterFeed, listed: set[str]) -> StarterBody:
    return StarterBody(
        name=each.name,
        url=each.url,
        language=each.language,
        country=each.country,
        publisher=each.publisher,
        terms=each.terms,
        listed=each.url in listed,
    )
