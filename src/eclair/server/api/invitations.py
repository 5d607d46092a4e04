"""`/api/invitations`: invitations to have an account."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from eclair.accounts.one_time_codes import INVITATION_DAYS, MAX_INVITATION_DAYS, NewCode
from eclair.app import App
from eclair.schema.principal import PersonRole
from eclair.server.api.session import Secret
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody
from eclair.storage.people import OneTimeCode


class CodeLink(BaseModel):
    """A one-time code, shown only now. `path` opens the page where it is used; `expires` is in milliseconds."""

    id: str
    code: str
    path: str
    expires: int

    @classmethod
    def from_code(cls, made: NewCode) -> CodeLink:
        return cls(id=made.stored.id, code=made.code, path=f"/join#{made.code}", expires=made.stored.expires)


class InvitationRequest(RequestBody):
    """An invitation that ends after `days`; the person chooses a name where none is given."""

    name: Secret = ""
    display_name: Secret = ""
    email: Secret | None = None
    role: PersonRole = "member"
    groups: Annotated[list[Secret], Field(max_length=100)] = Field(default_factory=list)
    days: Annotated[int, Field(ge=1, le=MAX_INVITATION_DAYS)] = INVITATION_DAYS


class InvitationBody(BaseModel):
    id: str
    name: str
    display_name: str
    email: str | None
    role: PersonRole
    groups: list[str]
    created: int
    expires: int

    @classmethod
    def from_code(cls, code: OneTimeCode) -> InvitationBody:
        plain = {name: getattr(code, name) for name in cls.model_fields if name != "groups"}
        return cls(**plain, groups=list(code.groups))


class InvitationList(BaseModel):
    invitations: list[InvitationBody]


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/invitations", tags=["people"])

    @api.get("")
    async def list_invitations() -> InvitationList:
        listed = await app.accounts.codes.list_invitations()
        return InvitationList(invitations=[InvitationBody.from_code(each) for each in listed])

    @api.post("", status_code=201)
    async def invite(principal: Caller, body: InvitationRequest) -> CodeLink:
        made = await app.accounts.codes.invite(
            principal,
            body.name,
            body.display_name,
            email=body.email,
            role=body.role,
            groups=tuple(body.groups),
            days=body.days,
        )
        return CodeLink.from_code(made)

    @api.delete("/{id}", status_code=204)
    async def withdraw_invitation(principal: Caller, id: str) -> None:
        await app.accounts.codes.withdraw(principal, id)

    return api
