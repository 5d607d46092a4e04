"""`eclair serve`: serves the web app and the API until stopped."""

from __future__ import annotations

import argparse
import signal

import uvloop

from eclair.cli._arguments import load_settings
from eclair.cli._logging import log_to_stderr
from eclair.cli._terminal import Terminal
from eclair.documents.photos.classifier import classifier_file
from eclair.models import catalog
from eclair.models.default_model import choose_default
from eclair.models.installed import installed_models
from eclair.server.serve import serve
from eclair.server.settings_reload import SettingsSource
from eclair.settings import Settings


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_to_stderr(settings)
    if settings.embedded and arguments.pull:
        _pull(settings, terminal)
    for number in (signal.SIGTERM, signal.SIGHUP):  # until the server handles them itself
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, lambda number, frame: signal.raise_signal(signal.SIGINT))
    source = SettingsSource(lambda: load_settings(arguments).settings, log_to_stderr)
    fetches = arguments.pull and settings.fetch_model and not arguments.no_fetch
    unsaved = uvloop.run(
        serve(
            settings,
            lambda address: terminal.line(f"Éclair is at {address}"),
            source,
            fetches_model=fetches,
            say_code=lambda code: terminal.line(f"Nobody has an account yet; make the first one there with {code}"),
        )
    )
    if unsaved:
        terminal.warn("Éclair has stopped; not every answer could be saved to its end, as the log says.")
        return 1
    terminal.note("Éclair has stopped.")
    return 0


def _pull(settings: Settings, terminal: Terminal) -> None:
    """Fetch what the embedded engine and photos need, unless it is here. Raises ModelMissing."""
    on_disk = installed_models(catalog.load_entries(settings.catalog), settings.data_dir)
    has_model = choose_default(on_disk, settings).id in on_disk
    if has_model and classifier_file(settings.data_dir).exists():
        return
    from eclair.cli.pull import pull_model, pull_photo_labels  # slow to import, and rarely needed

    if not has_model:
        pull_model(settings, terminal)
    pull_photo_labels(settings, terminal)
