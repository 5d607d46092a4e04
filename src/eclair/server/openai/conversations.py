"""`/v1/conversations`: conversations of OpenAI's Responses API, which responses continue by id."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import Field

from eclair.app import App
from eclair.errors import InvalidInput
from eclair.llm.base import JSON
from eclair.schema.ids import new_id
from eclair.schema.principal import Principal
from eclair.server.openai.response_input import resolve_references, stored_items
from eclair.server.openai.responses import Limit, Order, item_list
from eclair.server.openai.responses_items import Item
from eclair.server.openai.responses_schema import ResponseMetadata
from eclair.server.principal import Caller
from eclair.server.request_body import ForeignBody
from eclair.storage.api_conversations import ApiConversation
from eclair.storage.responses import ItemCursor, ItemPage, StoredItem

MAX_ITEMS_PER_CALL = 20

NewItems = Annotated[list[Item], Field(max_length=MAX_ITEMS_PER_CALL)]


class NewConversationBody(ForeignBody):
    items: NewItems | None = None
    metadata: ResponseMetadata = None


class ConversationMetadataBody(ForeignBody):
    metadata: ResponseMetadata


class NewItemsBody(ForeignBody):
    items: NewItems


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/v1/conversations", tags=["OpenAI"])
    store = app.storage.api_conversations

    async def new_items(principal: Principal, items: list[Item]) -> list[StoredItem]:
        return stored_items(await resolve_references(app, principal, items))

    @api.post("")
    async def create_conversation(principal: Caller, body: NewConversationBody | None = None) -> JSON:
        if not app.responses.days:
            raise InvalidInput(
                "This Éclair keeps no conversations of the API (response_days is 0); send the whole conversation as "
                "`input` of each response."
            )
        body = body or NewConversationBody()
        items = await new_items(principal, body.items or [])
        conversation = ApiConversation(new_id("conv"), app.responses.now(), body.metadata or {})
        await store.add_conversation(principal, conversation, items)
        return _conversation(conversation)

    @api.get("/{id}")
    async def read_conversation(principal: Caller, id: str) -> JSON:
        return _conversation(await store.get_conversation(principal, id, app.responses.since))

    @api.post("/{id}")
    async def change_conversation(principal: Caller, id: str, body: ConversationMetadataBody) -> JSON:
        return _conversation(await store.set_metadata(principal, id, app.responses.since, body.metadata or {}))

    @api.delete("/{id}")
    async def delete_conversation(principal: Caller, id: str) -> JSON:
        await store.delete_conversation(principal, id, app.responses.since)
        return {"id": id, "object": "conversation.deleted", "deleted": True}

    @api.post("/{id}/items")
    async def add_items(principal: Caller, id: str, body: NewItemsBody) -> JSON:
        items = await new_items(principal, body.items)
        await store.add_items(principal, id, app.responses.since, items)
        return item_list(ItemPage(items, has_more=False))

    @api.get("/{id}/items")
    async def list_items(
        principal: Caller,
        id: str,
        limit: Limit = 20,
        order: Order = "desc",
        after: str | None = None,
    ) -> JSON:
        cursor = ItemCursor(limit, after, descending=order == "desc")
        return item_list(await store.list_items(principal, id, app.responses.since, cursor))

    @api.get("/{id}/items/{item}")
    async def read_item(principal: Caller, id: str, item: str) -> JSON:
        return (await store.get_item(principal, id, app.responses.since, item)).body

    @api.delete("/{id}/items/{item}")
    async def delete_item(principal: Caller, id: str, item: str) -> JSON:
        return _conversation(await store.delete_item(principal, id, app.responses.since, item))

    return api


def _conversation(conversation: ApiConversation) -> JSON:
    return {
        "id": conversation.id,
        "object": "conversation",
        "created_at": conversation.created // 1000,
        "metadata": conversation.metadata,
    }
