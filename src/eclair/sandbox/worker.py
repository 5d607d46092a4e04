"""The inside of a sandbox: a limited process without network or programs.

`host` forks it; the module that it runs calls `serve`.
"""

from __future__ import annotations

import contextlib
import math
import resource
import sys
from collections.abc import Callable, Iterable

from eclair.sandbox.descriptors import receive_files
from eclair.sandbox.protocol import (
    ProcessLimits,
    Rejected,
    RequestDone,
    RequestFailed,
    RequestT,
    ResultT,
    SandboxProtocol,
)
from eclair.util.parent_connection import ParentConnection

Handle = Callable[[RequestT], Iterable[ResultT]]
Send = Callable[[ResultT], None]

_FORBIDDEN = frozenset(
    {
        *("socket.__new__", "socket.connect", "socket.bind", "socket.sendto", "socket.sendmsg"),
        *("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo"),
        *("subprocess.Popen", "os.exec", "os.system", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty"),
    }
)
"""Audit events of the network, programs and processes."""


def serve(
    protocol: SandboxProtocol[RequestT, ResultT],
    handle: Handle[RequestT, ResultT],
    limits: Callable[[RequestT], ProcessLimits],
) -> None:
    """Answer requests from standard input until it ends; exceptions of `handle` fail only that request."""
    serve_sending(protocol, lambda _: handle, limits)


def serve_sending(
    protocol: SandboxProtocol[RequestT, ResultT],
    make_handle: Callable[[Send[ResultT]], Handle[RequestT, ResultT]],
    limits: Callable[[RequestT], ProcessLimits],
) -> None:
    """Answer requests as `serve` does, by a handle that is made with a function to send results in between.

    The function can be called from any thread while a request is handled. It renews no limits.
    """
    parent = ParentConnection(protocol.requests, protocol.results)
    handle = make_handle(parent.send)
    sys.addaudithook(refuse_network)
    while (request := parent.read()) is not None:
        receive_files()
        set_limits(bounds := limits(request))
        parent.send(_answer(request, handle, bounds, parent.send))


def _answer(
    request: RequestT,
    handle: Handle[RequestT, ResultT],
    limits: ProcessLimits,
    send: Send[ResultT],
) -> RequestDone | RequestFailed:
    """Send results as they come, and return how the request ended."""
    try:
        for result in handle(request):
            send(result)
            if limits.renewed:
                set_limits(limits)
    except Rejected as rejected:
        return RequestFailed(rejected.kind, rejected.message)
    except MemoryError:
        return RequestFailed("memory")
    except Exception as error:  # libraries raise whatever they like on damaged files
        sys.excepthook(type(error), error, error.__traceback__)
        sys.stderr.flush()
        return RequestFailed("crash")
    return RequestDone()


def set_limits(limits: ProcessLimits) -> None:
    """Limit this process for good; only CPU seconds can be renewed, if `limits` says so."""
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
    """Refuse the network and programs to Python code, with a clear error. An audit hook; the walls hold without it."""
    if event in _FORBIDDEN:
        raise PermissionError("a file is read without network and other programs")
