"""Whatever `eclair pull` knows by a name: picture models of their catalogue, and models that answer."""

from __future__ import annotations

import asyncio

from eclair.errors import Conflict, ModelMissing
from eclair.images import catalog, installed
from eclair.images.catalog import PictureEntry
from eclair.images.download_plan import as_entry
from eclair.images.download_plan import plan as picture_plan
from eclair.models import download_plan, install
from eclair.models.catalog import Entry
from eclair.models.download_plan import Plan
from eclair.models.huggingface import Hub
from eclair.network.client import Downloads
from eclair.settings import Settings


async def plan(
    name: str, settings: Settings, hub: Hub, downloads: Downloads, *, local: bool = True, addresses: bool = True
) -> Plan:
    """What pulling `name` means. Raises what `plans.plan` raises."""
    picture = catalog.entries(settings.catalog).get(name)
    if picture is not None:
        return await picture_plan(picture, hub, downloads)
    return await download_plan.plan(name, settings, hub, downloads, local=local, addresses=addresses)


async def remove(name: str, settings: Settings) -> tuple[Entry, int]:
    """Delete a model from this machine; what it was, and how many bytes that frees.

    Raises what `pull.remove` raises.
    """
    picture = catalog.entries(settings.catalog).get(name)
    if picture is None:
        return await install.remove(name, settings)
    return as_entry(picture), await asyncio.to_thread(_remove, picture, settings)


def _remove(entry: PictureEntry, settings: Settings) -> int:
    if not installed.folder(settings.data_dir).is_dir():
        return installed.remove(entry, settings.data_dir)  # which says that it is not here
    try:
        with install.lock(install.lock_file(settings.data_dir, entry.id)) as ours:
            if not ours:
                raise Conflict(f"{entry.name} is being fetched by another Éclair; end that one, then remove it.")
            return installed.remove(entry, settings.data_dir)
    except OSError as error:
        raise ModelMissing(f"{entry.name} cannot be removed: {error.strerror}.") from error
