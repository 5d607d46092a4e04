"""`/api/audit`: who did what, a check that nothing was changed, and the log as a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response
from fastapi.responses import PlainTextResponse, StreamingResponse
from pydantic import BaseModel

from eclair.app import App
from eclair.audit.audit_export import ActFormat, stream_acts
from eclair.errors import InvalidInput, NotFound
from eclair.schema.audit import ActFilter, AuditAct, AuditAction, AuditOutcome
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.schema.works_council import without_people
from eclair.server.numbers import Ordinal
from eclair.server.principal import Caller

MEDIA_TYPE = "application/x-ndjson"


class ActBody(BaseModel):
    """An act. `actor`, `key`, `address` and `object` are null where they were erased or aren't shown."""

    number: int
    moment: int
    action: AuditAction
    outcome: AuditOutcome
    actor: str | None
    key: str | None
    address: str | None
    object: str | None
    erased: bool
    details: dict[str, str | int | bool | None]

    @classmethod
    def from_act(cls, act: AuditAct) -> ActBody:
        return cls(
            number=act.number,
            moment=act.moment,
            action=act.action,
            outcome=act.outcome,
            actor=act.actor,
            key=act.key,
            address=act.address,
            object=act.object,
            erased=act.is_erased,
            details=dict(act.details),
        )


class DeliveryBody(BaseModel):
    """A place outside that gets the log: the last act that it has, and why it has no more."""

    destination: str
    delivered: int
    fault: str | None


class ActList(BaseModel):
    """A page of the audit log, newest first. Pass `next` as `before` to get the next page.

    `people` has the names of people by id, `days` is for how long acts say who acted, `checkpoint` the moment of the
    last checkpoint.
    """

    acts: list[ActBody]
    people: dict[str, str]
    next: int | None
    days: int
    works_council: bool
    checkpoint: int | None
    destinations: list[DeliveryBody]


class VerificationBody(BaseModel):
    """The result of a check. `fault` says in a sentence what is wrong, first with the row `number`."""

    acts: int
    checkpoints: int
    unsealed: int
    erased: int
    number: int | None
    fault: str | None


ActText = Annotated[str | None, Query(max_length=200)]


def parse_act_filter(
    person: ActText = None, action: ActText = None, since: Ordinal | None = None, until: Ordinal | None = None
) -> ActFilter:
    """Build the filter from the query parameters."""
    return ActFilter(person=person or None, action=action or None, since=since, until=until)


WantedActs = Annotated[ActFilter, Depends(parse_act_filter)]


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/audit", tags=["audit"])
    store = app.storage.audit

    @api.get("")
    async def list_acts(
        principal: Caller,
        which: WantedActs,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        before: Ordinal | None = None,
    ) -> ActList:
        which = await _with_person(app, which)
        acts = await store.list_acts(which, limit + 1, before)
        shown = list(map(without_people, acts)) if app.settings.works_council else acts
        checkpoint = await store.get_last_checkpoint()
        return ActList(
            acts=[ActBody.from_act(act) for act in shown[:limit]],
            people=await _names(app, shown[:limit]),
            next=acts[limit - 1].number if len(acts) > limit else None,
            days=app.settings.audit_days,
            works_council=app.settings.works_council,
            checkpoint=None if checkpoint is None else checkpoint.moment,
            destinations=[
                DeliveryBody(destination=each.destination, delivered=each.delivered, fault=each.fault)
                for each in await app.audit.list_deliveries()
            ],
        )

    @api.get("/verify")
    async def verify_log(principal: Caller) -> VerificationBody:
        await app.egress_log.settle()
        found = await app.audit.verify()
        return VerificationBody(
            acts=found.acts,
            checkpoints=found.checkpoints,
            unsealed=found.unsealed,
            erased=found.erased,
            number=None if found.fault is None else found.fault.number,
            fault=None if found.fault is None else found.fault.message,
        )

    @api.get("/checkpoint", response_class=PlainTextResponse)
    async def get_checkpoint(principal: Caller) -> Response:
        await app.audit.add_checkpoint()
        checkpoint = await store.get_last_checkpoint()
        if checkpoint is None:
            raise NotFound("Nothing has happened yet that a checkpoint could cover.")
        return PlainTextResponse(checkpoint.note, headers=_file_headers(f"eclair-audit-{checkpoint.size}.checkpoint"))

    @api.get("/export", response_class=Response)
    async def export_acts(principal: Caller, which: WantedActs, format: ActFormat = "jsonl") -> StreamingResponse:
        which = await _with_person(app, which)
        await store.add_act(principal, "audit.exported", details={"format": format})
        stream = stream_acts(store, which, format, hides_people=app.settings.works_council)
        name = f"eclair-audit-{datetime.now(UTC):%Y%m%d}.{'ocsf.' if format == 'ocsf' else ''}jsonl"
        return StreamingResponse(stream, media_type=MEDIA_TYPE, headers=_file_headers(name))

    return api


async def _names(app: App, acts: Sequence[AuditAct]) -> dict[str, str]:
    """Return the names of the people in acts, by id."""
    ids = {id for act in acts for id in (act.actor, act.object) if id is not None}
    found = [await app.storage.people.find_facts(id) for id in ids if id.startswith(("person_", LOCAL_PRINCIPAL.id))]
    return {facts.person.id: facts.person.display_name for facts in found if facts is not None}


def _file_headers(name: str) -> dict[str, str]:
    return {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }


async def _with_person(app: App, which: ActFilter) -> ActFilter:
    """Return the filter with the id of the one person whom it names otherwise. Raises InvalidInput."""
    if which.person is None:
        return which
    if app.settings.works_council:
        raise InvalidInput("Works-council mode shows nothing by person; filter by action or day.", param="person")
    found = await app.storage.people.list_people(2, which.person)
    return replace(which, person=found[0].id) if len(found) == 1 else which
