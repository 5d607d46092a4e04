"""A process that does background work and serves nobody, but for its health and metrics if it is given a port."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import AsyncGenerator, Callable, Generator
from dataclasses import replace

import uvicorn

from eclair.app import App, open_app
from eclair.errors import SettingsError
from eclair.llm.local.local_engine import LocalEngine
from eclair.schema.jobs import WORK_KINDS, WorkKind
from eclair.server.app import create_worker_app, start_background_work
from eclair.server.http_server import server_config
from eclair.server.service_manager import ServiceManager
from eclair.settings import Settings
from eclair.storage.stand_in import stand_in
from eclair.util.port import listen

NEED_ENGINES = frozenset[WorkKind](["schedules", "batches"])

log = logging.getLogger(__name__)


async def run_worker(
    settings: Settings,
    kinds: frozenset[WorkKind],
    ready: Callable[[], None],
    *,
    at_once: int = 1,
    host: str = "127.0.0.1",
    port: int | None = None,
) -> None:
    """Do background work of these kinds until SIGINT or SIGTERM, on the main thread; call `ready` once it has begun.

    After a first SIGTERM it claims nothing more, and ends what it has begun within the settings' `drain_seconds`; what
    isn't done then is given back. With a `port`, health and metrics are there. Raises PortInUse, SettingsError where
    nothing can be stored, and what `open_app` raises.
    """
    with stand_in(settings.data_dir) as copy:
        if copy is not None:
            raise SettingsError(f"Nothing can be stored in {settings.data_dir}; make it writable, then start again.")
    manager = ServiceManager.from_environment()
    needs_engine = settings.embedded and bool(kinds & NEED_ENGINES)
    local = LocalEngine.start(settings) if needs_engine else None
    try:
        async with (
            open_app(replace(settings, embedded=needs_engine), local=local, work=kinds, at_once=at_once) as app,
            _serving(app, host, port),
        ):
            start_background_work(app)
            async with manager.running(f"Does {', '.join(kind for kind in WORK_KINDS if kind in kinds)}"):
                await _work(app, ready)
    finally:
        if local is not None:
            await local.close()


async def _work(app: App, ready: Callable[[], None]) -> None:
    """Wait for a signal to end, then for what is being done."""
    stopped, killed = asyncio.Event(), asyncio.Event()

    def stop(number: int) -> None:
        if number == signal.SIGTERM and not stopped.is_set():
            stopped.set()
        else:
            stopped.set()
            killed.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    try:
        ready()
        await stopped.wait()
        log.info("This worker ends once its work is done, within %d seconds.", app.settings.drain_seconds)
        draining = asyncio.create_task(_drain(app), name="drain")
        killing = asyncio.create_task(killed.wait())
        await asyncio.wait([draining, killing], return_when=asyncio.FIRST_COMPLETED)
        for task in (draining, killing):
            task.cancel()
        await asyncio.wait([draining, killing])
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


async def _drain(app: App) -> None:
    seconds = app.settings.drain_seconds
    await asyncio.gather(app.ingestor.drain(seconds), app.drain(seconds))


@contextlib.asynccontextmanager
async def _serving(app: App, host: str, port: int | None) -> AsyncGenerator[None]:
    """Serve health and metrics within the block, if there is a port."""
    if port is None:
        yield
        return
    server = _MetricsServer(server_config(create_worker_app(app), app.live_settings))
    with listen(host, port) as listener:
        task = asyncio.create_task(server.serve(sockets=[listener]), name="metrics")
        try:
            yield
        finally:
            server.should_exit = True
            await asyncio.wait([task])


class _MetricsServer(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave signals to the worker."""
        yield
