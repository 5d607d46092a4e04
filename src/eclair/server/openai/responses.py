"""`/v1/responses`: OpenAI's Responses API over the same engines; what it keeps, and responses in the background."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import orjson
from fastapi import APIRouter, Query, Request
from starlette.responses import JSONResponse, Response

from eclair.app import App
from eclair.errors import DataDamaged, InvalidInput, StoreError
from eclair.generation.route import Route
from eclair.generation.sources import PassageNumbers
from eclair.llm.base import JSON
from eclair.schema.principal import Principal
from eclair.server.chat_input import last_question
from eclair.server.openai.file_search import SearchedStores
from eclair.server.openai.hosted_tools import HostedTools, open_hosted_tools
from eclair.server.openai.response_input import NOTHING_KEPT, resolve_input
from eclair.server.openai.response_renderer import BackgroundAnswer, ResponseRenderer
from eclair.server.openai.responses_schema import ResponsesRequest
from eclair.server.openai.retriever import RequestRetriever
from eclair.server.principal import Caller
from eclair.server.request_images import RequestImages, open_images
from eclair.server.request_prompt import start_answer
from eclair.server.sse import EventStream
from eclair.server.streaming import CLIENT_GONE, relay, unless_disconnected
from eclair.storage.responses import ItemCursor, ItemPage, StoredItem, StoredResponse

MAX_EVENT_NUMBER = 10**9
"""More events than a response can have."""

Limit = Annotated[int, Query(ge=1, le=100)]
Order = Literal["asc", "desc"]

log = logging.getLogger(__name__)


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/v1/responses", tags=["OpenAI"])
    store = app.storage.responses

    @api.post("")
    async def respond(principal: Caller, body: ResponsesRequest, request: Request) -> Response:
        is_kept = body.store is not False and app.responses.days > 0
        if body.background and not is_kept:
            raise InvalidInput(
                "A response in the background must be stored; leave `store` out."
                if app.responses.days
                else NOTHING_KEPT.format(name="background"),
                param="background",
            )
        asked = await unless_disconnected(request, _Asked.prepare(app, principal, body))
        return CLIENT_GONE if asked is None else await _answer(app, principal, asked, request, is_kept=is_kept)

    @api.post("/input_tokens")
    async def count_input_tokens(principal: Caller, body: ResponsesRequest, request: Request) -> Response:
        asked = await unless_disconnected(request, _Asked.prepare(app, principal, body))
        if asked is None:
            return CLIENT_GONE
        count = await unless_disconnected(request, _count_tokens(asked, app.settings.max_tokens))
        if count is None:
            return CLIENT_GONE
        return JSONResponse({"object": "response.input_tokens", "input_tokens": count})

    @api.get("/{id}")
    async def read_response(
        principal: Caller,
        id: str,
        stream: bool = False,
        starting_after: Annotated[int | None, Query(ge=0, le=MAX_EVENT_NUMBER)] = None,
    ) -> Response:
        response, output = await app.responses.get(principal, id)
        if not stream:
            return JSONResponse(_shown(response, output))
        if not response.background:
            raise InvalidInput(
                "Only a response made with `background` can be streamed again; leave `stream` out.", param="stream"
            )
        return EventStream(_frames(app, response, -1 if starting_after is None else starting_after))

    @api.delete("/{id}")
    async def delete_response(principal: Caller, id: str) -> JSON:
        await app.responses.delete(principal, id)
        return {"id": id, "object": "response", "deleted": True}

    @api.post("/{id}/cancel")
    async def cancel_response(principal: Caller, id: str) -> JSON:
        response, _ = await app.responses.get(principal, id)
        if not response.background:
            raise InvalidInput("Only a response made with `background` can be cancelled; close the connection instead.")
        await app.responses.cancel(response)
        return _shown(*await app.responses.get(principal, id))

    @api.get("/{id}/input_items")
    async def list_input_items(
        principal: Caller,
        id: str,
        limit: Limit = 20,
        order: Order = "desc",
        after: str | None = None,
    ) -> JSON:
        cursor = ItemCursor(limit, after, descending=order == "desc")
        return item_list(await store.list_inputs(principal, id, app.responses.since, cursor))

    return api


@dataclass(frozen=True, slots=True)
class _Asked:
    """A request that is ready to be answered: `body` with all its input, of which `own` is new."""

    body: ResponsesRequest
    own: list[StoredItem]
    route: Route
    images: RequestImages
    hosted: HostedTools

    @classmethod
    async def prepare(cls, app: App, principal: Principal, given: ResponsesRequest) -> _Asked:
        """Find what comes before, choose the model and open the images. Raises what these raise."""
        body, own = await resolve_input(app, principal, given)
        messages = list(body.prompt_messages())
        route = await app.router.choose_named(body.model, last_question(messages))
        images = await open_images(app, principal, messages, route.model)
        hosted = await open_hosted_tools(app, principal, body, messages)
        return cls(body, own, route, images, hosted)


async def _answer(app: App, principal: Principal, asked: _Asked, request: Request, *, is_kept: bool) -> Response:
    """Answer a request at once, or in the background, and store the response if it `is_kept`."""
    body, hosted = asked.body, asked.hosted
    max_tokens, numbers = app.settings.max_tokens, PassageNumbers(())
    made = start_answer(
        app,
        principal,
        asked.route,
        lambda model: body.request(model, max_tokens),
        asked.images,
        _retriever(app, principal, body, hosted, numbers),
        tools=hosted.tools,
        numbers=numbers,
        allows_lead=body.is_plain_text,
    )
    renderer = ResponseRenderer(body, made, body.request(asked.route.model, max_tokens), hosted, is_kept=is_kept)
    if body.background:
        response, _ = renderer.stored()
        response = replace(response, process=app.storage.processes.current)
        await app.responses.start_background(principal, response, asked.own, BackgroundAnswer(made, renderer))
        if body.stream:
            return EventStream(_frames(app, response, -1))
        return JSONResponse(_shown(response, []))

    async def keep() -> None:
        try:
            response, output = renderer.stored()
            await app.storage.responses.add_response(principal, response, asked.own, output)
        except StoreError as error:
            log.error("response %s is not stored: %s", renderer.id, error.message)
            renderer.note_unstored()

    return await relay(request, [made], renderer, streamed=bool(body.stream), before_end=keep if is_kept else None)


def _retriever(
    app: App, principal: Principal, body: ResponsesRequest, hosted: HostedTools, numbers: PassageNumbers
) -> RequestRetriever | None:
    """Return what finds passages before the model is asked; None if the request has nothing to search."""
    if not (body.files or hosted.searched):
        return None
    stores = hosted.stores or SearchedStores()
    return RequestRetriever(
        app,
        principal,
        body.files,
        list(body.prompt_messages()),
        web=hosted.uses_web,
        libraries=stores.library_ids,
        searched_files=stores.file_ids,
        numbers=numbers,
        gives_way=not body.demands_search,
    )


async def _count_tokens(asked: _Asked, max_tokens: int | None) -> int:
    """Estimate the tokens of a request: its texts, tools and images, without the model's template."""
    model = asked.route.model
    sent = asked.images.insert(asked.body.request(model, max_tokens), model)
    image_tokens = sum(image.tokens for message in sent.messages for image in message.images)
    texts = [message.content for message in sent.messages if isinstance(message.content, str)]
    calls = [call for message in sent.messages for call in message.tool_calls]
    text = "\n".join([*texts, *(orjson.dumps(each).decode() for each in (*calls, *sent.tools))])
    return await asked.route.engine.count(model.id, text) + image_tokens


