"""The voices that can be installed, and the choice of one for a sentence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from eclair.errors import InvalidInput

VoiceEngine = Literal["hibari", "kokoro", "pico"]
VoiceKind = Literal["female", "male"]


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice. `locale` is such as en-GB; `is_natural` is False for one that sounds like a machine."""

    id: str
    name: str
    locale: str
    kind: VoiceKind
    engine: VoiceEngine
    is_natural: bool = True

    @property
    def language(self) -> str:
        return self.locale.partition("-")[0]


VOICES = (
    Voice("af_heart", "Heart", "en-US", "female", "hibari"),
    Voice("af_bella", "Bella", "en-US", "female", "kokoro"),
    Voice("am_michael", "Michael", "en-US", "male", "kokoro"),
    Voice("bf_emma", "Emma", "en-GB", "female", "kokoro"),
    Voice("bm_george", "George", "en-GB", "male", "kokoro"),
    Voice("ff_siwis", "Siwis", "fr-FR", "female", "kokoro"),
    Voice("ef_dora", "Dora", "es-ES", "female", "kokoro"),
    Voice("em_alex", "Alex", "es-ES", "male", "kokoro"),
    Voice("if_sara", "Sara", "it-IT", "female", "kokoro"),
    Voice("im_nicola", "Nicola", "it-IT", "male", "kokoro"),
    Voice("pf_dora", "Dora", "pt-BR", "female", "kokoro"),
    Voice("pm_alex", "Alex", "pt-BR", "male", "kokoro"),
    Voice("pico_de", "Pico", "de-DE", "female", "pico", is_natural=False),
)

SPOKEN_LANGUAGES = tuple(dict.fromkeys(voice.language for voice in VOICES))

OPENAI_VOICES: dict[str, VoiceKind] = {
    **dict.fromkeys(("alloy", "coral", "fable", "marin", "nova", "sage", "shimmer"), "female"),
    **dict.fromkeys(("ash", "ballad", "cedar", "echo", "onyx", "verse"), "male"),
}
"""Names that programs written for OpenAI send; each stands for the voice of that kind in the text's language."""


def find_voice(name: str) -> Voice | None:
    """Return the voice with that id."""
    return next((voice for voice in VOICES if voice.id == name), None)


def check_voice(name: str) -> None:
    """Raises InvalidInput unless the name is that of a voice, or one of OpenAI's."""
    if find_voice(name) is None and name not in OPENAI_VOICES:
        known = ", ".join([*(voice.id for voice in VOICES), *OPENAI_VOICES])
        raise InvalidInput(f"There is no voice {name!r}; choose one of {known}.", param="voice")


def choose_voice(language: str | None, chosen: Sequence[str] = ()) -> Voice | None:
    """Return the voice for a language: the first chosen one that speaks it, else its first; None if there is none.

    Where the language is unknown, the first chosen voice speaks it, or English.
    """
    known = [voice for name in chosen if (voice := find_voice(name)) is not None]
    if language is None:
        language = known[0].language if known else "en"
    of_language = [voice for voice in VOICES if voice.language == language]
    for voice in known:
        if voice in of_language:
            return voice
    kinds = [OPENAI_VOICES[name] for name in chosen if name in OPENAI_VOICES] + [voice.kind for voice in known]
    fitting = [voice for voice in of_language if voice.kind in kinds[:1]]
    return next(iter([*fitting, *of_language]), None)
