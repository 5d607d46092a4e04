"""Opening and closing of the services that the app, and single commands of the CLI, are made of."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eclair.accounts.budgets import Budgets
from eclair.accounts.rights import OPEN_RULES, RightRules, Rights
from eclair.accounts.service import Accounts
from eclair.audit.audit_service import AuditService
from eclair.audit.chosen_destinations import ChosenDestinations
from eclair.chat.conversations import ConversationService
from eclair.chat.preferences import PreferenceService
from eclair.chat.prefill import Prefill
from eclair.chat.responses import ResponseService
from eclair.chat.retention import RetentionService
from eclair.chat.runs import Runs
from eclair.chat.titles import TitleGenerator
from eclair.compliance.compliance_settings import ComplianceSettingsService
from eclair.documents.background_embedding import FindOwner, nobody_known
from eclair.documents.document_parser import Parser
from eclair.documents.document_search import DocumentSearch
from eclair.documents.embeddings import Embedder, choose_embedder
from eclair.documents.ingest import Ingestor
from eclair.documents.photos.classifier import classifier_file
from eclair.documents.reranker import Reranker, choose_reranker
from eclair.documents.service import DocumentService
from eclair.documents.vision import VisionService
from eclair.generation.usage import AskModel, UsageLedger
from eclair.identity.providers import IdentityProviders
from eclair.images.backends.backend_registry import image_backends
from eclair.images.backends.clipart.scene_planner import ScenePlanner
from eclair.images.gallery import Gallery
from eclair.images.image_download_plan import ImageModelCatalog
from eclair.images.open import open_gallery, open_image_service
from eclair.images.service import ImageService
from eclair.live_settings import LiveSettings
from eclair.llm.local.model_upgrade import ModelUpgrade
from eclair.llm.local.removal import remove_model
from eclair.llm.registry import Registry
from eclair.llm.tuning.auto import AutoTuner
from eclair.models.catalog import load_entries
from eclair.models.download_targets import TextModelCatalog
from eclair.models.downloads import ModelDownloads
from eclair.models.weights_check import WeightsCheck
from eclair.network.blob_calls import FILES, IMPORTS, open_blobs
from eclair.network.client import OutboundGate, WebClient
from eclair.network.egress_log import EgressLog
from eclair.network.gate import CLOSED_GATE
from eclair.network.policy import OutboundPolicy
from eclair.policy.policy_service import PolicyService
from eclair.provenance.service import Provenance
from eclair.python.data_tools import DataTools
from eclair.python.python_service import PythonService
from eclair.schema.ids import Clock
from eclair.schema.jobs import ALL_WORK, WorkKind
from eclair.settings import Settings
from eclair.speech.engine_recognition import ChosenRecognizer
from eclair.speech.listening_parts import ListeningParts
from eclair.speech.recognition import SpeechRecognizer, recording_recognizer
from eclair.speech.recognizer_choice import RecognizerChoice
from eclair.speech.speech_parts import SpeechParts
from eclair.speech.speech_request import SpeakingService
from eclair.speech.synthesis import SpeechSynthesizer
from eclair.speech.transcription import TranscriptionService
from eclair.speech.whisper_models import WhisperCatalog
from eclair.storage.base import Storage
from eclair.storage.blobs import Blobs
from eclair.storage.change_feed import ChangeFeed
from eclair.storage.integrity_watch import IntegrityWatch
from eclair.storage.secrets import Vault
from eclair.storage.signing_key import SigningKey
from eclair.storage.speech_settings import SpeechSettingsStore
from eclair.transfer.archive_importer import ArchiveImporter
from eclair.transfer.import_service import ImportService
from eclair.transfer.person_erasure import PersonErasure
from eclair.util.background import IdleScheduler
from eclair.web.feeds.service import FeedService
from eclair.web.open import Environment
from eclair.web.retriever import WebService
from eclair.web.web_settings import WebSettingsService

if TYPE_CHECKING:
    from eclair.network.telemetry import Telemetry


def background_work(settings: Settings) -> frozenset[WorkKind]:
    """Return the kinds of background work that a server or a command does itself, as the settings say."""
    return ALL_WORK if settings.background_work == "here" else frozenset()


@dataclass(frozen=True, slots=True)
class DocumentComponents:
    """The services that ingest, search and show documents. `embedder` and `reranker` serve other texts too."""

    ingestor: Ingestor
    blobs: Blobs
    search: DocumentSearch
    documents: DocumentService
    vision: VisionService
    embedder: Embedder | None
    reranker: Reranker | None


@asynccontextmanager
async def open_damage_checks(
    settings: Settings, storage: Storage, changes: ChangeFeed, idle: IdleScheduler
) -> AsyncGenerator[WeightsCheck]:
    """Check the database and the models' files for damage while nothing else happens."""

    def publish() -> None:
        changes.publish_to_all("changed")

    integrity = IntegrityWatch(storage.integrity, idle, publish)
    weights = WeightsCheck(settings.data_dir, load_entries(settings.catalog), idle, publish)
    async with AsyncExitStack() as stack:
        for check in (integrity, weights):
            check.start()
            stack.push_async_callback(check.close)
        yield weights


