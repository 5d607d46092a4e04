"""`eclair plan`: plans what hardware a number of people takes, prints the facts behind, or measures a model for it."""

from __future__ import annotations

import argparse
import asyncio
from contextlib import suppress
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from typing import Any

import orjson

from eclair.capacity.arrivals import Lengths
from eclair.capacity.calibration import MeasuredSpeed, load_measured, save_measured
from eclair.capacity.capacity_facts import CapacityFacts, load_facts, named_facts
from eclair.capacity.capacity_plan import HERE, CapacityPlan, make_plan
from eclair.capacity.measurement import measure_speed
from eclair.capacity.plan_request import CapacityRequest, lengths_of_usage
from eclair.capacity.plan_svg import plan_svg
from eclair.capacity.plan_text import format_figure, format_number, plan_lines
from eclair.cli._arguments import load_settings
from eclair.cli._logging import log_if_debugging
from eclair.cli._own_figures import hides_own_figures
from eclair.cli._plan_arguments import NUMBERS
from eclair.cli._progress import ProgressCounter
from eclair.cli._signals import run_async
from eclair.cli._storage import opened_storage
from eclair.cli._terminal import Terminal
from eclair.cli.models import print_table
from eclair.errors import DataDamaged, InvalidInput, StoreError
from eclair.llm.registry import build_registry
from eclair.llm.servers.engines import UserEngines
from eclair.models.catalog import load_entries
from eclair.network.egress_log import open_gate
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings

FACT_COLUMNS = ("OF", "FACT", "FIGURE", "CHECKED", "SOURCE")


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_if_debugging(settings)
    if arguments.facts:
        _print_facts(load_facts(), terminal, json=arguments.json)
        return 0
    if arguments.measure is not None:
        return run_async(_measure(settings, arguments.measure, terminal))
    if arguments.model is None or arguments.accelerator is None:
        raise InvalidInput("Name a model and hardware, such as `eclair plan --model mistral-small-3.2 --on h100`.")
    request = _request(arguments, None if hides_own_figures(settings) else asyncio.run(_own_lengths(settings)))
    counter = ProgressCounter(terminal, "Simulated loads:")
    measured = load_measured(settings.data_dir)
    try:
        plan = make_plan(request, load_facts(), load_entries(settings.catalog), measured, date.today(), counter.show)
    finally:
        terminal.status("")
    if arguments.svg is not None:
        _write(arguments.svg, plan_svg(plan))
    if arguments.json:
        terminal.write_bytes(orjson.dumps(asdict(plan), option=orjson.OPT_INDENT_2) + b"\n")
    else:
        _print(plan, terminal, with_sources=arguments.sources)
    return 0


def _request(arguments: argparse.Namespace, own: Lengths | None) -> CapacityRequest:
    """Return the request; what isn't given comes from the answers so far, or is the usual."""
    names = (*NUMBERS, "country", "precision")
    given: dict[str, Any] = {name: value for name in names if (value := getattr(arguments, name)) is not None}
    request = CapacityRequest(model=arguments.model, accelerator=arguments.accelerator)
    if own is not None:
        request = replace(request, **asdict(own))
    return replace(request, **given)


async def _own_lengths(settings: Settings) -> Lengths | None:
    """Return the mean lengths of the answers so far, where enough are counted."""
    with suppress(DataDamaged):  # a plan needs no database
        if not settings.data_dir.is_dir():
            return None
        async with opened_storage(settings) as storage:
            sums = await storage.usage.sum_usage(LOCAL_PRINCIPAL)
            return lengths_of_usage(sums[0]) if sums else None
    return None


def _print(plan: CapacityPlan, terminal: Terminal, *, with_sources: bool) -> None:
    for line in plan_lines(plan):
        terminal.line(line)
    if with_sources:
        terminal.line()
        for fact in plan.facts:
            figure = f"{format_number(fact.likely)} ({format_number(fact.low)} to {format_number(fact.high)})"
            terminal.line(f"{fact.name}: {figure}. {fact.source} ({fact.checked.isoformat()})")


def _print_facts(facts: CapacityFacts, terminal: Terminal, *, json: bool) -> None:
    if json:
        terminal.write_bytes(orjson.dumps(asdict(facts), option=orjson.OPT_INDENT_2) + b"\n")
        return
    named: list[tuple[str, object]] = [("site", facts.site)]
    named += [(each.id, each) for each in (*facts.accelerator, *facts.model)]
    named += [(each.code, each) for each in facts.country]
    rows = [
        (of, name, format_figure(fact.figure), fact.checked.isoformat(), facts.sources[fact.source])
        for of, row in named
        for name, fact in named_facts(row)
    ]
    print_table([FACT_COLUMNS, *rows], terminal)


async def _measure(settings: Settings, name: str, terminal: Terminal) -> int:
    """Measure a model and keep its speed."""
    counter = ProgressCounter(terminal, "Measured:")
    chosen = replace(settings, model=name)
    async with open_gate(settings) as gate:
        registry = build_registry(chosen, UserEngines.read_once(settings, gate), gate=gate)
        try:
            engine, model = await registry.resolve(name)
            measured = await measure_speed(engine, model, date.today(), counter.show)
        finally:
            terminal.status("")
            await registry.close()
    save_measured(settings.data_dir, measured)
    terminal.line(_measured_sentence(measured))
    terminal.line(f"`eclair plan --model {model.id} --on {HERE}` plans with it.")
    return 0


def _measured_sentence(measured: MeasuredSpeed) -> str:
    speed = measured.speed
    alone = speed.alone_tokens_per_s(0)
    full = speed.slots / speed.step_s(speed.slots, 0)
    return (
        f"{measured.model}: {format_number(alone)} tokens/s alone, {format_number(full)} with {speed.slots} answers at "
        f"once together, {format_number(speed.prompt_tokens_per_s)} tokens/s of prompts."
    )


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, "utf-8")
    except OSError as error:
        raise StoreError(f"{file} cannot be written: {error.strerror}; choose another file.") from error
