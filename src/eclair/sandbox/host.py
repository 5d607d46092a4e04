"""The process that sandboxes are forked from, to skip imports.

Run as `python -m eclair.sandbox.host MODULE [SCRATCH]`.

Standard input is a socket. A positive number comes with the socket of a new process, which the host forks and which
calls the module's `main`. The negative number ends that process and is answered with its exit status. When standard
input ends, all processes end. With a scratch folder, each process has its temporary files in a subfolder named by its
number.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import os
import signal
import socket
import struct
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

NUMBER = struct.Struct("=q")
STATUS = struct.Struct("=qi")
"""Number of a process and its exit status, negative for a signal."""

NEVER_STARTED = 1

_PR_SET_PDEATHSIG = 1


def main() -> None:
    """Fork processes until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    run: Callable[[], None] = importlib.import_module(sys.argv[1]).main
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    gc.freeze()
    pids: dict[int, int] = {}
    with socket.socket(fileno=os.dup(0)) as line:
        while (message := socket.recv_fds(line, NUMBER.size, 1))[0]:
            (number,), descriptors = NUMBER.unpack(message[0]), message[1]
            if descriptors:
                with contextlib.suppress(OSError):  # too little memory: its socket ends, and its status says so
                    pids[number] = os.fork() or _become(run, number, descriptors[0], line, libc)
                os.close(descriptors[0])
            else:
                pid = pids.pop(-number, None)
                status = _end(pid) if pid is not None else NEVER_STARTED
                with contextlib.suppress(ConnectionError):  # nobody asks any more
                    line.sendall(STATUS.pack(-number, status))
    for pid in pids.values():
        _end(pid)


def _become(
    run: Callable[[], None], number: int, descriptor: int, line: socket.socket, libc: ctypes.CDLL | None
) -> NoReturn:
    """Run the forked process of that number, and exit."""
    try:
        if libc is not None:
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        line.close()
        os.dup2(descriptor, 0)
        os.dup2(descriptor, 1)
        os.close(descriptor)
        for folder in sys.argv[2:]:
            scratch = Path(folder, str(number))
            scratch.mkdir()
            tempfile.tempdir = os.environ["TMPDIR"] = str(scratch)
        run()
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        os._exit(0)


def _end(pid: int) -> int:
    """Kill a process of ours, and return its exit status."""
    os.kill(pid, signal.SIGKILL)  # until it is waited for, the number is its own
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    main()
