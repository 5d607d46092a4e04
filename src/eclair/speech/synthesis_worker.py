"""Makes speech inside a sandbox: hibari for one English voice, Kokoro for most, SVOX Pico for German."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache, partial
from importlib import import_module, resources
from pathlib import Path
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from eclair.sandbox.protocol import ProcessLimits
from eclair.sandbox.worker import Stopping, serve_stoppable
from eclair.speech.pronunciation import Pronouncer, open_pronouncer
from eclair.speech.sound_encoder import Samples, SoundEncoder
from eclair.speech.synthesis_protocol import (
    CPU_LIMIT_S,
    MEMORY_LIMIT_BYTES,
    PROTOCOL,
    SAMPLE_RATE,
    SpeakSentences,
    SpokenSound,
    VoicedSentence,
)
from eclair.speech.written_out import write_out

MAX_PHONEMES = 500
"""Kokoro takes 510 at once; longer sentences are spoken in parts."""
STYLE_SIZE = 256
LEAD_S = 0.05
"""Silence before a sentence. The voices leave up to 0.4 s before it and 0.7 s behind it."""
SENTENCE_PAUSE_S, CLAUSE_PAUSE_S = 0.35, 0.15
"""Silence after a sentence, and after a part of one."""
SILENCE = 0.01
"""Samples softer than this part of the loudest one are silence."""
PICO_PACKAGE = "py_nanotts"
"""Comes with the voices."""
PICO_RATE = 16_000
PICO_LOCALE = "de-DE"
FADE_SAMPLES = 240
HIBARI_PACKAGE = "hibari"
"""Comes with the voices."""
HIBARI_SEED = 0
"""Makes the same sound of the same text."""


def main() -> None:
    limits = ProcessLimits(MEMORY_LIMIT_BYTES, CPU_LIMIT_S, renewed=True)
    serve_stoppable(PROTOCOL, lambda stopping: Speaker(stopping).speak, lambda _: limits)


class Speaker:
    """Speaks with the parts of one folder, which are loaded when they are first needed."""

    def __init__(self, stopping: Stopping) -> None:
        self._stopping = stopping
        self._folder = Path()
        self._threads = 1
        self._kokoro: Any = None
        self._hibari: Any = None
        self._pronouncers: dict[str, Pronouncer] = {}

    def speak(self, request: SpeakSentences) -> Iterator[SpokenSound]:
        self._folder = Path(request.folder)
        if request.folder not in sys.path:
            sys.path.insert(0, request.folder)
        self._threads = request.threads
        encoder = SoundEncoder(request.form)
        for sentence in request.sentences:
            samples = self._samples(sentence, request.speed)
            samples = set_silence(samples, LEAD_S, pause_after(sentence.text) / request.speed)
            data = encoder.add(samples)
            yield SpokenSound(data, len(samples) / SAMPLE_RATE)
        if rest := encoder.finish():
            yield SpokenSound(rest, 0.0)

    def _samples(self, sentence: VoicedSentence, speed: float) -> Samples:
        text = write_out(sentence.text, sentence.locale.partition("-")[0])
        if sentence.engine == "pico":
            return _speak_with_pico(text, speed)
        if sentence.locale not in self._pronouncers:
            self._pronouncers[sentence.locale] = open_pronouncer(sentence.locale, self._folder / "pronunciations")
        phonemes = self._pronouncers[sentence.locale].phonemes(text)
        pieces = [
            self._run_hibari(piece, speed)
            if sentence.engine == "hibari"
            else self._run_kokoro(piece, sentence.voice, speed)
            for piece in split_phonemes(phonemes)
            if not self._stopping
        ]
        return np.concatenate(pieces) if pieces else np.zeros(0, np.int16)

    def _run_hibari(self, phonemes: str, speed: float) -> Samples:
        if self._hibari is None:
            package: Any = import_module(HIBARI_PACKAGE)
            self._hibari = package.Hibari(threads=self._threads)
        return _to_samples(self._hibari.from_phonemes(phonemes, speed, seed=HIBARI_SEED))

    def _run_kokoro(self, phonemes: str, voice: str, speed: float) -> Samples:
        if self._kokoro is None:
            self._kokoro = _open_model(self._folder / "kokoro.onnx", self._threads)
        vocabulary = _vocabulary()
        tokens = [vocabulary[sign] for sign in phonemes if sign in vocabulary]
        if not tokens:
            return np.zeros(0, np.int16)
        styles = _read_voice(self._folder / "voices" / f"{voice}.bin")
        inputs = {
            "tokens": np.array([[0, *tokens, 0]], dtype=np.int64),
            "style": styles[min(len(tokens), len(styles) - 1)][None],
            "speed": np.array([speed], dtype=np.float32),
        }
        options = _runtime().RunOptions()
        with self._stopping.calling(partial(setattr, options, "terminate", True)):
            return _to_samples(self._kokoro.run(None, inputs, options)[0])


def pause_after(text: str) -> float:
    """Return the seconds of silence after a sentence, or a part of one, as its last sign has them."""
    return CLAUSE_PAUSE_S if text.endswith(",") else SENTENCE_PAUSE_S


def set_silence(samples: Samples, before_s: float, after_s: float) -> Samples:
    """Trim or pad the silence around a sound to so many seconds."""
    loud = np.flatnonzero(np.abs(samples) > SILENCE * np.abs(samples).max(initial=0))
    if not len(loud):
        return samples
    before, after = int(before_s * SAMPLE_RATE), int(after_s * SAMPLE_RATE)
    begin, end = max(0, loud[0] - before), min(len(samples), loud[-1] + 1 + after)
    return np.pad(samples[begin:end], (max(0, before - loud[0]), max(0, loud[-1] + 1 + after - len(samples))))


def split_phonemes(phonemes: str) -> list[str]:
    """Cut phonemes into parts that the model takes, at a pause if there is one, else at a word's end."""
    parts: list[str] = []
    while len(phonemes) > MAX_PHONEMES:
        head = phonemes[:MAX_PHONEMES]
        pause = max(head.rfind(sign) for sign in ".,;:!?")
        cut = pause + 1 if pause > MAX_PHONEMES // 3 else head.rfind(" ")
        cut = cut if cut > 0 else MAX_PHONEMES
        parts.append(phonemes[:cut].strip())
        phonemes = phonemes[cut:].strip()
    return [part for part in [*parts, phonemes] if part]