@asynccontextmanager
async def open_documents(
    settings: Settings,
    storage: Storage,
    registry: Registry,
    changes: ChangeFeed,
    idle: IdleScheduler,
    ledger: UsageLedger,
    models_dir: Path | None = None,
    rights: RightRules = OPEN_RULES,
    find_owner: FindOwner = nobody_known,
    gate: OutboundGate = CLOSED_GATE,
    work: Collection[WorkKind] | None = None,
    at_once: int = 1,
    recognizer: SpeechRecognizer | None = None,
) -> AsyncGenerator[DocumentComponents]:
    """Open the document services and begin the reading and embedding that is left to this process.

    `models_dir` is the data folder of the models, if it is another; `find_owner` says for whom a document is embedded.
    `work` is as the settings say unless given; `at_once` documents are read at once. Without a `recognizer`, it has one
    of its own for recordings. Raises StoreError.
    """
    work = background_work(settings) if work is None else work
    async with AsyncExitStack() as stack:
        blobs = open_blobs(settings, FILES, gate)
        if recognizer is None:
            recognizer = recording_recognizer(settings, ListeningParts(models_dir or settings.data_dir))
            stack.push_async_callback(recognizer.close)
        hearing = ChosenRecognizer(recognizer, registry, ledger.reading_for_caller)
        # one sandbox more, so that what somebody waits for is read beside the rest
        parser = Parser(
            workers=at_once + 1, labels=classifier_file(models_dir or settings.data_dir), recognizer=hearing
        )
        stack.push_async_callback(parser.close)
        embedder = choose_embedder(settings, registry, ledger.reading_for_caller)
        if embedder is not None:
            stack.push_async_callback(embedder.close)
        ingestor = Ingestor(
            *(storage, blobs, parser, embedder, changes, idle),
            rights=rights,
            find_owner=find_owner,
            clock=storage.processes.clock,
            work=work,
            at_once=at_once,
        )
        stack.push_async_callback(ingestor.close)
        await ingestor.start()
        reranker = choose_reranker(settings, registry, ledger.reading_for_caller)
        if reranker is not None:
            stack.push_async_callback(reranker.close)
        search = DocumentSearch(storage.chunks, embedder, reranker)
        documents = DocumentService(storage, search, ingestor, embedder, ledger.ask, rights)
        vision = VisionService(storage, blobs, parser)
        yield DocumentComponents(ingestor, blobs, search, documents, vision, embedder, reranker)


@asynccontextmanager
async def open_feeds(
    live_settings: LiveSettings, storage: Storage, changes: ChangeFeed, web_client: WebClient
) -> AsyncGenerator[FeedService]:
    """Open the feed service; it fetches nothing before it is started."""
    feeds = FeedService(
        storage.feeds,
        web_client,
        changes,
        is_offline=lambda: live_settings.current.egress == "offline",
        days=live_settings.current.feed_days,
        clock=storage.processes.clock,
    )
    try:
        yield feeds
    finally:
        await feeds.close()


@asynccontextmanager
async def open_network(
    live_settings: LiveSettings, storage: Storage, environment: Environment
) -> AsyncGenerator[tuple[EgressLog, OutboundGate, WebClient]]:
    """Open the egress log, the outbound gate, whose policy follows the settings, and the web client.

    Raises SettingsError.
    """
    async with AsyncExitStack() as stack:
        egress_log = EgressLog(storage.egress, live_settings.current.egress_days)
        await egress_log.start()
        stack.push_async_callback(egress_log.close)
        gate = OutboundGate(recorder=egress_log)

        def apply(settings: Settings) -> None:
            gate.policy = OutboundPolicy.from_settings(settings)

        live_settings.follow(apply)
        web_client = WebClient(gate, resolver=environment.resolver)
        stack.push_async_callback(web_client.close)
        yield egress_log, gate, web_client


@asynccontextmanager
async def open_oversight(
    live_settings: LiveSettings, storage: Storage, gate: OutboundGate, vault: Vault
) -> AsyncGenerator[tuple[AuditService, ChosenDestinations, Rights]]:
    """Open the audit log with its destinations, and the rights. Raises StoreError."""
    async with AsyncExitStack() as stack:
        settings = live_settings.current
        audit = AuditService(live_settings, storage.audit, SigningKey.configured(settings), gate)
        audit.start()
        stack.push_async_callback(audit.close)
        destinations = ChosenDestinations(settings, storage.audit_destinations, vault, gate, audit)
        await destinations.start()
        rights = Rights(storage.grants, storage.processes, live_settings)
        await rights.start()
        stack.push_async_callback(rights.close)
        yield audit, destinations, rights


