"""How many bytes a second this machine reads from memory: the limit of a model that reads all of itself for every
token.

libc's `memchr` looks for a byte that is not there, with the widest instructions that the processor has; no compiler
is needed.
"""

from __future__ import annotations

import ctypes
import mmap
import threading
import time

ROUND_S = 0.1
"""Seconds of a measurement."""

ROUNDS = 6
MIN_BYTES = 8 << 20
FILLING = b"\x01" * (1 << 20)


def measure_bandwidth(size: int, threads: int) -> float:
    """Bytes a second with which so many threads together read `size` bytes again and again: the best of some rounds."""
    size = max(size, MIN_BYTES)
    with mmap.mmap(-1, size) as memory:
        for at in range(0, size, len(FILLING)):  # a page that was never written is no memory
            memory[at : at + len(FILLING)] = FILLING[: size - at]
        view = (ctypes.c_char * size).from_buffer(memory)
        try:
            return max(_round(ctypes.addressof(view), size, threads) for _ in range(ROUNDS))
        finally:
            del view


def _round(address: int, size: int, threads: int) -> float:
    find = ctypes.CDLL(None).memchr
    find.argtypes = (ctypes.c_void_p, ctypes.c_int, ctypes.c_size_t)
    find.restype = ctypes.c_void_p
    part = size // threads
    read = [0] * threads
    began = time.perf_counter()

    def work(number: int) -> None:
        while time.perf_counter() - began < ROUND_S:
            find(address + number * part, 0, part)
            read[number] += part

    workers = [threading.Thread(target=work, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sum(read) / (time.perf_counter() - began)
