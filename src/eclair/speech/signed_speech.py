"""Signs speech that was made here with Content Credentials (C2PA), which need the whole sound."""

from __future__ import annotations

from eclair.errors import InvalidInput
from eclair.provenance.service import Provenance
from eclair.speech.sound_encoder import with_length
from eclair.speech.speech_request import SPEECH_MODEL
from eclair.speech.synthesis_protocol import MEDIA_TYPES, SoundForm

SIGNED_FORMS: tuple[SoundForm, ...] = ("mp3", "wav", "flac")
"""Forms that C2PA has a place in."""


def check_signed_form(form: SoundForm) -> None:
    """Raises InvalidInput for a form that bears no credentials."""
    if form not in SIGNED_FORMS:
        raise InvalidInput(f"Sound as {form} can't be signed; ask for {', '.join(SIGNED_FORMS)}.", param="signed")


async def sign_speech(provenance: Provenance, sound: bytes, form: SoundForm) -> bytes:
    """Return a whole sound of the installed voices with signed credentials. Raises SettingsError and InvalidInput."""
    check_signed_form(form)
    whole = with_length(sound) if form == "wav" else sound
    return await provenance.sign_file(whole, MEDIA_TYPES[form], [SPEECH_MODEL.name])
