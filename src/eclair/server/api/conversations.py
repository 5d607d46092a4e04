"""`/api/conversations` and `/api/search`: what is kept, and the turns that add to it."""

from __future__ import annotations

import re
import time
import unicodedata
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Query, Response
from pydantic import AfterValidator, BaseModel, Field
from starlette.responses import JSONResponse

from eclair.core import OWNER, Core
from eclair.errors import InvalidInput
from eclair.messages import Conversation, Hit, Message, Sampling
from eclair.server.body import Body
from eclair.server.sse import EventStream, frames
from eclair.store.base import Edit, Place
from eclair.turns import Choices, Continue, New, Retry

ID = r"[0-9a-hjkmnp-tv-z]{26}$"
LONGEST_TAG = 40
MOST_TAGS = 12
Text = Annotated[str, Field(max_length=200)]


def _tag(text: str) -> str:
    """The tag as it is kept: composed, without space around it."""
    tag = unicodedata.normalize("NFC", text).strip()
    if not 1 <= len(tag) <= LONGEST_TAG or not tag.isprintable():
        raise ValueError(f"a tag is 1 to {LONGEST_TAG} characters on one line")
    return tag


def _tags(tags: tuple[str, ...]) -> tuple[str, ...]:
    if len(tags) > MOST_TAGS:
        raise ValueError(f"a conversation has {MOST_TAGS} tags at most")
    if len(set(tags)) < len(tags):
        raise ValueError("a tag is there twice")
    return tags


Tag = Annotated[str, AfterValidator(_tag)]
Tags = Annotated[tuple[Tag, ...], AfterValidator(_tags)]


class ChangedConversation(Body):
    title: Annotated[str | None, Field(min_length=1, max_length=200)] = None
    leaf: str | None = None
    pinned: bool | None = None
    archived: bool | None = None
    tags: Tags | None = None


class ChoicesBody(Body):
    """How a turn is to be answered."""

    model: str | None = None
    system: str | None = None
    temperature: Annotated[float | None, Field(ge=0, le=2)] = None
    top_p: Annotated[float | None, Field(gt=0, le=1)] = None
    max_tokens: Annotated[int | None, Field(ge=1)] = None
    seed: int | None = None

    def choices(self) -> Choices:
        return Choices(self.model, self.system, Sampling(self.temperature, self.top_p, self.max_tokens, self.seed))


class NewTurnBody(ChoicesBody):
    """One of `text`, `retry` and `continue`; see docs/api.md."""

    text: str | None = None
    parent: str | None = None
    retry: str | None = None
    continue_: Annotated[str | None, Field(alias="continue")] = None
    id: Annotated[str | None, Field(pattern="^msg_" + ID)] = None

    def what(self) -> New | Retry | Continue:
        """Raises InvalidInput unless exactly one thing is asked for."""
        if self.text is None:
            for name in {"id", "parent"} & self.model_fields_set:
                raise InvalidInput(f"Only a new message has {name!r}; leave it out.", param=name)
        match (self.text, self.retry, self.continue_):
            case (str(text), None, None):
                at_root = "parent" in self.model_fields_set and self.parent is None
                return New(text, self.parent, at_root, self.id)
            case (None, str(message), None):
                return Retry(message)
            case (None, None, str(message)):
                return Continue(message)
            case _:
                raise InvalidInput("A turn has one of `text`, `retry` and `continue`.", param="text")


class NewConversation(Body):
    """With `turn` it is made together with its first answer, or not at all."""

    id: Annotated[str | None, Field(pattern="^conv_" + ID)] = None
    title: Text = ""
    turn: NewTurnBody | None = None


class ConversationList(BaseModel):
    """A page; `next` is the `before` of the next one. The pinned ones are on the first."""

    pinned: list[Conversation]
    conversations: list[Conversation]
    next: str | None


class TagCount(BaseModel):
    tag: str
    count: int


class TagList(BaseModel):
    tags: list[TagCount]


class WholeConversation(BaseModel):
    conversation: Conversation
    messages: list[Message]
    running: str | None


class Hits(BaseModel):
    hits: list[Hit]


