"""Compares model files with their known hashes in the background, once for each change of a file."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import orjson

from eclair.models.catalog import CatalogEntry
from eclair.models.installed import models_folder, shard_names
from eclair.util.background import IdleScheduler
from eclair.util.cpu import lower_thread_priority

START_DELAY_S = 60.0
CHECK_INTERVAL_S = 600.0
"""Files that were exchanged meanwhile are noticed."""
YIELD_S = 0.2
"""Pause while an answer is made, which needs the memory's bandwidth."""
CHUNK_BYTES = 1 << 20
RECORD_FILE = ".verified.json"

Stamp = tuple[int, int, int]
"""Size, time of change in ns and inode of a file."""

log = logging.getLogger(__name__)


class _Stopped(Exception):
    """The server ends; the file is hashed again after the next start."""


class WeightsCheck:
    """Checks the files of one models folder from `start` to `close`; `on_change` is called when a problem is found."""

    def __init__(
        self, data_dir: Path, known: Mapping[str, CatalogEntry], idle: IdleScheduler, on_change: Callable[[], None]
    ) -> None:
        self._folder = models_folder(data_dir)
        self._idle = idle
        self._on_change = on_change
        self._expected = {
            file.name: (entry.id, file.sha256)
            for entry in known.values()
            for file in entry.files
            if len(shard_names(file.name)) == 1
        }
        self._problems: dict[str, str] = {}
        self._stop = threading.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def problem(self) -> str | None:
        """A sentence about the first file that is damaged, with the remedy; None if none is known to be."""
        return next(iter(self._problems.values()), None)

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name="weights")

    async def close(self) -> None:
        self._stop.set()
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _run(self) -> None:
        await asyncio.sleep(START_DELAY_S)
        executor = ThreadPoolExecutor(1, thread_name_prefix="eclair-weights", initializer=lower_thread_priority)
        try:
            while True:
                before = dict(self._problems)
                await asyncio.get_running_loop().run_in_executor(executor, self.check)
                if self._problems != before:
                    self._on_change()
                await asyncio.sleep(CHECK_INTERVAL_S)
        finally:
            executor.shutdown(wait=False)

    def check(self) -> None:
        """Hash the files that have changed since they were last hashed. Blocks; stops on `close`."""
        record = self._read_record()
        found: dict[str, tuple[Stamp, str]] = {}
        problems: dict[str, str] = {}
        try:
            for path in sorted(self._folder.glob("*.gguf")):
                stat = path.stat()
                stamp = (stat.st_size, stat.st_mtime_ns, stat.st_ino)
                known = record.get(path.name)
                digest = known[1] if known is not None and known[0] == stamp else self.hash_file(path)
                found[path.name] = (stamp, digest)
                id, expected = self._expected.get(path.name, ("", None))
                if expected is not None and digest != expected:
                    problems[path.name] = f"{path} is damaged; fetch it again with `eclair pull {id}`."
        except (_Stopped, OSError):  # a file that can't be read is reported by who loads it
            return
        for name in problems.keys() - self._problems.keys():
            log.error("%s", problems[name])
        self._problems = problems
        if found != record:
            self._write_record(found)

    def hash_file(self, path: Path) -> str:
        """Return the SHA-256 of a file, read while no answer is made. Blocks; raises OSError."""
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
                while self._idle.idle_seconds() == 0 and not self._stop.is_set():
                    time.sleep(YIELD_S)
                if self._stop.is_set():
                    raise _Stopped
        return digest.hexdigest()

    def _read_record(self) -> dict[str, tuple[Stamp, str]]:
        """Read the hashes of the last check; none where they can't be read."""
        try:
            stored = orjson.loads((self._folder / RECORD_FILE).read_bytes())
            return {str(name): ((int(a), int(b), int(c)), str(digest)) for name, ((a, b, c), digest) in stored.items()}
        except (OSError, ValueError, TypeError, AttributeError):
            return {}

    def _write_record(self, found: dict[str, tuple[Stamp, str]]) -> None:
        try:
            part = self._folder / f"{RECORD_FILE}.part"
            part.write_bytes(orjson.dumps(found))
            part.replace(self._folder / RECORD_FILE)
        except OSError as error:
            log.warning("%s cannot be written: %s", self._folder / RECORD_FILE, error.strerror)
