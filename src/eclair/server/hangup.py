"""Signals that must not end a server: SIGHUP reloads its settings, SIGUSR1 and SIGUSR2 do nothing.

A terminal that is closed sends SIGHUP as well, and then the server ends with it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
from collections.abc import Callable, Generator

IGNORED = (signal.SIGUSR1, signal.SIGUSR2)

log = logging.getLogger(__name__)


@contextlib.contextmanager
def handle_hangups(reload: Callable[[], None] | None) -> Generator[None]:
    """Have SIGHUP call `reload`, where there is one, and the terminal's end stop the server like Ctrl-C.

    A SIGHUP that this process was told to ignore (`nohup`) stays ignored.
    """
    loop = asyncio.get_running_loop()
    had_terminal = _has_terminal()

    def hang_up() -> None:
        if reload is None or (had_terminal and not _has_terminal()):
            signal.raise_signal(signal.SIGINT)
        else:
            reload()

    handled = [number for number in IGNORED if signal.getsignal(number) is not signal.SIG_IGN]
    for number in handled:
        loop.add_signal_handler(number, log.info, "%s is ignored: logs go to standard error.", number.name)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        handled.append(signal.SIGHUP)
        loop.add_signal_handler(signal.SIGHUP, hang_up)
    try:
        yield
    finally:
        for number in handled:
            loop.remove_signal_handler(number)


def _has_terminal() -> bool:
    """Tell whether this process has a terminal that is still there."""
    try:
        os.close(os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True
