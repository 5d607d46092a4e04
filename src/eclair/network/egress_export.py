"""Export of the egress log as CSV or JSON, streamed."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncGenerator, Sequence
from dataclasses import asdict, fields
from datetime import UTC, datetime
from typing import Literal

import orjson

from eclair.schema.principal import Principal
from eclair.storage.egress import CallFilter, CallRecord, EgressStore

EgressFormat = Literal["csv", "json"]

MEDIA_TYPES: dict[EgressFormat, str] = {"csv": "text/csv; charset=utf-8", "json": "application/json"}

BATCH_ROWS = 500

COLUMNS = ("id", "time", *(field.name for field in fields(CallRecord) if field.name not in ("id", "owner", "moment")))
"""`time` is ISO 8601 in UTC."""


async def stream_export(
    store: EgressStore, principal: Principal, which: CallFilter, format: EgressFormat
) -> AsyncGenerator[bytes]:
    """Yield every matching call, newest first: CSV with a header, or a JSON list of objects."""
    yield _csv([COLUMNS]) if format == "csv" else b"["
    before: int | None = None
    while calls := await store.list_calls(principal, which, BATCH_ROWS, before):
        rows = [as_row(call) for call in calls]
        if format == "csv":
            yield _csv([[_cell(value) for value in each.values()] for each in rows])
        else:
            head = b"\n" if before is None else b",\n"
            yield head + b",\n".join(orjson.dumps(each) for each in rows)
        before = calls[-1].id
    if format == "json":
        yield b"\n]\n"


def as_row(call: CallRecord) -> dict[str, object]:
    """Return a call as a mapping from column to value."""
    values = asdict(call) | {"time": iso_time(call.moment), "milliseconds": round(call.milliseconds, 1)}
    return {name: values[name] for name in COLUMNS}


def iso_time(moment: int) -> str:
    """Format a time in ISO 8601, to the millisecond."""
    return datetime.fromtimestamp(moment / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _csv(rows: Sequence[Sequence[object]]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _cell(value: object) -> object:
    """Keep spreadsheets from taking a text for a formula."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
