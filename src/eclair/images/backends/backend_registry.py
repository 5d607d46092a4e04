"""Every image backend: those of this machine first, clip art last."""

from __future__ import annotations

from collections.abc import Sequence

from eclair.images import catalog
from eclair.images.backends.bfl_backend import BflBackend
from eclair.images.backends.clipart.backend import ClipArtBackend
from eclair.images.backends.clipart.scene_planner import ScenePlanner
from eclair.images.backends.diffusers.local_backend import DiffusersBackend
from eclair.images.backends.openai import OpenAIImageBackend
from eclair.images.backends.sdcpp import StableDiffusionCpp
from eclair.images.backends.servers import ImageServers, listed_in_file
from eclair.images.base import ImageBackend
from eclair.llm.servers.engines import ListServers
from eclair.network.gate import CLOSED_GATE, OutboundGate
from eclair.settings import Settings


def image_backends(
    settings: Settings,
    listing: ListServers | None = None,
    *,
    gate: OutboundGate = CLOSED_GATE,
    planner: ScenePlanner | None = None,
) -> Sequence[ImageBackend]:
    """Create the backends, which start nothing before they are used. The caller closes them.

    `listing` gives the added servers; without it they are read from the database file.
    `planner` may lay out clip art. Outgoing calls pass `gate`. Raises SettingsError for a faulty catalog.
    """
    taken = frozenset(catalog.entries(settings.catalog))
    servers = ImageServers(settings, listing or listed_in_file(settings))
    found: list[ImageBackend] = []
    if settings.scripted:
        from eclair.images.backends.scripted_backend import ScriptedImageBackend

        found.append(ScriptedImageBackend())
    return [
        *found,
        DiffusersBackend(settings),
        StableDiffusionCpp(settings),
        BflBackend(servers, taken, gate=gate),
        OpenAIImageBackend(servers, taken, gate=gate),
        ClipArtBackend(planner.plan if planner is not None else None),
    ]