@asynccontextmanager
async def open_policy(
    live_settings: LiveSettings,
    storage: Storage,
    vault: Vault,
    web: WebService,
    rights: Rights,
    budgets: Budgets,
    compliance_settings: ComplianceSettingsService,
    recognizers: RecognizerChoice,
    changes: ChangeFeed,
) -> AsyncGenerator[tuple[WebSettingsService, PolicyService]]:
    """Open the web settings and the policy, and follow what other processes change of them and of compliance."""
    web_settings = WebSettingsService(live_settings, storage.web_settings, vault, web.access.search)

    shown = await storage.announcements.list_announcements()

    async def reload() -> None:
        nonlocal shown
        await rights.reload()
        budgets.reload()
        await web_settings.reload()
        await compliance_settings.reload()
        await recognizers.reload()
        if (stored := await storage.announcements.list_announcements()) != shown:
            shown = stored
            changes.publish_to_all("announcements")

    policy = PolicyService(live_settings, storage, vault, reload)
    policy.start()
    try:
        yield web_settings, policy
    finally:
        await policy.close()


@asynccontextmanager
async def open_imports(
    settings: Settings,
    storage: Storage,
    archives: ArchiveImporter,
    changes: ChangeFeed,
    gate: OutboundGate,
    *,
    is_left_to_others: bool,
) -> AsyncGenerator[ImportService]:
    """Open the imports, which delete what has expired unless that `is_left_to_others`. Raises SettingsError."""
    blobs = open_blobs(settings, IMPORTS, gate)
    imports = ImportService(storage, archives, blobs, settings.data_dir / IMPORTS, changes)
    if not is_left_to_others:
        imports.start()
    try:
        yield imports
    finally:
        await imports.close()


@asynccontextmanager
async def open_erasure(
    live_settings: LiveSettings,
    storage: Storage,
    data: tuple[ConversationService, ResponseService, Ingestor, Gallery],
    imports: ImportService,
    preferences: PreferenceService,
    accounts: Accounts,
    *,
    is_left_to_others: bool,
) -> AsyncGenerator[tuple[RetentionService, PersonErasure]]:
    """Open what erases: by the rules of retention, and by the requests of people; both only begin to if it is here."""
    async with AsyncExitStack() as stack:
        retention = RetentionService(live_settings, storage, *data)
        if not is_left_to_others:
            retention.start()
        stack.push_async_callback(retention.close)
        person_erasure = PersonErasure(live_settings, storage, *data, imports, preferences, accounts.principals)
        if not is_left_to_others:
            person_erasure.start()
        stack.push_async_callback(person_erasure.close)
        yield retention, person_erasure


@asynccontextmanager
async def open_downloads(
    settings: Settings, registry: Registry, changes: ChangeFeed, gate: OutboundGate
) -> AsyncGenerator[tuple[ModelUpgrade, ModelDownloads]]:
    """Open the downloads of models, and the change to a better one when it is here."""
    async with AsyncExitStack() as stack:
        catalogs = (ImageModelCatalog(settings), WhisperCatalog(settings), TextModelCatalog(settings, remove_model))
        upgrade = ModelUpgrade(settings, registry, changes)
        upgrade.start()
        stack.push_async_callback(upgrade.close)
        downloads = ModelDownloads(settings, catalogs, changes, registry.release, upgrade.models_changed, gate=gate)
        stack.push_async_callback(downloads.close)
        yield upgrade, downloads


@asynccontextmanager
async def open_python(
    settings: Settings, storage: Storage, files: Blobs, changes: ChangeFeed, gate: OutboundGate, idle: IdleScheduler
) -> AsyncGenerator[PythonService]:
    """Open sandboxed Python, and the installation of its data tools."""
    tools = DataTools(settings.data_dir, gate, lambda: changes.publish_to_all("models"), idle=idle)
    python = PythonService(storage, files, tools)
    try:
        yield python
    finally:
        await python.close()
        await tools.close()


@asynccontextmanager
async def open_speech_parts(settings: Settings, changes: ChangeFeed, gate: OutboundGate) -> AsyncGenerator[SpeechParts]:
    """Open the installations of what recognizes and makes speech."""
    parts = SpeechParts(settings.data_dir, gate, lambda: changes.publish_to_all("models"))
    try:
        yield parts
    finally:
        await parts.close()


@asynccontextmanager
async def open_speaking(
    settings: Settings, parts: SpeechParts, ledger: UsageLedger, registry: Registry
) -> AsyncGenerator[SpeakingService]:
    """Open what speaks; its process starts with the first sentence."""
    synthesizer = SpeechSynthesizer(parts.speaking)
    try:
        yield SpeakingService(synthesizer, ledger.reading, registry, settings.speaker)
    finally:
        await synthesizer.close()


