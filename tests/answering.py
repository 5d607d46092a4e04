"""What a sandbox of the tests does: as its request says."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from eclair.sandbox.protocol import ProcessLimits, Rejected, SandboxProtocol
from eclair.sandbox.worker import serve
from eclair.util.frames import Codec

Deed = Literal[
    "echo",
    "count",
    "nothing",
    "half",
    "die",
    "spin",
    "sleep",
    "call",
    "write",
    "run",
    "eat",
    "reject",
    "garbage",
    "big",
]


@dataclass(frozen=True, slots=True)
class Do:
    deed: Deed
    data: bytes = b""
    times: int = 1
    cpu_s: float = 1
    renewed: bool = False


@dataclass(frozen=True, slots=True)
class Result:
    data: bytes
    number: int = 0


PROTOCOL = SandboxProtocol(__name__, Codec(Do), (Result,), max_result_bytes=1 << 20)


def main() -> None:
    serve(PROTOCOL, handle, lambda do: ProcessLimits(1 << 30, do.cpu_s, 1 << 20 if do.renewed else 0, do.renewed))


def handle(do: Do) -> Iterator[Result]:
    match do.deed:
        case "echo":
            yield Result(do.data)
        case "count":
            yield from (Result(do.data, number) for number in range(do.times))
        case "nothing":
            pass
        case "half":
            yield Result(b"half")
            raise RuntimeError
        case "die":
            signal.raise_signal(signal.SIGKILL)
        case "spin":
            while True:
                pass
        case "sleep":
            time.sleep(60)
        case "call":
            with socket.socket() as call:
                call.connect(("127.0.0.1", 9))
        case "run":
            subprocess.run(["true"], check=True)
        case "write":
            path = Path(do.data.decode() or Path(tempfile.gettempdir(), "file"))
            path.write_bytes(b"something")
            yield Result(str(path).encode())
        case "eat":
            bytearray(1 << 31)
        case "reject":
            raise Rejected(do.data.decode(), "missing")
        case "garbage":
            os.write(sys.stdin.fileno(), b"no frame at all, but bytes")
            time.sleep(60)
        case "big":
            yield Result(bytes(2 << 20))
