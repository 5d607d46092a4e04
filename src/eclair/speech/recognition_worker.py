"""Recognizes speech inside a sandbox, with faster-whisper. The model stays loaded for the next request."""

from __future__ import annotations

import importlib
import math
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eclair.sandbox.protocol import ProcessLimits, Rejected
from eclair.sandbox.worker import Stopping, serve_stoppable
from eclair.speech.recognition_protocol import (
    FASTER_WHISPER,
    PROTOCOL,
    VOICE_NETWORK,
    LoadModel,
    RecognitionRequest,
    RecognitionResult,
    RecognizeSpeech,
    SoundHeard,
    SoundOpened,
    SpokenSegment,
    SpokenWord,
)

if TYPE_CHECKING:
    from eclair.speech.voice_activity import VoiceActivity

MEMORY_BYTES = 12 << 30
"""Address space, most of which is never touched."""
STRETCH_CPU_S = 240.0
"""Processor time for half a minute of sound, on slow machines too."""
PROMPT_S = 60.0
"""Seconds of a recording in the background that are heard at once; the rest only while nothing else computes."""
IDLE_NICENESS = 19
"""For systems without processes that run only when nothing else does."""
TEMPERATURES = (0.0, 0.4, 0.8)
"""Tried in turn while a reading repeats itself or is unlikely."""

MIN_WINDOW_S = 15.0
"""Speech and silence that a quick reading encodes at least. At 10 s it mishears more, at 7 s it loses words."""
WINDOW_END_S = 3.0
"""Silence that a quick reading has after the speech."""
FRAMES_PER_S = 100
LEAST_TOKENS, TOKENS_PER_S, MAX_TOKENS = 20, 20, 440
"""People say up to 6 tokens a second in English, and 15 in languages whose letters take several; Whisper holds 448."""
UNLIKELY = 0.05
"""The probability of a language that isn't likely, as part of the one that it would have otherwise."""
MAX_UNSURE_S = 4.0
"""Longer speech tells its language by itself."""
BROKEN_LETTER = "\ufffd"
"""Half a letter, where the model was cut off."""

_models: dict[str, Any] = {}


def main() -> None:
    limits = ProcessLimits(MEMORY_BYTES, STRETCH_CPU_S, renewed=True)
    serve_stoppable(PROTOCOL, lambda stopping: partial(recognize, stopping), lambda _: limits)


def recognize(stopping: Stopping, request: RecognitionRequest) -> Iterator[RecognitionResult]:
    """Yield what is said in a file, until it is to be given up. Raises Rejected."""
    if request.packages not in sys.path:
        sys.path.append(request.packages)
    from eclair.speech.sound_decoding import open_sound
    from eclair.speech.voice_activity import SAMPLE_RATE, SpeechCutter

    if isinstance(request, LoadModel):
        _model(request)
        _voice_activity(request.packages)
        return
    resumes_by_s = request.after_s if request.partial else None
    duration_s, samples = open_sound(Path(request.path), request.name, request.max_s, request.quick, resumes_by_s)
    yield SoundOpened(duration_s)
    model = _model(request)
    model.encode.is_quick = request.quick
    samples = _without_beginning(samples, round(request.after_s * SAMPLE_RATE))
    is_idle = False
    cutter = SpeechCutter(_voice_activity(request.packages))
    for offset_s, stretch in cutter.cut(samples):
        start_s = offset_s + request.after_s
        if len(stretch):
            yield from (_moved(segment, start_s) for segment in _read(model, stretch, request, stopping))
        speech_end_s = None if cutter.speech_end_s is None else cutter.speech_end_s + request.after_s
        yield SoundHeard(start_s + len(stretch) / SAMPLE_RATE, speech_end_s)
        if request.in_background and not is_idle and offset_s > PROMPT_S:
            is_idle = True
            _run_only_when_idle()


def _run_only_when_idle() -> None:
    if sys.platform == "linux":
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    else:
        os.nice(IDLE_NICENESS)


def _without_beginning(pieces: Iterator[Any], count: int) -> Iterator[Any]:
    for piece in pieces:
        if count < len(piece):
            yield piece[count:] if count else piece
        count = max(0, count - len(piece))


@cache
def _voice_activity(packages: str) -> VoiceActivity:
    from eclair.speech.voice_activity import VoiceActivity

    return VoiceActivity(Path(packages, VOICE_NETWORK))


def _model(request: RecognitionRequest) -> Any:
    found = _models.get(request.model)
    if found is None:
        whisper: Any = importlib.import_module(FASTER_WHISPER)
        found = whisper.WhisperModel(request.model, device="cpu", compute_type="int8", cpu_threads=request.threads)
        found.encode = SoundEncoding(found.encode)
        _models.clear()
        _models[request.model] = found
    return found


