"""`eclair doctor`: prints the results of the environment checks, or repairs or compacts the database."""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import asdict

import orjson

from eclair.cli._arguments import load_settings
from eclair.cli._progress import ProgressCounter
from eclair.cli._terminal import Terminal
from eclair.doctor import DoctorReport, examine
from eclair.settings import Settings
from eclair.storage.open import compact_database, repair_database
from eclair.util.humanize import format_size

SIGNS = {"ok": "✓", "note": "!", "broken": "✗"}


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    loaded = load_settings(arguments)
    if arguments.repair:
        return _repair(loaded.settings, terminal, as_json=arguments.json)
    if arguments.compact:
        before, after = compact_database(loaded.settings)
        terminal.line(f"The database had {format_size(before)}; it has {format_size(after)} now.")
        return 0
    terminal.status("Looking…")
    report = asyncio.run(examine(loaded))
    if arguments.json:
        terminal.write_bytes(
            orjson.dumps({"broken": report.is_broken, **asdict(report)}, option=orjson.OPT_INDENT_2) + b"\n"
        )
    else:
        _show(report, terminal)
    return 1 if report.is_broken else 0


def _repair(settings: Settings, terminal: Terminal, *, as_json: bool) -> int:
    report = repair_database(settings, ProgressCounter(terminal, "Reading pages").show)
    if as_json:
        terminal.write_bytes(
            orjson.dumps(
                {**asdict(report), "set_aside": report.set_aside and str(report.set_aside)}, option=orjson.OPT_INDENT_2
            )
            + b"\n"
        )
        return 0
    if report.set_aside is None:
        terminal.line("The database is sound; nothing was changed.")
        return 0
    for title, counts in (("Saved", report.saved), ("Mended", report.mended), ("Lost", report.lost)):
        numbers = ", ".join(f"{count:,} {name}" for name, count in counts.items())
        terminal.line(f"{title}: {numbers or 'nothing that is known of'}.")
    terminal.line(f"The damaged database is in {report.set_aside}; `eclair lost` lists it.")
    return 0


def _show(report: DoctorReport, terminal: Terminal) -> None:
    margin = max(len(check.name) for check in report.checks) + 4
    for check in report.checks:
        for number, line in enumerate(terminal.wrap(check.detail, margin)):
            head = f"{SIGNS[check.state]} {check.name}" if number == 0 else ""
            terminal.line(f"{head:<{margin}}{line}")
        for line in terminal.wrap(check.remedy or "", margin):
            terminal.line(f"{'':<{margin}}{line}")
    terminal.line()
    terminal.line("What would leave this machine")
    if all(leaving.asked for leaving in report.leaving):
        terminal.line("  Nothing by itself.")
    for leaving in report.leaving:
        where = f" ({leaving.country})" if leaving.country else ""
        nowhere = "whoever has them" if leaving.kind == "pages" else "nowhere: pip has no index configured"
        hosts = " and ".join(leaving.hosts) or nowhere
        for number, line in enumerate(terminal.wrap(f"{leaving.when}: {leaving.what}, to {hosts}{where}.", 4)):
            terminal.line(f"{'  - ' if number == 0 else '    '}{line}")
