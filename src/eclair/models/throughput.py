"""Measures the rate of a download, and remembers the rate of the last one."""

from __future__ import annotations

from pathlib import Path

from eclair.models import installed
from eclair.models.download import DownloadProgress, DownloadStage

MIN_MEASURED_S = 0.5
"""Shorter measurements give no rate."""

MIN_LINE_SAMPLE = (1.0, 1_000_000)
"""Seconds and bytes from which on a download is_telling the rate of the connection."""


class Throughput:
    """The rate of a download's current stage, averaged over that stage."""

    def __init__(self) -> None:
        self._stage: tuple[DownloadStage, str] | None = None
        self._began = self._seconds = 0.0
        self._bytes_before = self._bytes = self._remaining = 0

    def update(self, progress: DownloadProgress, now: float) -> bool:
        """Add progress at the time `now`, in seconds; return whether a new stage began."""
        stage = (progress.stage, progress.file)
        begins = stage != self._stage
        if begins:
            self._stage, self._began, self._bytes_before = stage, now, progress.done
        self._seconds = now - self._began
        self._bytes = progress.done - self._bytes_before
        self._remaining = progress.total - progress.done
        return begins

    @property
    def rate(self) -> float | None:
        """Bytes per second, None until known."""
        return self._bytes / self._seconds if self._seconds >= MIN_MEASURED_S and self._bytes > 0 else None

    @property
    def seconds_left(self) -> float | None:
        """Seconds until the stage ends at this rate."""
        return self._remaining / self.rate if self.rate is not None else None

    @property
    def line_rate(self) -> float | None:
        """The connection's bytes per second, if enough was downloaded to tell."""
        seconds, bytes = MIN_LINE_SAMPLE
        is_telling = self._stage is not None and self._stage[0] == "download" and self._bytes >= bytes
        return self._bytes / self._seconds if is_telling and self._seconds >= seconds else None


def save_line_rate(data_dir: Path, rate: float) -> None:
    """Save the connection's rate, in bytes per second."""
    _file(data_dir).write_text(f"{rate:.0f}\n", "ascii")


def saved_line_rate(data_dir: Path) -> float | None:
    """Return the saved rate in bytes per second; None if there is none."""
    try:
        return max(1.0, float(_file(data_dir).read_text("ascii")))
    except (OSError, ValueError):
        return None


def _file(data_dir: Path) -> Path:
    return installed.models_folder(data_dir) / ".rate"
