"""`eclair serve`: the web app and the API, until told to stop."""

from __future__ import annotations

import argparse
import signal

import uvloop

from eclair.cli.arguments import load_settings
from eclair.cli.logs import log_to_stderr
from eclair.cli.pull import pull_labels, pull_model
from eclair.cli.terminal import Terminal
from eclair.server.serve import serve


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_to_stderr(settings)
    if settings.embedded and arguments.pull:
        pull_model(settings, terminal)
        pull_labels(settings, terminal)
    for number in (signal.SIGTERM, signal.SIGHUP):  # what ends it before it serves
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, lambda number, frame: signal.raise_signal(signal.SIGINT))
    uvloop.run(serve(settings, lambda address: terminal.line(f"Éclair is at {address}")))
    terminal.note("Éclair has stopped.")
    return 0
