"""Terminal output: answers to standard output, the rest to standard error.

Colors and status lines appear only on a terminal, and not with NO_COLOR or TERM=dumb. Control characters in a model's
text are removed.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shutil
import sys
import textwrap
from collections.abc import Mapping
from typing import TextIO

from eclair.errors import InvalidInput, UserError

_CONTROL_CHARACTERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Terminal:
    """Standard output and error, coordinated so that neither writes into the other's line.

    `umask` is the person's, for files that a command writes for them; Éclair's own are private.
    """

    def __init__(self, out: TextIO, err: TextIO, *, plain: bool, colors: bool, umask: int = 0o077) -> None:
        self.umask = umask
        self._out = out
        self._err = err
        self._out_is_tty = out.isatty()
        self._plain = plain or not err.isatty()
        self._colors = colors
        self._status = ""
        self._in_line = False

    @classmethod
    def from_process(cls, environ: Mapping[str, str], umask: int) -> Terminal:
        """Build the terminal of this process, even if some of its streams are closed."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")
        dumb = environ.get("TERM") == "dumb"
        return cls(
            sys.stdout or io.StringIO(),
            sys.stderr or io.StringIO(),
            plain=dumb,
            colors=not dumb and not environ.get("NO_COLOR"),
            umask=umask,
        )

    @property
    def is_interactive(self) -> bool:
        """True if standard error is a terminal."""
        return not self._plain

    @property
    def can_ask(self) -> bool:
        """True if a person is there to ask: standard error and standard input are terminals."""
        return self.is_interactive and _is_stdin_terminal()

    def confirm(self, question: str, unattended: str, *, default: bool = False) -> bool:
        """Ask a yes-or-no question; an empty answer is the default.

        Call it outside the event loop, so that Ctrl-C works at once. Raises InvalidInput with the message `unattended`
        if standard input is no terminal.
        """
        if not _is_stdin_terminal():
            raise InvalidInput(unattended)
        self.write(f"{question} {'[Y/n]' if default else '[y/N]'} ")
        reply = sys.stdin.readline().strip().lower()
        return reply in ("y", "yes") or (default and not reply)

    @property
    def width(self) -> int:
        return shutil.get_terminal_size().columns

    def wrap(self, text: str, margin: int) -> list[str]:
        """Wrap text to fit beside a margin; a single line without a terminal."""
        if not self._out_is_tty:
            return [text] if text else []
        return textwrap.wrap(text, max(self.width - margin, 30), break_long_words=False, break_on_hyphens=False)

    def write(self, text: str) -> None:
        """Write more of the answer, unbuffered."""
        if self._out_is_tty:
            text = _CONTROL_CHARACTERS.sub("", text)
        if text:
            self._clear()
            self._put(text)
            self._in_line = not text.endswith("\n")

    def write_dim(self, text: str) -> None:
        """Write text that is not the answer, such as reasoning; not sent to a pipe."""
        if text and self._out_is_tty:
            self._clear()
            self._put(self._dim(_CONTROL_CHARACTERS.sub("", text), self._out_is_tty))
            self._in_line = not text.endswith("\n")

    def line(self, text: str = "") -> None:
        """Write a line of a command's output."""
        self.write(text + "\n")

    def dim_line(self, text: str) -> None:
        """Write a less important line of a command's output."""
        self.write_bytes((self._dim(text, self._out_is_tty) + "\n").encode())

    def write_bytes(self, data: bytes) -> None:
        """Write output for programs, unchanged."""
        self._clear()
        self._put(data.decode())

    def end_line(self) -> None:
        """Start a new line unless already at the start of one."""
        self._clear()
        if self._in_line:
            self._in_line = False
            with contextlib.suppress(OSError):
                self._put("\n")

    def note(self, text: str) -> None:
        """Write a dim line to standard error, on a terminal only."""
        if not self._plain:
            self.warn(self._dim(_CONTROL_CHARACTERS.sub("", text), True))

    def aside(self, text: str) -> None:
        """Write a line about the answer to standard error, dim on a terminal."""
        text = _CONTROL_CHARACTERS.sub("", text)
        self.warn(text if self._plain else self._dim(text, True))

    def warn(self, text: str) -> None:
        """Write a line to standard error."""
        self.end_line()
        with contextlib.suppress(OSError):
            self._err.write(text + "\n")
            self._err.flush()

    def status(self, text: str) -> None:
        """Show a status line, which the next output replaces."""
        if self._plain:
            return
        self._clear()
        if text:
            self.end_line()
            self._status = text[: self.width - 1]
            self._err.write(self._dim(self._status, True))
            self._err.flush()

    def flush(self) -> None:
        self.status("")
        self._put("")

    def _put(self, text: str) -> None:
        try:
            self._out.write(text)
            self._out.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            discard_stdout()
            raise UserError(f"The output cannot be written: {error.strerror}.") from error

    def _clear(self) -> None:
        if self._status:
            self._status = ""
            self._err.write("\r\x1b[K")
            self._err.flush()

    def _dim(self, text: str, is_tty: bool) -> str:
        return f"\x1b[2m{text}\x1b[22m" if self._colors and is_tty and text else text


def _is_stdin_terminal() -> bool:
    return sys.stdin is not None and sys.stdin.isatty()  # pyright: ignore[reportUnnecessaryComparison]  # closed: None


def discard_stdout() -> None:
    """Redirect standard output to nowhere, once nobody reads it any more."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
