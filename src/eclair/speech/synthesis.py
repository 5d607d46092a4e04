"""Speaks sentences with the installed voices, in a process each for people who listen, programs and files."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal

from eclair.errors import EngineBroken, InvalidInput, ModelMissing
from eclair.sandbox.pool import READING_NICENESS, SandboxPool
from eclair.sandbox.protocol import Rejected, SandboxError
from eclair.speech.speaking_parts import SpeakingParts
from eclair.speech.spoken_text import SpokenSentence
from eclair.speech.synthesis_protocol import (
    CPU_LIMIT_S,
    MAX_SENTENCE_CHARS,
    MAX_SPEED,
    MIN_SPEED,
    PROTOCOL,
    SoundForm,
    SpeakSentences,
    SpokenSound,
    VoicedSentence,
)
from eclair.speech.voices import SPOKEN_LANGUAGES, Voice, choose_voice
from eclair.text.language import language_names
from eclair.util.cpu import available_cores

SENTENCE_TIMEOUT_S = 2.0 * CPU_LIMIT_S
"""Other programs may have the processor too."""
LIVE_THREADS = 2
"""Somebody waits for the first sentence, and it competes with the rest of the answer. More hardly help."""

SpeechUse = Literal["live", "program", "file"]
"""Sound for a person who listens, for a program that may pass it on to one, or for a file that may take minutes."""


@dataclass(frozen=True, slots=True)
class SpokenPiece:
    """A sentence with the voice that speaks it; `voice` is None where no voice speaks its language."""

    sentence: SpokenSentence
    voice: Voice | None


class SpeechSynthesizer:
    """Speaks with the voices in `parts`. Call `close` at the end."""

    def __init__(self, parts: SpeakingParts) -> None:
        self._parts = parts
        self._pools: dict[SpeechUse, SandboxPool[SpeakSentences, SpokenSound]] = {}

    @property
    def is_ready(self) -> bool:
        return self._parts.is_ready

    def check_ready(self) -> None:
        """Raises ModelMissing where the voices aren't installed."""
        if not self.is_ready:
            raise ModelMissing(
                "The parts that speak are not installed; an administrator installs them in Settings › Speech, "
                "or with `eclair speech install speaking`."
            )

    async def warm(self) -> None:
        """Start the process, so that the first sentence needn't wait for that."""
        if self.is_ready:
            await self._pool("live").warm()

    async def speak(
        self,
        pieces: Sequence[VoicedSentence],
        speed: float = 1.0,
        form: SoundForm = "wav",
        *,
        use: SpeechUse = "live",
    ) -> AsyncGenerator[SpokenSound, None]:
        """Yield the sound of sentences one after the other. Raises ModelMissing and EngineBroken.

        Each use has a process of its own, so that nobody who listens waits for a program or a file.
        """
        self.check_ready()
        threads = 1 if use == "file" else min(LIVE_THREADS, available_cores())
        request = SpeakSentences(str(self._parts.folder), tuple(pieces), speed, form, threads)
        try:
            async with (
                self._pool(use).worker() as worker,
                aclosing(worker.ask(request, result_timeout_s=SENTENCE_TIMEOUT_S)) as sounds,
            ):
                async for sound in sounds:
                    yield sound
        except (Rejected, SandboxError) as error:
            if isinstance(error, SandboxError) and error.fault == "timeout":
                raise EngineBroken("Speaking took too long; try again when less is going on.") from error
            raise EngineBroken("The voice broke off; try again.") from error

    async def close(self) -> None:
        for pool in self._pools.values():
            await pool.close()

    def _pool(self, use: SpeechUse) -> SandboxPool[SpeakSentences, SpokenSound]:
        if use not in self._pools:
            niceness = READING_NICENESS if use == "file" else 0
            self._pools[use] = SandboxPool(
                PROTOCOL, max_processes=1, linger=use != "file", readable=(str(self._parts.folder),), niceness=niceness
            )
        return self._pools[use]


def voice_sentences(
    sentences: Sequence[SpokenSentence], chosen: Sequence[str] = (), language: str | None = None
) -> list[SpokenPiece]:
    """Choose a voice for each sentence; `language` is that of sentences whose own is unknown."""
    return [SpokenPiece(each, choose_voice(each.language or language, chosen)) for each in sentences]


def check_speed(speed: float) -> None:
    """Raises InvalidInput for a speed that no voice has."""
    if not MIN_SPEED <= speed <= MAX_SPEED:
        raise InvalidInput(f"The speed must be between {MIN_SPEED:g} and {MAX_SPEED:g}.", param="speed")


def require_voices(pieces: Sequence[SpokenPiece]) -> list[VoicedSentence]:
    """Return the sentences to speak. Raises InvalidInput, which names a language that no voice speaks."""
    return [voiced_sentence(piece.sentence, _require(piece)) for piece in pieces]


def voiced_sentence(sentence: SpokenSentence, voice: Voice) -> VoicedSentence:
    return VoicedSentence(sentence.text[:MAX_SENTENCE_CHARS], voice.locale, voice.id, voice.engine)


def _require(piece: SpokenPiece) -> Voice:
    if piece.voice is None:
        names = language_names()
        known = ", ".join(names.get(code, code) for code in SPOKEN_LANGUAGES)
        language = piece.sentence.language or ""
        raise InvalidInput(
            f"No voice speaks {names.get(language, language)}; the voices speak {known}. "
            "In a browser, voices of its own may.",
            param="input",
        )
    return piece.voice
