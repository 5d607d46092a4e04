"""Whatever `eclair pull` knows by a name: picture models of their catalogue, and models that answer."""

from __future__ import annotations

import asyncio

from eclair.engines import plans, pull
from eclair.engines.catalog import Entry
from eclair.engines.hub import Hub
from eclair.engines.plans import Plan
from eclair.errors import Conflict, ModelMissing
from eclair.pictures import catalog, shelf
from eclair.pictures.catalog import PictureEntry
from eclair.pictures.plans import as_entry
from eclair.pictures.plans import plan as picture_plan
from eclair.settings import Settings
from eclair.trust.egress import Downloads


async def plan(
    name: str, settings: Settings, hub: Hub, downloads: Downloads, *, local: bool = True, addresses: bool = True
) -> Plan:
    """What pulling `name` means. Raises what `plans.plan` raises."""
    picture = catalog.entries(settings.catalog).get(name)
    if picture is not None:
        return await picture_plan(picture, hub, downloads)
    return await plans.plan(name, settings, hub, downloads, local=local, addresses=addresses)


async def remove(name: str, settings: Settings) -> tuple[Entry, int]:
    """Delete a model from this machine; what it was, and how many bytes that frees.

    Raises what `pull.remove` raises.
    """
    picture = catalog.entries(settings.catalog).get(name)
    if picture is None:
        return await pull.remove(name, settings)
    return as_entry(picture), await asyncio.to_thread(_remove, picture, settings)


def _remove(entry: PictureEntry, settings: Settings) -> int:
    if not shelf.folder(settings.data_dir).is_dir():
        return shelf.remove(entry, settings.data_dir)  # which says that it is not here
    try:
        with pull.lock(pull.lock_file(settings.data_dir, entry.id)) as ours:
            if not ours:
                raise Conflict(f"{entry.name} is being fetched by another Éclair; end that one, then remove it.")
            return shelf.remove(entry, settings.data_dir)
    except OSError as error:
        raise ModelMissing(f"{entry.name} cannot be removed: {error.strerror}.") from error
