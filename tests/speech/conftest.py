from __future__ import annotations

from pathlib import Path

from eclair.settings import Settings
from eclair.speech.listening_parts import ListeningParts
from eclair.speech.speaking_parts import SpeakingParts


def installed_listening() -> Path:
    """The parts that recognize speech, which `make test` installs before the tests begin."""
    parts = ListeningParts(Settings().data_dir)
    assert parts.is_ready, "install the parts of speech: `make speech`"
    return parts.folder


def lend_listening(settings: Settings) -> None:
    """Give a data folder the parts that are installed on this machine."""
    target = ListeningParts(settings.data_dir).folder
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(installed_listening())


def lend_speaking(settings: Settings) -> None:
    """Give a data folder the voices that are installed on this machine."""
    installed = SpeakingParts(Settings().data_dir)
    assert installed.is_ready, "install the voices: `make speech`"
    target = SpeakingParts(settings.data_dir).folder
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(installed.folder)
