"""Every generator of pictures that Éclair has: those of this machine first, and last those that come along."""

from __future__ import annotations

from collections.abc import Sequence

from eclair.images import catalog
from eclair.images.backends.bfl import BlackForestLabs
from eclair.images.backends.clipart.backend import ClipArt
from eclair.images.backends.diffusers.generator import Diffusers
from eclair.images.backends.openai import OpenAIImages
from eclair.images.backends.sdcpp import StableDiffusionCpp
from eclair.images.backends.servers import Listing, PictureServers, glanced
from eclair.images.base import Generator
from eclair.images.scene_planner import ScenePlanner
from eclair.network.gate import CLOSED_GATE, OutboundGate
from eclair.settings import Settings


def generators(
    settings: Settings,
    listing: Listing | None = None,
    *,
    gate: OutboundGate = CLOSED_GATE,
    planner: ScenePlanner | None = None,
) -> Sequence[Generator]:
    """The generators, which start nothing before they draw. Whoever asks for them closes them.

    `listing` gives the servers that were added, as the store has them; without it they are read from its file.
    `planner` may lay out clip art. Outgoing calls pass `gate`. Raises SettingsError for a faulty catalogue.
    """
    taken = frozenset(catalog.entries(settings.catalog))
    servers = PictureServers(settings, listing or glanced(settings))
    found: list[Generator] = []
    if settings.scripted:
        from eclair.images.backends.scripted import ScriptedGenerator

        found.append(ScriptedGenerator())
    return [
        *found,
        Diffusers(settings),
        StableDiffusionCpp(settings),
        BlackForestLabs(servers, taken, gate=gate),
        OpenAIImages(servers, taken, gate=gate),
        ClipArt(planner.plan if planner is not None else None),
    ]
