"""Recognizes speech with models of engines, such as Whisper or Voxtral on a server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path

from eclair.errors import EngineRefused, InvalidInput, NotFound, RecognizerMissing
from eclair.generation.usage import ReadTexts
from eclair.llm.base import Engine, HearingEngine, SoundUpload
from eclair.llm.registry import Registry
from eclair.schema.models import Model
from eclair.speech.recognition import RecognitionOptions, SpeechRecognizer
from eclair.speech.recognition_protocol import RecognitionResult, SoundHeard, SoundOpened, SpokenSegment


class ChosenRecognizer:
    """Recognizes recordings that are documents with the model that is chosen: of this installation, or of an engine.

    `own` has the choice, which may change. `reading` counts the text of an engine to the person on whose behalf it is
    asked.
    """

    def __init__(self, own: SpeechRecognizer, registry: Registry, reading: ReadTexts) -> None:
        self._own = own
        self._registry = registry
        self._reading = reading

    @property
    def is_ready(self) -> bool:
        return self._own.server_model is not None or self._own.is_ready

    @property
    def model_id(self) -> str:
        return self._own.model_id

    async def recognize(
        self,
        path: Path,
        name: str,
        options: RecognitionOptions = RecognitionOptions(),  # noqa: B008
    ) -> AsyncGenerator[RecognitionResult]:
        """See `Recognizer`. Raises RecognizerMissing, UpstreamError and BudgetExceeded, and as that of `own` does."""
        name_there = self._own.server_model
        if name_there is None:
            async with contextlib.aclosing(self._own.recognize(path, name, options)) as heard:
                async for result in heard:
                    yield result
            return
        try:
            engine, model = await self._registry.resolve_for_house(name_there)
        except NotFound:
            raise RecognizerMissing(
                f"No server has {name_there}, which was chosen for recordings; start its server, or choose "
                "another in Settings › Speech."
            ) from None
        async with self._reading(model, [options.prompt]) as count:
            results = await hear_with_engine(engine, model, path, name, options)
            count(spoken_tokens(results))
        for result in results:
            yield result


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
