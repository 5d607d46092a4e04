"""`eclair usage`: sums up answers by day or by model."""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import asdict
from datetime import date

import orjson

from eclair.cli._arguments import load_settings
from eclair.cli._format import format_carbon, format_cost, format_energy
from eclair.cli._logging import log_if_debugging
from eclair.cli._own_figures import hides_own_figures
from eclair.cli._storage import opened_storage
from eclair.cli._terminal import Terminal
from eclair.cli.models import print_table
from eclair.errors import Forbidden
from eclair.generation.cost import co2_grams
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.storage.usage import UsageGrouping, UsageTotal

COLUMNS = ("", "ANSWERS", "WORDS", "READ", "CACHED", "WRITTEN", "ENERGY", "CO2", "COST")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_if_debugging(settings)
    if hides_own_figures(settings):
        raise Forbidden("Works-council mode shows no figures of single people; see your own in the app, under Usage.")
    today = date.today().toordinal()
    first = None if arguments.days is None else date.fromordinal(max(1, today + 1 - arguments.days))
    total, groups = asyncio.run(_read(settings, first, arguments.by))
    if arguments.json:
        data = {"from": first, "total": asdict(total), "groups": [asdict(group) for group in groups]}
        terminal.write_bytes(orjson.dumps(data, option=orjson.OPT_INDENT_2) + b"\n")
    elif not total.answers:
        terminal.line("Nothing was answered in that time.")
    else:
        grid = settings.grid_g_per_kwh
        print_table(
            [COLUMNS, *(_cells(group, group.name, grid) for group in groups), _cells(total, "total", grid)], terminal
        )
        _explain(total, terminal)
    return 0


async def _read(settings: Settings, first: date | None, by: UsageGrouping) -> tuple[UsageTotal, list[UsageTotal]]:
    async with opened_storage(settings) as storage:
        total = await storage.usage.sum_usage(LOCAL_PRINCIPAL, first)
        return total[0] if total else UsageTotal(), await storage.usage.sum_usage(LOCAL_PRINCIPAL, first, by=by)


def _cells(sums: UsageTotal, name: str, grid: float | None) -> tuple[str, ...]:
    joules = sums.measured_joules + sums.estimated_joules
    caused = co2_grams(joules, grid)
    return (
        name,
        f"{sums.answers:,}",
        f"{sums.words:,}",
        f"{sums.prompt_tokens - sums.cached_tokens:,}",
        f"{sums.cached_tokens:,}",
        f"{sums.completion_tokens:,}",
        format_energy(joules, estimated=sums.estimated_joules > 0) if sums.metered else "",
        format_carbon(caused) if caused is not None and sums.metered else "",
        ", ".join(map(format_cost, sums.costs)),
    )


def _explain(total: UsageTotal, terminal: Terminal) -> None:
    """Explain the columns, and answers without energy figures."""
    terminal.dim_line("READ, CACHED and WRITTEN are tokens. docs/usage.md says how energy is found.")
    if total.metered < total.answers:
        terminal.dim_line(f"Energy is known of {total.metered:,} of {total.answers:,} answers.")