@asynccontextmanager
async def open_transcription(
    live_settings: LiveSettings, store: SpeechSettingsStore, parts: SpeechParts, ledger: UsageLedger, registry: Registry
) -> AsyncGenerator[tuple[TranscriptionService, RecognizerChoice]]:
    """Open the recognition of speech, and the choice of its model. Its processes start with the first sound."""
    settings = live_settings.current
    base = SpeechRecognizer(parts.listening, settings.speech_threads)
    chosen = recording_recognizer(settings, parts.listening, lambda: live_settings.current)
    choice = RecognizerChoice(live_settings, store, registry, chosen)
    try:
        await choice.reload()
        yield TranscriptionService(base, chosen, ledger, registry), choice
    finally:
        await base.close()
        await chosen.close()


@asynccontextmanager
async def open_identity(
    settings: Settings, gate: OutboundGate, accounts: Accounts, clock: Clock
) -> AsyncGenerator[IdentityProviders]:
    """Open the identity providers, where people have accounts. Raises SettingsError."""
    if settings.accounts == "off":
        yield IdentityProviders()
        return
    identity = await asyncio.to_thread(IdentityProviders.open, settings, gate, clock)
    accounts.sign_in.directories.extend(identity.directories)
    try:
        yield identity
    finally:
        await identity.close()


@asynccontextmanager
async def open_telemetry(settings: Settings, gate: OutboundGate) -> AsyncGenerator[Telemetry | None]:
    """Open traces and metrics, where a collector is set."""
    if settings.otlp_endpoint is None:
        yield None
        return
    from eclair.network.telemetry import Telemetry  # slow to import, and rarely needed

    telemetry = Telemetry(settings, gate)
    telemetry.start()
    try:
        yield telemetry
    finally:
        await telemetry.close()


@asynccontextmanager
async def open_conversations(
    settings: Settings, storage: Storage, changes: ChangeFeed, idle: IdleScheduler, gate: OutboundGate
) -> AsyncGenerator[tuple[Runs, Gallery, ConversationService]]:
    """Open runs, gallery and conversations, and clean up after dead processes. Raises StoreError."""
    async with AsyncExitStack() as stack:
        runs = Runs(storage, changes, idle)
        await runs.start()
        stack.push_async_callback(runs.close)
        gallery = open_gallery(settings, storage, gate)
        await gallery.start()
        stack.push_async_callback(gallery.close)
        conversations = ConversationService(storage, runs, changes, gallery)
        await conversations.start()
        stack.push_async_callback(conversations.close)
        yield runs, gallery, conversations


@asynccontextmanager
async def open_image_generation(
    live_settings: LiveSettings,
    storage: Storage,
    gallery: Gallery,
    documents: DocumentComponents,
    idle: IdleScheduler,
    gate: OutboundGate,
    environment: Environment,
    planner: ScenePlanner,
    budgets: Budgets,
    rights: RightRules = OPEN_RULES,
) -> AsyncGenerator[tuple[Provenance, ImageService]]:
    """Open the provenance and image services. Raises SettingsError."""
    settings = live_settings.current
    async with AsyncExitStack() as stack:
        provenance = Provenance.configured(settings, stay=True)
        stack.push_async_callback(provenance.close)
        own = image_backends(settings, storage.servers.list_servers, gate=gate, planner=planner)
        backends = [*own, *environment.image_backends(gate)]
        files = (documents.blobs, documents.vision)
        opening = open_image_service(
            live_settings, storage, gallery, *files, provenance, idle, backends, budgets, rights
        )
        yield provenance, await stack.enter_async_context(opening)


@asynccontextmanager
async def open_budgets(live_settings: LiveSettings, storage: Storage) -> AsyncGenerator[Budgets]:
    """Open the budgets, and settle what dead processes left. Raises StoreError."""
    budgets = Budgets(storage.budgets, storage.processes, live_settings)
    await budgets.start()
    try:
        yield budgets
    finally:
        await budgets.close()


@asynccontextmanager
async def open_background(
    settings: Settings,
    storage: Storage,
    registry: Registry,
    changes: ChangeFeed,
    idle: IdleScheduler,
    ask: AskModel,
    prefill: Prefill,
) -> AsyncGenerator[TitleGenerator | None]:
    """Open the idle-time workers that title conversations and tune models."""
    async with AsyncExitStack() as stack:
        naming = (registry, storage.conversations, changes, idle, ask, prefill.until_read)
        titles = TitleGenerator(*naming) if settings.titles else None
        tuner = AutoTuner(settings, registry.local, idle) if settings.tune and registry.local is not None else None
        for worker in (each for each in (titles, tuner) if each is not None):
            await worker.start()
            stack.push_async_callback(worker.close)
        yield titles
