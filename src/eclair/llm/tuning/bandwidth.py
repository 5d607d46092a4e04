"""Measures the memory bandwidth, which limits how fast tokens are written.

libc's `memchr` searches for a byte that isn't there, with the CPU's widest instructions; no compiler is needed.
"""

from __future__ import annotations

import ctypes
import mmap
import threading
import time

ROUND_S = 0.1

ROUNDS = 6
MIN_BYTES = 8 << 20
FILLING = b"\x01" * (1 << 20)


def measure_bandwidth(size: int, threads: int) -> float:
    """Measure the bytes per second that `threads` together read: the best of some rounds.

    They read `size` bytes again and again.
    """
    size = max(size, MIN_BYTES)
    with mmap.mmap(-1, size) as memory:
        for at in range(0, size, len(FILLING)):  # a page that was never written has no memory yet
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
