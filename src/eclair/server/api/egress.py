"""`/api/egress`: the egress log of outgoing calls, and the policy."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Self

from fastapi import APIRouter, Depends, Query, Response
from pydantic import BaseModel
from starlette.responses import StreamingResponse

from eclair.app import App
from eclair.network.egress_export import MEDIA_TYPES, EgressFormat, stream_export
from eclair.network.policy import PolicyMode, Purpose
from eclair.server.numbers import Ordinal
from eclair.server.principal import Caller
from eclair.storage.egress import CallFilter, CallRecord, CallVerdict

FilterText = Annotated[str | None, Query(max_length=255)]


class CallBody(BaseModel):
    """An outgoing call; each redirect is another one.

    `moment` is in milliseconds since 1970; `sent` counts bytes of the URL and the body, `received` those of the reply's
    body. `url` is null once it was erased; `reason` is a sentence.
    """

    id: int
    moment: int
    purpose: str
    run: str | None
    method: str
    url: str | None
    host: str
    address: str | None
    country: str | None
    sent: int
    received: int
    status: int | None
    milliseconds: float
    verdict: CallVerdict
    reason: str | None

    @classmethod
    def from_record(cls, call: CallRecord) -> Self:
        return cls(**{name: getattr(call, name) for name in cls.model_fields})


class CallList(BaseModel):
    """A page of the egress log, newest first, with the number of calls by verdict.

    Pass `next` as `before` to get the next page. `policy`, `hosts`, `private` and `days` are the current settings.
    """

    policy: PolicyMode
    hosts: tuple[str, ...]
    private: tuple[str, ...]
    days: int
    counts: dict[CallVerdict, int]
    calls: list[CallBody]
    next: int | None


def parse_filter(
    run: FilterText = None, host: FilterText = None, verdict: CallVerdict | None = None, purpose: Purpose | None = None
) -> CallFilter:
    """Build the filter from the query parameters."""
    name = (host or "").strip().lower().rstrip(".")
    return CallFilter(run=run or None, host=name or None, verdict=verdict, purpose=purpose)


Filter = Annotated[CallFilter, Depends(parse_filter)]


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/api/egress", tags=["egress"])
    store = app.storage.egress

    @api.get("")
    async def list_calls(
        principal: Caller,
        which: Filter,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        before: Ordinal | None = None,
    ) -> CallList:
        await app.egress_log.settle()
        calls = await store.list_calls(principal, which, limit + 1, before)
        return CallList(
            policy=app.settings.egress,
            hosts=app.settings.egress_hosts,
            private=app.settings.private_addresses,
            days=app.settings.egress_days,
            counts=await store.count_calls(principal, which),
            calls=[CallBody.from_record(call) for call in calls[:limit]],
            next=calls[limit - 1].id if len(calls) > limit else None,
        )

    @api.get("/export", response_class=Response)
    async def export_calls(principal: Caller, which: Filter, format: EgressFormat = "csv") -> StreamingResponse:
        await app.egress_log.settle()
        what = {"what": "outgoing calls", "format": format}
        await app.storage.audit.add_act(principal, "export.made", details=what)
        name = f"eclair-egress-{datetime.now(UTC):%Y%m%d}.{format}"
        headers = {
            "Content-Disposition": f'attachment; filename="{name}"',
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        }
        return StreamingResponse(
            stream_export(store, principal, which, format), media_type=MEDIA_TYPES[format], headers=headers
        )

    return api
