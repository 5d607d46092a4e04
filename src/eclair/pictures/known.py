"""Every generator of pictures that Éclair has: those of this machine first, and last those that come along."""

from __future__ import annotations

from collections.abc import Sequence

from eclair.documents.embedding import Embedder
from eclair.pictures import catalog
from eclair.pictures.base import Generator
from eclair.pictures.bfl import BlackForestLabs
from eclair.pictures.diffusers.generator import Diffusers
from eclair.pictures.drawing.drawer import Drawer
from eclair.pictures.icons.generator import Icons
from eclair.pictures.openai_images import OpenAIImages
from eclair.pictures.sdcpp import StableDiffusionCpp
from eclair.pictures.servers import Listing, PictureServers, glanced
from eclair.settings import Settings
from eclair.trust.door import CLOSED, Door


def generators(
    settings: Settings, listing: Listing | None = None, embedder: Embedder | None = None, *, door: Door = CLOSED
) -> Sequence[Generator]:
    """The generators, which start nothing before they draw. Whoever asks for them closes them.

    `listing` gives the servers that were added, as the store has them; without it they are read from its file. The
    small model understands words by the `embedder`. What leaves this machine goes through `door`. Raises SettingsError
    for a fault in the owner's catalogue.
    """
    taken = frozenset(catalog.entries(settings.catalog))
    servers = PictureServers(settings, listing or glanced(settings))
    found: list[Generator] = []
    if settings.scripted:
        from eclair.pictures.scripted import ScriptedGenerator

        found.append(ScriptedGenerator())
    return [
        *found,
        Diffusers(settings),
        StableDiffusionCpp(settings),
        BlackForestLabs(servers, taken, door=door),
        OpenAIImages(servers, taken, door=door),
        Drawer(),
        Icons(embedder),
    ]
