"""`eclair audit`: lists, verifies and exports the log of who did what, and prints its newest checkpoint."""

from __future__ import annotations

import argparse
import asyncio
from contextlib import aclosing
from datetime import datetime
from functools import partial
from pathlib import Path

from eclair.audit.audit_export import stream_acts
from eclair.audit.checkpoint_notes import read_notes, write_note
from eclair.audit.verification import verify
from eclair.cli._arguments import load_settings
from eclair.cli._logging import log_if_debugging
from eclair.cli._signals import run_async
from eclair.cli._storage import opened_storage
from eclair.cli._terminal import Terminal
from eclair.cli.models import print_table
from eclair.compliance.compliance_settings import with_compliance_settings
from eclair.errors import InvalidInput
from eclair.schema.audit import ActFilter, AuditAct, AuditCheckpoint
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.schema.works_council import without_people
from eclair.settings import Settings
from eclair.storage.base import Storage
from eclair.storage.shared_keys import share_keys
from eclair.storage.signing_key import SigningKey, encode_key

COLUMNS = ("NUMBER", "WHEN", "ACTION", "OUTCOME", "WHO", "OBJECT", "FROM")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = with_compliance_settings(load_settings(arguments).settings)
    log_if_debugging(settings)
    return run_async(_run(arguments, settings, terminal))


async def _run(arguments: argparse.Namespace, settings: Settings, terminal: Terminal) -> int:
    async with opened_storage(settings) as storage:
        match arguments.action:
            case "verify":
                return await _verify(storage, arguments.checkpoint, terminal)
            case "export":
                return await _export(storage, settings, arguments, terminal)
            case "checkpoint":
                return await _print_checkpoint(storage, settings, terminal)
            case _:
                return await _list(storage, settings, arguments, terminal)


async def _list(storage: Storage, settings: Settings, arguments: argparse.Namespace, terminal: Terminal) -> int:
    acts = await storage.audit.list_acts(_filter(arguments, settings), arguments.limit)
    if not acts:
        terminal.line("The audit log has no such acts.")
        return 0
    shown = map(without_people, acts) if settings.works_council else acts
    print_table([COLUMNS, *map(_cells, shown)], terminal)
    return 0


async def _verify(storage: Storage, path: Path | None, terminal: Terminal) -> int:
    outside = list[AuditCheckpoint]()
    if path is not None:
        try:
            outside = read_notes(await asyncio.to_thread(path.read_text, "utf-8"))
        except (OSError, UnicodeDecodeError) as error:
            raise InvalidInput(f"{path} can't be read: {error}.") from error
        if not outside:
            raise InvalidInput(f"{path} holds no checkpoint; give a file that the log was delivered to.")
    found = await storage.audit.read_whole(partial(verify, outside=outside))
    if found.fault is not None:
        terminal.line(f"The audit log was changed: {found.fault.message}")
        return 1
    terminal.line(
        f"Nothing was changed: {found.acts:,} acts, {found.checkpoints:,} checkpoints"
        f"{f', {found.outside:,} of them kept elsewhere' if found.outside else ''}."
    )
    if found.unsealed:
        terminal.dim_line(f"{found.unsealed:,} acts since the last checkpoint are held by the chain alone.")
    return 0


async def _export(storage: Storage, settings: Settings, arguments: argparse.Namespace, terminal: Terminal) -> int:
    format = "ocsf" if arguments.ocsf else "jsonl"
    await storage.audit.add_act(LOCAL_PRINCIPAL, "audit.exported", details={"format": format})
    which = _filter(arguments, settings)
    stream = stream_acts(storage.audit, which, format, hides_people=settings.works_council)
    async with aclosing(stream) as pieces:
        async for piece in pieces:
            terminal.write_bytes(piece)
    return 0


async def _print_checkpoint(storage: Storage, settings: Settings, terminal: Terminal) -> int:
    await share_keys(settings, storage)
    key = SigningKey.configured(settings)
    if await storage.audit.has_news():
        await storage.audit.add_checkpoint(encode_key(key.public()), partial(write_note, key))
    checkpoint = await storage.audit.get_last_checkpoint()
    if checkpoint is None:
        terminal.line("Nothing has happened yet that a checkpoint could cover.")
        return 1
    terminal.write_bytes(checkpoint.note.encode())
    return 0


def _filter(arguments: argparse.Namespace, settings: Settings) -> ActFilter:
    if settings.works_council and arguments.person:
        raise InvalidInput("Works-council mode shows nothing by person; filter by action or day.")
    return ActFilter(
        person=arguments.person,
        action=arguments.what,
        since=_milliseconds(arguments.since),
        until=_milliseconds(arguments.until),
    )


def _milliseconds(day: datetime | None) -> int | None:
    return None if day is None else int(day.timestamp() * 1000)


def _cells(act: AuditAct) -> tuple[str, ...]:
    return (
        str(act.number),
        f"{datetime.fromtimestamp(act.moment / 1000):%Y-%m-%d %H:%M:%S}",
        act.action,
        act.outcome,
        act.actor or "",
        act.object or "",
        act.address or "",
    )
