"""Speech in files of many formats becomes text with times; what is no speech doesn't."""

from __future__ import annotations

import contextlib
import struct
import wave
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio

from eclair.errors import EngineBroken, SpeechPartMissing, TooLarge, UnreadableFile
from eclair.sandbox.pool import SandboxPool
from eclair.sandbox.protocol import SandboxError
from eclair.settings import Settings
from eclair.speech.listening_parts import ListeningParts
from eclair.speech.recognition import RecognitionOptions, SpeechRecognizer
from eclair.speech.recognition_protocol import (
    RecognitionResult,
    RecognizeSpeech,
    SoundHeard,
    SoundOpened,
    SpokenSegment,
)
from eclair.speech.speaking_parts import SpeakingParts
from eclair.speech.spoken_text import SpokenSentence
from eclair.speech.synthesis import SpeechSynthesizer, require_voices, voice_sentences
from tests.speech.conftest import SOUNDS, word_errors

pytestmark = pytest.mark.asyncio(loop_scope="module")

SPOKEN = {
    "english.webm": "The harbour master closed the northern gate on Tuesday, "
    "because the storm had damaged two of the cranes.",
    "german.mp3": "Der Hafenmeister hat am Dienstag das nördliche Tor geschlossen, "
    "weil der Sturm zwei Kräne beschädigt hat.",
    "french.ogg": "Le maire a inauguré mardi la nouvelle bibliothèque, qui ouvre ses portes à neuf heures du matin.",
    "spanish.m4a": "El martes la alcaldesa inauguró la nueva biblioteca, que abre sus puertas por la mañana.",
    "italian.flac": "Martedì il sindaco ha inaugurato la nuova biblioteca, che apre le porte ogni mattina.",
}
LANGUAGES = {"english": "en", "german": "de", "french": "fr", "spanish": "es", "italian": "it"}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def recognizer() -> AsyncGenerator[SpeechRecognizer]:
    found = SpeechRecognizer(ListeningParts(Settings().data_dir))
    yield found
    await found.close()


async def heard(recognizer: SpeechRecognizer, path: Path, options: RecognitionOptions) -> list[SpokenSegment]:
    results = [result async for result in recognizer.recognize(path, path.name, options)]
    assert isinstance(results[0], SoundOpened)
    assert isinstance(results[-1], SoundHeard)
    return [result for result in results if isinstance(result, SpokenSegment)]


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("name", SPOKEN)
async def test_speech_is_written_in_its_language(recognizer: SpeechRecognizer, name: str, quick: bool) -> None:
    segments = await heard(recognizer, SOUNDS / name, RecognitionOptions(quick=quick))
    text = " ".join(segment.text for segment in segments)
    assert word_errors(SPOKEN[name], text) <= 0.2, text
    assert {segment.language for segment in segments} == {LANGUAGES[name.partition(".")[0]]}


async def test_a_single_word_is_known_where_its_language_is_likely(
    recognizer: SpeechRecognizer, tmp_path: Path
) -> None:
    synthesizer = SpeechSynthesizer(SpeakingParts(Settings().data_dir))
    for number, (language, word) in enumerate([("fr", "Oui."), ("it", "Domani."), ("en", "Yes.")]):
        path = tmp_path / f"{number}.wav"
        [sentence] = require_voices(voice_sentences([SpokenSentence(0, len(word), word, language)]))
        path.write_bytes(b"".join([sound.data async for sound in synthesizer.speak([sentence])]))
        for likely in ((language, "en"), ("en", language, "xx", "ga", "nb")):
            [segment] = await heard(recognizer, path, RecognitionOptions(quick=True, likely=likely))
            assert (segment.language, segment.text.rstrip(".")) == (language, word.rstrip("."))
    await synthesizer.close()


@pytest.mark.parametrize("name", SPOKEN)
async def test_a_sentence_is_known_where_another_language_is_likely(recognizer: SpeechRecognizer, name: str) -> None:
    segments = await heard(recognizer, SOUNDS / name, RecognitionOptions(quick=True, likely=("pl", "ja")))
    assert {segment.language for segment in segments} == {LANGUAGES[name.partition(".")[0]]}


