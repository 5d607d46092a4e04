"""`eclair admin apply`, `export` and `drift`: what administrators decide, as a file."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Final

import orjson

from eclair.cli._terminal import Terminal
from eclair.errors import SettingsError
from eclair.live_settings import LiveSettings
from eclair.policy.policy_plan import ChangeAction, PolicyChange
from eclair.policy.policy_service import PolicyService
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.storage.base import Storage
from eclair.storage.secrets import Vault

SIGNS: Final[dict[ChangeAction, str]] = {"add": "+", "change": "~", "remove": "-"}
DONE: Final[dict[ChangeAction, str]] = {"add": "added", "change": "changed", "remove": "removed"}
DRIFT_EXIT_CODE: Final = 1


async def run_policy(settings: Settings, storage: Storage, arguments: argparse.Namespace, terminal: Terminal) -> int:
    """Run one of the commands; the exit code of `drift` tells whether there is any."""
    service = PolicyService(LiveSettings(settings), storage, Vault.configured(settings))
    match arguments.action:
        case "export":
            return _write(await service.export(), arguments.file, terminal)
        case "apply":
            return await _apply(service, arguments, terminal)
        case _:
            return await _show_drift(service, arguments, terminal)


async def _apply(service: PolicyService, arguments: argparse.Namespace, terminal: Terminal) -> int:
    file = service.choose_file(None if arguments.file is None else Path(arguments.file))
    plan = await (service.plan(file) if arguments.dry_run else service.apply(LOCAL_PRINCIPAL, file))
    if arguments.json:
        _print_json(plan.changes, terminal)
        return 0
    _print_changes(plan.changes, terminal)
    if not plan.changes:
        terminal.line(f"Nothing to do: everything is as {file} says.")
        return 0
    would = "Would be " if arguments.dry_run else ""
    counts = ", ".join(f"{count} {DONE[action]}" for action in SIGNS if (count := plan.count(action)))
    terminal.line(f"{would}{counts}." if would else f"{counts}.".capitalize())
    return 0


async def _show_drift(service: PolicyService, arguments: argparse.Namespace, terminal: Terminal) -> int:
    file = service.choose_file()
    drift = await service.find_drift()
    assert drift is not None, "a file was chosen"
    if arguments.json:
        _print_json(drift.changes, terminal)
    elif drift.differs:
        _print_changes(drift.changes, terminal)
    else:
        terminal.line(f"Everything matches {file}.")
    if drift.problem is not None:
        terminal.warn(drift.problem)
    elif drift.differs:
        terminal.aside(f"The store differs from {file}; `eclair admin apply` applies it.")
    return DRIFT_EXIT_CODE if drift.differs else 0


def _write(text: str, file: str | None, terminal: Terminal) -> int:
    if file is None:
        terminal.write_bytes(text.encode())
        return 0
    try:
        Path(file).write_text(text, "utf-8")
    except OSError as error:
        raise SettingsError(f"{file} can't be written: {error.strerror}; choose another place.") from None
    terminal.line(f"Wrote {file}; it holds no keys.")
    return 0


def _print_changes(changes: Sequence[PolicyChange], terminal: Terminal) -> None:
    for change in changes:
        terminal.line(f"{SIGNS[change.action]} {change.table} {change.name}".rstrip())
        for each in change.fields:
            terminal.line(f"    {each.name}: {each.stored or 'none'} → {each.declared or 'none'}")


def _print_json(changes: Sequence[PolicyChange], terminal: Terminal) -> None:
    rows = [asdict(change) for change in changes]
    terminal.write_bytes(orjson.dumps(rows, option=orjson.OPT_INDENT_2) + b"\n")
