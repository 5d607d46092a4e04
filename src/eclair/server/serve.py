"""Serve until stopped: binds, opens the app, reports, shuts down cleanly.

The embedded engine loads in its own process, so it is started first, while everything else is being imported.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import ssl
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from dataclasses import replace
from importlib import import_module
from typing import TYPE_CHECKING, Any

import uvicorn

from eclair.errors import SettingsError
from eclair.llm.local.local_engine import LocalEngine
from eclair.network.exposure import find_exposure, find_weak_key, is_exposed, is_unencrypted
from eclair.network.tls import load_tls
from eclair.server.descriptor_watch import watch_descriptors
from eclair.server.hangup import handle_hangups
from eclair.server.http_server import raise_file_limit, server_config
from eclair.server.owner_session import OwnerSession
from eclair.server.service_manager import ServiceManager
from eclair.server.settings_reload import SettingsReload, SettingsSource
from eclair.settings import Settings
from eclair.util.port import listen
from eclair.util.socket_owner import can_find_owners

if TYPE_CHECKING:
    from types import FrameType

    from eclair.app import App

log = logging.getLogger(__name__)


async def serve(
    settings: Settings,
    ready: Callable[[str], None],
    source: SettingsSource | None = None,
    *,
    fetches_model: bool = False,
    say_code: Callable[[str], None] | None = None,
) -> int:
    """Serve until SIGINT or SIGTERM, on the main thread; call `ready` with the address once it answers.

    Returns the number of answers whose end could not be saved; the log says how much of each is lost.

    With accounts, and nobody who has one yet, `say_code` is called with the code that makes the first.

    With `fetches_model` a better model than the starter is downloaded meanwhile; see `ModelUpgrade.fetch`.

    SIGHUP has the settings read from `source` again, unless it says that the terminal has gone.

    Raises PortInUse, SettingsError if no key protects an open address or TLS is set wrongly, and what `open_app`
    raises.
    """
    _require_key(settings)
    tls = load_tls(settings)
    if is_unencrypted(settings):
        log.warning(
            "Éclair serves %s WITHOUT ENCRYPTION: whoever is on the way can read keys and conversations. "
            "Set tls_certificate and tls_key, or put a proxy with TLS in front.",
            settings.host,
        )
    raise_file_limit()
    reload = None if source is None else SettingsReload(source, _require_key, tls)
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(listen(settings.host, settings.port))]
        if settings.ollama_port is not None:
            listeners.append(stack.enter_context(listen(settings.host, settings.ollama_port, "ollama_port")))
        local = LocalEngine.start(settings) if settings.embedded else None
        try:
            with handle_hangups(None if reload is None else reload.request):
                return await _serve(
                    settings, local, listeners, tls, ready, reload, fetches_model=fetches_model, say_code=say_code
                )
        finally:
            if local is not None:
                await local.close()


def _require_key(settings: Settings) -> None:
    """Raises SettingsError if others can reach Éclair and there is no key, or one that can be guessed.

    Where people have accounts, no key is for all of them.
    """
    if settings.accounts == "on" and settings.api_key is not None:
        raise SettingsError("With accounts everybody has keys of their own; take `api_key` out of the settings.")
    if (weakness := find_weak_key(settings)) is not None:
        raise SettingsError(weakness)
    if (exposure := find_exposure(settings)) is None:
        return
    from eclair.storage.open import has_api_keys  # slow to import, and rarely needed

    if not has_api_keys(settings):
        raise SettingsError(exposure)


async def _serve(
    settings: Settings,
    local: LocalEngine | None,
    listeners: list[socket.socket],
    tls: ssl.SSLContext | None,
    ready: Callable[[str], None],
    reload: SettingsReload | None,
    *,
    fetches_model: bool,
    say_code: Callable[[str], None] | None,
) -> int:
    gc.disable()
    for module in ("eclair.app", "eclair.server.app"):
        await asyncio.to_thread(import_module, module)
    from eclair.server.app import create_app

    async with _open_app(settings, local) as app:
        session = (
            OwnerSession.open(app.settings.data_dir, settings.path_prefix or "/")
            if await _needs_session(settings)
            else None
        )
        config = server_config(create_app(app, session), app.live_settings, tls)
        gc.freeze()  # what is loaded by now stays, so the collector need not scan it again and again
        gc.enable()
        page = f"{settings.path_prefix}/" if session is not None or settings.path_prefix else ""
        query = "" if session is None else f"?token={session.token}"
        server = _Server(config, app, lambda address: ready(address + page + query), reload)
        server.fetches_model = fetches_model and app.read_only is None
        server.say_code = say_code
        await server.serve(sockets=listeners)
        return app.runs.unsaved


@contextlib.asynccontextmanager
async def _open_app(settings: Settings, local: LocalEngine | None) -> AsyncGenerator[App]:
    """Open all services, for reading alone where the data folder takes no writes."""
    from eclair.app import open_app
    from eclair.storage.stand_in import stand_in

    with stand_in(settings.data_dir) as copy:
        reason = None
        if copy is not None:
            reason = (
                f"Nothing can be stored in {settings.data_dir}, so Éclair only shows what is there; free some "
                "space on its disk or make it writable, then restart Éclair."
            )
            log.error("%s", reason)
            # what left this machine could not be recorded, and what came would be lost
            settings = replace(settings, data_dir=copy, egress="offline", backup_folder=None, tune=False, titles=False)
        async with open_app(settings, local=local, read_only=reason) as app:
            yield app


async def _needs_session(settings: Settings) -> bool:
    """Tell whether the owner gets in by a token: on loopback, where the system doesn't say who connects."""
    if settings.api_key is not None or is_exposed(settings) or settings.loopback_accounts == "all":
        return False
    if settings.accounts == "on":
        return False
    return not await can_find_owners()


