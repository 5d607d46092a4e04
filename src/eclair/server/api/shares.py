"""`/api/shares`: snapshots of a branch, open to anyone with the link.

They stay open until they expire.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, Field, TypeAdapter
from starlette.responses import FileResponse

from eclair.app import App
from eclair.errors import Conflict, Gone, InvalidInput, NotFound
from eclair.schema.ids import secret_id
from eclair.schema.messages import Message, branch
from eclair.schema.principal import Principal
from eclair.server.api import images
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody
from eclair.storage.shares import Share

DAY_MS = 86_400_000
MAX_SHARE_DAYS = 3650

_MESSAGES: TypeAdapter[list[Message]] = TypeAdapter(list[Message])


class NewShare(RequestBody):
    """A new share, which expires after `days`; never if null."""

    days: Annotated[int | None, Field(ge=1, le=MAX_SHARE_DAYS)]


class ShareBody(BaseModel):
    id: str
    url: str
    conversation: str
    title: str
    created: int
    expires: int | None

    @classmethod
    def from_share(cls, share: Share) -> ShareBody:
        return cls(
            id=share.id,
            url=f"/s/{share.id}",
            conversation=share.conversation,
            title=share.title,
            created=share.created,
            expires=share.expires,
        )


class ShareList(BaseModel):
    shares: list[ShareBody]


class SharedConversation(BaseModel):
    """A shared branch: its messages, from the first on."""

    title: str
    messages: list[Message]
    created: int
    expires: int | None


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api", tags=["shares"])

    @api.post("/conversations/{id}/shares", status_code=201)
    async def share_conversation(principal: Caller, id: str, body: NewShare) -> ShareBody:
        conversation, tree = await app.storage.conversations.get_tree(principal, id)
        shown = branch({message.id: message for message in tree}, conversation.leaf)
        if not shown:
            raise InvalidInput("This conversation has no messages yet; there is nothing to share.")
        for message in shown:
            if message.status == "running":
                raise Conflict("This conversation is still answering; share it when it has.", run=message.run)
        now = _now()
        expires = None if body.days is None else now + body.days * DAY_MS
        share = Share(secret_id("share"), principal.id, id, conversation.title, now, expires)
        body_json = _MESSAGES.dump_json([_public(message) for message in shown]).decode()
        await app.storage.shares.add_share(principal, share, body_json)
        return ShareBody.from_share(share)

    @api.get("/shares")
    async def list_shares(principal: Caller) -> ShareList:
        return ShareList(
            shares=[ShareBody.from_share(share) for share in await app.storage.shares.list_shares(principal)]
        )

    @api.delete("/shares/{id}", status_code=204)
    async def revoke_share(principal: Caller, id: str) -> None:
        await app.storage.shares.delete_share(principal, id)

    @api.get("/shared/{id}")
    async def read_shared(id: str, response: Response) -> SharedConversation:
        share, body = await _open(id)
        response.headers.update({"Cache-Control": "no-store", "X-Robots-Tag": "noindex"})
        return SharedConversation(
            title=share.title, messages=_MESSAGES.validate_json(body), created=share.created, expires=share.expires
        )

    @api.get("/shared/{id}/pictures/{picture}", response_class=FileResponse)
    async def shared_picture(id: str, picture: str) -> FileResponse:
        share, body = await _open(id)
        shown = (part.id for message in _MESSAGES.validate_json(body) for part in message.parts)
        if picture not in shown:
            raise NotFound(f"There is no image {picture!r} in this shared conversation.")
        return images.image_response(app.gallery, await app.gallery.get_image(Principal(share.owner), picture))

    async def _open(id: str) -> tuple[Share, str]:
        share, body = await app.storage.shares.get_share(id)
        if share.expires is not None and share.expires <= _now():
            raise Gone("This link has expired; ask for a new one.")
        return share, body

    return api


def _public(message: Message) -> Message:
    """Strip internal fields from a message."""
    return replace(message, conversation="", run=None, usage=None)


def _now() -> int:
    return int(time.time() * 1000)
