"""`eclair serve`: the web app and the API, until told to stop."""

from __future__ import annotations

import argparse
import signal
from types import FrameType

import uvloop

from eclair.cli.arguments import load_settings
from eclair.cli.logs import log_to_stderr
from eclair.cli.pull import pull_model
from eclair.cli.terminal import Terminal
from eclair.server.serve import serve


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_to_stderr(settings)
    if settings.embedded and arguments.pull:
        pull_model(settings, terminal)
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
