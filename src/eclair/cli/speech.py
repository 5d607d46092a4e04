"""`eclair speech`: installs, shows or removes what recognizes and makes speech, and lists models for recordings."""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import replace

import orjson

from eclair.cli._arguments import load_settings
from eclair.cli._audit import add_act
from eclair.cli._install_meter import InstallMeter
from eclair.cli._signals import run_async
from eclair.cli._terminal import Terminal
from eclair.cli.models import print_table
from eclair.llm.registry import build_registry
from eclair.llm.servers.engines import UserEngines
from eclair.models.package_set import InstallStage, PackageInstallation, download_share
from eclair.network.egress_log import open_gate
from eclair.settings import Settings
from eclair.speech.listening_parts import ListeningParts
from eclair.speech.recognition import recording_recognizer
from eclair.speech.recognizer_choice import (
    RecognizerEntry,
    RecognizerReport,
    describe_recognizers,
    is_transcriber_fixed,
    with_speech_settings,
)
from eclair.speech.speech_parts import SpeechPart, SpeechParts
from eclair.util.humanize import format_size

STAGE_TEXTS: dict[InstallStage, str] = {
    "wait": "Another Éclair is installing them; waiting",
    "download": "Downloading",
    "unpack": "Unpacking",
    "idle": "Waiting until no answer is being written",
    "memory": "Waiting for free memory",
    "compile": "Compiling",
}


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    parts = SpeechParts(settings.data_dir)
    chosen: list[SpeechPart] = [arguments.part] if arguments.part else list(parts.all)
    match arguments.what:
        case "install":
            return max(_install(settings, part, terminal) for part in chosen)
        case "remove":
            for part in chosen:
                freed = asyncio.run(parts.all[part].remove())
                asyncio.run(add_act(settings, "model.removed", part))
                terminal.line(f"{part} is removed; that frees {format_size(freed)}")
            return 0
        case "recognizers":
            return run_async(_list_recognizers(settings, terminal, json=arguments.json))
        case _:
            return _status({part: parts.all[part] for part in chosen}, terminal, json=arguments.json)


def _status(parts: dict[SpeechPart, PackageInstallation], terminal: Terminal, *, json: bool) -> int:
    if json:
        data = {
            part: {"state": status.state, "size": status.size, "download": each.packages.download_bytes}
            for part, each in parts.items()
            for status in (each.status(),)
        }
        terminal.write_bytes(orjson.dumps(data, option=orjson.OPT_INDENT_2) + b"\n")
        return 0
    for part, each in parts.items():
        status = each.status()
        match status.state:
            case "ready":
                terminal.line(f"{part}: installed ({format_size(status.size)})")
            case "unsupported":
                terminal.line(f"{part}: no packages for this system")
            case "absent" | "installing":
                size = format_size(each.packages.download_bytes)
                terminal.line(f"{part}: not installed; `eclair speech install {part}` downloads {size}")
    return 0


async def _list_recognizers(settings: Settings, terminal: Terminal, *, json: bool) -> int:
    """Print the models that can transcribe recordings. The embedded engine is not started for this."""
    chosen = with_speech_settings(settings)
    async with open_gate(settings) as gate:
        registry = build_registry(replace(settings, embedded=False), UserEngines.read_once(settings, gate), gate=gate)
        recognizer = recording_recognizer(chosen, ListeningParts(settings.data_dir))
        try:
            is_fixed = is_transcriber_fixed(settings)
            report = await describe_recognizers(chosen, registry, recognizer, is_fixed=is_fixed)
        finally:
            await recognizer.close()
            await registry.close()
    if json:
        terminal.write_bytes(orjson.dumps(report, option=orjson.OPT_INDENT_2) + b"\n")
    else:
        table = [_cells(each, report) for each in report.recognizers]
        print_table([("model", "name", "on", "weights", "state"), *table], terminal)
    if report.fault is not None:
        terminal.warn(report.fault)
    return 0


def _cells(entry: RecognizerEntry, report: RecognizerReport) -> tuple[str, ...]:
    if entry.id == report.used and entry.is_installed:
        state = "used"
    elif entry.is_installed:
        state = "here"
    elif entry.kind == "base":
        state = "not here: `eclair speech install listening`"
    else:
        state = f"not here: `eclair pull {entry.id}`"
    size = format_size(entry.size) if entry.size is not None else ""
    return (entry.id, entry.name, entry.engine or "this machine", size, state)


def _install(settings: Settings, part: SpeechPart, terminal: Terminal) -> int:
    meter = InstallMeter(terminal, {stage: f"{text} ({part})" for stage, text in STAGE_TEXTS.items()}, download_share)
    done: list[str] = []

    async def work() -> int:
        async with open_gate(settings) as gate:
            installation = SpeechParts(settings.data_dir, gate).all[part]
            was_ready = installation.is_ready
            done.append(str(await installation.install(meter.report)))
        if not was_ready:
            await add_act(settings, "model.pulled", part)
        return 0

    try:
        code = run_async(work())
    finally:
        terminal.status("")
    if done:
        terminal.line(f"{part}: {done[0]}")
    return code
