"""Input lines of a conversation: typed at a terminal with a line editor, or piped."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from eclair.errors import InvalidInput

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.completion import Completer

READ_CHUNK_BYTES = 1 << 16
PROMPT = "› "


class LineReader(Protocol):
    async def read(self) -> str | None:
        """Return the next message, None at the end. Raises InvalidInput if it is not UTF-8 text."""
        ...


class PipedLines:
    """Reads each line of a pipe as a message. Lines are cut just beyond `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._loop = asyncio.get_running_loop()
        self._lines: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._room = threading.Semaphore(8)
        # A daemon thread: not every system can await a pipe, and the loop would wait for its own threads at the end.
        threading.Thread(target=self._read, name="eclair-lines", daemon=True).start()

    async def read(self) -> str | None:
        line = await self._lines.get()
        self._room.release()
        if line is None:
            self._lines.put_nowait(None)  # for whoever reads on
            return None
        try:
            return line.decode("utf-8-sig").removesuffix("\r")
        except UnicodeDecodeError:
            raise InvalidInput("That line is not text in UTF-8; convert it, with iconv for instance.") from None

    def _read(self) -> None:
        rest = b""
        while data := _read_some():
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self._put(line[: self._limit + 1])
            rest = rest[: self._limit + 1]
        if rest:
            self._put(rest)
        self._put(None)

    def _put(self, line: bytes | None) -> None:
        self._room.acquire()
        try:
            self._loop.call_soon_threadsafe(self._lines.put_nowait, line)
        except RuntimeError:  # the loop has closed, so nobody reads any more
            raise SystemExit from None


def _read_some() -> bytes:
    try:
        return os.read(0, READ_CHUNK_BYTES)
    except OSError:  # standard input is closed
        return b""


class InteractiveLines:
    """Reads from a line editor with history and completion; Alt-Enter inserts a new line."""

    def __init__(self, history: Path, complete: Callable[[str], Iterable[str]]) -> None:
        self._session = _session(history, complete)

    async def read(self) -> str | None:
        try:
            return await self._session.prompt_async(handle_sigint=False)
        except KeyboardInterrupt:
            return ""
        except EOFError:
            return None


def open_lines(history: Path, limit: int, complete: Callable[[str], Iterable[str]]) -> LineReader:
    """Read messages from standard input; `complete` lists the completions of what was typed."""
    if sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty():  # pyright: ignore[reportUnnecessaryComparison]
        return InteractiveLines(history, complete)
    return PipedLines(limit)


def _session(path: Path, complete: Callable[[str], Iterable[str]]) -> PromptSession[str]:
    from prompt_toolkit import PromptSession
    from prompt_toolkit.history import FileHistory
    from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent

    keys = KeyBindings()

    @keys.add("enter")
    def send(event: KeyPressEvent) -> None:
        event.current_buffer.validate_and_handle()

    @keys.add("escape", "enter")
    def new_line(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    assert callable(send)
    assert callable(new_line)
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))  # questions are private
    return PromptSession(
        PROMPT,
        multiline=True,
        prompt_continuation=" " * len(PROMPT),
        key_bindings=keys,
        history=FileHistory(path),
        completer=_completer(complete),
        complete_while_typing=True,
        reserve_space_for_menu=6,
    )


def _completer(complete: Callable[[str], Iterable[str]]) -> Completer:
    from prompt_toolkit.completion import CompleteEvent, Completer, Completion
    from prompt_toolkit.document import Document

    class CommandCompleter(Completer):
        def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
            typed = document.text
            for completion in complete(typed):
                yield Completion(completion, start_position=-len(typed))

    return CommandCompleter()


def completions(typed: str, commands: Sequence[str], models: Sequence[str]) -> list[str]:
    """List the commands, or after /model the models, that start with what was typed."""
    if not typed.startswith("/") or "\n" in typed:
        return []
    return [text for text in (*commands, *(f"/model {model}" for model in models)) if _completes(text, typed)]


def _completes(text: str, typed: str) -> bool:
    return text.startswith(typed) and text != typed and (" " in typed or " " not in text)
