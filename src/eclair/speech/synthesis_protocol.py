"""Requests to the sandbox that makes speech, and its results. One process speaks for everybody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from eclair.sandbox.protocol import SandboxProtocol
from eclair.speech.voices import VoiceEngine
from eclair.util.frames import Codec

SoundForm = Literal["mp3", "wav", "opus", "flac", "pcm"]
MEDIA_TYPES: dict[SoundForm, str] = {
    "mp3": "audio/mpeg",
    "wav": "audio/wav",
    "opus": "audio/ogg",
    "flac": "audio/flac",
    "pcm": "audio/pcm",
}
SAMPLE_RATE = 24_000
"""Samples a second of all speech, one channel, 16 bits."""

MIN_SPEED, MAX_SPEED = 0.25, 4.0
MAX_SENTENCE_CHARS = 4000
CPU_LIMIT_S = 120
"""CPU time for a sentence."""
MEMORY_LIMIT_BYTES = 4 << 30


@dataclass(frozen=True, slots=True)
class VoicedSentence:
    """A sentence as it is written, and the voice that speaks it. `locale` is the voice's, such as en-GB."""

    text: str
    locale: str
    voice: str
    engine: VoiceEngine


@dataclass(frozen=True, slots=True)
class SpeakSentences:
    """Speak sentences one after the other with what is installed in `folder`, as one sound in a form.

    A process computes with as many `threads` as its first request says.
    """

    folder: str
    sentences: tuple[VoicedSentence, ...]
    speed: float
    form: SoundForm
    threads: int = 1


@dataclass(frozen=True, slots=True)
class SpokenSound:
    """The next piece of the sound, after a sentence; `seconds` is how long that sentence takes."""

    data: bytes
    seconds: float


PROTOCOL = SandboxProtocol[SpeakSentences, SpokenSound](
    "eclair.speech.synthesis_worker", Codec(SpeakSentences), (SpokenSound,), stoppable=True
)
