"""`eclair usage`: what answers took, summed by day or by model."""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import asdict
from datetime import date

import orjson

from eclair.cli._arguments import load_settings
from eclair.cli._format import co2, energy, money
from eclair.cli._logging import log_if_debugging
from eclair.cli._terminal import Terminal
from eclair.cli.models import table
from eclair.generation.cost import co2_grams
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.storage.open import open_storage
from eclair.storage.usage import UsageGrouping, UsageTotal

HEAD = ("", "ANSWERS", "WORDS", "READ", "CACHED", "WRITTEN", "ENERGY", "CO2", "COST")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_if_debugging(settings)
    today = date.today().toordinal()
    first = None if arguments.days is None else date.fromordinal(max(1, today + 1 - arguments.days))
    whole, groups = asyncio.run(_read(settings, first, arguments.by))
    if arguments.json:
        data = {"from": first, "total": asdict(whole), "groups": [asdict(group) for group in groups]}
        terminal.write_bytes(orjson.dumps(data, option=orjson.OPT_INDENT_2) + b"\n")
    elif not whole.answers:
        terminal.line("Nothing was answered in that time.")
    else:
        grid = settings.grid_g_per_kwh
        table([HEAD, *(_cells(group, group.name, grid) for group in groups), _cells(whole, "total", grid)], terminal)
        _explain(whole, terminal)
    return 0


async def _read(settings: Settings, first: date | None, by: UsageGrouping) -> tuple[UsageTotal, list[UsageTotal]]:
    storage = await asyncio.to_thread(open_storage, settings.data_dir)
    try:
        whole = await storage.usage.sum_usage(LOCAL_PRINCIPAL, first)
        return whole[0] if whole else UsageTotal(), await storage.usage.sum_usage(LOCAL_PRINCIPAL, first, by=by)
    finally:
        await storage.close()


def _cells(spent: UsageTotal, name: str, grid: float | None) -> tuple[str, ...]:
    joules = spent.measured_joules + spent.estimated_joules
    caused = co2_grams(joules, grid)
    return (
        name,
        f"{spent.answers:,}",
        f"{spent.words:,}",
        f"{spent.prompt_tokens - spent.cached_tokens:,}",
        f"{spent.cached_tokens:,}",
        f"{spent.completion_tokens:,}",
        energy(joules, estimated=spent.estimated_joules > 0) if spent.metered else "",
        co2(caused) if caused is not None and spent.metered else "",
        ", ".join(map(money, spent.costs)),
    )


def _explain(whole: UsageTotal, terminal: Terminal) -> None:
    """What the table leaves open."""
    terminal.dim_line("READ, CACHED and WRITTEN are tokens. docs/usage.md says how energy is found.")
    if whole.metered < whole.answers:
        terminal.dim_line(f"Energy is known of {whole.metered:,} of {whole.answers:,} answers.")
