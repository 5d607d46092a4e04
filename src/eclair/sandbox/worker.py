"""The inside of a sandbox: a limited process without network or programs.

`host` forks it; the module that it runs calls `serve`.
"""

from __future__ import annotations

import contextlib
import math
import resource
import sys
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from queue import SimpleQueue
from typing import Any

from eclair.sandbox.descriptors import close_files, receive_files
from eclair.sandbox.protocol import (
    GiveUp,
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
    requests = (request for request in iter(parent.read, None) if not isinstance(request, GiveUp))
    _serve(parent, requests, make_handle(parent.send), limits, Stopping())


def serve_stoppable(
    protocol: SandboxProtocol[RequestT, ResultT],
    make_handle: Callable[[Stopping], Handle[RequestT, ResultT]],
    limits: Callable[[RequestT], ProcessLimits],
) -> None:
    """Answer requests as `serve` does, by a handle that gives up a request when its `Stopping` says so."""
    parent = ParentConnection(protocol.requests, protocol.results)
    stopping = Stopping()
    _serve(parent, stopping.read(parent), make_handle(stopping), limits, stopping)


class Stopping:
    """Tells whether the request that is being handled is to be given up; it can become so at any time."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._end: Callable[[], None] = _do_nothing

    def __bool__(self) -> bool:
        return self._event.is_set()

    @contextlib.contextmanager
    def calling(self, end: Callable[[], None]) -> Generator[None]:
        """Call `end`, from another thread, if the request is to be given up before the block has ended."""
        self._end = end
        try:
            if self:
                end()
            yield
        finally:
            self._end = _do_nothing

    def read(self, parent: ParentConnection[RequestT | GiveUp, Any]) -> Iterator[RequestT]:
        """Yield requests as they come, while another thread listens for what is to be given up."""
        requests = SimpleQueue[RequestT | None]()

        def listen() -> None:
            try:
                while (message := parent.read()) is not None:
                    if isinstance(message, GiveUp):
                        self._event.set()
                        self._end()
                    else:
                        self._event.clear()
                        requests.put(message)
            finally:
                requests.put(None)

        threading.Thread(target=listen, daemon=True).start()
        while (request := requests.get()) is not None:
            yield request


def _do_nothing() -> None:
    pass


def _serve(
    parent: ParentConnection[RequestT | GiveUp, ResultT | RequestDone | RequestFailed],
    requests: Iterator[RequestT],
    handle: Handle[RequestT, ResultT],
    limits: Callable[[RequestT], ProcessLimits],
    stopping: Stopping,
) -> None:
    sys.addaudithook(refuse_network)
    for request in requests:
        receive_files()
        set_limits(bounds := limits(request))
        end = _answer(request, handle, bounds, parent.send, stopping)
        close_files()
        parent.send(end)


def _answer(
    request: RequestT,
    handle: Handle[RequestT, ResultT],
    limits: ProcessLimits,
    send: Send[ResultT],
    stopping: Stopping,
) -> RequestDone | RequestFailed:
    """Send results as they come, and return how the request ended."""
    try:
        for result in handle(request):
            if stopping:
                break
            send(result)
            if limits.renewed:
                set_limits(limits)
    except Rejected as rejected:
        return RequestFailed(rejected.kind, rejected.message)
    except MemoryError:
        return RequestFailed("memory")
    except Exception as error:  # libraries raise whatever they like on damaged files
        if stopping:
            return RequestDone()
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
