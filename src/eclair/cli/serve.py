"""`eclair serve`: the web app and the API, until told to stop. Logging is set up here and nowhere else."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from types import FrameType

import uvloop

from eclair.cli.arguments import load_settings
from eclair.cli.pull import pull_model
from eclair.cli.terminal import Terminal
from eclair.engines.catalog import embedded
from eclair.engines.pull import verify
from eclair.errors import ModelMissing
from eclair.server.serve import serve
from eclair.settings import Settings


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    set_up_logging(settings)
    if settings.embedded:
        _have_model(settings, terminal, fetch=arguments.pull)
    serving = False

    def ready(address: str) -> None:
        nonlocal serving
        serving = True
        terminal.line(f"Éclair is at {address}")

    def end(number: int, frame: FrameType | None) -> None:
        """Before it serves, SIGTERM means Ctrl-C; then uvicorn takes it, and raises it once more at the end."""
        if not serving:
            signal.raise_signal(signal.SIGINT)

    signal.signal(signal.SIGTERM, end)
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, lambda number, frame: signal.raise_signal(signal.SIGTERM))
    try:
        uvloop.run(serve(settings, ready))
    except KeyboardInterrupt:
        if not serving:
            raise
    terminal.note("Éclair has stopped.")
    return 0


def _have_model(settings: Settings, terminal: Terminal, *, fetch: bool) -> None:
    """See that the embedded model is here; without it, other engines and what is kept still serve."""
    try:
        verify(embedded(), settings.data_dir)
    except ModelMissing as error:
        if fetch:
            pull_model(settings, terminal)
        else:
            terminal.complain(error.message)


def set_up_logging(settings: Settings) -> None:
    """Everything to standard error; uvicorn only what is wrong, unless all is wanted."""
    level = getattr(logging, settings.log_level.upper())
    logging.basicConfig(
        stream=sys.stderr, level=level, format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    if level > logging.DEBUG:
        for name in ("uvicorn", "asyncio"):
            logging.getLogger(name).setLevel(logging.WARNING)
