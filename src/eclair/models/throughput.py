"""How fast a model comes, and how fast this machine's line was the last time one came."""

from __future__ import annotations

from pathlib import Path

from eclair.models import installed
from eclair.models.download import DownloadProgress, DownloadStage

MIN_MEASURED_S = 0.5
"""Seconds before which no rate is told."""

TELLING = (1.0, 1_000_000)
"""Seconds and bytes from which on a download tells how fast the line is."""


class Throughput:
    """The rate of the stage that a fetch is in, over that stage so far."""

    def __init__(self) -> None:
        self._stage: tuple[DownloadStage, str] | None = None
        self._began = self._seconds = 0.0
        self._before = self._came = self._rest = 0

    def update(self, progress: DownloadProgress, now: float) -> bool:
        """Whether with this a stage has begun; `now` is in seconds."""
        stage = (progress.stage, progress.file)
        begins = stage != self._stage
        if begins:
            self._stage, self._began, self._before = stage, now, progress.done
        self._seconds = now - self._began
        self._came = progress.done - self._before
        self._rest = progress.total - progress.done
        return begins

    @property
    def rate(self) -> float | None:
        """Bytes a second, None before it can be told."""
        return self._came / self._seconds if self._seconds >= MIN_MEASURED_S and self._came > 0 else None

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the stage is over, if it goes on so."""
        return self._rest / self.rate if self.rate is not None else None

    @property
    def line_rate(self) -> float | None:
        """Bytes a second that the line gave, where enough was downloaded to tell."""
        seconds, bytes = TELLING
        tells = self._stage is not None and self._stage[0] == "download" and self._came >= bytes
        return self._came / self._seconds if tells and self._seconds >= seconds else None


def save_line_rate(data_dir: Path, rate: float) -> None:
    """Keep what the line gave, in bytes a second."""
    _file(data_dir).write_text(f"{rate:.0f}\n", "ascii")


def saved_line_rate(data_dir: Path) -> float | None:
    """Bytes a second that the last download which told it had; None where there was none."""
    try:
        return max(1.0, float(_file(data_dir).read_text("ascii")))
    except (OSError, ValueError):
        return None


def _file(data_dir: Path) -> Path:
    return installed.models_folder(data_dir) / ".rate"
