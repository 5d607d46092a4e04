"""The inside of a sandbox: a process without a network or other programs, with limits, that answers requests.

`host` forks it; the module that it runs calls `serve`.
"""

from __future__ import annotations

import contextlib
import math
import os
import resource
import sys
from collections.abc import Callable, Iterable
from typing import BinaryIO

from eclair.sandbox.protocol import Done, Failed, ProcessLimits, Rejected, Request, Result, SandboxProtocol

NICENESS = 5
"""Answers have priority over reading."""

_FORBIDDEN = ("socket.connect", "socket.getaddrinfo", "socket.bind", "subprocess.Popen", "os.exec", "os.system")


def serve(
    protocol: SandboxProtocol[Request, Result],
    handle: Callable[[Request], Iterable[Result]],
    limits: Callable[[Request], ProcessLimits],
) -> None:
    """Answer requests from standard input until it ends. What `handle` raises becomes a fault of that request."""
    results = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no result
    requests = os.fdopen(os.dup(0), "rb")
    os.nice(NICENESS)
    sys.addaudithook(refuse_network)
    while (request := protocol.requests.read(requests)) is not None:
        _answer(protocol, handle, request, limits(request), results)


def _answer(
    protocol: SandboxProtocol[Request, Result],
    handle: Callable[[Request], Iterable[Result]],
    request: Request,
    limits: ProcessLimits,
    out: BinaryIO,
) -> None:
    encode = protocol.results.encode
    set_limits(limits)
    try:
        for result in handle(request):
            out.write(encode(result))
            out.flush()
            if limits.renewed:
                set_limits(limits)
        end: Done | Failed = Done()
    except Rejected as rejected:
        end = Failed(rejected.kind, rejected.message)
    except MemoryError:
        end = Failed("memory")
    except Exception as error:  # libraries raise whatever they like on damaged files
        sys.excepthook(type(error), error, error.__traceback__)
        sys.stderr.flush()
        end = Failed("crash")
    out.write(encode(end))
    out.flush()


def set_limits(limits: ProcessLimits) -> None:
    """Bound this process for good; its seconds can be renewed where `limits` says so."""
    _set_limit(resource.RLIMIT_AS, limits.memory_bytes)
    _set_limit(resource.RLIMIT_FSIZE, limits.file_bytes)
    _set_limit(resource.RLIMIT_CORE, 0)
    usage = resource.getrusage(resource.RUSAGE_SELF)
    seconds = math.ceil(usage.ru_utime + usage.ru_stime + limits.cpu_s)
    _set_limit(resource.RLIMIT_CPU, seconds, resource.RLIM_INFINITY if limits.renewed else seconds + 1)


def _set_limit(which: int, limit: int, hard: int | None = None) -> None:
    hard = limit if hard is None else hard
    _, present = resource.getrlimit(which)
    if present != resource.RLIM_INFINITY:
        hard = present if hard == resource.RLIM_INFINITY else min(hard, present)
        limit = min(limit, hard)
    with contextlib.suppress(ValueError):  # macOS bounds no address space
        resource.setrlimit(which, (limit, hard))


def refuse_network(event: str, _: tuple[object, ...]) -> None:
    """Audit hook that forbids connections and other programs."""
    if event in _FORBIDDEN:
        raise PermissionError("a file is read without network and other programs")
