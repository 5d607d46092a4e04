"""Signals and keyboard echo while a command runs."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import Callable, Coroutine, Generator
from typing import Any


def run_async(work: Coroutine[Any, Any, int]) -> int:
    """Run a command's coroutine; SIGTERM and SIGHUP cancel it like Ctrl-C, so that it cleans up."""
    ended: list[int] = []

    async def guarded() -> int:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def end(number: int) -> None:
            ended.append(number)
            task.cancel()

        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is signal.SIG_DFL:
                loop.add_signal_handler(number, end, number)
        try:
            return await work
        except asyncio.CancelledError:
            if not ended:
                raise
            return 128 + ended[0]

    return asyncio.run(guarded())


@contextlib.contextmanager
def on_interrupt(callback: Callable[[], object]) -> Generator[None]:
    """Make Ctrl-C call `callback` and nothing else."""
    loop = asyncio.get_running_loop()
    before = signal.getsignal(signal.SIGINT)
    loop.add_signal_handler(signal.SIGINT, callback)
    try:
        yield
    finally:
        loop.remove_signal_handler(signal.SIGINT)
        signal.signal(signal.SIGINT, before)


@contextlib.contextmanager
def leave_interrupts() -> Generator[None]:
    """Leave Ctrl-C and Ctrl-\\ to a program in the foreground, which gets them too.

    They are handled, not ignored: a program that is started would ignore them as well.
    """

    def do_nothing(*_: object) -> None: ...

    before = {number: signal.signal(number, do_nothing) for number in (signal.SIGINT, signal.SIGQUIT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def hide_typing() -> Generator[None]:
    """Turn off echo, so that typing doesn't garble an answer; the input is read later."""
    if sys.stdin is None or not sys.stdin.isatty():  # pyright: ignore[reportUnnecessaryComparison]
        yield
        return
    import termios

    number = sys.stdin.fileno()
    before = termios.tcgetattr(number)
    quiet = termios.tcgetattr(number)
    quiet[3] &= ~termios.ECHO
    termios.tcsetattr(number, termios.TCSANOW, quiet)
    try:
        yield
    finally:
        termios.tcsetattr(number, termios.TCSANOW, before)
