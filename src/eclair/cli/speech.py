"""`eclair speech`: installs, shows or removes what recognizes and makes speech."""

from __future__ import annotations

import argparse
import asyncio

import orjson

from eclair.cli._arguments import load_settings
from eclair.cli._audit import add_act
from eclair.cli._install_meter import InstallMeter
from eclair.cli._signals import run_async
from eclair.cli._terminal import Terminal
from eclair.models.package_set import InstallStage, PackageInstallation, download_share
from eclair.network.egress_log import open_gate
from eclair.settings import Settings
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
