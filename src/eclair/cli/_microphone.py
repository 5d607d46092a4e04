"""Records a question with the system's recorder, and writes it down. Nothing is kept of the sound."""

from __future__ import annotations

import asyncio
import contextlib
import locale
import os
import shutil
import sys
import wave
from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import numpy as np

from eclair.cli._sound_programs import SOUND_VARIABLES, program_fault
from eclair.cli._terminal import Terminal
from eclair.errors import InvalidInput, SetupError
from eclair.settings import Settings
from eclair.speech.listening_parts import ListeningParts
from eclair.speech.recognition import LANGUAGES, RecognitionOptions, SpeechRecognizer
from eclair.speech.recognition_protocol import SpokenSegment
from eclair.speech.voice_activity import SAMPLE_RATE, THRESHOLD, WINDOW, MonoSound, VoiceActivity
from eclair.util.child_environment import child_environment
from eclair.util.scratch import ScratchFolder

RECORDERS = (
    ("parecord", "--raw", "--format=s16le", f"--rate={SAMPLE_RATE}", "--channels=1", "--latency-msec=100"),
    ("arecord", "-q", "-t", "raw", "-f", "S16_LE", "-r", str(SAMPLE_RATE), "-c", "1"),
    ("rec", "-q", "-t", "raw", "-e", "signed-integer", "-b", "16", "-r", str(SAMPLE_RATE), "-c", "1", "-"),
)
"""Programs of PulseAudio and PipeWire, ALSA, and SoX, which write 16-bit samples to standard output."""

PIECE_BYTES = 2 * WINDOW * 4
"""Of sound that is looked at together: 0.13 s."""
SILENCE_S = 2.5
"""Silence after speech that ends the recording."""
NOTHING_S = 15.0
"""Sound without speech after which nobody is expected to speak any more."""
MAX_QUESTION_S = 300.0
LEVELS = "▁▂▃▄▅▆▇█"
NAME = "The recording"


async def hear_question(settings: Settings, language: str | None, terminal: Terminal) -> str:
    """Return what a person says into the microphone until they are silent or press Enter.

    Raises SetupError, SpeechPartMissing and InvalidInput.
    """
    if language is not None and language not in LANGUAGES:
        raise InvalidInput(f"{language} is no language that is recognized; use a code such as fr.")
    parts = ListeningParts(settings.data_dir)
    recognizer = SpeechRecognizer(parts, settings.speech_threads)
    recognizer.check_ready()
    loading = asyncio.create_task(recognizer.warm())
    try:
        with ScratchFolder("sound") as folder:
            path = folder.path / "question.wav"
            await _record(path, VoiceActivity(parts.voice_network), terminal)
            terminal.status("Writing it down…")
            await loading
            options = RecognitionOptions(language, quick=True, likely=(_system_language(),))
            async with contextlib.aclosing(recognizer.recognize(path, NAME, options)) as results:
                said = [result.text.strip() async for result in results if isinstance(result, SpokenSegment)]
    finally:
        terminal.status("")
        loading.cancel()
        await asyncio.gather(loading, return_exceptions=True)
        await recognizer.close()
    text = " ".join(said)
    if not text:
        raise InvalidInput("Nobody was heard speaking; check that the microphone isn't muted, and speak up.")
    terminal.aside(f"“{text}”")
    return text


def _system_language() -> str:
    """Return the language of the person's locale (ISO 639-1), which says nothing where there is none."""
    return (locale.getlocale()[0] or "").partition("_")[0]


