"""Has the best installed model answer by default, and fetches a better one than the starter in the background."""

from __future__ import annotations

import asyncio
import logging

from eclair.errors import EclairError
from eclair.llm.local.endpoint_file import EMBEDDED_ENGINE
from eclair.llm.registry import Registry
from eclair.models import default_model, pip_index, throughput
from eclair.models.catalog import CatalogEntry
from eclair.models.downloads import ModelDownload, ModelDownloads
from eclair.network.policy import OutboundPolicy
from eclair.settings import Settings
from eclair.storage.change_feed import ChangeFeed
from eclair.util.humanize import format_duration, format_size

PROGRESS_INTERVAL_S = 10.0
"""Seconds between two lines of the log on a running download."""

log = logging.getLogger(__name__)


class ModelUpgrade:
    """Keeps the default model the best one. Call `start` before use, `close` at the end."""

    def __init__(self, settings: Settings, registry: Registry, changes: ChangeFeed) -> None:
        self._settings = settings
        self._registry = registry
        self._changes = changes
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="update the default model")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    def models_changed(self) -> None:
        """Have the engines list their models again, and the best one loaded if it isn't the default."""
        self._registry.refresh()
        self._changed.set()

    async def find_recommended(self) -> CatalogEntry | None:
        """Return the model worth downloading in place of the default one; None if there is none.

        None too if somebody has stopped its download or removed it.
        """
        local = self._registry.local
        if local is None or default_model.is_declined(self._settings.data_dir):
            return None
        return await asyncio.to_thread(default_model.recommended_download, local.default, self._settings)

    async def fetch(self, downloads: ModelDownloads) -> None:
        """Download the recommended model unless something speaks against it, and log the progress.

        Once it is there, it is loaded and becomes the default. To stop the download is to decline it for good.
        """
        entry = await self.find_recommended()
        if entry is None or any(name != EMBEDDED_ENGINE for name in self._registry.engines):
            return
        if (obstacle := await self._find_obstacle(entry)) is not None:
            log.info("%s would answer better, but is not fetched unasked: %s", entry.name, obstacle)
            return
        try:
            download = await downloads.begin(entry.id, accepted=False)
        except EclairError as error:
            log.warning("%s is not fetched: %s", entry.name, error.message)
            return
        self._announce(download)
        while not await downloads.wait(download.id, PROGRESS_INTERVAL_S):
            _log_progress(download)
        if download.state == "cancelled":
            default_model.decline(self._settings.data_dir)
            log.info("%s is not fetched, since somebody stopped it; `eclair pull %s` does.", entry.name, entry.id)

    def _announce(self, download: ModelDownload) -> None:
        rate = throughput.saved_line_rate(self._settings.data_dir)
        size = download.plan.size
        facts = [format_size(size)] if size else []
        facts += [f"about {format_duration(1000 * size / rate)} on this line"] if size and rate else []
        log.info(
            "Fetching %s in the background (%s), which answers better and takes over by itself. "
            "On a metered line, stop it in the page or start with --no-fetch.",
            download.plan.entry.name,
            ", ".join(facts),
        )

    async def _find_obstacle(self, entry: CatalogEntry) -> str | None:
        """Return the sentence that says why the model can't be fetched unasked; None if it can."""
        lack = await asyncio.to_thread(default_model.find_lack_of_room, entry, self._settings.data_dir)
        if lack is not None:
            return lack
        try:
            index = await pip_index.read_pip_index()
        except EclairError as error:
            return error.message
        policy = OutboundPolicy.from_settings(self._settings)
        return next((fault for url in index.indexes if (fault := policy.refusal(url, "model"))), None)

    async def _run(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            if (local := self._registry.local) is None:
                continue
            try:
                entry = await local.update_default()
            except EclairError as error:
                log.warning("The model that answers stays as it is: %s", error.message)
            except Exception:  # a bug of ours: log it; the models go on as before
                log.exception("the default model is not updated")
            else:
                if entry is not None:
                    log.info("%s answers from now on", entry.name)
                    self._registry.refresh()
                    self._changes.publish_to_all("models")


def _log_progress(download: ModelDownload) -> None:
    progress, left = download.progress, download.throughput.seconds_left
    if progress.stage == "download" and progress.done < progress.total:
        rest = f", {format_duration(1000 * left)} left" if left is not None else ""
        log.info("%s: %.0f %%%s", download.plan.entry.name, 100 * progress.done / progress.total, rest)
