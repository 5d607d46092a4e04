"""Parses files into pages in sandboxes: warm, bounded, replaced when they die.

Which kinds of file are read, and how, is left to `readers`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

from eclair.documents.limits import Limits
from eclair.documents.parse_protocol import (
    PROTOCOL,
    PageRead,
    ParseRequest,
    ParseResult,
    PrepareImage,
    ReadDocument,
    RenderedPage,
    RenderPage,
    ServedPage,
)
from eclair.documents.readers.file_type import SOUND_TYPES
from eclair.documents.speech_pages import speech_pages
from eclair.errors import NotFound, TooLarge, UnreadableFile, UserError
from eclair.sandbox.pool import SandboxPool, SandboxWorker
from eclair.sandbox.protocol import Rejected, SandboxError
from eclair.schema.documents import About, Opened, Page, Prepared, UnreadPart
from eclair.speech.recognition import RecognitionOptions, Recognizer
from eclair.speech.recognition_protocol import RecognitionResult
from eclair.util.frames import FrameError

READER_VERSION = 2
"""Raised when files are read differently than before, so that known files are read again."""

LISTENING = RecognitionOptions(in_background=True)
"""The way in which recordings are heard: after their first minute only while nothing else computes."""


class Parser:
    """Parses `workers` files at once in sandboxes that run `module`, and renders pages beside that.

    `labels` is the network that labels photos, if it is there; `recognizer` writes what is said in recordings.
    """

    def __init__(
        self,
        limits: Limits = Limits(),  # noqa: B008
        workers: int = 1,
        module: str = PROTOCOL.module,
        labels: Path | None = None,
        recognizer: Recognizer | None = None,
    ) -> None:
        self._limits = limits
        self._recognizer = recognizer
        self._labels = os.fspath(labels) if labels is not None else None
        self._sandboxes = SandboxPool(
            PROTOCOL.served_by(module),
            linger=True,
            scratch=True,
            readable=(self._labels,) if self._labels is not None else (),
        )
        self._readings = asyncio.Semaphore(workers)
        self._pictures = asyncio.Semaphore(1)

    @property
    def can_hear(self) -> bool:
        """True while recordings can be read."""
        return self._recognizer is not None and self._recognizer.is_ready

    async def read(
        self, path: Path, name: str, *, after: int = 0, heard_s: float = 0.0
    ) -> AsyncGenerator[Opened | Page | UnreadPart]:
        """Yield the file's pages as they are read, `Opened` first; the first `after` pages are skipped.

        A recording goes on at `heard_s` seconds. Closing the generator ends the work at once. Raises UnreadableFile and
        TooLarge with a sentence that calls the file `name`, and SpeechPartMissing.
        """
        request = ReadDocument(os.fspath(path), name, self._limits, after, labels=self._labels)
        sound: str | None = None
        async with contextlib.aclosing(self._pieces(request)) as pieces:
            async for piece in pieces:
                if not isinstance(piece, About):
                    yield piece
                if isinstance(piece, Opened) and piece.media in SOUND_TYPES:
                    sound = piece.media
        if sound is not None:
            async with contextlib.aclosing(self._recognize(path, name, heard_s)) as results:
                async for page in speech_pages(results, name, sound, after):
                    yield page

    def _recognize(self, path: Path, name: str, heard_s: float) -> AsyncGenerator[RecognitionResult]:
        if self._recognizer is None:
            raise UnreadableFile(f"{name} is a recording, and none is read here.")
        return self._recognizer.recognize(path, name, replace(LISTENING, after_s=heard_s))

    async def read_web_page(self, path: Path, name: str, served: ServedPage) -> tuple[str, About, tuple[Page, ...]]:
        """Return the media type, metadata and pages of a web page that was `served` into a file.

        Cancelling ends the work at once. Raises UnreadableFile and TooLarge.
        """
        media, about, pages = served.media, About(), list[Page]()
        request = ReadDocument(os.fspath(path), name, self._limits, served=served)
        async with contextlib.aclosing(self._pieces(request)) as pieces:
            async for piece in pieces:
                match piece:
                    case Opened():
                        media = piece.media
                    case About():
                        about = piece
                    case Page():
                        pages.append(piece)
                    case UnreadPart():
                        pass
        return media, about, tuple(pages)

    async def render_page(self, path: Path, name: str, page: int, width: int) -> bytes:
        """Return page `page` as PNG, `width` pixels wide.

        Raises UnreadableFile and TooLarge, and NotFound where there is no such page or no fixed layout.
        """
        result = await self._result(RenderPage(os.fspath(path), name, self._limits, page, width))
        if not isinstance(result, RenderedPage):
            raise _damaged(name)
        return result.png

    async def prepare_image(self, path: Path, name: str, side: int) -> Prepared:
        """Prepare a picture for a model that uses `side` pixels of its longer side. Raises as `picture` does."""
        result = await self._result(PrepareImage(os.fspath(path), name, self._limits, side))
        if not isinstance(result, Prepared):
            raise _damaged(name)
        return result

    async def warm(self) -> None:
        """Start a process if there is none, so that the next file needn't wait for it."""
        await self._sandboxes.warm()

    async def close(self) -> None:
        await self._sandboxes.close()

    async def _pieces(self, request: ReadDocument) -> AsyncGenerator[Opened | Page | UnreadPart | About]:
        async with (
            self._readings,
            self._sandboxes.worker() as worker,
            contextlib.aclosing(_ask(worker, request)) as results,
        ):
            async for result in results:
                match result:
                    case PageRead():
                        try:
                            yield result.unpack()
                        except FrameError as error:
                            raise _damaged(request.name) from error
                    case RenderedPage() | Prepared():
                        raise _damaged(request.name)
                    case _:
                        yield result

    async def _result(self, request: RenderPage | PrepareImage) -> ParseResult:
        """Return the one result of a request."""
        async with self._pictures, self._sandboxes.worker() as worker:
            results = [result async for result in _ask(worker, request)]
        if len(results) != 1:
            raise _damaged(request.name)
        return results[0]


