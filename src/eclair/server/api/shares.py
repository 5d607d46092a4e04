"""`/api/shares`: snapshots of a branch, open to anyone with the link.

They stay open until they expire, and hold nothing but what their page shows.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from eclair.app import App
from eclair.errors import Conflict, DataDamaged, Gone, InvalidInput, NotFound, Unauthorized
from eclair.schema.ids import secret_id
from eclair.schema.messages import Message, branch
from eclair.schema.principal import Principal
from eclair.server.auth import is_public
from eclair.server.principal import Caller
from eclair.server.public_address import PublicAddress
from eclair.server.request_body import RequestBody
from eclair.server.shown_messages import picture_response, shown_message, without_ids
from eclair.storage.shares import Share
from eclair.transfer.export_view import ReviewerName

DAY_MS = 86_400_000
MAX_SHARE_DAYS = 3650
DEFAULT_SHARE_DAYS = 7

_MESSAGES: TypeAdapter[list[Message]] = TypeAdapter(list[Message])


class NewShare(RequestBody):
    """A new share, which expires after `days`; never if null. One for the `house` takes an account here.

    `reviewer` reviewed it and answers for it.
    """

    days: Annotated[int | None, Field(ge=1, le=MAX_SHARE_DAYS)] = DEFAULT_SHARE_DAYS
    house: bool = False
    reviewer: ReviewerName | None = None


class ShareBody(BaseModel):
    """A share as its owner sees it; `readings` counts how often it was opened.

    `url` is absolute if Éclair knows its `public_url`, else a path.
    """

    id: str
    url: str
    conversation: str
    title: str
    created: int
    expires: int | None
    readings: int
    house: bool
    reviewer: str | None

    @classmethod
    def from_share(cls, share: Share, public: PublicAddress) -> ShareBody:
        return cls(
            id=share.id,
            url=public.link(f"/s/{share.id}"),
            conversation=share.conversation,
            title=share.title,
            created=share.created,
            expires=share.expires,
            readings=share.readings,
            house=share.house,
            reviewer=share.reviewer,
        )


class ShareList(BaseModel):
    shares: list[ShareBody]


class SharedConversation(BaseModel):
    """A shared branch: its messages, from the first on, without ids and whatever else its page doesn't show.

    `reviewer` is the person who reviewed it and answers for it; null if nobody did.
    """

    title: str
    messages: list[Message]
    created: int
    expires: int | None
    reviewer: str | None


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api", tags=["shares"])
    clock = app.storage.processes.clock
    public = PublicAddress.from_settings(app.settings)

    @api.post("/conversations/{id}/shares", status_code=201)
    async def share_conversation(principal: Caller, id: str, body: NewShare) -> ShareBody:
        app.rights.require(principal, "share", "Your account may not share; ask an administrator.")
        conversation, tree = await app.storage.conversations.get_tree(principal, id)
        shown = branch({message.id: message for message in tree}, conversation.leaf)
        if not shown:
            raise InvalidInput("This conversation has no messages yet; there is nothing to share.")
        for message in shown:
            if message.is_open:
                raise Conflict("This conversation is still answering; share it when it has.", run=message.run)
        now = int(clock() * 1000)
        expires = None if body.days is None else now + body.days * DAY_MS
        share = Share(
            secret_id("share"),
            principal.id,
            id,
            conversation.title,
            now,
            expires,
            house=body.house,
            reviewer=body.reviewer,
        )
        body_json = _MESSAGES.dump_json([shown_message(message) for message in shown]).decode()
        await app.storage.shares.add_share(principal, share, body_json)
        return ShareBody.from_share(share, public)

    @api.get("/shares")
    async def list_shares(principal: Caller) -> ShareList:
        return ShareList(
            shares=[ShareBody.from_share(share, public) for share in await app.storage.shares.list_shares(principal)]
        )

    @api.delete("/shares/{id}", status_code=204)
    async def revoke_share(principal: Caller, id: str) -> None:
        await app.storage.shares.delete_share(principal, id)

    @api.get("/shared/{id}")
    async def read_shared(id: str, request: Request, response: Response) -> SharedConversation:
        share, body = await _open(id, request)
        response.headers.update({"Cache-Control": "no-store", "X-Robots-Tag": "noindex"})
        await app.storage.shares.count_reading(id)
        messages = [without_ids(shown_message(message)) for message in _messages(body)]
        return SharedConversation(
            title=share.title,
            messages=messages,
            created=share.created,
            expires=share.expires,
            reviewer=share.reviewer,
        )

    @api.get("/shared/{id}/pictures/{picture:path}", response_class=Response)
    async def shared_picture(id: str, picture: str, request: Request) -> Response:
        share, body = await _open(id, request)
        shown = (part.id for message in _messages(body) for part in message.parts)
        if picture not in shown:
            raise NotFound(f"There is no image {picture!r} in this shared conversation.")
        return await picture_response(app, Principal(share.owner), share.conversation, picture)

    async def _open(id: str, request: Request) -> tuple[Share, str]:
        share, body = await app.storage.shares.get_share(id)
        if share.house and is_public(request.scope):
            raise Unauthorized("This link is for people who have an account here; sign in to open it.")
        if share.expires is not None and share.expires <= clock() * 1000:
            raise Gone("This link has expired; ask for a new one.")
        return share, body

    return api


def _messages(body: str) -> list[Message]:
    try:
        return _MESSAGES.validate_json(body)
    except ValidationError as error:
        raise DataDamaged("This shared conversation is damaged; ask for a new link.") from error