def _open_model(path: Path, threads: int) -> Any:
    runtime = _runtime()
    options = runtime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return runtime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _runtime() -> Any:
    import onnxruntime  # pyright: ignore[reportMissingTypeStubs]

    return onnxruntime


@cache
def _read_voice(path: Path) -> NDArray[np.float32]:
    return np.fromfile(path, dtype="<f4").reshape(-1, STYLE_SIZE)


@cache
def _vocabulary() -> dict[str, int]:
    return orjson.loads(resources.files("eclair.speech").joinpath("kokoro_vocabulary.json").read_bytes())


def _speak_with_pico(text: str, speed: float) -> Samples:
    py_nanotts: Any = import_module(PICO_PACKAGE)

    raw: bytes = py_nanotts.NanoTTS().speak(text, voice=PICO_LOCALE, speed=speed)
    heard = np.frombuffer(raw, dtype="<i2").astype(np.float32) / 32768
    if not len(heard):
        return np.zeros(0, np.int16)
    places = np.arange(int(len(heard) * SAMPLE_RATE / PICO_RATE)) * (PICO_RATE / SAMPLE_RATE)
    return _to_samples(np.interp(places, np.arange(len(heard)), heard).astype(np.float32))


def _to_samples(heard: NDArray[np.float32]) -> Samples:
    """Return 16-bit samples that begin and end softly."""
    heard = np.clip(np.nan_to_num(heard), -1.0, 1.0)
    if len(heard) > 2 * FADE_SAMPLES:
        fade = np.linspace(0, 1, FADE_SAMPLES, dtype=np.float32)
        heard[:FADE_SAMPLES] *= fade
        heard[-FADE_SAMPLES:] *= fade[::-1]
    return (heard * 32767).astype(np.int16)


if __name__ == "__main__":
    main()
