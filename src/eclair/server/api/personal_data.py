"""Personal data: what a person has here, its erasure by themselves or an administrator, and the receipts of that."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import orjson
from fastapi import APIRouter, Response
from pydantic import BaseModel

from eclair.app import App
from eclair.errors import NotFound
from eclair.schema.principal import Principal
from eclair.server.api.session import Secret
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody
from eclair.server.subject_names import SubjectNames
from eclair.storage.personal_data import ErasureRequest
from eclair.transfer.person_erasure import PersonalData


class ErasureState(BaseModel):
    """A request for erasure; times are in milliseconds. It can be withdrawn until it is `due`.

    `ended` is when it was done; there is a receipt then. `name` is that of the person, while they have an account.
    """

    id: str
    person: str
    name: str
    asked_by: str
    asked: int
    due: int
    ended: int | None

    @classmethod
    def from_request(cls, request: ErasureRequest, name: str) -> ErasureState:
        return cls(
            id=request.id,
            person=request.owner,
            name=name,
            asked_by=request.asked_by,
            asked=request.asked,
            due=request.due,
            ended=request.ended,
        )


class PersonalDataSummary(BaseModel):
    """Numbers of what a person has, by what it is, the open request to erase it, and the days it can be withdrawn.

    Works-council mode shows the numbers to nobody else.

    `held` says that a legal hold keeps it, `asks_password` that a request for its erasure needs the password.
    """

    counts: dict[str, int]
    erasure: ErasureState | None
    held: bool
    grace_days: int
    asks_password: bool

    @classmethod
    def from_data(
        cls, data: PersonalData, erasure: ErasureState | None, *, asks_password: bool = False
    ) -> PersonalDataSummary:
        return cls(
            counts=dict(data.counts),
            erasure=erasure,
            held=data.is_held,
            grace_days=data.grace_days,
            asks_password=asks_password,
        )


class ErasureBody(RequestBody):
    """The confirmation, and the password of whoever has one and asks for their own erasure."""

    confirm: Literal["erase everything"]
    password: Secret = ""


class Erasures(BaseModel):
    erasures: list[ErasureState]


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api", tags=["personal data"])
    service = app.person_erasure

    async def has_password(principal: Principal) -> bool:
        return app.settings.accounts == "on" and await app.storage.people.get_password(principal.id) is not None

    async def state_of(request: ErasureRequest) -> ErasureState:
        return ErasureState.from_request(request, await SubjectNames(app.storage).find(f"person:{request.owner}"))

    async def summary_of(data: PersonalData, *, asks_password: bool = False) -> PersonalDataSummary:
        erasure = None if data.request is None else await state_of(data.request)
        return PersonalDataSummary.from_data(data, erasure, asks_password=asks_password)

    @api.get("/me/data")
    async def read_own_data(principal: Caller) -> PersonalDataSummary:
        data = await service.describe(principal)
        return await summary_of(data, asks_password=await has_password(principal))

    @api.post("/me/data/erasure", status_code=202)
    async def request_own_erasure(principal: Caller, body: ErasureBody) -> ErasureState:
        if await has_password(principal):
            person = await app.storage.people.get_person(principal.id)
            await app.accounts.sign_in.check_password(person, body.password)
        return await state_of(await service.request(principal, principal.id))

    @api.delete("/me/data/erasure", status_code=204)
    async def withdraw_own_erasure(principal: Caller) -> None:
        await service.withdraw(principal, principal.id)

    @api.get("/people/{id}/data")
    async def read_data(principal: Caller, id: str) -> PersonalDataSummary:
        data = await service.describe(Principal(id))
        is_hidden = app.settings.works_council and id != principal.id
        return await summary_of(replace(data, counts={}) if is_hidden else data)

    @api.post("/people/{id}/data/erasure", status_code=202)
    async def request_erasure(principal: Caller, id: str, body: ErasureBody) -> ErasureState:
        return await state_of(await service.request(principal, id))

    @api.delete("/people/{id}/data/erasure", status_code=204)
    async def withdraw_erasure(principal: Caller, id: str) -> None:
        await service.withdraw(principal, id)

    @api.get("/erasures")
    async def list_erasures(principal: Caller) -> Erasures:
        requests = await app.storage.personal_data.list_requests()
        return Erasures(erasures=[await state_of(each) for each in requests])

    @api.get("/erasures/{id}/receipt", response_class=Response)
    async def read_erasure_receipt(principal: Caller, id: str) -> Response:
        request = await app.storage.personal_data.get_request(id)
        if request.receipt is None:
            raise NotFound("This erasure isn't done yet, so there is no receipt of it.")
        headers = {
            "Content-Disposition": f'attachment; filename="{request.id}.json"',
            "Cache-Control": "no-store",
        }
        return Response(
            orjson.dumps(orjson.loads(request.receipt), option=orjson.OPT_INDENT_2), 200, headers, "application/json"
        )

    return api