async def test_words_have_their_times(recognizer: SpeechRecognizer) -> None:
    segments = await heard(recognizer, SOUNDS / "english.webm", RecognitionOptions("en", words=True))
    words = [word for segment in segments for word in segment.words]
    assert "Tuesday" in "".join(word.word for word in words)
    times = [time for word in words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert 0.2 < times[0] < 1
    assert 5 < times[-1] < 8


async def test_what_was_heard_before_is_left_out(recognizer: SpeechRecognizer) -> None:
    segments = await heard(recognizer, SOUNDS / "english.webm", RecognitionOptions("en", quick=True, after_s=4))
    text = " ".join(segment.text for segment in segments)
    assert "cranes" in text
    assert "harbour" not in text
    assert segments[0].start >= 3.5


async def test_speech_is_translated_into_english(recognizer: SpeechRecognizer) -> None:
    (segment, *_) = await heard(recognizer, SOUNDS / "french.ogg", RecognitionOptions(task="translate"))
    assert "library" in segment.text.lower()


async def test_a_recording_that_is_still_being_made_is_read(recognizer: SpeechRecognizer, tmp_path: Path) -> None:
    part = tmp_path / "part.webm"
    part.write_bytes((SOUNDS / "english.webm").read_bytes()[:12_000])
    (segment, *_) = await heard(recognizer, part, RecognitionOptions("en", quick=True))
    assert "harbo" in segment.text.lower()


async def test_silence_and_noise_have_no_words(recognizer: SpeechRecognizer, tmp_path: Path) -> None:
    noise = np.random.default_rng(1).normal(0, 300, 16_000 * 12).astype(np.int16)
    for samples in (np.zeros(16_000 * 12, np.int16), noise):
        path = tmp_path / "quiet.wav"
        write_wav(path, samples)
        assert await heard(recognizer, path, RecognitionOptions()) == []


async def test_bad_files_are_refused_with_a_reason(recognizer: SpeechRecognizer, tmp_path: Path) -> None:
    path = tmp_path / "talk.mp3"
    for data, reason in (
        (b"", "is empty"),
        (b"this is no sound at all" * 40, "can't be decoded"),
        ((SOUNDS / "spanish.m4a").read_bytes()[:5000], "can't be decoded|damaged"),
        (
            struct.pack("<4sI4s4sIHHIIHH4sI", b"RIFF", 36, b"WAVE", b"fmt ", 16, 1, 1, 16000, 32000, 2, 16, b"data", 0),
            "no sound",
        ),
    ):
        path.write_bytes(data)
        with pytest.raises(UnreadableFile, match=f"^talk.mp3 .*({reason})"):
            await heard(recognizer, path, RecognitionOptions())
    with pytest.raises(TooLarge, match="longer than"):
        await heard(recognizer, SOUNDS / "english.webm", RecognitionOptions(max_s=2))


async def hear_with(
    monkeypatch: pytest.MonkeyPatch, *attempts: Sequence[RecognitionResult | SandboxError]
) -> tuple[list[RecognitionResult], list[float]]:
    """Recognize with processes that give these results, one after the other.

    Return the results, and from which second on each process was asked to hear.
    """
    waiting, asked = list(attempts), list[float]()

    class Process:
        async def ask(self, request: RecognizeSpeech, *, result_timeout_s: float) -> AsyncGenerator[RecognitionResult]:
            assert result_timeout_s > 0
            asked.append(request.after_s)
            for result in waiting.pop(0):
                if isinstance(result, SandboxError):
                    raise result
                yield result

    @contextlib.asynccontextmanager
    async def worker(_: object) -> AsyncGenerator[Process]:
        yield Process()

    monkeypatch.setattr(SandboxPool, "worker", worker)
    recognizer = SpeechRecognizer(ListeningParts(Settings().data_dir))
    results = [result async for result in recognizer.recognize(SOUNDS / "english.webm", "talk.mp3")]
    return results, asked


async def test_a_process_that_dies_is_replaced_once(monkeypatch: pytest.MonkeyPatch) -> None:
    opened, dead = SoundOpened(60), SandboxError("death")
    begun = [opened, SoundHeard(30, 28)]
    found, asked = await hear_with(monkeypatch, [*begun, dead], [opened, SoundHeard(60, None)])
    assert (found, asked) == ([*begun, SoundHeard(60, 28)], [0, 30])
    with pytest.raises(EngineBroken, match="broke off; try again"):
        await hear_with(monkeypatch, [dead], [*begun, dead])
    with pytest.raises(EngineBroken, match="took too long"):
        await hear_with(monkeypatch, [SandboxError("timeout")])
    with pytest.raises(UnreadableFile, match=r"talk\.mp3 is damaged"):
        await hear_with(monkeypatch, [SandboxError("crash")])


async def test_without_the_parts_the_remedy_is_named(settings: Settings) -> None:
    recognizer = SpeechRecognizer(ListeningParts(settings.data_dir))
    with pytest.raises(SpeechPartMissing, match="eclair speech install"):
        await heard(recognizer, SOUNDS / "english.webm", RecognitionOptions())
    await recognizer.close()


def write_wav(path: Path, samples: np.ndarray) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(16_000)
        file.writeframes(samples.tobytes())