async def _ask(worker: SandboxWorker[ParseRequest, ParseResult], request: ParseRequest) -> AsyncGenerator[ParseResult]:
    """Yield the worker's results. Raises UserError with a sentence for people."""
    limits = request.limits
    results = worker.ask(request, result_timeout_s=limits.seconds, total_timeout_s=limits.total_seconds)
    try:
        async with contextlib.aclosing(results):
            async for result in results:
                yield result
    except Rejected as rejected:
        raise _rejection(rejected) from None
    except SandboxError as error:
        raise _failure(error, request) from error


def _rejection(rejected: Rejected) -> UserError:
    match rejected.kind:
        case "unreadable":
            return UnreadableFile(rejected.message)
        case "too_large":
            return TooLarge(rejected.message)
        case "missing":
            return NotFound(rejected.message)


def _failure(error: SandboxError, request: ParseRequest) -> UserError:
    name, limits = request.name, request.limits
    match error.fault:
        case "crash":
            return _damaged(name)
        case "memory":
            return TooLarge(f"{name} takes more than {limits.memory_mb:,} MB of memory to read; send it in parts.")
        case "timeout":
            return UnreadableFile(
                f"{name} takes too long to read (more than {limits.seconds:.0f} s for a page, or "
                f"{limits.total_seconds / 3600:.0f} h in all); save it again from the program that made it, or send it "
                "in parts."
            )
        case "death":
            return UnreadableFile(
                f"{name} cannot be read: it is damaged, or takes more than {limits.memory_mb:,} MB of memory; save it "
                "again from the program that made it, or send it in parts."
            )


def _damaged(name: str) -> UnreadableFile:
    return UnreadableFile(f"{name} is damaged and cannot be read; save it again from the program that made it.")