class Begun(BaseModel):
    """A turn that has begun: its run, the user's message, the answer-to-be and the model that writes it."""

    conversation: str
    run: str
    message: str | None
    answer: str
    model: str


def router(core: Core) -> APIRouter:
    api = APIRouter(prefix="/api", tags=["conversations"])

    @api.get("/conversations")
    async def list_conversations(
        archived: bool = False,
        tag: str | None = None,
        before: str | None = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> ConversationList:
        place = None if before is None else _place(before)
        listed = await core.store.conversations(OWNER, limit, archived=archived, tag=tag, before=place)
        return ConversationList(
            pinned=listed.pinned,
            conversations=listed.conversations,
            next=None if listed.next is None else f"{listed.next.updated}.{listed.next.id}",
        )

    @api.get("/tags")
    async def list_tags(archived: bool = False) -> TagList:
        counts = await core.store.tags(OWNER, archived=archived)
        return TagList(tags=[TagCount(tag=tag, count=count) for tag, count in counts.items()])

    async def begun(
        conversation: str | Conversation, turn: NewTurnBody, accepted: float, accept: str
    ) -> Begun | EventStream:
        asked = await core.turns.ask(OWNER, conversation, turn.what(), turn.choices(), accepted)
        if "text/event-stream" in accept:
            return EventStream(frames(core.runs.follow(asked.run, 0)))
        run = asked.run
        return Begun(
            conversation=run.conversation, run=run.id, message=asked.question, answer=run.message, model=asked.model
        )

    @api.post("/conversations", status_code=201, response_model=Conversation, responses={202: {"model": Begun}})
    async def create_conversation(
        body: NewConversation, response: Response, accept: Annotated[str, Header()] = ""
    ) -> Any:
        accepted = time.perf_counter()
        wanted = core.turns.begin(OWNER, body.id, body.title)
        if body.turn is not None:
            answer = await begun(wanted, body.turn, accepted, accept)
            return answer if isinstance(answer, EventStream) else JSONResponse(answer.model_dump(), 202)
        kept = await core.keeping.add(wanted)
        response.status_code = 201 if kept is wanted else 200
        return kept

    @api.get("/conversations/{id}")
    async def read_conversation(id: str) -> WholeConversation:
        conversation, messages = await core.store.tree(OWNER, id)
        running = next((message.run for message in messages if message.status == "running"), None)
        return WholeConversation(conversation=conversation, messages=messages, running=running)

    @api.patch("/conversations/{id}")
    async def change_conversation(id: str, body: ChangedConversation) -> Conversation:
        edit = Edit(title=body.title, leaf=body.leaf, pinned=body.pinned, archived=body.archived, tags=body.tags)
        return await core.keeping.change(OWNER, id, edit)

    @api.delete("/conversations/{id}", status_code=204)
    async def delete_conversation(id: str, forever: bool = False) -> None:
        await core.keeping.delete(OWNER, id, forever=forever)

    @api.delete("/conversations", status_code=204)
    async def delete_all_conversations(confirm: Literal["all"]) -> None:
        assert confirm
        await core.keeping.delete_all(OWNER)

    @api.post("/conversations/{id}/restore")
    async def restore_conversation(id: str) -> Conversation:
        return await core.keeping.restore(OWNER, id)

    @api.delete("/conversations/{id}/messages/{message}")
    async def delete_message(id: str, message: str) -> Conversation:
        return await core.keeping.delete_message(OWNER, id, message)

    @api.post("/conversations/{id}/turns", status_code=202, response_model=Begun)
    async def begin_turn(id: str, body: NewTurnBody, accept: Annotated[str, Header()] = "") -> Any:
        return await begun(id, body, time.perf_counter(), accept)

    @api.get("/search")
    async def search(q: str, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> Hits:
        return Hits(hits=await core.store.search(OWNER, q, limit))

    return api


def _place(cursor: str) -> Place:
    """Where a page begins, from the `next` of the one before."""
    found = re.fullmatch(r"(\d{1,16})\.(\w{1,64})", cursor, re.ASCII)
    if found is None:
        raise InvalidInput("`before` is the `next` of the page before; leave it out for the first.", param="before")
    return Place(int(found[1]), found[2])
