"""Code that runs in the sandbox before a person's: it tells the process around of what is printed, as it is printed.

WebAssembly has no threads here, and a message takes about as long as 500 prints. A bucket of messages lets single lines
through at once and joins those of a flood, whose last lines may wait for the next print.
"""

from __future__ import annotations

MESSAGES_A_SECOND = 20
MAX_MESSAGE_CHARS = 4000

PRELUDE = f"""
def _prepare():
    import _host, io, sys, time

    class Output(io.TextIOWrapper):
        pending = ""
        left = float({MESSAGES_A_SECOND})
        refilled = 0.0

        def write(self, text):
            written = super().write(text)
            self.pending = (self.pending + text)[-{MAX_MESSAGE_CHARS}:]
            if "\\n" in text:
                self.tell()
            return written

        def flush(self):
            super().flush()
            if self.pending:
                self.tell()

        def tell(self):
            now = time.monotonic()
            self.left = min({MESSAGES_A_SECOND}, self.left + (now - self.refilled) * {MESSAGES_A_SECOND})
            self.refilled = now
            if self.left >= 1:
                self.left -= 1
                _host.call(self.pending.encode(errors="replace"))
                self.pending = ""

    old = sys.stdout
    sys.stdout = sys.__stdout__ = Output(old.detach(), encoding=old.encoding, errors=old.errors, newline="\\n")


_prepare()
del _prepare
"""

FINISH = """
import sys as _sys

_sys.__stdout__.pending = ""
del _sys
"""
"""Forgets what a call printed and didn't tell."""
