"""Reads an answer aloud while it is written, with the installed voices and the system's player."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import aclosing
from typing import Any

from eclair.cli._sound_programs import SOUND_VARIABLES, program_fault
from eclair.cli._terminal import Terminal
from eclair.errors import EngineBroken, SetupError
from eclair.schema.events import Event, PartDelta, PartFinished, PartStarted
from eclair.settings import Settings
from eclair.speech.speaking_parts import SpeakingParts
from eclair.speech.spoken_text import SpokenSentence, SpokenTextReader
from eclair.speech.synthesis import SpeechSynthesizer, check_speed, voiced_sentence
from eclair.speech.synthesis_protocol import SAMPLE_RATE
from eclair.speech.voices import check_voice, choose_voice
from eclair.text.language import language_names
from eclair.util.child_environment import child_environment

PLAYERS = (
    ("pacat", "--playback", "--raw", "--format=s16le", f"--rate={SAMPLE_RATE}", "--channels=1"),
    ("aplay", "-q", "-t", "raw", "-f", "S16_LE", "-r", str(SAMPLE_RATE), "-c", "1"),
    ("play", "-q", "-t", "raw", "-e", "signed-integer", "-b", "16", "-r", str(SAMPLE_RATE), "-c", "1", "-"),
)
"""Programs of PulseAudio and PipeWire, ALSA, and SoX, which play 16-bit samples from standard input."""
HEARD_BYTES = 512 << 10
"""More than pipes and their buffers hold: a player that has taken so much plays it."""
Answering = Callable[[Callable[[Event], None]], Coroutine[Any, Any, int]]
"""Answers, and shows the events as they come; returns an exit code."""
NOTICE = "Read aloud by a synthetic voice."


class AnswerReader:
    """Speaks the text of a run's events, sentence by sentence; `add` takes them as they come."""

    def __init__(self, settings: Settings, terminal: Terminal, voice: str | None = None, speed: float = 1.0) -> None:
        """Choose `voice` for the languages that it speaks, and the others' first voice; 1 is the usual speed.

        Raises InvalidInput for a voice or speed that there isn't, ModelMissing without the voices, and SetupError
        without a program that plays sound.
        """
        if voice is not None:
            check_voice(voice)
        check_speed(speed)
        self._voices = () if voice is None else (voice,)
        self._speed = speed
        self._synthesizer = SpeechSynthesizer(SpeakingParts(settings.data_dir))
        self._synthesizer.check_ready()
        self._players = _find_players()
        self._terminal = terminal
        self._readers: dict[int, SpokenTextReader] = {}
        self._sentences = asyncio.Queue[SpokenSentence | None]()
        self._unspoken = set[str]()

    def add(self, event: Event) -> None:
        """Take the next event of a run."""
        match event:
            case PartStarted(index=index, kind="text"):
                self._readers[index] = SpokenTextReader(early=True)
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
        warming = asyncio.create_task(self._synthesizer.warm())

        def show_and_add(event: Event) -> None:
            show(event)
            self.add(event)

        try:
            code = await answering(show_and_add)
            self._sentences.put_nowait(None)
            await speaking
            return code
        finally:
            for task in (speaking, warming):
                task.cancel()
            await asyncio.gather(speaking, warming, return_exceptions=True)
            await self._synthesizer.close()

    def _speak_later(self, sentences: list[SpokenSentence]) -> None:
        for sentence in sentences:
            self._sentences.put_nowait(sentence)

    async def _speak(self) -> None:
        try:
            async with aclosing(self._sounds()) as sounds:
                await _play(self._players, sounds)
        except (EngineBroken, SetupError) as error:
            self._terminal.warn(error.message)

    async def _sounds(self) -> AsyncGenerator[bytes]:
        while (sentence := await self._sentences.get()) is not None:
            async with aclosing(self._sounds_of(sentence)) as sounds:
                async for sound in sounds:
                    yield sound

    async def _sounds_of(self, sentence: SpokenSentence) -> AsyncGenerator[bytes]:
        voice = choose_voice(sentence.language, self._voices)
        if voice is None:
            language = sentence.language or ""
            if language not in self._unspoken:
                self._unspoken.add(language)
                self._terminal.warn(f"No voice speaks {language_names().get(language, language)}; that stays silent.")
            return
        async with aclosing(self._synthesizer.speak([voiced_sentence(sentence, voice)], self._speed, "pcm")) as sounds:
            async for sound in sounds:
                yield sound.data


def _find_players() -> list[tuple[str, ...]]:
    """Return the players that are installed. Raises SetupError without any."""
    found = [command for command in PLAYERS if shutil.which(command[0]) is not None]
    if not found:
        programs = ", ".join(program for program, *_ in PLAYERS)
        raise SetupError(f"No program plays sound here ({programs}); install one, such as that of alsa-utils.")
    return found


class _RepeatableSounds:
    """Sounds that begin again for the next player, until one `has_played`: took more than pipes hold."""

    def __init__(self, sounds: AsyncGenerator[bytes]) -> None:
        self.has_played = False
        self._sounds = sounds
        self._begun: list[bytes] = []

    async def from_beginning(self) -> AsyncGenerator[bytes]:
        """Yield the sounds; whoever asks for the next one has taken the last."""
        taken = 0
        for sound in self._begun:
            yield sound
            taken += len(sound)
            self.has_played = taken > HEARD_BYTES
        async for sound in self._sounds:
            if not self.has_played:
                self._begun.append(sound)
            yield sound
            taken += len(sound)
            self.has_played = taken > HEARD_BYTES


async def _play(players: Sequence[tuple[str, ...]], sounds: AsyncGenerator[bytes]) -> None:
    """Play sounds with the first player that works. Raises SetupError if none does, or if it fails later."""
    repeatable = _RepeatableSounds(sounds)
    faults: list[str] = []
    for command in players:
        async with aclosing(repeatable.from_beginning()) as pieces:
            fault = await _play_with(command, pieces)
        if fault is None:
            return
        faults.append(fault)
        if repeatable.has_played:
            break
    raise SetupError(f"The answer cannot be read aloud ({'; '.join(faults)}).")


async def _play_with(command: tuple[str, ...], sounds: AsyncGenerator[bytes]) -> str | None:
    """Play sounds with a program, and wait until it has played all; return its fault if it failed.

    It is silent at once when this is cancelled.
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
            async for sound in sounds:
                process.stdin.write(sound)
                await process.stdin.drain()
        process.stdin.close()
        _, stderr = await process.communicate()
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    return program_fault(command[0], stderr, process.returncode) if process.returncode else None
