"""`/api/conversations` and `/api/search`: list, read, change and search."""

from __future__ import annotations

import re
import unicodedata
from typing import Annotated, get_args

from fastapi import APIRouter, Query, Request
from pydantic import AfterValidator, BaseModel, Field

from eclair.app import App
from eclair.errors import InvalidInput
from eclair.schema.messages import (
    MAX_TAG_CHARS,
    MAX_TAGS,
    Conversation,
    Hit,
    Message,
    Mode,
    NameHit,
    PassageHit,
    Switch,
    Web,
)
from eclair.server.api.turns import MaxTokens, ModelName, SystemPrompt, Temperature, check_length
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody
from eclair.server.streaming import unless_disconnected
from eclair.storage.conversations import ClearableField, ConversationCursor, ConversationEdit

CLEARABLE_FIELDS: tuple[ClearableField, ...] = get_args(ClearableField)


def _tag(text: str) -> str:
    """Normalize a tag: Unicode composed, without surrounding space."""
    tag = unicodedata.normalize("NFC", text).strip()
    if not 1 <= len(tag) <= MAX_TAG_CHARS or not tag.isprintable():
        raise ValueError(f"a tag is 1 to {MAX_TAG_CHARS} characters on one line")
    return tag


def _tags(tags: tuple[str, ...]) -> tuple[str, ...]:
    if len(tags) > MAX_TAGS:
        raise ValueError(f"a conversation has {MAX_TAGS} tags at most")
    if len(set(tags)) < len(tags):
        raise ValueError("a tag is listed twice")
    return tags


Tag = Annotated[str, AfterValidator(_tag)]
Tags = Annotated[tuple[Tag, ...], AfterValidator(_tags)]


class ConversationEditBody(RequestBody):
    title: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    leaf: str | None = None
    pinned: bool | None = None
    archived: bool | None = None
    tags: Tags | None = None
    model: ModelName | None = None
    mode: Mode | None = None
    web: Web | None = None
    temperature: Temperature | None = None
    max_tokens: MaxTokens | None = None
    system: SystemPrompt | None = None
    project_id: str | None = None
    memory: Switch | None = None
    unread: bool | None = None

    def edit(self) -> ConversationEdit:
        """Build the edit. Null clears the project or a choice for answers; for other fields it means no change."""
        return ConversationEdit(
            title=self.title,
            leaf=self.leaf,
            pinned=self.pinned,
            archived=self.archived,
            tags=self.tags,
            model=self.model,
            mode=self.mode,
            web=self.web,
            temperature=self.temperature,
            max_tokens=self.max_tokens,
            system=self.system,
            project_id=self.project_id,
            memory=self.memory,
            unread=self.unread,
            cleared=frozenset(
                name for name in CLEARABLE_FIELDS if name in self.model_fields_set and getattr(self, name) is None
            ),
        )


class NewBranch(RequestBody):
    """A new conversation with the thread that ends with `message`."""

    message: str
    title: Annotated[str | None, Field(min_length=1, max_length=200)] = None


class ConversationList(BaseModel):
    """A page of the list; pass `next` as `before` to get the next page. Pinned ones are on the first page."""

    pinned: list[Conversation]
    conversations: list[Conversation]
    next: str | None


class TagCount(BaseModel):
    tag: str
    count: int


class TagList(BaseModel):
    tags: list[TagCount]


class ConversationCount(BaseModel):
    conversations: int


class ConversationTree(BaseModel):
    conversation: Conversation
    messages: list[Message]
    running: str | None


class SearchResults(BaseModel):
    """Names of conversations, files and libraries, messages, and passages of a project's files.

    Each list is ordered best first.
    """

    names: list[NameHit]
    hits: list[Hit]
    passages: list[PassageHit]


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api", tags=["conversations"])

    @api.get("/conversations")
    async def list_conversations(
        principal: Caller,
        archived: bool = False,
        tag: str | None = None,
        project_id: str | None = None,
        before: str | None = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> ConversationList:
        cursor = None if before is None else _parse_cursor(before)
        listed = await app.storage.conversations.list_conversations(
            principal, limit, archived=archived, tag=tag, project_id=project_id, before=cursor
        )
        return ConversationList(
            pinned=listed.pinned,
            conversations=listed.conversations,
            next=None if listed.next is None else f"{listed.next.updated}.{listed.next.id}",
        )

    @api.get("/conversations/tags")
    async def list_tags(principal: Caller, archived: bool = False) -> TagList:
        counts = await app.storage.conversations.count_tags(principal, archived=archived)
        return TagList(tags=[TagCount(tag=tag, count=count) for tag, count in counts.items()])

    @api.get("/count")
    async def count_conversations(principal: Caller) -> ConversationCount:
        return ConversationCount(conversations=await app.storage.conversations.count_conversations(principal))

    @api.get("/conversations/{id}")
    async def read_conversation(principal: Caller, id: str) -> ConversationTree:
        conversation, messages = await app.storage.conversations.get_tree(principal, id)
        running = next((message.run for message in messages if message.is_open), None)
        return ConversationTree(conversation=conversation, messages=messages, running=running)

    @api.patch("/conversations/{id}")
    async def change_conversation(principal: Caller, id: str, body: ConversationEditBody) -> Conversation:
        if body.model is not None:
            await app.registry.resolve(body.model)
        if body.max_tokens is not None:
            stored = await app.storage.conversations.get_conversation(principal, id)
            known = {model.id for model in await app.registry.models()}
            model = body.model or (stored.model if stored.model in known else None)
            await check_length(app.registry, body.max_tokens, model)
        if body.project_id is not None:
            await app.projects.get(principal, body.project_id)
        return await app.conversations.edit(principal, id, body.edit())

    @api.post("/conversations/{id}/branch", status_code=201)
    async def branch_conversation(principal: Caller, id: str, body: NewBranch) -> Conversation:
        return await app.conversations.branch(principal, id, body.message, body.title)

    @api.get("/search")
    async def search(
        request: Request,
        principal: Caller,
        q: str,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        project_id: str | None = None,
    ) -> SearchResults:
        found = await unless_disconnected(request, app.chat_search.find(principal, q, limit, project_id))
        if found is None:
            return SearchResults(names=[], hits=[], passages=[])
        return SearchResults(names=found.names, hits=found.hits, passages=found.passages)

    return api


def _parse_cursor(text: str) -> ConversationCursor:
    """Parse the `next` of the previous page. Raises InvalidInput."""
    found = re.fullmatch(r"(\d{1,16})\.(\w{1,64})", text, re.ASCII)
    if found is None:
        raise InvalidInput("`before` is the `next` of the page before; leave it out for the first.", param="before")
    return ConversationCursor(int(found[1]), found[2])
