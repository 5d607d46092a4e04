"""Routes of what can be shared: with whom something is shared, and as what."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import BaseModel

from eclair.app import App
from eclair.schema.messages import ChangeKind
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody
from eclair.server.subject_names import SubjectNames
from eclair.storage.sharing import AccessShare, SharedAccess, SharedStore

ShareSubject = Annotated[str, Path(pattern=r"^(?:everyone|(?:person|group):[\w.:-]{1,200})$")]
"""With whom something is shared: everyone here, a group or a person."""


class AccessShareBody(BaseModel):
    """A subject, the name that people know it by, and what it may do."""

    subject: str
    name: str
    access: SharedAccess


class AccessShareList(BaseModel):
    shares: list[AccessShareBody]


class SharedAccessBody(RequestBody):
    """`view` lets people use something, `edit` change what is in it too."""

    access: SharedAccess


def add_sharing_routes(api: APIRouter, app: App, store: SharedStore, *, noun: str, kind: ChangeKind) -> None:
    """Add the routes of shares below `/{id}/shares`. A change is published to all as one of `kind`."""

    @api.get("/{id}/shares", name=f"list_{noun}_shares")
    async def list_shares(principal: Caller, id: str) -> AccessShareList:
        names = SubjectNames(app.storage)
        return AccessShareList(
            shares=[
                AccessShareBody(subject=each.subject, name=await names.find(each.subject), access=each.access)
                for each in await store.list_shares(principal, id)
            ]
        )

    @api.put("/{id}/shares/{subject}", status_code=204, name=f"share_{noun}")
    async def share(principal: Caller, id: str, subject: ShareSubject, body: SharedAccessBody) -> None:
        app.rights.require(principal, "share", "Your account may not share; ask an administrator.")
        await store.share(principal, AccessShare(id, subject, body.access, int(time.time() * 1000)))
        app.changes.publish_to_all(kind)

    @api.delete("/{id}/shares/{subject}", status_code=204, name=f"unshare_{noun}")
    async def unshare(principal: Caller, id: str, subject: ShareSubject) -> None:
        await store.unshare(principal, id, subject)
        app.changes.publish_to_all(kind)


async def find_owner_name(names: SubjectNames, owner: str, *, is_own: bool) -> str | None:
    """Return the name of the owner of what is shared with the caller; None for what is the caller's own."""
    return None if is_own else await names.find(f"person:{owner}")
