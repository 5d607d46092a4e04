"""Progress of an installation of packages: a status line at a terminal, elsewhere a line now and then."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from eclair.cli._progress import draw_bar
from eclair.cli._terminal import Terminal
from eclair.models.package_set import InstallProgress, InstallStage

REFRESH_INTERVAL_S = 0.1
LOG_INTERVAL_S = 10.0


class InstallMeter:
    """Shows the progress of an installation; `texts` says its stages, and `share` how much of it is done."""

    def __init__(
        self,
        terminal: Terminal,
        texts: Mapping[InstallStage, str],
        share: Callable[[InstallProgress], float],
    ) -> None:
        self._terminal = terminal
        self._texts = texts
        self._share = share
        self._shown = 0.0
        self._stage: InstallStage | None = None

    def report(self, progress: InstallProgress) -> None:
        interval = REFRESH_INTERVAL_S if self._terminal.is_interactive else LOG_INTERVAL_S
        now = time.monotonic()
        if progress.stage == self._stage and now - self._shown < interval:
            return
        self._shown, self._stage = now, progress.stage
        text = self._texts[progress.stage]
        if self._terminal.is_interactive:
            share = self._share(progress)
            self._terminal.status(f"{text} {draw_bar(share)} {share:.0%}")
        else:
            self._terminal.warn(f"{text}…")
