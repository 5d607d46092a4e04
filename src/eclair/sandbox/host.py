"""The process that sandboxes are forked from, to skip imports.

Run as `python -m eclair.sandbox.host MODULE NICENESS SCRATCH [READABLE ...] [-- PROGRAM ...]`.

Standard input is a socket. A positive number comes with two sockets of a new process, for its requests and for the
files to read; the host forks it, it raises its walls and calls the module's `main`. The negative number ends that
process and is answered with its exit status. When standard input ends, all processes end. With a scratch folder that
isn't empty, each process has its temporary files in a subfolder named by its number; `READABLE` are files that all of
them may open, and `PROGRAM` those that they may start. A process that may start some is ended with them.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import signal
import socket
import struct
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from eclair.sandbox import walls
from eclair.sandbox.descriptors import connect_files

NUMBER = struct.Struct("=q")
STATUS = struct.Struct("=qi")
"""Number of a process and its exit status, negative for a signal."""

NEVER_STARTED = 1


def main() -> None:
    """Fork processes until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    walls.leave_network()
    run: Callable[[], None] = importlib.import_module(sys.argv[1]).main
    gc.freeze()
    pids: dict[int, int] = {}
    with socket.socket(fileno=os.dup(0)) as line:
        while (message := socket.recv_fds(line, NUMBER.size, 2))[0]:
            (number,), descriptors = NUMBER.unpack(message[0]), message[1]
            if descriptors:
                with contextlib.suppress(OSError):  # too little memory: its socket ends, and its status says so
                    pids[number] = os.fork() or _become(run, number, descriptors, line)
                    os.setpgid(pids[number], 0)
                for descriptor in descriptors:
                    os.close(descriptor)
            else:
                pid = pids.pop(-number, None)
                status = _end(pid) if pid is not None else NEVER_STARTED
                with contextlib.suppress(ConnectionError):  # nobody asks any more
                    line.sendall(STATUS.pack(-number, status))
    for pid in pids.values():
        _end(pid)


def _become(run: Callable[[], None], number: int, descriptors: Sequence[int], line: socket.socket) -> NoReturn:
    """Run the forked process of that number, and exit."""
    try:
        walls.die_with_parent(signal.SIGKILL)
        with contextlib.suppress(OSError):  # the host was quicker
            os.setpgid(0, 0)
        line.close()
        requests, files = descriptors
        os.dup2(requests, 0)
        os.dup2(requests, 1)
        os.close(requests)
        connect_files(socket.socket(fileno=files))
        niceness, scratch, readable, programs = _arguments()
        os.nice(niceness)
        walls.enclose_reader(readable, [_own_folder(scratch, number)] if scratch else [], programs=programs)
        run()
    except BaseException as error:
        sys.excepthook(type(error), error, error.__traceback__)
    finally:
        os._exit(0)


def _arguments() -> tuple[int, str, list[Path], list[Path]]:
    """Return the niceness, the scratch folder, the readable files and the programs."""
    niceness, scratch, *paths = sys.argv[2:]
    end = paths.index("--") if "--" in paths else len(paths)
    return int(niceness), scratch, [Path(path) for path in paths[:end]], [Path(path) for path in paths[end + 1 :]]


def _own_folder(scratch: str, number: int) -> Path:
    """Make the folder for this process's temporary files."""
    folder = Path(scratch, str(number))
    folder.mkdir()
    tempfile.tempdir = os.environ["TMPDIR"] = str(folder)
    return folder


def _end(pid: int) -> int:
    """Kill a process of ours, and return its exit status."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)  # with the programs that it started
    os.kill(pid, signal.SIGKILL)  # until it is waited for, the number is its own
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


if __name__ == "__main__":
    main()
