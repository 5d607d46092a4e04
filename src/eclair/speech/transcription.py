"""Transcribes sound for people and programs, within the rights of keys and the budgets of people."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path

from eclair.errors import InvalidInput, NotFound, TooBusy
from eclair.generation.usage import UsageLedger
from eclair.llm.base import Engine
from eclair.llm.registry import Registry
from eclair.schema.models import Model
from eclair.schema.principal import Principal
from eclair.speech.engine_recognition import hear_with_engine, spoken_tokens
from eclair.speech.recognition import RecognitionOptions, SpeechRecognizer, Transcript
from eclair.speech.recognition_protocol import RecognitionResult, RecognitionTask, SoundHeard, SpokenSegment
from eclair.speech.whisper_models import BASE_MODEL, BASE_NAME, find_whisper_model
from eclair.util.fair_queue import FairQueue, in_turn
from eclair.util.stream_ahead import read_ahead

WHISPER = Model(BASE_MODEL, BASE_NAME, "listener", maker="OpenAI", license="mit")
"""The model that recognizes speech, as programs name it."""
OPENAI_NAMES = frozenset({"whisper-1", "gpt-4o-transcribe", "gpt-4o-mini-transcribe"})
"""Names that programs send by default, for which it stands in."""
MAX_WAITING = 20
"""Recordings of programs that wait for their turn; one is heard at a time."""
MAX_HELD_RESULTS = 100_000


class TranscriptionService:
    """Transcribes sound with the model of this installation, or with those of engines.

    `recognizer` has Whisper base, `chosen_recognizer` the larger model for recordings, or base. OpenAI's names
    stand for that one (to translate, for the largest that was trained to), or for the model of a server that is
    chosen.
    """

    def __init__(
        self,
        recognizer: SpeechRecognizer,
        chosen_recognizer: SpeechRecognizer,
        ledger: UsageLedger,
        registry: Registry,
    ) -> None:
        self.recognizer = recognizer
        self.chosen_recognizer = chosen_recognizer
        self._ledger = ledger
        self._registry = registry
        self.queue = FairQueue(1, MAX_WAITING)

    @property
    def own_models(self) -> list[Model]:
        """The models of this installation that can be used: Whisper base, and the larger one for recordings."""
        base = [WHISPER] if self.recognizer.is_ready else []
        larger = self.chosen_recognizer.find_larger()
        return [*base, larger.to_model()] if larger is not None and self.chosen_recognizer.is_ready else base

    async def recognize(
        self, principal: Principal, model: str, path: Path, name: str, options: RecognitionOptions
    ) -> AsyncGenerator[RecognitionResult]:
        """Yield what is said in a file that people call `name`, as it is recognized.

        Raises NotFound for another model, InvalidInput for one that doesn't translate, BudgetExceeded, Forbidden,
        SpeechPartMissing, UnreadableFile, TooLarge, TooBusy and UpstreamError.
        """
        larger = self.chosen_recognizer.find_larger(options.task)
        server_model = self.chosen_recognizer.server_model
        standing_in = larger.id if larger is not None and server_model is None else server_model or WHISPER.id
        wanted = standing_in if model in OPENAI_NAMES else model
        if larger is not None and wanted == larger.id:
            own, recognizer = larger.to_model(), self.chosen_recognizer
        else:
            own, recognizer = WHISPER, self.recognizer
        if wanted != own.id:
            engine, found = await self._resolve(wanted, options.task)
            async with self._ledger.reading(principal, found, [options.prompt]) as count:
                heard = await hear_with_engine(engine, found, path, name, options)
                count(spoken_tokens(heard))
            for result in heard:
                yield result
            return
        heard = self._hear(principal, own, recognizer.recognize(path, name, options), options)
        if not options.quick:
            full = TooBusy(f"{MAX_WAITING} recordings are waiting already; try again when some are done.")
            turn = in_turn(self.queue, principal.id, heard, full)
            heard = read_ahead(turn, lambda _: 1, MAX_HELD_RESULTS)
        async with contextlib.aclosing(heard):
            async for result in heard:
                yield result

    async def _hear(
        self, principal: Principal, own: Model, results: AsyncGenerator[RecognitionResult], options: RecognitionOptions
    ) -> AsyncGenerator[RecognitionResult]:
        """Yield results, which count as what a model reads."""
        text = ""
        async with self._ledger.reading(principal, own, [options.prompt]) as count, contextlib.aclosing(results):
            async for result in results:
                if isinstance(result, SpokenSegment):
                    text += result.text
                    count(len(text) // 4)
                yield result

    async def _resolve(self, model: str, task: RecognitionTask) -> tuple[Engine, Model]:
        try:
            return await self._registry.resolve(model)
        except NotFound:
            own = find_whisper_model(model)
            if task == "translate" and own is not None and not own.translates:
                message = f"{own.name} was not trained to translate; use {WHISPER.id}."
                raise InvalidInput(message, param="model") from None
            message = f"No model {model} recognizes speech here; use {WHISPER.id}, or one of a server."
            raise NotFound(message, param="model") from None

    async def transcribe(
        self, principal: Principal, model: str, path: Path, name: str, options: RecognitionOptions
    ) -> Transcript:
        """Return all that is said in a file. Raises as `recognize` does."""
        segments: list[SpokenSegment] = []
        until_s, speech_end_s = 0.0, None
        async with contextlib.aclosing(self.recognize(principal, model, path, name, options)) as results:
            async for result in results:
                if isinstance(result, SpokenSegment):
                    segments.append(result)
                elif isinstance(result, SoundHeard):
                    until_s, speech_end_s = result.until_s, result.speech_end_s
        return Transcript(tuple(segments), until_s, speech_end_s)
