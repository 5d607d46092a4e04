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
