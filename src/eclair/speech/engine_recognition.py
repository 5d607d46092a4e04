"""Recognizes speech with models of engines, such as Whisper or Voxtral on a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

from eclair.errors import EngineRefused, InvalidInput
from eclair.generation.usage import ReadTexts
from eclair.llm.base import Engine, HearingEngine, SoundUpload
from eclair.llm.registry import Registry
from eclair.schema.models import Model
from eclair.settings import Settings
from eclair.speech.recognition import RecognitionOptions, Recognizer, SpeechRecognizer
from eclair.speech.recognition_protocol import RecognitionResult, SoundHeard, SoundOpened, SpokenSegment
from eclair.speech.whisper_models import BASE_MODEL, find_whisper_model


class EngineRecognizer:
    """Recognizes recordings that are documents with a model of an engine, which is looked up each time.

    `reading` counts the text to the person on whose behalf it is asked.
    """

    is_ready = True

    def __init__(self, registry: Registry, model: str, reading: ReadTexts) -> None:
        self._registry = registry
        self._model = model
        self._reading = reading

    async def recognize(
        self,
        path: Path,
        name: str,
        options: RecognitionOptions = RecognitionOptions(),  # noqa: B008
    ) -> AsyncGenerator[RecognitionResult]:
        """See `Recognizer`. Raises UpstreamError, NotFound and BudgetExceeded."""
        engine, model = await self._registry.resolve_for_house(self._model)
        async with self._reading(model, [options.prompt]) as count:
            results = await hear_with_engine(engine, model, path, name, options)
            count(spoken_tokens(results))
        for result in results:
            yield result


def choose_recognizer(settings: Settings, registry: Registry, own: SpeechRecognizer, reading: ReadTexts) -> Recognizer:
    """Return the recognizer of the settings for recordings that are documents; `own` is that of this installation."""
    is_own = settings.transcriber in ("auto", BASE_MODEL) or find_whisper_model(settings.transcriber) is not None
    return own if is_own else EngineRecognizer(registry, settings.transcriber, reading)


async def hear_with_engine(
    engine: Engine, model: Model, path: Path, name: str, options: RecognitionOptions
) -> list[RecognitionResult]:
    """Return what is said in a file behind `after_s` seconds. Raises UpstreamError and InvalidInput."""
    if not isinstance(engine, HearingEngine):
        raise EngineRefused(f"The engine {engine.name} does not transcribe; {model.id} cannot either.", param="model")
    if options.words:
        message = f"{model.id} is on a server that says no times of words; leave `word` out."
        raise InvalidInput(message, param="timestamp_granularities")
    data = await asyncio.to_thread(path.read_bytes)
    sound = SoundUpload(name, data, options.language, options.prompt, translate=options.task == "translate")
    heard = await engine.transcribe(model.id, sound)
    language = heard.language or options.language or ""
    segments = [
        SpokenSegment(each.start, each.end, each.text, language, (), 0.0, 0.0, 0.0, 0.0)
        for each in heard.segments
        if not options.after_s or each.start >= options.after_s
    ]
    until_s = max(heard.duration_s, *(each.end for each in segments)) if segments else heard.duration_s
    return [SoundOpened(heard.duration_s), *segments, SoundHeard(until_s)]


def spoken_tokens(results: list[RecognitionResult]) -> int:
    """Estimate the tokens of what was said."""
    return sum(len(each.text) for each in results if isinstance(each, SpokenSegment)) // 4
