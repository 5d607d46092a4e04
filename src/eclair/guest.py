"""A guest: a process of ours that reads foreign bytes, bounded, without a network, and gone afterwards.

The module that it runs calls `enter` first of all, and answers on what that gives. `guests` starts it and asks.
"""

from __future__ import annotations

import contextlib
import os
import resource
import sys
from typing import BinaryIO

NICE = 5
"""Answers are made before anything is read."""

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