class SoundEncoding:
    """Encodes sound for Whisper, which takes most of the time of a short sentence.

    Detecting the language and reading it then share one encoding. A quick reading encodes a short sentence with a few
    seconds of silence, where the model's own way is to fill up half a minute: it understands as many words, in less
    than half the time (`bench/LOG.md`).
    """

    def __init__(self, encode: Callable[[Any], Any]) -> None:
        self._encode = encode
        self.is_quick = False
        self._last: tuple[bool, Any, Any] | None = None

    def __call__(self, features: Any) -> Any:
        """Return the encoding of a spectrogram, bands by frames, whose silence at the end is zeros."""
        numpy: Any = importlib.import_module("numpy")
        sounding = numpy.flatnonzero(features.any(axis=0))
        end = int(sounding[-1]) + 1 if len(sounding) else 0
        known = features[:, :end]
        if self._last is not None:
            was_quick, before, encoded = self._last
            if was_quick == self.is_quick and _is_same(known, before):
                return encoded
        if self.is_quick:
            wanted = max(MIN_WINDOW_S * FRAMES_PER_S, end + WINDOW_END_S * FRAMES_PER_S)
            features = numpy.ascontiguousarray(features[:, : 2 * math.ceil(wanted / 2)])
        encoded = self._encode(features)
        self._last = self.is_quick, known, encoded
        return encoded


def _is_same(features: Any, before: Any) -> bool:
    """Tell whether two spectrograms agree but for a last frame that one of them may lack."""
    frames = min(features.shape[1], before.shape[1])
    is_as_long = abs(features.shape[1] - before.shape[1]) <= 1
    return is_as_long and bool((features[:, :frames] == before[:, :frames]).all())


def _read(model: Any, stretch: Any, request: RecognizeSpeech, stopping: Stopping) -> list[SpokenSegment]:
    """Read a stretch of speech. Raises Rejected."""
    temperatures = TEMPERATURES if request.temperature is None else (request.temperature,)
    language = request.language or _detect_language(model, stretch, request.likely)
    if stopping:
        return []
    try:
        found, about = model.transcribe(
            stretch,
            language=language,
            task=request.task,
            temperature=temperatures[:1] if request.quick else temperatures,
            initial_prompt=request.prompt or None,
            condition_on_previous_text=False,
            word_timestamps=request.words,
            without_timestamps=False,
            max_new_tokens=_max_tokens(len(stretch)) if request.quick else None,
        )
    except ValueError as error:
        raise Rejected(f"The language {request.language} is none that Whisper knows.") from error
    segments: list[SpokenSegment] = []
    for each in found:
        segment = _segment(each, about.language)
        segments += [segment] * bool(segment.text)
        if stopping:
            break
    return segments


def _max_tokens(samples: int) -> int:
    """Return a bound on the tokens of a short sentence, without which noise may be read as one that never ends."""
    from eclair.speech.voice_activity import SAMPLE_RATE

    return min(MAX_TOKENS, LEAST_TOKENS + TOKENS_PER_S * samples // SAMPLE_RATE)


def _detect_language(model: Any, stretch: Any, likely: tuple[str, ...]) -> str:
    """Return the language that is spoken; a single word is often taken for one of another unless some are `likely`."""
    from eclair.speech.voice_activity import SAMPLE_RATE

    detected, _, found = model.detect_language(stretch)
    if not likely or len(stretch) > MAX_UNSURE_S * SAMPLE_RATE:
        return detected
    return max(found, key=lambda each: each[1] * (1.0 if each[0] in likely else UNLIKELY))[0]


def _segment(segment: Any, language: str) -> SpokenSegment:
    words = [
        SpokenWord(text, float(word.start), float(word.end), float(word.probability))
        for word in segment.words or ()
        if (text := word.word.replace(BROKEN_LETTER, "")).strip()
    ]
    return SpokenSegment(
        start=float(segment.start),
        end=float(segment.end),
        text=segment.text.replace(BROKEN_LETTER, "").strip(),
        language=language,
        words=tuple(words),
        temperature=float(segment.temperature or 0.0),
        log_probability=float(segment.avg_logprob),
        compression_ratio=float(segment.compression_ratio),
        silence_probability=float(segment.no_speech_prob),
    )


def _moved(segment: SpokenSegment, by_s: float) -> SpokenSegment:
    """Return the segment with times in the whole sound."""
    words = tuple(replace(word, start=word.start + by_s, end=word.end + by_s) for word in segment.words)
    return replace(segment, start=segment.start + by_s, end=segment.end + by_s, words=words)
