"""`eclair models`: lists the available models; with --all, every known model.

`eclair models --markdown` writes the table in docs/engines.md.
"""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import orjson

from eclair.cli._arguments import load_settings
from eclair.cli._json import model_json, offer_json
from eclair.cli._logging import log_if_debugging
from eclair.cli._logins import ServerLogin, find_login
from eclair.cli._server import EclairServer
from eclair.cli._signals import run_async
from eclair.cli._terminal import Terminal
from eclair.cli.pull import format_maker
from eclair.errors import NotFound
from eclair.images.backends.backend_registry import image_backends
from eclair.llm.call_skills import CallSkills
from eclair.llm.registry import build_registry
from eclair.llm.servers.engines import UserEngines
from eclair.llm.tuning.expected import SpeedEstimator, describe_speed
from eclair.models import catalog, installed, memory
from eclair.models.catalog import CatalogEntry
from eclair.models.offers import Offer, list_offers
from eclair.network.egress_log import open_gate
from eclair.network.gate import OutboundGate
from eclair.schema.images import ImageModel
from eclair.schema.models import Model
from eclair.settings import Settings
from eclair.speech.recognizer_choice import with_speech_settings
from eclair.speech.whisper_models import WHISPER_MODELS, WhisperChoice, WhisperModel
from eclair.util.humanize import format_size

COLUMNS = ("ID", "NAME", "LICENSE", "MAKER", "CONTEXT", "SIZE", "CALLS", "ENGINE", "STATE")
IMAGE_COLUMNS = ("IMAGES", "NAME", "LICENSE", "MAKER", "SIZE", "CAN", "RUNS", "STATE")
WHISPER_COLUMNS = ("LISTENS", "NAME", "LICENSE", "MAKER", "MEMORY", "STATE")
CATALOG_COLUMNS = ("ID", "NAME", "LICENSE", "MAKER", "SIZE", "MEMORY", "WRITES", "STATE")
MARKDOWN_HEAD = """\
| model | maker | license | parameters | context | languages | can | embedded engine |
|---|---|---|---|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A model and its state."""

    model: Model
    state: str


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    if arguments.markdown:
        terminal.write(markdown())
        return 0
    settings = load_settings(arguments).settings
    log_if_debugging(settings)
    if (login := find_login(arguments)) is not None and not arguments.all:
        return run_async(_list_there(settings, login, terminal, json=arguments.json))
    if arguments.all:
        return _all(settings, terminal, json=arguments.json)
    terminal.status("Asking the engines…")
    rows, pictures, problems = asyncio.run(_rows(settings))
    if arguments.json:
        data = [
            *({"kind": "answers", **model_json(row.model), "state": row.state} for row in rows),
            *({"kind": "draws", **asdict(model)} for model in pictures),
            *(
                {"kind": "listens", **model_json(model.to_model()), "state": _whisper_state(model, settings)}
                for model in WHISPER_MODELS
            ),
        ]
        terminal.write_bytes(orjson.dumps(data, option=orjson.OPT_INDENT_2) + b"\n")
    elif rows:
        print_table([COLUMNS, *(_cells(row) for row in rows)], terminal)
    if pictures and not arguments.json:
        terminal.line()
        print_table([IMAGE_COLUMNS, *map(_picture_cells, pictures)], terminal)
    if not arguments.json:
        terminal.line()
        print_table([WHISPER_COLUMNS, *(_whisper_cells(model, settings) for model in WHISPER_MODELS)], terminal)
    for problem in problems:
        terminal.warn(problem)
    if not rows:
        terminal.warn("No model is available; `eclair doctor` says why.")
    return 0 if rows else 3


