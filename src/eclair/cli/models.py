"""`eclair models`: who can be asked, and whether they can answer now."""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import asdict, dataclass, replace

import orjson

from eclair.cli.arguments import load_settings
from eclair.cli.logs import log_if_debugging
from eclair.cli.terminal import Terminal
from eclair.doctor import size
from eclair.engines import catalog
from eclair.engines.base import Model
from eclair.engines.pull import verify
from eclair.errors import ModelMissing
from eclair.registry import build
from eclair.settings import Settings

HEAD = ("ID", "NAME", "LICENCE", "MAKER", "CONTEXT", "SIZE", "ENGINE", "STATE")


@dataclass(frozen=True, slots=True)
class Row:
    """A model and a sentence on whether it can answer."""

    model: Model
    state: str


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_if_debugging(settings)
    terminal.status("Asking the engines…")
    rows, troubles = asyncio.run(_rows(settings))
    if arguments.json:
        data = [{**asdict(row.model), "state": row.state} for row in rows]
        terminal.write_bytes(orjson.dumps(data, option=orjson.OPT_INDENT_2) + b"\n")
    elif rows:
        _show(rows, terminal)
    for trouble in troubles:
        terminal.complain(trouble)
    if not rows:
        terminal.complain("There is no model to ask; `eclair doctor` says why.")
    return 0 if rows else 3


async def _rows(settings: Settings) -> tuple[list[Row], list[str]]:
    """The embedded model, which need not be started for this, then those of the servers; and what is down."""
    rows = _embedded(settings) if settings.embedded else []
    registry = build(replace(settings, embedded=False))
    try:
        models = await registry.models()
        health = await registry.health()
    finally:
        await registry.close()
    rows += [Row(model, health[model.engine].state) for model in models]
    return rows, [f"Engine {name}: {found.detail}" for name, found in health.items() if found.state == "down"]


def _embedded(settings: Settings) -> list[Row]:
    rows: list[Row] = []
    for entry in catalog.entries().values():
        try:
            verify(entry, settings.data_dir)
            here = True
        except ModelMissing:
            here = False
        model = entry.model("embedded", settings.embedded_context, present=here)
        rows.append(Row(model, "on this machine" if here else "not here: `eclair pull`"))
    return rows


def _show(rows: list[Row], terminal: Terminal) -> None:
    table = [HEAD, *(_cells(row) for row in rows)]
    kept = [at for at in range(len(HEAD)) if any(line[at] for line in table[1:])]
    widths = {at: max(len(line[at]) for line in table) for at in kept}
    for number, line in enumerate(table):
        text = "  ".join(f"{line[at]:<{widths[at]}}" for at in kept).rstrip()
        (terminal.dim_line if number == 0 else terminal.line)(text)


def _cells(row: Row) -> tuple[str, ...]:
    model = row.model
    maker = ", ".join(part for part in (model.maker, f"({model.country})" if model.country else None) if part)
    return (
        model.id,
        model.name if model.name != model.id else "",
        model.licence or "",
        maker.replace(", (", " ("),
        f"{model.context:,}" if model.context else "",
        size(model.size) if model.size else "",
        model.engine,
        row.state,
    )
