"""The embedder's process: texts on standard input, vectors on standard output, for as long as the input is open.

A request is a line of JSON with `id`, `kind`, `soon` and `texts`; the answer a line with `id`, `rows` and `columns`,
and then that many 32-bit floats in the machine's own order. What is wanted soon has threads of its own over the same
weights, so that it waits for nothing else; the others give way to whatever wants the processor, as does loading where
the first request is not wanted soon.
"""

from __future__ import annotations

import gc
import json
import os
import queue
import signal
import sys
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, BinaryIO

from eclair.documents.e5 import lanes, weights_file

if TYPE_CHECKING:
    from eclair.documents.e5.encoder import Encoder

NICENESS = 15
"""Of what is not wanted soon. It holds among processes of one session: between sessions Linux shares the cores out
evenly (autogroups), which is why nothing of Éclair's begins one of its own."""

Job = tuple[int, list[str], str]
"""The request's number, its texts, and what stands before them."""


def main() -> None:
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    loading: Future[Encoder] = Future()
    writing = threading.Lock()
    soon, later = queue.SimpleQueue[Job](), queue.SimpleQueue[Job]()
    for jobs, niceness in ((soon, 0), (later, NICENESS)):
        for _ in range(lanes()):
            threading.Thread(target=_work, args=(loading, jobs, niceness, out, writing), daemon=True).start()
    for line in sys.stdin.buffer:
        wanted = json.loads(line)
        (soon if wanted["soon"] else later).put((wanted["id"], wanted["texts"], f"{wanted['kind']}: "))
        if not loading.done():
            if not wanted["soon"]:
                _be_nice(NICENESS)
            loading.set_result(_loaded())
    os._exit(0)  # the threads may be at work, and nobody wants the result


def _loaded() -> Encoder:
    from eclair.documents.e5.encoder import Encoder

    path = weights_file()
    assert path is not None
    gc.disable()  # a quarter of a million pieces of words are no garbage
    encoder = Encoder(path)
    gc.freeze()
    gc.enable()
    return encoder


def _work(
    loading: Future[Encoder], jobs: queue.SimpleQueue[Job], niceness: int, out: BinaryIO, writing: threading.Lock
) -> None:
    _be_nice(niceness)
    while True:
        id, texts, prefix = jobs.get()
        vectors = loading.result().embed(texts, prefix)
        rows, columns = vectors.shape
        with writing:
            out.write(json.dumps({"id": id, "rows": rows, "columns": columns}).encode() + b"\n")
            out.write(vectors.tobytes())
            out.flush()


def _be_nice(niceness: int) -> None:
    if sys.platform == "linux":  # where a thread has a niceness of its own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)


if __name__ == "__main__":
    main()