class _Server(uvicorn.Server):
    def __init__(
        self, config: uvicorn.Config, app: App, ready: Callable[[str], None], reload: SettingsReload | None
    ) -> None:
        super().__init__(config)
        self._reload = reload
        self._app = app
        self.fetches_model = False
        self.say_code: Callable[[str], None] | None = None
        self._ready = ready
        self._manager = ServiceManager.from_environment()
        self._closing = contextlib.AsyncExitStack()
        self._draining: asyncio.Task[None] | None = None

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Stop on SIGINT and SIGTERM without raising them again: there is more to close."""
        loop = asyncio.get_running_loop()
        signals = (signal.SIGINT, signal.SIGTERM)
        for number in signals:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in signals:
                loop.remove_signal_handler(number)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; a first SIGTERM lets answers and images end before."""
        seconds = self._app.settings.drain_seconds
        if sig == signal.SIGTERM and self._draining is None and seconds and self._app.is_busy:
            log.info("Éclair ends once its answers and images are made, within %d seconds.", seconds)
            self._draining = asyncio.get_running_loop().create_task(self._drain(seconds), name="drain")
            return
        super().handle_exit(sig, frame)

    async def _drain(self, seconds: int) -> None:
        await self._app.drain(seconds)
        super().handle_exit(signal.SIGTERM, None)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        if sockets:
            host, port = sockets[0].getsockname()[:2]
            scheme = "https" if self.config.is_ssl else "http"
            address = f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
            await self._closing.enter_async_context(self._manager.running(f"Éclair is at {address}"))
            self._run_aside(watch_descriptors())
            if self._reload is not None:
                self._run_aside(self._reload.run(self._app.live_settings, self._manager, self._app.storage.audit))
            self._ready(address)
            await self._offer_setup()
            if self.fetches_model:
                self._run_aside(self._app.upgrade.fetch(self._app.downloads))

    async def _offer_setup(self) -> None:
        """Say the code that makes the first account, where people have accounts and nobody does yet."""
        accounts = self._app.accounts
        if self.say_code is None or self._app.settings.accounts == "off" or self._app.read_only is not None:
            return
        if not await accounts.people.has_administrator():
            self.say_code((await accounts.codes.make_setup_code()).code)

    def _run_aside(self, work: Coroutine[Any, Any, None]) -> None:
        """Run a coroutine until the server shuts down."""
        task = asyncio.create_task(work)
        self._closing.push_async_callback(asyncio.wait, [task])
        self._closing.callback(task.cancel)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams first: their connections then close by themselves."""
        if self._draining is not None:
            self._draining.cancel()
        await self._closing.aclose()
        await self._app.end_streams()
        await super().shutdown(sockets=sockets)
