"""The model downloads of this process, as the API shows them."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from eclair.errors import INTERNAL_ERROR, EclairError, NotFound
from eclair.models.download import DownloadProgress
from eclair.models.download_plan import DownloadPlan
from eclair.models.download_targets import DownloadCatalog, find_plan, remove_model
from eclair.models.huggingface import Hub
from eclair.models.install import install_model
from eclair.models.throughput import Throughput
from eclair.network.client import CLOSED_GATE, OutboundGate
from eclair.schema.ids import new_id
from eclair.settings import Settings
from eclair.storage.change_feed import ChangeFeed
from eclair.util.loopback import is_loopback

MAX_REMEMBERED_DOWNLOADS = 20
"""Downloads that are remembered after their end."""

DownloadState = Literal["running", "finished", "failed", "cancelled"]

log = logging.getLogger(__name__)


@dataclass(slots=True)
class ModelDownload:
    """One download: what was requested, its progress and its end. `error` says why it failed."""

    id: str
    requested: str
    plan: DownloadPlan
    state: DownloadState = "running"
    progress: DownloadProgress = field(default_factory=lambda: DownloadProgress("find"))
    throughput: Throughput = field(default_factory=Throughput)
    error: EclairError | None = None


class ModelDownloads:
    """The downloads of this process. They end with it and resume when started again.

    `release` unloads a model before it is removed, and raises Conflict while it answers; `refresh` is called when the
    models on this machine have changed.
    """

    def __init__(
        self,
        settings: Settings,
        catalogs: Sequence[DownloadCatalog],
        changes: ChangeFeed,
        release: Callable[[str], Awaitable[None]],
        refresh: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
        *,
        gate: OutboundGate = CLOSED_GATE,
    ) -> None:
        self._gate = gate
        self._settings = settings
        self._catalogs = catalogs
        self._release = release
        self._refresh = refresh
        self._changes = changes
        self._clock = clock
        self._pulls: dict[str, ModelDownload] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def all(self) -> list[ModelDownload]:
        """Return the running downloads and the last that ended, latest last."""
        return list(self._pulls.values())

    def get(self, id: str) -> ModelDownload:
        """Return a download. Raises NotFound."""
        if id not in self._pulls:
            raise NotFound(f"There is no download {id!r}; it may have ended long ago.")
        return self._pulls[id]

    async def begin(self, name: str, *, accepted: bool) -> ModelDownload:
        """Download a model; return the running download of the same files if there is one.

        Raises LicenseAsks if the license has to be `accepted`, and what `find_plan` raises.
        """
        hub = Hub.configured(self._settings, os.environ)
        downloads = hub.downloads(self._gate)
        try:
            wanted = await find_plan(
                self._catalogs, name, hub, downloads, local=False, addresses=is_loopback(self._settings.host)
            )
        finally:
            await downloads.close()
        wanted.check_license(accepted=accepted)
        for running in self._pulls.values():
            if running.state == "running" and running.plan.files == wanted.files:
                return running
        begun = ModelDownload(new_id("pull"), name, wanted)
        self._forget_old(wanted.entry.id)
        self._pulls[begun.id] = begun
        self._tasks[begun.id] = asyncio.create_task(self._carry_out(begun, hub), name=f"pulling {wanted.entry.id}")
        self._changes.publish_to_all("models")
        return begun

    async def wait(self, id: str, timeout_s: float) -> bool:
        """Wait for a download's end, at most `timeout_s`; return whether it has ended. Raises NotFound."""
        download, task = self.get(id), self._tasks.get(id)
        if task is not None:
            await asyncio.wait([task], timeout=timeout_s)
        return download.state != "running"  # by now it may be forgotten

    async def cancel(self, id: str) -> None:
        """Stop a download, keeping its partial files; forget one that has ended. Raises NotFound."""
        found = self.get(id)
        if found.state != "running":
            del self._pulls[id]
        else:
            await self._stop(self._tasks[id])
        self._changes.publish_to_all("models")

    async def remove(self, model: str) -> int:
        """Delete a model, after stopping its download; return how many bytes that frees.

        Raises NotFound, Conflict and ModelMissing.
        """
        await self._release(model)
        running = [self._tasks[id] for id in self._tasks if self._pulls[id].plan.entry.id == model]
        await asyncio.gather(*map(self._stop, running))
        try:
            _, freed = await remove_model(self._catalogs, model)
        except NotFound:
            if not running:
                raise
            freed = 0  # it was stopped before anything had come
        self._refresh()
        self._changes.publish_to_all("models")
        return freed

    async def close(self) -> None:
        await asyncio.gather(*map(self._stop, self._tasks.values()))

    async def _carry_out(self, begun: ModelDownload, hub: Hub) -> None:
        def report(progress: DownloadProgress) -> None:
            begun.throughput.update(progress, self._clock())
            begun.progress = progress

        try:
            await install_model(begun.plan, self._settings.data_dir, report=report, hub=hub, gate=self._gate)
            begun.state = "finished"
            self._refresh()
        except EclairError as error:
            begun.state, begun.error = "failed", error
            log.warning("pulling %s failed: %s", begun.plan.entry.id, error.message)
        except asyncio.CancelledError:
            begun.state = "cancelled"
            raise
        except Exception:  # a bug of ours: log it, and let nobody wait in vain
            begun.state = "failed"
            begun.error = EclairError(INTERNAL_ERROR)
            log.exception("pulling %s failed", begun.plan.entry.id)
        finally:
            self._tasks.pop(begun.id, None)
            self._changes.publish_to_all("models")

    async def _stop(self, task: asyncio.Task[None]) -> None:
        task.cancel()
        await asyncio.wait([task])

    def _forget_old(self, model: str) -> None:
        """Forget earlier downloads of this model that have ended, and the oldest others."""
        ended = [id for id, found in self._pulls.items() if found.state != "running"]
        again = [id for id in ended if self._pulls[id].plan.entry.id == model]
        for id in {*again, *ended[:-MAX_REMEMBERED_DOWNLOADS]}:
            del self._pulls[id]
