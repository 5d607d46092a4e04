from __future__ import annotations

import re
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


SOUNDS = Path(__file__).parent / "sounds"
"""Short sentences in five languages, spoken by SVOX Pico (Apache-2.0)."""


def word_errors(expected: str, heard: str) -> float:
    """The share of words that differ: the edit distance between the words of two texts."""
    left, right = (re.sub(r"[^\w\s]", " ", text.lower()).split() for text in (expected, heard))
    row = list(range(len(right) + 1))
    for i, word in enumerate(left, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(right, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (word != other))
    return row[-1] / len(left)
