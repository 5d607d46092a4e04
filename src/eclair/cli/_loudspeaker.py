"""Reads an answer aloud while it is written, with the installed voices and the system's player."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing, asynccontextmanager
from typing import Any

from eclair.cli._terminal import Terminal
from eclair.errors import EngineBroken, SetupError
from eclair.schema.events import Event, PartDelta, PartFinished, PartStarted
from eclair.settings import Settings
from eclair.speech.speaking_parts import SpeakingParts
from eclair.speech.spoken_text import SpokenSentence, SpokenTextReader
from eclair.speech.synthesis import SpeechSynthesizer, voiced_sentence
from eclair.speech.synthesis_protocol import SAMPLE_RATE
from eclair.speech.voices import choose_voice
from eclair.text.language import language_names
from eclair.util.child_environment import child_environment

PLAYERS = (
    ("pacat", "--playback", "--raw", "--format=s16le", f"--rate={SAMPLE_RATE}", "--channels=1"),
    ("aplay", "-q", "-t", "raw", "-f", "S16_LE", "-r", str(SAMPLE_RATE), "-c", "1"),
    ("play", "-q", "-t", "raw", "-e", "signed-integer", "-b", "16", "-r", str(SAMPLE_RATE), "-c", "1", "-"),
)
"""Programs of PulseAudio and PipeWire, ALSA, and SoX, which play 16-bit samples from standard input."""
SOUND_VARIABLES = ("PULSE_", "PIPEWIRE_", "ALSA_", "AUDIODEV")
Answering = Callable[[Callable[[Event], None]], Coroutine[Any, Any, int]]
"""Answers, and shows the events as they come; returns an exit code."""
NOTICE = "Read aloud by a synthetic voice."


class AnswerReader:
    """Speaks the text of a run's events, sentence by sentence; `add` takes them as they come."""

    def __init__(self, settings: Settings, terminal: Terminal) -> None:
        """Raises ModelMissing without the voices, and SetupError without a program that plays sound."""
        self._synthesizer = SpeechSynthesizer(SpeakingParts(settings.data_dir))
        self._synthesizer.check_ready()
        self._player = _find_player()
        self._terminal = terminal
        self._readers: dict[int, SpokenTextReader] = {}
        self._sentences = asyncio.Queue[SpokenSentence | None]()
        self._unspoken = set[str]()

    def add(self, event: Event) -> None:
        """Take the next event of a run."""
        match event:
            case PartStarted(index=index, kind="text"):
                self._readers[index] = SpokenTextReader()
            case PartDelta(index=index, text=text) if index in self._readers:
                self._speak_later(self._readers[index].add(text))
            case PartFinished(index=index) if index in self._readers:
                self._speak_later(self._readers.pop(index).finish())
            case _:
                pass

    async def accompany(self, answering: Answering, show: Callable[[Event], None]) -> int:
        """Show the events that `answering` shows and read them aloud, until all is said; return its result.

        A fault of the voice or the player is a warning: the answer goes on.
        """
        self._terminal.aside(NOTICE)
        speaking = asyncio.create_task(self._speak())

        def show_and_add(event: Event) -> None:
            show(event)
            self.add(event)

        try:
            code = await answering(show_and_add)
            self._sentences.put_nowait(None)
            await speaking
            return code
        finally:
            speaking.cancel()
            await asyncio.gather(speaking, return_exceptions=True)
            await self._synthesizer.close()

    def _speak_later(self, sentences: list[SpokenSentence]) -> None:
        for sentence in sentences:
            self._sentences.put_nowait(sentence)

    async def _speak(self) -> None:
        try:
            async with _playing(self._player) as speaker:
                while (sentence := await self._sentences.get()) is not None:
                    async with aclosing(self._sounds(sentence)) as sounds:
                        async for sound in sounds:
                            speaker.write(sound)
                            await speaker.drain()
        except (EngineBroken, SetupError) as error:
            self._terminal.warn(error.message)

    async def _sounds(self, sentence: SpokenSentence) -> AsyncGenerator[bytes]:
        voice = choose_voice(sentence.language)
        if voice is None:
            language = sentence.language or ""
            if language not in self._unspoken:
                self._unspoken.add(language)
                self._terminal.warn(f"No voice speaks {language_names().get(language, language)}; that stays silent.")
            return
        async with aclosing(self._synthesizer.speak([voiced_sentence(sentence, voice)], form="pcm")) as sounds:
            async for sound in sounds:
                yield sound.data


def _find_player() -> tuple[str, ...]:
    """Raises SetupError."""
    for command in PLAYERS:
        if shutil.which(command[0]) is not None:
            return command
    programs = ", ".join(program for program, *_ in PLAYERS)
    raise SetupError(f"No program plays sound here ({programs}); install one, such as that of alsa-utils.")


@asynccontextmanager
async def _playing(command: tuple[str, ...]) -> AsyncGenerator[asyncio.StreamWriter]:
    """Yield the player's input, and wait until it has played all; it is silent at once if the block is left early.

    Raises SetupError if the player fails.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=child_environment(*SOUND_VARIABLES),
    )
    assert process.stdin is not None
    try:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            yield process.stdin
        process.stdin.close()
        _, fault = await process.communicate()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode:
        last = (fault.decode(errors="replace").strip().splitlines() or [f"it ended with {process.returncode}"])[-1]
        raise SetupError(f"The answer cannot be read aloud ({command[0]}: {last.strip().rstrip('.')}).")
