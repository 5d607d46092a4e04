"""A guest: a process of ours that reads foreign bytes, bounded, without a network, and gone afterwards.

The module that it runs calls `enter` first of all, and answers on what that gives. As a program this is the host, which
has imported that module and forks for each order, so that none waits for the imports; `guests` starts it and asks.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import os
import resource
import signal
import socket
import struct
import sys
from collections.abc import Callable
from typing import BinaryIO, NoReturn

NICE = 5
"""Answers are made before anything is read."""

NUMBER = struct.Struct("=q")
"""What the host is told: the number of an order, whose socket comes along; or less than nothing: that one has ended."""

_FORBIDDEN = ("socket.connect", "socket.getaddrinfo", "socket.bind", "subprocess.Popen", "os.exec", "os.system")


def enter(memory: int, seconds: int) -> BinaryIO:
    """Bound this process, which may then write no file and call nobody; where its answer is to go. `memory` is bytes of
    address space, which is what a system can bound."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no answer
    os.nice(NICE)
    for which, most in (
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
    ):
        with contextlib.suppress(ValueError):  # macOS bounds no address space
            resource.setrlimit(which, (most, most))
    sys.addaudithook(_refuse)
    return out


def _refuse(event: str, _: tuple[object, ...]) -> None:
    if event in _FORBIDDEN:
        raise PermissionError("a file is read without network and other programs")


def main() -> None:
    """Host guests that run the module which the command line names, until standard input, a socket, ends."""
    run: Callable[[], None] = importlib.import_module(sys.argv[1]).main
    gc.freeze()
    guests: dict[int, int] = {}
    with socket.socket(fileno=os.dup(0)) as asked:
        while (told := socket.recv_fds(asked, NUMBER.size, 1))[0]:
            (number,), streams = NUMBER.unpack(told[0]), told[1]
            if streams:
                with contextlib.suppress(OSError):  # too little memory: who asks hears nothing
                    guests[number] = os.fork() or _become(run, streams[0])
                os.close(streams[0])
            elif -number in guests:
                _end(guests.pop(-number))
    for guest in guests.values():
        _end(guest)


def _become(run: Callable[[], None], stream: int) -> NoReturn:
    """Answer one order and leave."""
    try:
        os.dup2(stream, 0)
        os.dup2(stream, 1)
        try:
            run()
        except BaseException as error:
            sys.excepthook(type(error), error, error.__traceback__)
        while os.read(0, 1 << 16):  # what is left unread would cut the answer off
            pass
    finally:
        os._exit(0)


def _end(guest: int) -> None:
    os.kill(guest, signal.SIGKILL)  # until it is waited for, the number is its own
    os.waitpid(guest, 0)


if __name__ == "__main__":
    main()