async def _list_there(settings: Settings, login: ServerLogin, terminal: Terminal, *, json: bool) -> int:
    """List the models that may be asked where somebody signed in."""
    async with EclairServer.open(settings, login) as server:
        reply = await server.get("/api/models")
    if json:
        terminal.write_bytes(orjson.dumps(reply["models"], option=orjson.OPT_INDENT_2) + b"\n")
        return 0
    terminal.note(f"at {server.host}")
    rows = [
        (
            ("* " if model["id"] == reply["default"] else "") + str(model["id"]),
            str(model["name"]) if model["name"] != model["id"] else "",
            str(model["license"] or ""),
            " ".join(filter(None, (model["maker"], f"({model['country']})" if model["country"] else None))),
            f"{model['context']:,}" if model["context"] else "",
            format_size(model["size"]) if model["size"] else "",
            describe_calls(model.get("call_way"), is_good=bool(model.get("calls_well"))),
            str(model["engine"]),
            str(model["place"]),
        )
        for model in reply["models"]
    ]
    if not rows:
        terminal.warn(f"No model is available at {server.host}; ask whoever runs it.")
        return 3
    print_table([COLUMNS, *rows], terminal)
    return 0


def markdown() -> str:
    """Éclair's own catalog as a table, the same on every machine."""
    return MARKDOWN_HEAD + "".join(f"{_line(entry)}\n" for entry in catalog.load_entries().values())


def _all(settings: Settings, terminal: Terminal, *, json: bool) -> int:
    found = list_offers(settings)
    if json:
        terminal.write_bytes(orjson.dumps([offer_json(offer) for offer in found], option=orjson.OPT_INDENT_2) + b"\n")
        return 0
    speeds = SpeedEstimator.from_profiles(settings)
    print_table([CATALOG_COLUMNS, *(_offer_cells(offer, speeds) for offer in found)], terminal)
    restricted = [offer.entry for offer in found if offer.entry.restricts]
    if restricted:
        terminal.line()
        terminal.line("Licenses that restrict")
    for entry in restricted:
        for number, line in enumerate(terminal.wrap(f"{entry.id}: {entry.restricts}", 4)):
            terminal.line(f"{'  - ' if number == 0 else '    '}{line}")
    terminal.dim_line(
        f"This machine has {format_size(memory.physical())} of memory; what a model needs is an estimate."
    )
    return 0


async def _rows(settings: Settings) -> tuple[list[ModelRow], list[ImageModel], list[str]]:
    """List the text models, the image models, and a sentence for each engine that is down.

    The embedded engine is not started for this.
    """
    rows = _embedded(settings) if settings.embedded else []
    async with open_gate(settings) as gate:
        registry = build_registry(
            replace(settings, embedded=False),
            UserEngines.read_once(settings, gate),
            gate=gate,
            skills=CallSkills(settings.data_dir),
        )
        try:
            models = await registry.models()
            health = await registry.health()
        finally:
            await registry.close()
        pictures = await list_image_models(settings, gate)
    rows += [ModelRow(model, health[model.engine].state) for model in models]
    return rows, pictures, [f"Engine {name}: {found.detail}" for name, found in health.items() if found.state == "down"]


def _whisper_cells(model: WhisperModel, settings: Settings) -> tuple[str, ...]:
    entry = model.to_entry()
    size = format_size(model.memory_bytes)
    return (model.id, model.name, entry.license, format_maker(entry), size, _whisper_state(model, settings))


def _whisper_state(model: WhisperModel, settings: Settings) -> str:
    if not model.is_installed(settings.data_dir):
        return f"not here: `eclair pull {model.id}`"
    chosen = WhisperChoice(with_speech_settings(settings).transcriber, settings.data_dir).find_larger()
    return "transcriber" if chosen == model else "installed"


async def list_answering_models(settings: Settings) -> list[Model]:
    """List the models that can be asked with these settings. The embedded engine is not started for this."""
    rows, _, _ = await _rows(settings)
    return [row.model for row in rows]


async def check_answering_model(settings: Settings, name: str) -> None:
    """Check that a model can be asked; the embedded engine is not started for this.

    Raises NotFound, and EngineUnavailable if a server that can't be reached might have it.
    """
    if settings.embedded and any(row.model.id == name for row in _embedded(settings)):
        return
    async with open_gate(settings) as gate:
        registry = build_registry(replace(settings, embedded=False), UserEngines.read_once(settings, gate), gate=gate)
        try:
            await registry.resolve(name)
        except NotFound as error:
            raise NotFound(f"There is no model {name!r}; `eclair models` lists them.", param="model") from error
        finally:
            await registry.close()


