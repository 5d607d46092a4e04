"""Where words go: answers to standard output, everything about them to standard error.

Colours and lines that are written over appear only on a terminal, and none where NO_COLOR or TERM=dumb
says so. What a model writes cannot steer the terminal.
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

from eclair.errors import UserError

_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


class Terminal:
    """Two streams that know of each other, so that neither writes into the other's line."""

    def __init__(self, out: TextIO, err: TextIO, *, plain: bool, colours: bool) -> None:
        self._out = out
        self._err = err
        self._out_is_person = out.isatty()
        self._plain = plain or not err.isatty()
        self._colours = colours
        self._status = ""
        self._in_line = False

    @classmethod
    def of_process(cls, environ: Mapping[str, str]) -> Terminal:
        """The terminal of this process, whichever of its streams are open."""
        for stream in (sys.stdout, sys.stderr):
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")
        dumb = environ.get("TERM") == "dumb"
        return cls(
            sys.stdout or io.StringIO(),
            sys.stderr or io.StringIO(),
            plain=dumb,
            colours=not dumb and not environ.get("NO_COLOR"),
        )

    @property
    def for_person(self) -> bool:
        """Whether a person reads standard error."""
        return not self._plain

    @property
    def width(self) -> int:
        return shutil.get_terminal_size().columns

    def wrapped(self, text: str, margin: int) -> list[str]:
        """The text in lines that fit beside a margin; one line where no person looks."""
        if not self._out_is_person:
            return [text] if text else []
        return textwrap.wrap(text, max(self.width - margin, 30), break_long_words=False, break_on_hyphens=False)

    def write(self, text: str) -> None:
        """More of the answer, at once."""
        if self._out_is_person:
            text = _STEERING.sub("", text)
        if text:
            self._clear()
            self._put(text)
            self._in_line = not text.endswith("\n")

    def write_dim(self, text: str) -> None:
        """Words that are not the answer itself, such as thoughts; a pipe does not get them."""
        if self._out_is_person:
            self._clear()
            self._put(self._dimmed(_STEERING.sub("", text), self._out_is_person))
            self._in_line = not text.endswith("\n")

    def line(self, text: str = "") -> None:
        """A line of a command's output."""
        self.write(text + "\n")

    def dim_line(self, text: str) -> None:
        """A line of a command's output that matters less."""
        self.write_bytes((self._dimmed(text, self._out_is_person) + "\n").encode())

    def write_bytes(self, data: bytes) -> None:
        """Output for programs, as it is."""
        self._clear()
        self._put(data.decode())

    def end_line(self) -> None:
        """Go to the beginning of a line, if not there."""
        self._clear()
        if self._in_line:
            self._in_line = False
            with contextlib.suppress(OSError):
                self._put("\n")

    def note(self, text: str) -> None:
        """A dim line for a person at a terminal; nobody else gets it."""
        if not self._plain:
            self.complain(self._dimmed(_STEERING.sub("", text), True))

    def aside(self, text: str) -> None:
        """A line about the answer on standard error, whoever reads it."""
        self.complain(text if self._plain else self._dimmed(_STEERING.sub("", text), True))

    def complain(self, text: str) -> None:
        """A line on standard error, whoever reads it."""
        self.end_line()
        with contextlib.suppress(OSError):
            self._err.write(text + "\n")
            self._err.flush()

    def status(self, text: str) -> None:
        """What is waited for, on a line that the next output takes away."""
        if self._plain:
            return
        self._clear()
        if text:
            self.end_line()
            self._status = text[: self.width - 1]
            self._err.write(self._dimmed(self._status, True))
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
            let_go()
            raise UserError(f"The output cannot be written: {error.strerror}.") from error

    def _clear(self) -> None:
        if self._status:
            self._status = ""
            self._err.write("\r\x1b[K")
            self._err.flush()

    def _dimmed(self, text: str, person: bool) -> str:
        return f"\x1b[2m{text}\x1b[22m" if self._colours and person and text else text


def let_go() -> None:
    """Nobody reads standard output any more: have what is left of it go nowhere, quietly."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
