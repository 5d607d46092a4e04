"""Parses files into pages in sandboxes: warm, bounded, replaced when they die.

Which kinds of file are read, and how, is left to `readers`.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO

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
    SoundBytes,
    UnpackSound,
)
from eclair.documents.readers.file_type import SOUND_TYPES
from eclair.documents.speech_pages import heard_until, speech_pages
from eclair.errors import EngineBroken, NotFound, SpeechPartMissing, TooLarge, UnreadableFile, UserError
from eclair.sandbox.pool import SandboxPool, SandboxWorker
from eclair.sandbox.protocol import Rejected, SandboxError
from eclair.schema.documents import About, Opened, Page, Prepared, SoundMember, UnreadPart
from eclair.speech.recognition import RecognitionOptions, Recognizer
from eclair.speech.recognition_protocol import RecognitionResult
from eclair.util.frames import FrameError

READER_VERSION = 2
"""Raised when files are read differently than before, so that known files are read again."""

UNHEARD = "isn't transcribed, since what recognizes speech isn't installed; see Settings › Speech."
"""Ends the remark of a document with recordings in it, which is read again once that is installed."""

SET_ASIDE = "is a recording in another file; take it out and send it by itself."
"""Ended the remark on a recording in an archive or e-mail before those were transcribed."""

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
    def hears_with(self) -> str | None:
        """The model that transcribes recordings; None while they can't be read."""
        recognizer = self._recognizer
        return recognizer.model_id if recognizer is not None and recognizer.is_ready else None

    async def read(
        self, path: Path, name: str, kept: Sequence[Page] = ()
    ) -> AsyncGenerator[Opened | Page | UnreadPart]:
        """Yield the file's pages as they are read, `Opened` first; those `kept` of an earlier reading are skipped.

        Recordings in an archive or e-mail follow all its other pages, each with an `Opened` of its own. Closing the
        generator ends the work at once. Raises UnreadableFile and TooLarge with a sentence that calls the file `name`,
        SpeechPartMissing and EngineBroken.
        """
        heard = [page for page in kept if page.read == "speech"]
        count = len(kept) - len(heard)
        request = ReadDocument(os.fspath(path), name, self._limits, count, labels=self._labels)
        sound: str | None = None
        members: list[SoundMember] = []
        async with contextlib.aclosing(self._pieces(request)) as pieces:
            async for piece in pieces:
                match piece:
                    case SoundMember():
                        members.append(piece)
                    case Page(number=count):
                        yield piece
                    case Opened(media=media):
                        sound = media if media in SOUND_TYPES else None
                        yield piece
                    case UnreadPart():
                        yield piece
                    case About():
                        pass
        if sound is not None:
            async with contextlib.aclosing(self._hear(path, name, sound, heard)) as pages:
                async for page in pages:
                    yield page
        elif members:
            async with contextlib.aclosing(self._hear_members(path, name, members, heard, count)) as parts:
                async for part in parts:
                    yield part

    async def _hear(
        self, path: Path, name: str, media: str, heard: Sequence[Page]
    ) -> AsyncGenerator[Opened | Page | UnreadPart]:
        """Yield the pages of a recording behind those that were `heard` before."""
        heard_s = heard_until(heard[-1]) if heard else 0.0
        async with contextlib.aclosing(self._recognize(path, name, heard_s)) as results:
            async for page in speech_pages(results, name, media, len(heard)):
                yield page

    async def _hear_members(
        self, path: Path, name: str, members: Sequence[SoundMember], heard: Sequence[Page], count: int
    ) -> AsyncGenerator[Opened | Page | UnreadPart]:
        """Yield the pages of recordings in a file behind its `count` other pages and those `heard` before."""
        if self.hears_with is None:
            for member in members:
                yield UnreadPart(f"In {name}: {member.name} {UNHEARD}")
            return
        names = [member.name for member in members]
        begun = names.index(heard[-1].member or "") if heard else 0
        earlier = [page for page in heard if page.member != names[begun]]
        number = count + len(earlier)
        for member in members[begun:]:
            if number >= self._limits.pages:
                yield UnreadPart(f"In {name}: {member.name} was not read; send it by itself.")
                continue
            yield Opened(member.media, None)
            before = number
            own = [replace(page, number=page.number - before) for page in heard if page.member == member.name]
            number += len(own)
            try:
                with tempfile.NamedTemporaryFile(prefix="eclair-sound-") as file:
                    await self.unpack_sound(path, name, member.name, file)
                    hearing = self._hear(Path(file.name), member.name, member.media, own)
                    async with contextlib.aclosing(hearing) as pieces:
                        async for piece in pieces:
                            if isinstance(piece, Page):
                                number = before + piece.number
                                yield replace(piece, number=number, member=member.name)
                            elif isinstance(piece, UnreadPart):
                                yield UnreadPart(f"In {name}: {piece.message}")
            except (UnreadableFile, TooLarge, EngineBroken) as error:
                yield UnreadPart(f"In {name}: {error.message}")
            except SpeechPartMissing:
                yield UnreadPart(f"In {name}: {member.name} {UNHEARD}")

    async def unpack_sound(self, path: Path, name: str, member: str, target: IO[bytes]) -> None:
        """Write the recording that `member` names in an archive or e-mail into `target`.

        Raises UnreadableFile and TooLarge, and NotFound where there is none of that name.
        """
        request = UnpackSound(os.fspath(path), name, self._limits, member)
        async with (
            self._pictures,
            self._sandboxes.worker() as worker,
            contextlib.aclosing(_ask(worker, request)) as results,
        ):
            async for result in results:
                if not isinstance(result, SoundBytes):
                    raise _damaged(name)
                await asyncio.to_thread(target.write, result.data)
        target.flush()

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
                    case UnreadPart() | SoundMember():
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

    async def _pieces(self, request: ReadDocument) -> AsyncGenerator[Opened | Page | UnreadPart | SoundMember | About]:
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
                    case RenderedPage() | Prepared() | SoundBytes():
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