async def _record(path: Path, activity: VoiceActivity, terminal: Terminal) -> None:
    """Record into a WAV until a person is silent or presses Enter. Raises SetupError and InvalidInput."""
    with wave.open(str(path), "wb") as target, _pressed_enter() as pressed:
        target.setnchannels(1)
        target.setsampwidth(2)
        target.setframerate(SAMPLE_RATE)
        heard_s = silent_s = 0.0
        has_spoken = False
        async with contextlib.aclosing(_sounds(pressed)) as sounds:
            async for piece in sounds:
                target.writeframes(piece)
                samples = np.frombuffer(piece, "<i2").astype(np.float32) / np.float32(32768)
                speaks = bool(np.max(activity.probabilities(np.pad(samples, (0, -len(samples) % WINDOW)))) >= THRESHOLD)
                seconds = len(samples) / SAMPLE_RATE
                heard_s += seconds
                has_spoken = has_spoken or speaks
                silent_s = 0.0 if speaks else silent_s + seconds
                if not has_spoken and heard_s >= NOTHING_S:
                    raise InvalidInput(
                        f"Nobody was heard speaking for {NOTHING_S:.0f} seconds; check that the microphone isn't "
                        "muted, and speak up."
                    )
                terminal.status(f"Listening {_level(samples)} (silence or Enter ends it)")
                if (has_spoken and silent_s >= SILENCE_S) or heard_s >= MAX_QUESTION_S:
                    return


async def _sounds(pressed: asyncio.Event) -> AsyncGenerator[bytes]:
    """Yield what the first recorder gives that gives sound, until Enter is pressed. Raises SetupError."""
    faults: list[str] = []
    for program, *options in RECORDERS:
        if shutil.which(program) is None:
            continue
        process = await asyncio.create_subprocess_exec(
            program,
            *options,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=child_environment(*SOUND_VARIABLES),
        )
        has_sound = False
        try:
            async with contextlib.aclosing(_pieces(process, pressed)) as pieces:
                async for piece in pieces:
                    has_sound = True
                    yield piece
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
            _, fault = await process.communicate()
        if has_sound or pressed.is_set():
            return
        faults.append(program_fault(program, fault, process.returncode))
    if not faults:
        programs = ", ".join(program for program, *_ in RECORDERS)
        raise SetupError(f"No program records sound here ({programs}); install one, such as that of alsa-utils.")
    raise SetupError(f"No microphone gives sound ({'; '.join(faults)}); plug one in, or allow it, and try again.")


async def _pieces(process: asyncio.subprocess.Process, pressed: asyncio.Event) -> AsyncGenerator[bytes]:
    """Yield the recorder's samples in pieces, until it ends or Enter is pressed."""
    assert process.stdout is not None
    enter = asyncio.ensure_future(pressed.wait())
    reading = asyncio.ensure_future(process.stdout.readexactly(PIECE_BYTES))
    try:
        while True:
            await asyncio.wait((reading, enter), return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                return
            try:
                yield reading.result()
            except asyncio.IncompleteReadError as rest:
                if whole := rest.partial[: len(rest.partial) // 2 * 2]:
                    yield whole
                return
            if pressed.is_set():
                return
            reading = asyncio.ensure_future(process.stdout.readexactly(PIECE_BYTES))
    finally:
        reading.cancel()
        enter.cancel()
        await asyncio.gather(reading, enter, return_exceptions=True)


@contextlib.contextmanager
def _pressed_enter() -> Generator[asyncio.Event]:
    """Yield an event that is set when Enter is pressed at the terminal."""
    pressed = asyncio.Event()
    if sys.stdin is None or not sys.stdin.isatty():  # pyright: ignore[reportUnnecessaryComparison]
        yield pressed
        return
    loop, terminal = asyncio.get_running_loop(), sys.stdin.fileno()

    def read_line() -> None:
        os.read(terminal, 4096)
        pressed.set()

    loop.add_reader(terminal, read_line)
    try:
        yield pressed
    finally:
        loop.remove_reader(terminal)


def _level(samples: MonoSound) -> str:
    """Draw how loud a piece of sound is, from -60 dB to 0."""
    loudness = float(np.sqrt(np.mean(samples**2))) if len(samples) else 0.0
    decibels = 20 * np.log10(max(loudness, 1e-6))
    return LEVELS[int(np.clip((decibels + 60) / 60 * len(LEVELS), 0, len(LEVELS) - 1))]
