"""`eclair egress`: the egress log of outgoing calls, as a table, CSV or JSON."""

from __future__ import annotations

import argparse
from contextlib import aclosing
from datetime import datetime

from eclair.cli._arguments import load_settings
from eclair.cli._logging import log_if_debugging
from eclair.cli._signals import run_async
from eclair.cli._storage import opened_storage
from eclair.cli._terminal import Terminal
from eclair.cli.models import print_table
from eclair.network.egress_export import EgressFormat, stream_export
from eclair.network.policy import OutboundPolicy
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.storage.egress import CallFilter, CallRecord
from eclair.util.humanize import format_size

COLUMNS = ("WHEN", "VERDICT", "FOR", "HOST", "COUNTRY", "ADDRESS", "SENT", "RECEIVED", "STATUS", "MS")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_if_debugging(settings)
    host = arguments.host.strip().lower().rstrip(".") if arguments.host else None
    which = CallFilter(run=arguments.run, host=host, verdict=arguments.verdict, purpose=arguments.purpose)
    format: EgressFormat | None = "csv" if arguments.csv else "json" if arguments.json else None
    return run_async(_show(settings, which, format, arguments.limit, terminal))


async def _show(
    settings: Settings, which: CallFilter, format: EgressFormat | None, limit: int, terminal: Terminal
) -> int:
    async with opened_storage(settings) as storage:
        await storage.egress.mark_interrupted()
        if format is not None:
            what = {"what": "outgoing calls", "format": format}
            await storage.audit.add_act(LOCAL_PRINCIPAL, "export.made", details=what)
            async with aclosing(stream_export(storage.egress, LOCAL_PRINCIPAL, which, format)) as pieces:
                async for piece in pieces:
                    terminal.write_bytes(piece)
            return 0
        calls = await storage.egress.list_calls(LOCAL_PRINCIPAL, which, limit)
        counts = await storage.egress.count_calls(LOCAL_PRINCIPAL, which)
    if calls:
        print_table([COLUMNS, *map(_cells, calls)], terminal)
        for reason in dict.fromkeys(call.reason for call in calls if call.reason is not None):
            terminal.dim_line(reason)
        verdicts = ", ".join(f"{count:,} {verdict}" for verdict, count in counts.items())
        terminal.dim_line(f"{min(limit, sum(counts.values())):,} of {sum(counts.values()):,} calls: {verdicts}.")
    else:
        terminal.line("The egress log has no such calls.")
    terminal.dim_line(OutboundPolicy.from_settings(settings).description)
    return 0


def _cells(call: CallRecord) -> tuple[str, ...]:
    return (
        f"{datetime.fromtimestamp(call.moment / 1000):%Y-%m-%d %H:%M:%S}",
        call.verdict,
        call.purpose,
        call.host,
        call.country or "",
        call.address or "",
        format_size(call.sent),
        format_size(call.received),
        str(call.status or ""),
        f"{call.milliseconds:,.0f}",
    )
