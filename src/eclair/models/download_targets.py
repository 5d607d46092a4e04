"""Everything that can be downloaded by name: several catalogs, asked in order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from eclair.errors import NotFound
from eclair.models import download_plan
from eclair.models.catalog import CatalogEntry
from eclair.models.download_plan import DownloadPlan
from eclair.models.huggingface import Hub
from eclair.network.client import DownloadClient
from eclair.settings import Settings


class DownloadCatalog(Protocol):
    """A catalog of models that are downloaded and removed by name."""

    async def plan(
        self, name: str, hub: Hub, downloads: DownloadClient, *, local: bool = True, addresses: bool = True
    ) -> DownloadPlan | None:
        """Plan the download of `name`; None where this catalog does not know that name.

        Files of this machine may be named only where `local`, URLs where `addresses`.
        Raises NotFound, InvalidInput, Forbidden and ModelMissing.
        """
        ...

    async def remove(self, name: str) -> tuple[CatalogEntry, int] | None:
        """Delete `name` from this machine; return its entry and the bytes freed.

        None if the name is unknown here. Raises NotFound if it is not on this machine, Conflict while it is in use,
        and ModelMissing.
        """
        ...


class TextModelCatalog:
    """The catalog of text models. It accepts any name: also repositories, URLs and files.

    `remove_model` deletes one from this machine; engines supply it, as they know what else belongs to a model.
    """

    def __init__(
        self, settings: Settings, remove_model: Callable[[str, Settings], Awaitable[tuple[CatalogEntry, int]]]
    ) -> None:
        self._settings = settings
        self._remove_model = remove_model

    async def plan(
        self, name: str, hub: Hub, downloads: DownloadClient, *, local: bool = True, addresses: bool = True
    ) -> DownloadPlan | None:
        return await download_plan.plan_download(name, self._settings, hub, downloads, local=local, addresses=addresses)

    async def remove(self, name: str) -> tuple[CatalogEntry, int] | None:
        return await self._remove_model(name, self._settings)


async def find_plan(
    catalogs: Sequence[DownloadCatalog],
    name: str,
    hub: Hub,
    downloads: DownloadClient,
    *,
    local: bool = True,
    addresses: bool = True,
) -> DownloadPlan:
    """Plan the download of `name` with the first catalog that knows it.

    Raises what `DownloadCatalog.plan` raises.
    """
    for catalog in catalogs:
        found = await catalog.plan(name, hub, downloads, local=local, addresses=addresses)
        if found is not None:
            return found
    raise NotFound(f"No catalog has a model {name!r}.", param="name")


async def remove_model(catalogs: Sequence[DownloadCatalog], name: str) -> tuple[CatalogEntry, int]:
    """Delete `name` with the first catalog that knows it; return its entry and bytes freed.

    Raises what `DownloadCatalog.remove` raises.
    """
    for catalog in catalogs:
        removed = await catalog.remove(name)
        if removed is not None:
            return removed
    raise NotFound(f"No catalog has a model {name!r}.", param="name")
