"""Opens the gallery and the image service."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

from eclair.accounts.budgets import Budgets
from eclair.accounts.rights import OPEN_RULES, RightRules
from eclair.documents.vision import VisionService
from eclair.generation.use_warning import check_use
from eclair.images.base import ImageBackend
from eclair.images.gallery import Gallery
from eclair.images.inputs import ImageInputs
from eclair.images.inspect import ImageInspector
from eclair.images.service import ImageService
from eclair.live_settings import LiveSettings
from eclair.network.blob_calls import PICTURES, open_blobs
from eclair.network.gate import OutboundGate
from eclair.provenance.service import Provenance
from eclair.settings import Settings
from eclair.storage.base import Storage
from eclair.storage.blobs import Blobs
from eclair.util.background import IdleScheduler


def open_gallery(settings: Settings, storage: Storage, gate: OutboundGate) -> Gallery:
    """Open the gallery; it has to be started before use. Raises SettingsError."""
    return Gallery(storage.images, open_blobs(settings, PICTURES, gate))


@asynccontextmanager
async def open_image_service(
    live_settings: LiveSettings,
    storage: Storage,
    gallery: Gallery,
    files: Blobs,
    vision: VisionService,
    provenance: Provenance,
    idle: IdleScheduler,
    backends: Sequence[ImageBackend],
    budgets: Budgets,
    rights: RightRules = OPEN_RULES,
) -> AsyncGenerator[ImageService]:
    """Open the service over these backends, and close both at the end. `files` has the bytes of files to edit."""
    settings = live_settings.current
    inspector = ImageInspector()
    inputs = ImageInputs(gallery, storage.files, files, vision, inspector)
    service = ImageService(
        backends,
        gallery,
        inputs,
        inspector,
        provenance,
        idle,
        model=settings.picture_model,
        budgets=budgets,
        timeout_s=settings.picture_seconds,
        max_concurrent=settings.pictures_at_once,
        check_prompt=lambda prompt: check_use(prompt, live_settings.current),
        rights=rights,
    )
    try:
        yield service
    finally:
        await service.close()
        await inspector.close()
