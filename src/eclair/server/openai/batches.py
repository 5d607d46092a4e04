"""`/v1/batches`: OpenAI's batch API; the requests run in the background, while nobody waits for an answer."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import AfterValidator, Field

from eclair.app import App
from eclair.llm.base import JSON
from eclair.schema.ids import new_id
from eclair.server.principal import Caller
from eclair.server.request_body import RequestBody, StrictModel
from eclair.storage.batches import BatchDetails, BatchFault, StoredBatch

HOUR_MS = 3_600_000
MAX_WINDOW_HOURS = 24 * 31
_WINDOW = re.compile(r"(\d{1,4})([hd])")
_ENDED_AT = {"completed": "completed_at", "failed": "failed_at", "expired": "expired_at", "cancelled": "cancelled_at"}


def _require_window(window: str) -> str:
    if not 1 <= _window_hours(window) <= MAX_WINDOW_HOURS:
        raise ValueError("a window is a number of hours or days, such as 24h or 7d, of at most 31 days")
    return window


def _window_hours(window: str) -> int:
    found = _WINDOW.fullmatch(window)
    return 0 if found is None else int(found[1]) * (24 if found[2] == "d" else 1)


class OutputExpiry(StrictModel):
    anchor: Literal["created_at"] = "created_at"
    seconds: Annotated[int, Field(ge=3600, le=2_592_000)]


class BatchRequest(RequestBody):
    input_file_id: str
    endpoint: Literal["/v1/chat/completions", "/v1/completions", "/v1/embeddings", "/v1/responses"]
    completion_window: Annotated[str, AfterValidator(_require_window)] = "24h"
    metadata: Annotated[dict[Annotated[str, Field(max_length=64)], str] | None, Field(max_length=16)] = None
    output_expires_after: OutputExpiry | None = None


def router(app: App) -> APIRouter:
    api = APIRouter(prefix="/v1/batches", tags=["OpenAI"])
    store = app.storage.batches

    @api.post("")
    async def add_batch(principal: Caller, body: BatchRequest) -> JSON:
        now = int(app.storage.processes.clock() * 1000)
        details = BatchDetails(
            endpoint=body.endpoint,
            input_file=body.input_file_id,
            window=body.completion_window,
            expires=now + _window_hours(body.completion_window) * HOUR_MS,
            metadata=body.metadata or {},
            key=principal.key,
            keep_output_s=body.output_expires_after.seconds if body.output_expires_after is not None else None,
        )
        batch = StoredBatch(new_id("batch"), principal.id, now, "validating", details)
        await app.batches.add(principal, batch)
        return batch_json(batch)

    @api.get("")
    async def list_batches(
        principal: Caller, after: str | None = None, limit: Annotated[int, Query(ge=1, le=100)] = 20
    ) -> JSON:
        found = [batch_json(each) for each in await store.list_batches(principal, limit + 1, after)]
        data = found[:limit]
        ids: JSON = {"first_id": data[0]["id"], "last_id": data[-1]["id"]} if data else {}
        return {"object": "list", "data": data, "has_more": len(found) > limit, **ids}

    @api.get("/{id}")
    async def show_batch(principal: Caller, id: str) -> JSON:
        return batch_json(await store.get_batch(principal, id))

    @api.post("/{id}/cancel")
    async def cancel_batch(principal: Caller, id: str) -> JSON:
        return batch_json(await app.batches.cancel(principal, id))

    return api


def batch_json(batch: StoredBatch) -> JSON:
    """Render a batch in OpenAI's format."""
    details = batch.details
    times = {"in_progress_at": details.begun, "cancelling_at": details.cancelled}
    ended_at = _ENDED_AT.get(batch.status)
    if ended_at is not None:
        times[ended_at] = details.ended
    return {
        "id": batch.id,
        "object": "batch",
        "endpoint": details.endpoint,
        "errors": {"object": "list", "data": [_fault(each) for each in details.faults]} if details.faults else None,
        "input_file_id": details.input_file,
        "completion_window": details.window,
        "status": batch.status,
        "output_file_id": details.output_file,
        "error_file_id": details.error_file,
        "created_at": batch.created // 1000,
        "expires_at": details.expires // 1000,
        **{name: moment // 1000 for name, moment in times.items() if moment is not None},
        "request_counts": {
            "total": details.lines,
            "completed": batch.replies - batch.failures,
            "failed": batch.failures,
        },
        "metadata": details.metadata or None,
    }


def _fault(fault: BatchFault) -> JSON:
    return {"code": fault.code, "message": fault.message, "param": fault.param, "line": fault.line}
