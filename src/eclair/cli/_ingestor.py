"""The ingestor of commands that delete or import files, and leave it to `eclair serve` to read them."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from eclair.cli._gate import open_recorded_gate
from eclair.cli._storage import opened_storage
from eclair.documents.document_parser import Parser
from eclair.documents.ingest import Ingestor
from eclair.documents.photos.classifier import classifier_file
from eclair.network.blob_calls import FILES, open_blobs
from eclair.settings import Settings
from eclair.storage.base import Storage
from eclair.storage.change_feed import ChangeFeed
from eclair.util.background import IdleScheduler


@asynccontextmanager
async def open_ingestor(settings: Settings) -> AsyncGenerator[tuple[Storage, Ingestor]]:
    """Open the database, and an ingestor that reads nothing."""
    async with opened_storage(settings) as storage, open_recorded_gate(settings, storage) as gate:
        blobs, parser = open_blobs(settings, FILES, gate), Parser(labels=classifier_file(settings.data_dir))
        yield storage, Ingestor(storage, blobs, parser, None, ChangeFeed(storage.processes), IdleScheduler())