def item_list(page: ItemPage) -> JSON:
    """Render a page of items."""
    return {
        "object": "list",
        "data": [item.body for item in page.items],
        "first_id": page.items[0].id if page.items else None,
        "last_id": page.items[-1].id if page.items else None,
        "has_more": page.has_more,
    }


def _shown(response: StoredResponse, output: list[StoredItem]) -> dict[str, Any]:
    return {**response.body, "output": [item.body for item in output]}


async def _frames(app: App, response: StoredResponse, after: int) -> AsyncGenerator[bytes, None]:
    """Yield the events of a background response after number `after` as server-sent events."""
    try:
        async with aclosing(app.responses.follow(response, after)) as lines:
            async for line in lines:
                yield b"event: %b\ndata: %b\n\n" % (_event_type(line), line)
    except DataDamaged as error:
        log.error("the log of response %s is damaged: %s", response.id, error.message)
        fault = {"type": "error", "code": error.code, "message": error.message, "param": None}
        yield b"event: error\ndata: %b\n\n" % orjson.dumps(fault)


def _event_type(line: bytes) -> bytes:
    """Return the type of an event. Raises DataDamaged."""
    try:
        return str(orjson.loads(line)["type"]).encode()
    except (LookupError, TypeError, ValueError) as error:
        raise DataDamaged("The log of this response is damaged; read it without `stream`.") from error
