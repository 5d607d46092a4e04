"""The parts of speech that a data folder can have: each is a set of packages, installed when it is wanted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from eclair.models.package_set import PackageInstallation
from eclair.network.client import CLOSED_GATE, OutboundGate
from eclair.speech.listening_parts import ListeningParts
from eclair.speech.speaking_parts import SpeakingParts

SpeechPart = Literal["listening", "speaking"]


class SpeechParts:
    """The parts of a data folder. Call `close` at the end; `changed` is called when a state has changed."""

    def __init__(
        self, data_dir: Path, gate: OutboundGate = CLOSED_GATE, changed: Callable[[], None] = lambda: None
    ) -> None:
        self.listening = ListeningParts(data_dir, gate, changed)
        self.speaking = SpeakingParts(data_dir, gate, changed)

    @property
    def all(self) -> Mapping[SpeechPart, PackageInstallation]:
        """The installations by their names."""
        return {"listening": self.listening, "speaking": self.speaking}

    async def close(self) -> None:
        for part in self.all.values():
            await part.close()
