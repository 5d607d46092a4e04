"""`eclair batches`: lists the batches that programs began, or cancels one."""

from __future__ import annotations

import argparse
import asyncio
from datetime import datetime
from typing import Any

import orjson

from eclair.cli._arguments import load_settings
from eclair.cli._logging import log_if_debugging
from eclair.cli._storage import opened_storage
from eclair.cli._terminal import Terminal
from eclair.cli.models import print_table
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.storage.batches import StoredBatch

COLUMNS = ("BATCH", "BEGUN", "STATUS", "ANSWERED", "FAILED", "OF", "ENDPOINT")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_if_debugging(settings)
    if arguments.action == "cancel":
        batch = asyncio.run(_cancel(settings, arguments.which))
        terminal.line(f"{batch.id} {_describe_end(batch)}")
        return 0
    found = asyncio.run(_list(settings, arguments.limit))
    if arguments.json:
        terminal.write_bytes(orjson.dumps([*map(_as_json, found)], option=orjson.OPT_INDENT_2) + b"\n")
    elif found:
        print_table([COLUMNS, *map(_cells, found)], terminal)
    else:
        terminal.line("No program has begun a batch.")
    return 0


async def _list(settings: Settings, limit: int) -> list[StoredBatch]:
    async with opened_storage(settings) as storage:
        return await storage.batches.list_batches(LOCAL_PRINCIPAL, limit)


async def _cancel(settings: Settings, id: str) -> StoredBatch:
    """Ask for a batch to be cancelled; a running Éclair does so before its next request."""
    async with opened_storage(settings) as storage:
        now = int(storage.processes.clock() * 1000)
        return await storage.batches.cancel_batch(LOCAL_PRINCIPAL, id, now)


def _describe_end(batch: StoredBatch) -> str:
    return f"has ended already ({batch.status})." if batch.is_finished else "is being cancelled."


def _cells(batch: StoredBatch) -> tuple[str, ...]:
    begun = datetime.fromtimestamp(batch.created / 1000).isoformat(" ", "minutes")
    counts = (str(batch.replies), str(batch.failures), str(batch.details.lines))
    return (batch.id, begun, batch.status, *counts, batch.details.endpoint)


def _as_json(batch: StoredBatch) -> dict[str, Any]:
    details = batch.details
    return {
        "id": batch.id,
        "created": batch.created,
        "status": batch.status,
        "endpoint": details.endpoint,
        "input_file": details.input_file,
        "output_file": details.output_file,
        "error_file": details.error_file,
        "requests": details.lines,
        "answered": batch.replies,
        "failed": batch.failures,
        "metadata": details.metadata,
    }
