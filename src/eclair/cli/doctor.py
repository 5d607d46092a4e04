"""`eclair doctor`: prints the results of the environment checks."""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import asdict

import orjson

from eclair.cli._arguments import load_settings
from eclair.cli._terminal import Terminal
from eclair.doctor import DoctorReport, examine

SIGNS = {"ok": "✓", "note": "!", "broken": "✗"}


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    loaded = load_settings(arguments)
    terminal.status("Looking…")
    report = asyncio.run(examine(loaded))
    if arguments.json:
        terminal.write_bytes(
            orjson.dumps({"broken": report.is_broken, **asdict(report)}, option=orjson.OPT_INDENT_2) + b"\n"
        )
    else:
        _show(report, terminal)
    return 1 if report.is_broken else 0


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
        hosts = " and ".join(leaving.hosts) or "nowhere: pip has no index configured"
        for number, line in enumerate(terminal.wrap(f"{leaving.when}: {leaving.what}, to {hosts}{where}.", 4)):
            terminal.line(f"{'  - ' if number == 0 else '    '}{line}")
