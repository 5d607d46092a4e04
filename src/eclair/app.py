"""Composition root: builds every service from Settings. Shared by server and CLI."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from eclair.chat.answer_requests import AnswerRequests
from eclair.chat.conversations import ConversationService
from eclair.chat.preferences import PreferenceService
from eclair.chat.prefill import Prefill
from eclair.chat.routing import ModelRouter
from eclair.chat.runs import Runs
from eclair.chat.titles import TitleGenerator
from eclair.chat.turn_options import TurnOptions
from eclair.chat.turns import Turns
from eclair.documents.embeddings import Embedder, choose_embedder
from eclair.documents.ingest import Ingestor
from eclair.documents.parser import Parser
from eclair.documents.photos.classifier import classifier_file
from eclair.documents.retriever import DocumentService
from eclair.documents.search import DocumentSearch
from eclair.documents.vision import VisionService
from eclair.generation.pipeline import AnswerPipeline
from eclair.generation.usage import AskModel, UsageLedger
from eclair.images.backends.registry import image_backends
from eclair.images.download_plan import ImageModelCatalog
from eclair.images.gallery import Gallery
from eclair.images.open import open_gallery, open_image_service
from eclair.images.scene_planner import ScenePlanner
from eclair.images.service import ImageService
from eclair.llm.local.engine import LocalEngine
from eclair.llm.local.removal import remove_model
from eclair.llm.registry import Registry, build_registry
from eclair.llm.servers.engines import UserEngines
from eclair.llm.servers.service import ServerService
from eclair.llm.tuning.auto import AutoTuner
from eclair.models.download_targets import TextModelCatalog
from eclair.models.downloads import ModelDownloads
from eclair.network.audit_log import AuditLog
from eclair.network.client import OutboundGate, WebClient
from eclair.network.policy import OutboundPolicy
from eclair.provenance.service import Provenance
from eclair.schema.events import Event, decode, fold
from eclair.schema.messages import Message, Role, Web
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.storage.base import Storage
from eclair.storage.blobs import Blobs
from eclair.storage.change_feed import ChangeFeed
from eclair.storage.open import open_storage
from eclair.transfer.import_service import ImportService
from eclair.util.background import IdleScheduler
from eclair.web.feeds.service import FeedService
from eclair.web.open import REAL_ENVIRONMENT, Environment, open_web
from eclair.web.providers.feed_entries import FeedProvider
from eclair.web.retriever import WebService


@dataclass(frozen=True, slots=True)
class App:
    settings: Settings
    storage: Storage
    registry: Registry
    router: ModelRouter
    preferences: PreferenceService
    runs: Runs
    pipeline: AnswerPipeline
    requests: AnswerRequests
    turns: Turns
    changes: ChangeFeed
    conversations: ConversationService
    imports: ImportService
    idle: IdleScheduler
    downloads: ModelDownloads
    ledger: UsageLedger
    calls: AuditLog
    browser: WebClient
    servers: ServerService
    ingestor: Ingestor
    blobs: Blobs
    search: DocumentSearch
    documents: DocumentService
    vision: VisionService
    feeds: FeedService
    web: WebService
    marks: Provenance
    gallery: Gallery
    images: ImageService

    async def answer(self, question: str, *, model: str | None = None, web: Web | None = None) -> Message:
        """Answer a question and store nothing.

        A failed answer has a `fault`. Raises what `stream` raises.
        """
        return fold([event async for event in self.stream(question, model=model, web=web)])

    async def stream(
        self, question: str, *, model: str | None = None, web: Web | None = None
    ) -> AsyncGenerator[Event, None]:
        """Answer a question and store nothing; yield the run's events as they come.

        Raises NotFound for an unknown model, EngineUnavailable, and TooLarge for a question over the model's window.
        """
        options = TurnOptions(model=model, web=web)
        said: list[tuple[Role, str]] = [("user", question)]
        batches = await self.turns.ask_temporary(LOCAL_PRINCIPAL, said, options, time.perf_counter())
        async with aclosing(batches):
            async for batch in batches:
                for line in batch.lines:
                    yield decode(line)

    async def end_streams(self) -> None:
        """End what followers wait for, so that their connections close by themselves."""
        await self.runs.close()
        self.images.stop()
        await self.changes.close()


@dataclass(frozen=True, slots=True)
class Reading:
    """What takes files in, finds what stands in them, and gathers it for an answer. `embedder` compares what is in none
    too."""

    ingestor: Ingestor
    blobs: Blobs
    search: DocumentSearch
    documents: DocumentService
    vision: VisionService
    embedder: Embedder | None


@asynccontextmanager
async def open_reading(
    settings: Settings,
    storage: Storage,
    registry: Registry,
    changes: ChangeFeed,
    idle: IdleScheduler,
    ask: AskModel,
    home: Path | None = None,
) -> AsyncGenerator[Reading]:
    """Begin to read and embed what is unfinished in the store. Models are in the data folder `home`, where that is
    another. Raises StoreError."""
    async with AsyncExitStack() as stack:
        blobs = Blobs(settings.data_dir / "files")
        parser = Parser(labels=classifier_file(home or settings.data_dir))
        stack.push_async_callback(parser.close)
        embedder = choose_embedder(settings, registry)
        if embedder is not None:
            stack.push_async_callback(embedder.close)
        ingestor = Ingestor(storage, blobs, parser, embedder, changes, idle)
        stack.push_async_callback(ingestor.close)
        await ingestor.start()
        search = DocumentSearch(storage.chunks, embedder)
        documents = DocumentService(storage, search, ingestor, embedder, ask)
        yield Reading(ingestor, blobs, search, documents, VisionService(storage, blobs, parser), embedder)


@asynccontextmanager
async def open_feeds(
    settings: Settings, storage: Storage, changes: ChangeFeed, browser: WebClient
) -> AsyncGenerator[FeedService]:
    """What was listed and brought; nothing is fetched before it is started."""
    feeds = FeedService(storage.feeds, browser, changes, offline=settings.egress == "offline", days=settings.feed_days)
    try:
        yield feeds
    finally:
        await feeds.close()


@asynccontextmanager
async def open_ways_out(
    settings: Settings, storage: Storage, environment: Environment
) -> AsyncGenerator[tuple[AuditLog, OutboundGate, WebClient]]:
    """The one door, what it writes down, and what goes through it to addresses from outside. Raises SettingsError."""
    async with AsyncExitStack() as stack:
        calls = AuditLog(storage.audit, settings.egress_days)
        await calls.start()
        stack.push_async_callback(calls.close)
        gate = OutboundGate(OutboundPolicy.from_settings(settings), calls)
        browser = WebClient(gate, resolver=environment.resolver)
        stack.push_async_callback(browser.close)
        yield calls, gate, browser


@asynccontextmanager
async def open_kept(
    settings: Settings, storage: Storage, changes: ChangeFeed, idle: IdleScheduler
) -> AsyncGenerator[tuple[Runs, Gallery, ConversationService]]:
    """The runs, pictures and conversations that are kept, rid of what dead processes left. Raises StoreError."""
    async with AsyncExitStack() as stack:
        runs = Runs(storage, changes, idle)
        await runs.start()
        stack.push_async_callback(runs.close)
        gallery = open_gallery(settings, storage)
        await gallery.start()
        conversations = ConversationService(storage, runs, changes, gallery)
        await conversations.start()
        stack.push_async_callback(conversations.close)
        yield runs, gallery, conversations


@asynccontextmanager
async def open_drawing(
    settings: Settings,
    storage: Storage,
    gallery: Gallery,
    reading: Reading,
    idle: IdleScheduler,
    gate: OutboundGate,
    environment: Environment,
    planner: ScenePlanner,
) -> AsyncGenerator[tuple[Provenance, ImageService]]:
    """What marks pictures, and what has them made. Raises SettingsError."""
    async with AsyncExitStack() as stack:
        marks = Provenance.configured(settings, stay=True)
        stack.push_async_callback(marks.close)
        own = image_backends(settings, storage.servers.list_servers, gate=gate, planner=planner)
        made = [*own, *environment.image_backends(gate)]
        files = (reading.blobs, reading.vision)
        opening = open_image_service(settings, storage, gallery, *files, marks, idle, made)
        yield marks, await stack.enter_async_context(opening)


@asynccontextmanager
async def open_spare(
    settings: Settings, storage: Storage, registry: Registry, changes: ChangeFeed, idle: IdleScheduler, ask: AskModel
) -> AsyncGenerator[TitleGenerator | None]:
    """What is done while nobody waits: conversations are named, models tuned."""
    async with AsyncExitStack() as stack:
        titles = TitleGenerator(registry, storage.conversations, changes, idle, ask) if settings.titles else None
        tuner = AutoTuner(settings, registry.local, idle) if settings.tune and registry.local is not None else None
        for worker in (each for each in (titles, tuner) if each is not None):
            await worker.start()
            stack.push_async_callback(worker.close)
        yield titles


@asynccontextmanager
async def open_app(
    settings: Settings, environment: Environment = REAL_ENVIRONMENT, *, local: LocalEngine | None = None
) -> AsyncGenerator[App]:
    """Open the store, start the engines, mark what dead processes left; close all of it at the end. The embedded engine
    may be `local`, which has started.

    Raises SetupError. An engine that cannot start does not keep this from opening: its health says why.
    """
    async with AsyncExitStack() as stack:
        storage = await asyncio.to_thread(open_storage, settings.data_dir)
        stack.push_async_callback(storage.close)
        calls, gate, browser = await stack.enter_async_context(open_ways_out(settings, storage, environment))
        registry = build_registry(
            settings,
            UserEngines(settings, storage.servers.list_servers, gate=gate, probes=storage.servers.list_probes),
            gate=gate,
            local=local,
        )
        stack.push_async_callback(registry.close)
        changes = ChangeFeed(storage.processes)
        stack.push_async_callback(changes.close)
        idle = IdleScheduler()
        runs, gallery, conversations = await stack.enter_async_context(open_kept(settings, storage, changes, idle))
        imports = ImportService(storage, settings.data_dir / "imports", changes)
        stack.callback(imports.close)
        ledger = UsageLedger(settings, storage.usage)
        titles = await stack.enter_async_context(open_spare(settings, storage, registry, changes, idle, ledger.ask))
        preferences = PreferenceService(storage.preferences)
        await preferences.read(LOCAL_PRINCIPAL)
        prefill = Prefill(idle)
        stack.push_async_callback(prefill.close)
        reading = await stack.enter_async_context(open_reading(settings, storage, registry, changes, idle, ledger.ask))
        feeds = await stack.enter_async_context(open_feeds(settings, storage, changes, browser))
        feeds.start()
        services = [FeedProvider(feeds)]
        web = await stack.enter_async_context(
            open_web(settings, browser, storage.web, reading.embedder, ledger.ask, environment, services)
        )
        marks, images = await stack.enter_async_context(
            open_drawing(
                settings, storage, gallery, reading, idle, gate, environment, ScenePlanner(registry, ledger.ask)
            )
        )
        pipeline = AnswerPipeline(ledger, idle)
        router = ModelRouter(settings, registry, storage.usage, preferences, reading.vision)
        sources = (reading.documents, reading.vision, web, images)
        requests = AnswerRequests(settings, registry, router, preferences, *sources)
        parts = (runs, pipeline, requests, images, prefill, titles)
        turns = Turns(storage, *parts, max_message_kb=settings.max_message_kb)
        catalogs = (ImageModelCatalog(settings), TextModelCatalog(settings, remove_model))
        downloads = ModelDownloads(settings, catalogs, changes, registry.release, registry.refresh, gate=gate)
        stack.push_async_callback(downloads.close)
        yield App(
            settings=settings,
            storage=storage,
            registry=registry,
            router=router,
            preferences=preferences,
            runs=runs,
            pipeline=pipeline,
            requests=requests,
            turns=turns,
            changes=changes,
            conversations=conversations,
            imports=imports,
            idle=idle,
            downloads=downloads,
            ledger=ledger,
            servers=ServerService(settings, storage, gate=gate),
            calls=calls,
            browser=browser,
            ingestor=reading.ingestor,
            blobs=reading.blobs,
            search=reading.search,
            documents=reading.documents,
            vision=reading.vision,
            web=web,
            feeds=feeds,
            marks=marks,
            gallery=gallery,
            images=images,
        )
