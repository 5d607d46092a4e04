"""A text to speak, and the service that speaks it for a principal, within the rights of its key and its budgets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass

from eclair.errors import InvalidInput
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.speech.spoken_text import read_spoken_text
from eclair.speech.synthesis import SpeechSynthesizer, require_voices, voice_sentences
from eclair.speech.synthesis_protocol import SoundForm, VoicedSentence
from eclair.speech.voices import check_voice
from eclair.text.language import identify_language

SPEECH_MODEL = Model(id="kokoro", name="Kokoro", engine="speech")
"""The model that speaks, as keys and budgets know it."""

CountReading = Callable[[Principal, Model, Sequence[str]], AbstractAsyncContextManager[Callable[[int], None]]]
"""Counts texts that a model reads in a block (`UsageLedger.reading`)."""


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """A text to speak, the form of its sound, and the voice, which the text's language chooses if it is None."""

    text: str
    form: SoundForm = "mp3"
    voice: str | None = None
    speed: float = 1.0
    language: str | None = None


@dataclass(frozen=True, slots=True)
class SpokenStream:
    """The sound, piece by piece, and about how many tokens the text has."""

    sounds: AsyncGenerator[bytes, None]
    tokens: int


class SpeakingService:
    """Speaks texts. `reading` counts them for budgets."""

    def __init__(self, synthesizer: SpeechSynthesizer, reading: CountReading) -> None:
        self.synthesizer = synthesizer
        self._reading = reading

    async def start(self, principal: Principal, model: str | None, request: SpeechRequest) -> SpokenStream:
        """Speak the first sentence, and return the sound from its beginning.

        Raises InvalidInput, ModelMissing, EngineBroken, BudgetExceeded and Forbidden.
        """
        if request.voice is not None:
            check_voice(request.voice)
        pieces = await asyncio.to_thread(_voiced_sentences, request)
        spoken = self._speak(principal, request, pieces)
        first = await anext(spoken, b"")
        return SpokenStream(_prepend(first, spoken), max(1, len(request.text) // 4))

    async def _speak(
        self, principal: Principal, request: SpeechRequest, pieces: Sequence[VoicedSentence]
    ) -> AsyncGenerator[bytes, None]:
        async with (
            self._reading(principal, SPEECH_MODEL, [request.text]),
            aclosing(self.synthesizer.speak(pieces, request.speed, request.form)) as sounds,
        ):
            async for sound in sounds:
                yield sound.data


def _voiced_sentences(request: SpeechRequest) -> list[VoicedSentence]:
    """Raises InvalidInput."""
    language = request.language or identify_language(request.text)
    sentences = read_spoken_text(request.text, language)
    if not sentences:
        raise InvalidInput("The text has nothing that can be spoken.", param="input")
    return require_voices(voice_sentences(sentences, (request.voice,) if request.voice else (), language))


async def _prepend(first: bytes, rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(rest):
        yield first
        async for data in rest:
            yield data
