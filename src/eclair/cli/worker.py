"""`eclair worker`: does background work for servers that share its database, until stopped."""

from __future__ import annotations

import argparse
import signal

import uvloop

from eclair.cli._arguments import load_settings
from eclair.cli._logging import log_to_stderr
from eclair.cli._terminal import Terminal
from eclair.errors import InvalidInput
from eclair.schema.jobs import ALL_WORK, WORK_KINDS, WorkKind
from eclair.server.worker_process import run_worker


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    settings = load_settings(arguments).settings
    log_to_stderr(settings)
    kinds = _kinds(arguments.kinds)
    for number in (signal.SIGTERM, signal.SIGHUP):  # until the worker handles them itself
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, lambda number, frame: signal.raise_signal(signal.SIGINT))
    listed = ", ".join(kind for kind in WORK_KINDS if kind in kinds)
    uvloop.run(
        run_worker(
            settings,
            kinds,
            lambda: terminal.line(f"This worker does: {listed}"),
            at_once=arguments.at_once,
            host=arguments.metrics_host,
            port=arguments.metrics_port,
        )
    )
    terminal.note("This worker has stopped.")
    return 0


def _kinds(listed: str | None) -> frozenset[WorkKind]:
    """Return the kinds of a list with commas. Raises InvalidInput for one that isn't known."""
    if listed is None:
        return ALL_WORK
    found = [kind.strip() for kind in listed.split(",")]
    if unknown := [kind for kind in found if kind not in ALL_WORK]:
        raise InvalidInput(f"There is no work called {unknown[0]!r}; the kinds are {', '.join(WORK_KINDS)}.")
    return frozenset(kind for kind in WORK_KINDS if kind in found)
