"""Where this machine has Chromium or Chrome. As a script it says so, or fails."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

SHELL = "chromium-headless-shell"
NAMES = (SHELL, "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
"""The first that is there: the shell is the same engine without windows, and opens a page for half the CPU."""
APPLICATIONS = (
    Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome"),
    Path("/Applications/Chromium.app/Contents/MacOS/Chromium"),
)
QUIET = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find() -> str | None:
    """The browser's executable."""
    on_path = (shutil.which(name) for name in NAMES)
    applications = (str(path) for path in APPLICATIONS if path.exists())
    return next((path for path in (*on_path, *applications) if path is not None), None)


def arguments() -> list[str]:
    """What it is started with: it calls home for nothing; as root it cannot have its sandbox."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    return [*QUIET, *(["--no-sandbox"] if root else [])]


def microphone(sound: Path) -> list[str]:
    """Arguments by which its microphone plays a WAV file once, and then silence."""
    return [
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-audio-capture={sound}%noloop",
    ]


if __name__ == "__main__":
    sys.exit(0 if find() else 1)
