"""The embedding process: texts in, vectors out, until its parent closes the line.

Urgent texts have threads of their own over the same weights, so that they wait for nothing else. The other threads
yield the processor to anything that wants it, as does loading if the first request is not urgent.
"""

from __future__ import annotations

import gc
import os
import queue
import sys
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING

from eclair.documents.e5 import find_weights, lane_count
from eclair.documents.e5.embedding_protocol import REQUESTS, RESULTS, EmbedTexts, Vectors
from eclair.sandbox import walls
from eclair.util.parent_connection import ParentConnection

if TYPE_CHECKING:
    from eclair.documents.e5.encoder import Encoder

NICENESS = 10
"""For texts that are not urgent. It only works within one session: between sessions Linux shares the cores evenly
(autogroups), which is why Éclair never starts a session of its own.
"""

Parent = ParentConnection[EmbedTexts, Vectors]


def main() -> None:
    parent = ParentConnection(REQUESTS, RESULTS)
    weights = find_weights()
    walls.enclose_reader([weights] if weights is not None else [], allowed=["setpriority"])
    loading: Future[Encoder] = Future()
    urgent, later = queue.SimpleQueue[EmbedTexts](), queue.SimpleQueue[EmbedTexts]()
    for requests, niceness in ((urgent, 0), (later, NICENESS)):
        for _ in range(lane_count()):
            threading.Thread(target=_work, args=(loading, requests, niceness, parent), daemon=True).start()
    while (request := parent.read()) is not None:
        (urgent if request.is_urgent else later).put(request)
        if not loading.done():
            if not request.is_urgent:
                _set_niceness(NICENESS)
            loading.set_result(_load_encoder())
    os._exit(0)  # the threads may be at work, and nobody wants the result


def _load_encoder() -> Encoder:
    from eclair.documents.e5.encoder import Encoder

    path = find_weights()
    assert path is not None
    gc.disable()  # a quarter of a million pieces of words are not garbage
    encoder = Encoder(path)
    gc.freeze()
    gc.enable()
    return encoder


def _work(loading: Future[Encoder], requests: queue.SimpleQueue[EmbedTexts], niceness: int, parent: Parent) -> None:
    _set_niceness(niceness)
    while True:
        request = requests.get()
        encoder = loading.result()
        tokens = [encoder.tokens.encode(text) for text in request.texts]
        vectors = encoder.embed_tokens(tokens)
        rows, columns = vectors.shape
        parent.send(Vectors(request.number, rows, columns, sum(map(len, tokens)), vectors.tobytes()))


def _set_niceness(niceness: int) -> None:
    if sys.platform == "linux":  # where a thread has a niceness of its own
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), niceness)


if __name__ == "__main__":
    main()
