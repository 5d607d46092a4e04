"""A real S3 server on loopback for tests: moto's, in a process of its own; and one that misbehaves."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import subprocess
import urllib.request
from collections.abc import AsyncGenerator, Generator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from eclair.storage.blob_stores.blob_bucket import BlobBucket, BucketPlace, CallLimits
from eclair.util import file_lock

ROOT = Path(__file__).parents[1]
SHORT = CallLimits(connect_s=1, silent_s=1, whole_s=3, retries=1, backoff_s=0.05)
_SERVE = """
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
input()
"""


@dataclass(slots=True)
class S3Server:
    url: str
    _numbers: itertools.count[int] = field(default_factory=itertools.count)

    def new_place(self, prefix: str = "eclair") -> BucketPlace:
        """Make an empty bucket."""
        bucket = f"bucket{next(self._numbers)}"
        request = urllib.request.Request(f"{self.url}/{bucket}", method="PUT")
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 200
        return BucketPlace(bucket, prefix, self.url, "us-east-1", "key", "secret")


def _python() -> Path:
    """Python with moto, whose packages can't be installed beside ours; set up unless `make test` has done so."""
    folder = ROOT / ".build" / "s3-server"
    folder.parent.mkdir(exist_ok=True)
    with file_lock.hold(folder.with_name("s3-server.lock")):
        subprocess.run(["make", "-s", "s3-server"], cwd=ROOT, check=True, capture_output=True, timeout=600)
    return folder / "bin" / "python"


@contextlib.contextmanager
def serving_s3() -> Generator[S3Server]:
    process = subprocess.Popen(
        [_python(), "-c", _SERVE],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield S3Server(f"http://127.0.0.1:{int(process.stdout.readline())}")
    finally:
        process.kill()
        process.communicate()


@contextlib.asynccontextmanager
async def misbehaving(answer: bytes | None) -> AsyncGenerator[BlobBucket]:
    """A bucket whose server gives every call the same answer and hangs up, or none at all."""
    hanging = asyncio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            if answer is None:
                await hanging.wait()
            else:
                writer.write(answer)
                await writer.drain()
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    place = BucketPlace("bucket", "", f"http://127.0.0.1:{port}", "us-east-1", "key", "very-secret")
    try:
        yield BlobBucket(place, limits=SHORT)
    finally:
        hanging.set()
        server.close()


class StoreRelay:
    """Passes connections on to a store, as long as it isn't cut.

    `ignores` is a header that the store is kept from. Once `cut_at` is sent to the store, the relay is cut.
    """

    def __init__(self, store: str, ignores: bytes = b"") -> None:
        self._target = urlsplit(store).port
        self._ignores = ignores
        self.cut_at: bytes | None = None
        self.was_cut = asyncio.Event()
        self._port = 0
        self._server: asyncio.Server | None = None
        self._ends: set[asyncio.StreamWriter] = set()
        self._passing: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    async def connect(self) -> None:
        """Answer at the same port as before."""
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        self.cut()
        await asyncio.gather(*self._passing)

    def cut(self) -> None:
        """Break off all connections, and refuse new ones."""
        if self._server is not None:
            self._server.close()
        for end in self._ends:
            end.transport.abort()
        self.was_cut.set()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        store, to_store = await asyncio.open_connection("127.0.0.1", self._target)
        self._ends |= {writer, to_store}
        passing = [asyncio.create_task(self._pass(*way)) for way in ((reader, to_store), (store, writer))]
        self._passing.update(passing)
        await asyncio.wait(passing)
        self._passing.difference_update(passing)
        self._ends -= {writer, to_store}

    async def _pass(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(1 << 16):
                if self.cut_at is not None and self.cut_at in data:
                    self.cut_at = None
                    self.cut()
                    return
                target.write(data.replace(self._ignores, b"x" * len(self._ignores)) if self._ignores else data)
                await target.drain()
        target.close()
