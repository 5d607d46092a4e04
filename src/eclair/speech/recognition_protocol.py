"""Requests to the sandbox that recognizes speech, and its results."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from eclair.sandbox.protocol import SandboxProtocol
from eclair.util.frames import Codec

RecognitionTask = Literal["transcribe", "translate"]
"""Write what is said in its own language, or in English."""
FASTER_WHISPER = "faster_whisper"
VOICE_NETWORK = Path(FASTER_WHISPER, "assets", "silero_vad_v6.onnx")
"""The network that tells speech from other sound, in the folder of the libraries."""


@dataclass(frozen=True, slots=True)
class RecognizeSpeech:
    """Recognize the speech in a file that people call `name`.

    `packages` and `model` are the folders of the libraries and the weights. Without `language` (ISO 639-1) it is
    detected for each stretch of speech; `likely` are languages that the speaker probably speaks. What was heard up to
    `after_s` is left out, and a `partial` file lacks some of it behind its beginning. `prompt` has words that are
    likely. With `words` each has its time; a `quick` reading is a little less careful. What is longer than `max_s` is
    refused.
    """

    path: str
    name: str
    packages: str
    model: str
    language: str | None
    task: RecognitionTask
    words: bool
    prompt: str
    temperature: float | None
    threads: int
    max_s: float
    quick: bool = False
    in_background: bool = False
    after_s: float = 0.0
    partial: bool = False
    likely: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LoadModel:
    """Load what a recognition needs, before there is anything to hear; the fields are those of `RecognizeSpeech`."""

    packages: str
    model: str
    threads: int


@dataclass(frozen=True, slots=True)
class SoundOpened:
    """A file of sound was opened. `duration_s` is what the file says about its length; 0 if it says nothing."""

    duration_s: float


@dataclass(frozen=True, slots=True)
class SoundHeard:
    """All up to a moment was heard, in seconds of the sound.

    Somebody spoke until `speech_end_s`; None if nobody did, or if a server can't tell.
    """

    until_s: float
    speech_end_s: float | None = None


@dataclass(frozen=True, slots=True)
class SpokenWord:
    """A word, from `start` to `end` in seconds."""

    word: str
    start: float
    end: float
    probability: float


@dataclass(frozen=True, slots=True)
class SpokenSegment:
    """A stretch of speech of about a sentence, from `start` to `end` in seconds, in a language (ISO 639-1).

    `log_probability` is the mean of its tokens, and `silence_probability` how likely it is that nobody spoke.
    """

    start: float
    end: float
    text: str
    language: str
    words: tuple[SpokenWord, ...]
    temperature: float
    log_probability: float
    compression_ratio: float
    silence_probability: float


RecognitionRequest = RecognizeSpeech | LoadModel
RecognitionResult = SoundOpened | SoundHeard | SpokenSegment

PROTOCOL = SandboxProtocol[RecognitionRequest, RecognitionResult](
    "eclair.speech.recognition_worker",
    Codec[RecognitionRequest](RecognizeSpeech, LoadModel),
    (SoundOpened, SoundHeard, SpokenSegment),
    input_paths=lambda request: (request.path,) if isinstance(request, RecognizeSpeech) else (),
    stoppable=True,
)
