"""Éclair as a process of its own, on the scripted engine, which can be killed and started again."""

from __future__ import annotations

import os
import socket
from multiprocessing.process import BaseProcess
from pathlib import Path

from tests.support import ACCOUNTS, served


class Served:
    """One server with one data folder and one port, whatever happens to its process."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self._folder = folder
        self._port = _free_port()
        self._process: BaseProcess | None = None
        path = settings.get("ECLAIR_BASE_PATH")
        self._page = "" if path is None else f"{path}/"
        self.address = f"http://127.0.0.1:{self._port}"
        self.environment = {
            "ECLAIR_CONFIG": str(self._folder / "eclair.toml"),
            "ECLAIR_DATA_DIR": str(self._folder / "data"),
            "ECLAIR_PORT": str(self._port),
            "ECLAIR_EMBEDDED": "false",
            "ECLAIR_SCRIPTED": "true",
            "ECLAIR_LOOPBACK_ACCOUNTS": ACCOUNTS,
            **settings,
        }
        """Its settings."""

    def start(self) -> None:
        assert self._process is None
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ECLAIR_")}
        address, self._process = served(self._folder, {**kept, **self.environment})
        assert address == self.address + self._page

    def kill(self) -> None:
        """As the machine does when it loses power."""
        assert self._process is not None
        self._process.kill()
        self._end()

    def close(self) -> None:
        if self._process is not None:
            self._process.terminate()
            self._end()

    def _end(self) -> None:
        assert self._process is not None
        self._process.join(20)
        assert self._process.exitcode is not None
        self._process = None


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
