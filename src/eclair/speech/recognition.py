"""Recognizes speech in files, in one sandboxed process for people who wait and one for background work.

A process loads the model with its first request, and ends ten minutes after its last.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from eclair.errors import SpeechPartMissing, TooLarge, UnreadableFile, UserError
from eclair.sandbox.pool import SandboxPool
from eclair.sandbox.protocol import Rejected, SandboxError
from eclair.settings import Settings
from eclair.speech.listening_parts import ListeningParts
from eclair.speech.recognition_protocol import (
    PROTOCOL,
    RecognitionResult,
    RecognitionTask,
    RecognizeSpeech,
    SpokenSegment,
)
from eclair.speech.whisper_models import WhisperChoice, WhisperModel

IDLE_S = 600.0
RESULT_TIMEOUT_S = 300.0
"""The longest wait for the next half minute of sound, on a busy machine too."""
MAX_SOUND_S = 12 * 3600.0

LANGUAGES = frozenset(
    "af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw he hi hr ht hu hy id "  # noqa: SIM905
    "is it ja jw ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my ne nl nn no oc pa pl ps pt ro ru sa sd si "
    "sk sl sn so sq sr su sv sw ta te tg th tk tl tr tt uk ur uz vi yi yo zh".split()
)
"""The languages that Whisper knows (ISO 639-1, two of them longer)."""


@dataclass(frozen=True, slots=True)
class RecognitionOptions:
    """Wishes for a recognition; `RecognizeSpeech` explains them. One in the background has a process of its own."""

    language: str | None = None
    task: RecognitionTask = "transcribe"
    words: bool = False
    prompt: str = ""
    temperature: float | None = None
    quick: bool = False
    in_background: bool = False
    max_s: float = MAX_SOUND_S
    after_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Transcript:
    """All that was said in `duration_s` seconds; `language` is that of the beginning, None if nobody spoke."""

    segments: tuple[SpokenSegment, ...]
    duration_s: float

    @property
    def language(self) -> str | None:
        return self.segments[0].language if self.segments else None

    @property
    def text(self) -> str:
        return " ".join(segment.text for segment in self.segments)


class Recognizer(Protocol):
    """Writes what is said in recordings."""

    @property
    def is_ready(self) -> bool: ...

    def recognize(
        self, path: Path, name: str, options: RecognitionOptions = RecognitionOptions()
    ) -> AsyncGenerator[RecognitionResult]:
        """Yield what is said in a file that people call `name`. Closing ends the work."""
        ...


class SpeechRecognizer:
    """Recognizes speech with the parts that are installed, and their model or a larger one. Call `close` at the end."""

    def __init__(self, parts: ListeningParts, threads: int = 1, choice: WhisperChoice | None = None) -> None:
        self._parts = parts
        self._threads = threads
        self._choice = choice
        readable = [os.fspath(parts.folder)]
        if choice is not None:
            readable.append(os.fspath(choice.folder))
        self._waited_for = SandboxPool(
            PROTOCOL, max_processes=1, linger=True, readable=readable, host_idle_s=IDLE_S, worker_idle_s=IDLE_S
        )
        # A process that has lowered its priority can't raise it again for the next recording.
        self._background = SandboxPool(PROTOCOL, max_processes=2, readable=readable, reuse=False)

    def find_larger(self, task: RecognitionTask = "transcribe") -> WhisperModel | None:
        """Return the model that hears in place of Whisper base, on this machine or not."""
        return self._choice.find_larger(task) if self._choice is not None else None

    @property
    def is_ready(self) -> bool:
        return self._parts.is_ready and self._find_missing("transcribe") is None

    def check_ready(self, task: RecognitionTask = "transcribe") -> None:
        """Raises SpeechPartMissing where the parts or the model aren't installed."""
        if not self._parts.is_ready:
            raise SpeechPartMissing(
                "What recognizes speech isn't installed; see Settings › Speech, or `eclair speech install`."
            )
        if (missing := self._find_missing(task)) is not None:
            raise SpeechPartMissing(
                f"{missing.id} isn't on this machine, which `transcriber` names; get it in Settings › Models, "
                f"or with `eclair pull {missing.id}`."
            )

    def _find_missing(self, task: RecognitionTask) -> WhisperModel | None:
        larger = self.find_larger(task)
        if larger is None or self._choice is None or larger.is_installed(self._choice.data_dir):
            return None
        return larger

    def _make_folder(self) -> None:
        """Make the folder of larger models, so that a process that begins now may read one that comes later."""
        if self._choice is not None:
            with contextlib.suppress(OSError):  # where nothing can be written, none comes
                self._choice.folder.mkdir(parents=True, exist_ok=True)

    def _model_folder(self, task: RecognitionTask) -> Path:
        larger = self.find_larger(task)
        return self._parts.model if larger is None or self._choice is None else larger.folder(self._choice.data_dir)

    async def recognize(
        self,
        path: Path,
        name: str,
        options: RecognitionOptions = RecognitionOptions(),
    ) -> AsyncGenerator[RecognitionResult]:
        """Yield what is said in a file that people call `name`, as it is recognized. Closing ends the work.

        Raises SpeechPartMissing where the parts aren't installed, UnreadableFile and TooLarge.
        """
        self.check_ready(options.task)
        await asyncio.to_thread(self._make_folder)
        request = RecognizeSpeech(
            path=os.fspath(path),
            name=name,
            packages=os.fspath(self._parts.folder),
            model=os.fspath(self._model_folder(options.task)),
            language=options.language,
            task=options.task,
            words=options.words,
            prompt=options.prompt,
            temperature=options.temperature,
            threads=self._threads,
            max_s=options.max_s,
            quick=options.quick,
            in_background=options.in_background,
            after_s=options.after_s,
        )
        pool = self._background if options.in_background else self._waited_for
        try:
            async with (
                pool.worker() as worker,
                contextlib.aclosing(worker.ask(request, result_timeout_s=RESULT_TIMEOUT_S)) as results,
            ):
                async for result in results:
                    yield result
        except Rejected as rejected:
            raise _rejection(rejected) from None
        except SandboxError as error:
            raise UnreadableFile(f"{name} is damaged, or takes too long to hear; record or save it again.") from error

    async def close(self) -> None:
        await asyncio.gather(self._waited_for.close(), self._background.close())


def recording_recognizer(settings: Settings, parts: ListeningParts) -> SpeechRecognizer:
    """Return the recognizer of this installation for recordings; larger models are in the data folder of the parts."""
    return SpeechRecognizer(parts, settings.speech_threads, WhisperChoice(settings.transcriber, parts.data_dir))


def _rejection(rejected: Rejected) -> UserError:
    return TooLarge(rejected.message) if rejected.kind == "too_large" else UnreadableFile(rejected.message)