async def list_image_models(settings: Settings, gate: OutboundGate) -> list[ImageModel]:
    """List the image models, installed or not."""
    found: dict[str, ImageModel] = {}
    for generator in image_backends(settings, gate=gate):
        try:
            for model in await generator.models():
                found.setdefault(model.id, model)
        finally:
            await generator.close()
    return list(found.values())


def _embedded(settings: Settings) -> list[ModelRow]:
    here = installed.installed_models(catalog.load_entries(settings.catalog), settings.data_dir)
    skills = CallSkills(settings.data_dir)
    rows = [
        ModelRow(
            skills.apply(found.entry.to_model("embedded", settings.embedded_context, found.size)), "on this machine"
        )
        for found in here.values()
    ]
    if not here:
        model = catalog.starter_entry().to_model("embedded", settings.embedded_context, None)
        rows.insert(0, ModelRow(model, "not here: `eclair pull`"))
    return rows


def print_table(table: Sequence[tuple[str, ...]], terminal: Terminal) -> None:
    """Print a table, head first; empty columns are left out."""
    columns = [at for at in range(len(table[0])) if any(line[at] for line in table[1:])]
    widths = {at: max(len(line[at]) for line in table) for at in columns}
    for number, line in enumerate(table):
        text = "  ".join(f"{line[at]:<{widths[at]}}" for at in columns).rstrip()
        (terminal.dim_line if number == 0 else terminal.line)(text)


def _cells(row: ModelRow) -> tuple[str, ...]:
    model = row.model
    maker = ", ".join(part for part in (model.maker, f"({model.country})" if model.country else None) if part)
    return (
        model.id,
        model.name if model.name != model.id else "",
        model.license or "",
        maker.replace(", (", " ("),
        f"{model.context:,}" if model.context else "",
        format_size(model.size) if model.size else "",
        describe_calls(model.call_way, is_good=model.calls_well),
        model.engine,
        row.state,
    )


def describe_calls(way: str | None, *, is_good: bool) -> str:
    """Describe how a model calls tools; empty if nobody knows."""
    return "" if way is None else "well" if is_good else way


def _picture_cells(model: ImageModel) -> tuple[str, ...]:
    can = ", ".join(
        word for word, does in (("edits", model.edits), ("masks", model.masks), ("drawings", model.drawn)) if does
    )
    states = {
        "ready": "ready",
        "absent": f"not here: `eclair pull {model.id}`",
        "locked": model.why or "locked",
    }
    return (
        model.id,
        model.name,
        f"{model.license}, restricted" if model.restricted else model.license,
        f"{model.maker} ({model.country})" if model.country else model.maker,
        f"{model.width} × {model.height}",
        can,
        model.jurisdiction or "this machine",
        states[model.state],
    )


def _offer_cells(offer: Offer, speeds: SpeedEstimator) -> tuple[str, ...]:
    entry = offer.entry
    if offer.installed:
        state = "on this machine"
    elif offer.quant is None:
        state = "needs a server" if entry.weights != "closed" else "only by its maker's API"
    elif offer.fits is False:
        state = "too large for this machine"
    else:
        state = f"`eclair pull {entry.id}`"
    needs = format_size(offer.memory) if offer.memory is not None else ""
    bytes = format_size(offer.size) if offer.size is not None else ""
    writes = describe_speed(speeds.estimate(entry, offer.size)) if offer.fits else ""
    return (entry.id, entry.name, entry.license, format_maker(entry), bytes, needs, writes, state)


def _line(entry: CatalogEntry) -> str:
    """Format a row of the table in docs/engines.md; unknown values are left blank."""
    name = f"[{entry.name}]({entry.card})" if entry.card else entry.name
    active = f" ({entry.active:g} active)" if entry.active and entry.active != entry.parameters else ""
    cells = (
        f"{name}<br>`{entry.id}`",
        format_maker(entry),
        f"{entry.license}: {entry.restricts}" if entry.restricts else entry.license,
        f"{entry.parameters:g} billion{active}" if entry.parameters else "",
        f"{entry.context:,}" if entry.context else "",
        ", ".join(entry.languages),
        ", ".join(entry.can),
        ", ".join(file.quant for file in entry.files) or "no",
    )
    return f"| {' | '.join(cells)} |"
