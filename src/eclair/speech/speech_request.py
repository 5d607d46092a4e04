"""A text to speak, and the service that speaks it for a principal, within the rights of its key and its budgets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass

from eclair.errors import EngineRefused, InvalidInput, TooBusy
from eclair.llm.base import Engine, SpeakingEngine
from eclair.llm.registry import Registry
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.speech.spoken_text import read_spoken_text
from eclair.speech.synthesis import SpeechSynthesizer, SpeechUse, require_voices, voice_sentences
from eclair.speech.synthesis_protocol import SoundForm, VoicedSentence
from eclair.speech.voices import check_voice
from eclair.text.language import identify_language
from eclair.util.fair_queue import FairQueue, in_turn
from eclair.util.stream_ahead import read_ahead

SPEECH_MODEL = Model(id="kokoro", name="Kokoro", engine="speech")
"""The model that speaks, as keys and budgets know it."""

OPENAI_NAMES = frozenset({"tts-1", "tts-1-hd", "gpt-4o-mini-tts"})
"""Names that programs send by default, for which it stands in."""

MAX_WAITING = 20
"""Files that wait for their turn, and texts of programs; one of each is spoken at a time."""
MAX_HELD_BYTES = 32 << 20
"""Sound that is made before somebody takes it: more than an hour as MP3."""
FIRST_PIECE_S = 10.0
"""A file's reply begins after this time at most, since proxies wait for one no longer than a minute."""

CountReading = Callable[[Principal, Model, Sequence[str]], AbstractAsyncContextManager[Callable[[int], None]]]
"""Counts texts that a model reads in a block (`UsageLedger.reading`)."""


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """A text to speak, and the form of its sound.

    Each sentence has the first of `voices` that speaks its language; else the language chooses one.
    """

    text: str
    form: SoundForm = "mp3"
    voices: tuple[str, ...] = ()
    speed: float = 1.0
    language: str | None = None
    use: SpeechUse = "program"


@dataclass(frozen=True, slots=True)
class SpokenStream:
    """The sound, piece by piece, and about how many tokens the text has."""

    sounds: AsyncGenerator[bytes, None]
    tokens: int


class SpeakingService:
    """Speaks texts with the installed voices, or with models of engines. `reading` counts them for budgets.

    OpenAI's names stand for the model `chosen`; `auto` is the installed voices.
    """

    def __init__(
        self, synthesizer: SpeechSynthesizer, reading: CountReading, registry: Registry, chosen: str = "auto"
    ) -> None:
        self.synthesizer = synthesizer
        self._reading = reading
        self._registry = registry
        self._chosen = chosen
        self._queues = {"program": FairQueue(1, MAX_WAITING), "file": FairQueue(1, MAX_WAITING)}

    def is_own(self, model: str | None) -> bool:
        """Return whether the installed voices speak for a name, rather than a model of an engine."""
        return model is None or model == SPEECH_MODEL.id or (model in OPENAI_NAMES and self._chosen == "auto")

    @property
    def own_model(self) -> Model | None:
        """The model of the installed voices, if they are there."""
        return SPEECH_MODEL if self.synthesizer.is_ready else None

    async def start(self, principal: Principal, model: str | None, request: SpeechRequest) -> SpokenStream:
        """Speak the first sentence, and return the sound from its beginning, which may have to wait for its turn.

        Raises InvalidInput, ModelMissing, NotFound, UpstreamError, BudgetExceeded, TooBusy and Forbidden.
        """
        if model is not None and not self.is_own(model):
            named = self._chosen if model in OPENAI_NAMES else model
            spoken = self._speak_with_engine(principal, request, *await self._registry.resolve(named))
            return await _begin(spoken, request)
        for voice in request.voices:
            check_voice(voice)
        pieces = await asyncio.to_thread(find_voiced_sentences, request)
        sounds = self._speak(principal, request, pieces)
        if request.use == "live":
            return await _begin(sounds, request)
        full = TooBusy(f"{MAX_WAITING} texts are waiting to be spoken; try again when some are done.")
        made = in_turn(self._queues[request.use], principal.id, sounds, full)
        return await _begin(read_ahead(made, len, MAX_HELD_BYTES), request)

    async def _speak(
        self, principal: Principal, request: SpeechRequest, pieces: Sequence[VoicedSentence]
    ) -> AsyncGenerator[bytes, None]:
        async with (
            self._reading(principal, SPEECH_MODEL, [request.text]),
            aclosing(self.synthesizer.speak(pieces, request.speed, request.form, use=request.use)) as sounds,
        ):
            async for sound in sounds:
                yield sound.data

    async def _speak_with_engine(
        self, principal: Principal, request: SpeechRequest, engine: Engine, model: Model
    ) -> AsyncGenerator[bytes, None]:
        if not isinstance(engine, SpeakingEngine):
            raise EngineRefused(f"The engine {engine.name} does not speak; {model.id} cannot either.", param="model")
        wanted = {"input": request.text, "response_format": request.form, "speed": request.speed}
        voiced = {**wanted, "voice": request.voices[0]} if request.voices else wanted
        async with (
            self._reading(principal, model, [request.text]),
            aclosing(engine.speak(model.id, voiced)) as sounds,
        ):
            async for sound in sounds:
                yield sound


def find_voiced_sentences(request: SpeechRequest) -> list[VoicedSentence]:
    """Return the sentences of a text with their voices.

    Raises InvalidInput where nothing can be spoken, or no voice speaks a language.
    """
    language = request.language or identify_language(request.text)
    sentences = read_spoken_text(request.text, language)
    if not sentences:
        raise InvalidInput("The text has nothing that can be spoken.", param="input")
    return require_voices(voice_sentences(sentences, request.voices, language))


async def _begin(spoken: AsyncGenerator[bytes, None], request: SpeechRequest) -> SpokenStream:
    """Wait for the first piece, so that its fault can be told; for that of a file not too long."""
    first = asyncio.ensure_future(anext(spoken, b""))
    try:
        await asyncio.wait([first], timeout=FIRST_PIECE_S if request.use == "file" else None)
    except asyncio.CancelledError:
        first.cancel()
        await asyncio.wait([first])
        raise
    if first.done():
        first.result()
    return SpokenStream(_go_on(first, spoken), max(1, len(request.text) // 4))


async def _go_on(first: asyncio.Future[bytes], rest: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    async with aclosing(rest):
        yield await first
        async for data in rest:
            yield data
