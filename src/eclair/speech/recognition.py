"""Recognizes speech in files, in sandboxed processes: one for dictation, one for programs, some in the background.

A process loads the model with its first request; the one for dictation ends ten minutes after its last.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from eclair.errors import EngineBroken, RecognizerMissing, SpeechPartMissing, TooLarge, UnreadableFile, UserError
from eclair.sandbox.pool import SandboxPool
from eclair.sandbox.protocol import Rejected, SandboxError
from eclair.settings import Settings
from eclair.speech.listening_parts import ListeningParts
from eclair.speech.recognition_protocol import (
    PROTOCOL,
    LoadModel,
    RecognitionResult,
    RecognitionTask,
    RecognizeSpeech,
    SoundHeard,
    SoundOpened,
    SpokenSegment,
)
from eclair.speech.whisper_models import BASE_MODEL, WhisperChoice, WhisperModel, find_whisper_model
from eclair.util.cpu import available_cores

IDLE_S = 600.0
QUICK_THREADS = 2
"""Used for dictation, where a person waits for their words to appear."""
RESULT_TIMEOUT_S = 300.0
"""The longest wait for the next half minute of sound, on a busy machine too."""
MAX_SOUND_S = 12 * 3600.0

LANGUAGES = frozenset(
    "af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw he hi hr ht hu hy id "  # noqa: SIM905
    "is it ja jw ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my ne nl nn no oc pa pl ps pt ro ru sa sd si "
    "sk sl sn so sq sr su sv sw ta te tg th tk tl tr tt uk ur uz vi yi yo zh".split()
)
"""The languages that Whisper knows (ISO 639-1, two of them longer)."""

WHISPER_CODES = {"nb": "no", "fil": "tl"}
"""Codes of browsers and locales for which Whisper has others."""


@dataclass(frozen=True, slots=True)
class RecognitionOptions:
    """Options of a recognition; `RecognizeSpeech` explains them. A quick one is for somebody who is speaking."""

    language: str | None = None
    task: RecognitionTask = "transcribe"
    words: bool = False
    prompt: str = ""
    temperature: float | None = None
    quick: bool = False
    in_background: bool = False
    max_s: float = MAX_SOUND_S
    after_s: float = 0.0
    partial: bool = False
    likely: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Transcript:
    """All that was said in `duration_s` seconds, until `speech_end_s`; None if nobody spoke, or the server can't tell.

    `language` is that of the beginning, None if nobody spoke.
    """

    segments: tuple[SpokenSegment, ...]
    duration_s: float
    speech_end_s: float | None = None

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

    @property
    def model_id(self) -> str:
        """The model that is used now."""
        ...

    def recognize(
        self, path: Path, name: str, options: RecognitionOptions = RecognitionOptions()
    ) -> AsyncGenerator[RecognitionResult]:
        """Yield what is said in a file that people call `name`. Closing ends the work."""
        ...


class SpeechRecognizer:
    """Recognizes speech with the parts that are installed, and their model or a larger one. Call `close` at the end.

    `choose` is asked at each use for the choice that is in force.
    """

    def __init__(
        self, parts: ListeningParts, threads: int = 1, choose: Callable[[], WhisperChoice] | None = None
    ) -> None:
        self.parts = parts
        self._threads = threads
        self._choose = choose
        self._is_closed = False
        readable = [os.fspath(parts.folder)]
        if choose is not None:
            readable.append(os.fspath(choose().folder))
        self._live = SandboxPool(
            PROTOCOL,
            max_processes=1,
            linger=True,
            readable=readable,
            niceness=0,
            host_idle_s=IDLE_S,
            worker_idle_s=IDLE_S,
        )
        self._waited_for = SandboxPool(PROTOCOL, max_processes=1, linger=True, readable=readable)
        # A process that has lowered its priority can't raise it again for the next recording.
        self._background = SandboxPool(PROTOCOL, max_processes=2, readable=readable, reuse=False)

    @property
    def _quick_threads(self) -> int:
        return max(self._threads, min(QUICK_THREADS, available_cores()))

    @property
    def _choice(self) -> WhisperChoice | None:
        return self._choose() if self._choose is not None else None

    @property
    def server_model(self) -> str | None:
        """The model of a server that was chosen in place of those of this machine."""
        choice = self._choice
        if choice is None or choice.transcriber in ("auto", BASE_MODEL):
            return None
        return choice.transcriber if find_whisper_model(choice.transcriber) is None else None

    @property
    def model_id(self) -> str:
        """The model that was chosen: Whisper base, a larger one, or one of a server."""
        larger = self.find_larger()
        return self.server_model or (larger.id if larger is not None else BASE_MODEL)

    def find_larger(self, task: RecognitionTask = "transcribe") -> WhisperModel | None:
        """Return the model that hears in place of Whisper base, on this machine or not."""
        choice = self._choice
        return choice.find_larger(task) if choice is not None else None

    @property
    def is_ready(self) -> bool:
        return self.parts.is_ready and self._find_missing("transcribe") is None

    def check_ready(self, task: RecognitionTask = "transcribe") -> None:
        """Raises SpeechPartMissing where the parts or the model aren't installed."""
        if not self.parts.is_ready:
            raise SpeechPartMissing(
                "What recognizes speech isn't installed; see Settings › Speech, or `eclair speech install`."
            )
        if (missing := self._find_missing(task)) is not None:
            raise RecognizerMissing(
                f"{missing.id}, which was chosen for recordings, isn't on this machine; download it in Settings › "
                f"Models or with `eclair pull {missing.id}`, or choose another in Settings › Speech."
            )

    def _find_missing(self, task: RecognitionTask) -> WhisperModel | None:
        choice = self._choice
        larger = choice.find_larger(task) if choice is not None else None
        if larger is None or choice is None or larger.is_installed(choice.data_dir):
            return None
        return larger

    def _make_folder(self) -> None:
        """Make the folder of larger models, so that a process that begins now may read one that comes later."""
        if (choice := self._choice) is not None:
            with contextlib.suppress(OSError):  # where nothing can be written, none comes
                choice.folder.mkdir(parents=True, exist_ok=True)

    def _model_folder(self, task: RecognitionTask) -> Path:
        choice = self._choice
        larger = choice.find_larger(task) if choice is not None else None
        return self.parts.model if larger is None or choice is None else larger.folder(choice.data_dir)

    async def recognize(
        self,
        path: Path,
        name: str,
        options: RecognitionOptions = RecognitionOptions(),
    ) -> AsyncGenerator[RecognitionResult]:
        """Yield what is said in a file that people call `name`, as it is recognized. Closing ends the work.

        A process that dies is replaced once, and goes on behind what was heard. Raises SpeechPartMissing where the
        parts or the model aren't installed, UnreadableFile, TooLarge and EngineBroken.
        """
        self.check_ready(options.task)
        await asyncio.to_thread(self._make_folder)
        request = RecognizeSpeech(
            path=os.fspath(path),
            name=name,
            packages=os.fspath(self.parts.folder),
            model=os.fspath(self._model_folder(options.task)),
            language=options.language,
            task=options.task,
            words=options.words,
            prompt=options.prompt,
            temperature=options.temperature,
            threads=self._quick_threads if options.quick else self._threads,
            max_s=options.max_s,
            quick=options.quick,
            in_background=options.in_background,
            after_s=options.after_s,
            partial=options.partial,
            likely=tuple(WHISPER_CODES.get(language, language) for language in options.likely),
        )
        is_opened = has_died = False
        speech_end_s: float | None = None
        while True:
            try:
                async with contextlib.aclosing(self._ask(request)) as results:
                    async for result in results:
                        if isinstance(result, SoundOpened):
                            if is_opened:
                                continue
                            is_opened = True
                        elif isinstance(result, SoundHeard):
                            speech_end_s = speech_end_s if result.speech_end_s is None else result.speech_end_s
                            result = replace(result, speech_end_s=speech_end_s)  # a new process forgets it
                            request = replace(request, after_s=result.until_s)
                        yield result
                return
            except Rejected as rejected:
                raise _rejection(rejected) from None
            except SandboxError as error:
                if error.fault != "death" or has_died or self._is_closed:
                    raise _failure(error, name) from error
                has_died = True

    async def _ask(self, request: RecognizeSpeech) -> AsyncGenerator[RecognitionResult]:
        """Yield what a process hears. Raises Rejected and SandboxError."""
        pool = self._background if request.in_background else self._live if request.quick else self._waited_for
        async with (
            pool.worker() as worker,
            contextlib.aclosing(worker.ask(request, result_timeout_s=RESULT_TIMEOUT_S)) as results,
        ):
            async for result in results:
                yield result

    async def warm(self) -> None:
        """Load the model for somebody who is about to speak. Raises SpeechPartMissing where something is missing."""
        self.check_ready()
        await asyncio.to_thread(self._make_folder)
        packages, model = os.fspath(self.parts.folder), os.fspath(self._model_folder("transcribe"))
        request = LoadModel(packages, model, self._quick_threads)
        with contextlib.suppress(SandboxError):  # the first words will tell
            async with self._live.worker() as worker, contextlib.aclosing(worker.ask(request)) as results:
                async for _ in results:
                    pass

    async def close(self) -> None:
        self._is_closed = True
        await asyncio.gather(self._live.close(), self._waited_for.close(), self._background.close())


def recording_recognizer(
    settings: Settings, parts: ListeningParts, find_settings: Callable[[], Settings] | None = None
) -> SpeechRecognizer:
    """Return the recognizer of this installation for recordings; larger models are in the data folder of the parts.

    `find_settings` gives the settings in force, where they can change.
    """
    find = find_settings or (lambda: settings)
    return SpeechRecognizer(parts, settings.speech_threads, lambda: WhisperChoice(find().transcriber, parts.data_dir))


def _rejection(rejected: Rejected) -> UserError:
    return TooLarge(rejected.message) if rejected.kind == "too_large" else UnreadableFile(rejected.message)


def _failure(error: SandboxError, name: str) -> EngineBroken | UnreadableFile:
    """Return what a process without an answer means: a recording is damaged only where it was read to its fault."""
    match error.fault:
        case "death":
            return EngineBroken("Recognizing speech broke off; try again.")
        case "timeout":
            return EngineBroken("Recognizing speech took too long; try again when less is going on.")
        case "memory" | "crash":
            return UnreadableFile(f"{name} is damaged; record or save it again.")
