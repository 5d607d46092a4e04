"""What a guest of the tests does: as its order says."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from pathlib import Path

from eclair.sandbox.worker import enter

LONG = b"long " * 400_000


def main() -> None:
    out = enter(1 << 30, 1)
    what = sys.stdin.buffer.readline().strip()
    match what:
        case b"echo":
            out.write(sys.stdin.buffer.read())
        case b"deaf":
            out.write(LONG)
        case b"half":
            out.write(b"half")
            out.flush()
            raise RuntimeError
        case b"die":
            os.kill(os.getpid(), signal.SIGKILL)
        case b"spin":
            while True:
                pass
        case b"sleep":
            time.sleep(60)
        case b"call":
            with socket.socket() as call:
                call.connect(("127.0.0.1", 9))
        case b"write":
            Path(sys.stdin.buffer.read().decode()).write_bytes(b"something")
        case _:
            raise ValueError(what)
    out.flush()
