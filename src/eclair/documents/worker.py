"""The process in which files are read: bounded, without a network, and gone when its standard input is closed.

It reads `wire.Order`s from standard input and answers each with pages as they are read, then `Done` or `Fault`, or with
a picture. What a file does to it, it does to nobody else.
"""

from __future__ import annotations

import contextlib
import gc
import os
import queue
import resource
import signal
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import BinaryIO

from eclair.documents import worker_protocol
from eclair.documents.limits import Limits
from eclair.documents.page_images import picture
from eclair.documents.readers import open_source, read
from eclair.documents.readers.base import Fault
from eclair.schema.documents import Page, Prepared

NICE = 5
"""Answers are made before pages are read."""


Read = Callable[[worker_protocol.Order], Iterator[worker_protocol.Message]]
"""What there is to say of the file that an order names."""


def document(order: worker_protocol.Order) -> Iterator[worker_protocol.Message]:
    """The pages of a document. Raises Fault."""
    labels = Path(order.labels) if order.labels is not None else None
    return read(open_source(Path(order.path), order.name, order.limits, order.after, labels))


def main(reading: Read = document) -> None:
    """Serve orders until there are no more; `reading` reads files."""
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what libraries print is no message
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    os.nice(NICE)
    gc.set_threshold(
        100_000, 50, 100
    )  # a page is thousands of values without cycles; looking for some took a quarter of the time
    sys.addaudithook(refuse_network)
    orders = queue.Queue[worker_protocol.Order]()
    threading.Thread(target=_listen, args=(sys.stdin.buffer, orders), daemon=True).start()
    while True:
        _serve(orders.get(), reading, out)


def _listen(source: BinaryIO, orders: queue.Queue[worker_protocol.Order]) -> None:
    """Take orders while the main thread works; the end of them is the end of this process, whatever it is doing."""
    while len(head := source.read(worker_protocol.LENGTH.size)) == worker_protocol.LENGTH.size:
        (length,) = worker_protocol.LENGTH.unpack(head)
        orders.put(worker_protocol.decode_order(source.read(length)))
    os._exit(0)


def _serve(order: worker_protocol.Order, reading: Read, out: BinaryIO) -> None:
    _bound(order.limits)
    try:
        with _faults(order):
            if order.side:
                out.write(worker_protocol.frame(worker_protocol.encode_prepared(_prepared(order))))
            elif order.width:
                png = picture(open_source(Path(order.path), order.name, order.limits), order.page, order.width)
                out.write(worker_protocol.frame(b"P" + png))
            else:
                for piece in reading(order):
                    out.write(worker_protocol.encode(piece))
                    out.flush()
                    if isinstance(piece, Page):
                        _bound(order.limits)
                out.write(worker_protocol.encode(worker_protocol.Done()))
    except Fault as fault:
        out.write(worker_protocol.encode(worker_protocol.Fault(fault.kind, fault.message)))
    out.flush()


def _prepared(order: worker_protocol.Order) -> Prepared:
    source = open_source(Path(order.path), order.name, order.limits)
    if not source.media.startswith("image/"):
        raise Fault("missing", f"{order.name} is no picture.")
    from eclair.documents.photos.resize import prepared

    return prepared(source, order.side)


@contextlib.contextmanager
def _faults(order: worker_protocol.Order) -> Generator[None]:
    """What readers and their libraries raise, as a sentence. Libraries raise whatever they like on damaged files,
    so that every exception is taken for damage; the parent logs it."""
    try:
        yield
    except Fault:
        raise
    except MemoryError as error:
        message = f"{order.name} takes more than {order.limits.memory_mb:,} MB of memory to read; send it in parts."
        raise Fault("large", message) from error
    except Exception as error:
        sys.excepthook(type(error), error, error.__traceback__)
        sys.stderr.flush()
        message = f"{order.name} is damaged and cannot be read; save it anew from the program that made it."
        raise Fault("unreadable", message) from error


def _bound(limits: Limits) -> None:
    """Bound memory, and the processor's time until the next page; the parent bounds the time on the wall."""
    _set(resource.RLIMIT_AS, limits.memory_mb << 20)
    _set(resource.RLIMIT_FSIZE, limits.unpacked)
    _set(resource.RLIMIT_CORE, 0)
    used = resource.getrusage(resource.RUSAGE_SELF)
    cores = os.cpu_count() or 1
    _set(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime + limits.seconds * cores) + 1)


def _set(which: int, most: int) -> None:
    _, hard = resource.getrlimit(which)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    with contextlib.suppress(ValueError):  # macOS bounds no address space
        resource.setrlimit(which, (most, hard))


def refuse_network(event: str, _: tuple[object, ...]) -> None:
    if event in ("socket.connect", "socket.getaddrinfo", "socket.bind", "subprocess.Popen", "os.exec", "os.system"):
        raise PermissionError("a file is read without network and other programs")


if __name__ == "__main__":
    main()
