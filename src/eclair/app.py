"""Composition root: builds every service from Settings. Shared by server and CLI."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from eclair.accounts.absent_principals import AbsentPrincipals
from eclair.accounts.budgets import Budgets
from eclair.accounts.emergency_reads import EmergencyReads
from eclair.accounts.person_limits import PersonLimits
from eclair.accounts.rights import OPEN_RULES, RightRules, Rights
from eclair.accounts.service import Accounts
from eclair.assistants.service import AssistantService
from eclair.audit.audit_service import AuditService
from eclair.audit.chosen_destinations import ChosenDestinations
from eclair.chat.answer_requests import AnswerRequests
from eclair.chat.batches import BatchService
from eclair.chat.call_decisions import CallDecisions
from eclair.chat.comparisons import Comparisons
from eclair.chat.conversations import ConversationService
from eclair.chat.follow_ups import FollowUpGenerator
from eclair.chat.preferences import PreferenceService
from eclair.chat.prefill import Prefill
from eclair.chat.projects import ProjectService
from eclair.chat.responses import ResponseService
from eclair.chat.retention import RetentionService
from eclair.chat.routing import ModelRouter
from eclair.chat.runs import Runs
from eclair.chat.titles import TitleGenerator
from eclair.chat.turn_options import TurnOptions
from eclair.chat.turns import Turns
from eclair.compliance.compliance_settings import ComplianceSettingsService
from eclair.documents.background_embedding import FindOwner, nobody_known
from eclair.documents.document_parser import Parser
from eclair.documents.document_search import DocumentSearch
from eclair.documents.embedding_service import EmbeddingService
from eclair.documents.embeddings import Embedder, choose_embedder
from eclair.documents.ingest import Ingestor
from eclair.documents.photos.classifier import classifier_file
from eclair.documents.rerank_service import RerankService
from eclair.documents.reranker import Reranker, choose_reranker
from eclair.documents.service import DocumentService
from eclair.documents.vision import VisionService
from eclair.generation.pipeline import AnswerPipeline
from eclair.generation.usage import AskModel, UsageLedger
from eclair.identity.providers import IdentityProviders
from eclair.images.backends.backend_registry import image_backends
from eclair.images.backends.clipart.scene_planner import ScenePlanner
from eclair.images.gallery import Gallery
from eclair.images.image_download_plan import ImageModelCatalog
from eclair.images.open import open_gallery, open_image_service
from eclair.images.service import ImageService
from eclair.live_settings import LiveSettings
from eclair.llm.call_prober import CallProber
from eclair.llm.call_skills import CallSkills
from eclair.llm.local.local_engine import LocalEngine
from eclair.llm.local.model_upgrade import ModelUpgrade
from eclair.llm.local.removal import remove_model
from eclair.llm.registry import Registry, build_registry
from eclair.llm.servers.engines import UserEngines
from eclair.llm.servers.service import ServerService
from eclair.llm.tuning.auto import AutoTuner
from eclair.mcp_servers.service import McpService
from eclair.memory.recall import MemoryRecall
from eclair.memory.service import MemoryService
from eclair.models.catalog import load_entries
from eclair.models.download_targets import TextModelCatalog
from eclair.models.downloads import ModelDownloads
from eclair.models.weights_check import WeightsCheck
from eclair.network.client import OutboundGate, WebClient
from eclair.network.egress_log import EgressLog
from eclair.network.policy import OutboundPolicy
from eclair.policy.branding_service import BrandingService
from eclair.policy.policy_service import PolicyService
from eclair.provenance.service import Provenance
from eclair.python.data_tools import DataTools
from eclair.python.python_service import PythonService
from eclair.schedules.mail import ScheduleMail
from eclair.schedules.runner import ScheduleRunner
from eclair.schedules.service import ScheduleService
from eclair.schema.events import Event, decode, fold
from eclair.schema.messages import Message, Role, Web
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.settings import Settings
from eclair.storage.backup.schedule import BackupSchedule
from eclair.storage.base import Storage
from eclair.storage.blobs import Blobs
from eclair.storage.change_feed import ChangeFeed
from eclair.storage.integrity_watch import IntegrityWatch
from eclair.storage.open import open_storage
from eclair.storage.secrets import Vault
from eclair.storage.signing_key import SigningKey
from eclair.tools.mcp_tools import McpToolSource
from eclair.tools.permissions import ToolPermissions
from eclair.transfer.archive_importer import ArchiveImporter
from eclair.transfer.import_service import ImportService
from eclair.transfer.person_erasure import PersonErasure
from eclair.util.background import IdleScheduler
from eclair.util.scratch import sweep_scratch_folders
from eclair.web.feeds.service import FeedService
from eclair.web.open import REAL_ENVIRONMENT, Environment, open_web
from eclair.web.providers.feed_entries import FeedProvider
from eclair.web.retriever import WebService
from eclair.web.web_settings import WebSettingsService, overlay_of

if TYPE_CHECKING:
    from eclair.network.traces import Traces


@dataclass(frozen=True, slots=True)
class App:
    live_settings: LiveSettings
    read_only: str | None
    """The sentence that says why nothing can be stored; None where it can."""
    traces: Traces | None
    storage: Storage
    accounts: Accounts
    identity: IdentityProviders
    rights: Rights
    emergency_reads: EmergencyReads
    registry: Registry
    router: ModelRouter
    preferences: PreferenceService
    memory: MemoryService
    projects: ProjectService
    mcp: McpService
    assistants: AssistantService
    runs: Runs
    responses: ResponseService
    retention: RetentionService
    person_erasure: PersonErasure
    pipeline: AnswerPipeline
    answer_requests: AnswerRequests
    turns: Turns
    call_decisions: CallDecisions
    comparisons: Comparisons
    tool_permissions: ToolPermissions
    changes: ChangeFeed
    conversations: ConversationService
    imports: ImportService
    idle: IdleScheduler
    follow_ups: FollowUpGenerator
    downloads: ModelDownloads
    upgrade: ModelUpgrade
    ledger: UsageLedger
    budgets: Budgets
    limits: PersonLimits
    egress_log: EgressLog
    audit: AuditService
    audit_destinations: ChosenDestinations
    web_client: WebClient
    servers: ServerService
    backups: BackupSchedule
    weights: WeightsCheck
    ingestor: Ingestor
    blobs: Blobs
    search: DocumentSearch
    documents: DocumentService
    vision: VisionService
    batches: BatchService
    schedules: ScheduleService
    schedule_runner: ScheduleRunner
    schedule_mail: ScheduleMail
    embeddings: EmbeddingService
    reranking: RerankService
    feeds: FeedService
    web: WebService
    web_settings: WebSettingsService
    compliance_settings: ComplianceSettingsService
    policy: PolicyService
    branding: BrandingService
    provenance: Provenance
    gallery: Gallery
    images: ImageService
    python: PythonService

    @property
    def settings(self) -> Settings:
        """The settings in force."""
        return self.live_settings.current

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
        messages: list[tuple[Role, str]] = [("user", question)]
        batches = await self.turns.ask_temporary(LOCAL_PRINCIPAL, messages, options, time.perf_counter())
        async with aclosing(batches):
            async for batch in batches:
                for line in batch.lines:
                    yield decode(line)

    async def end_streams(self) -> None:
        """End all event streams, so that their connections close by themselves."""
        await self.runs.close()
        await self.responses.close()
        self.images.stop()
        await self.changes.close()


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
) -> AsyncGenerator[DocumentComponents]:
    """Open the document services and resume unfinished reading and embedding.

    `models_dir` is the data folder of the models, if it is another; `find_owner` says for whom a document is embedded.
    Raises StoreError.
    """
    async with AsyncExitStack() as stack:
        blobs = Blobs(settings.data_dir / "files")
        parser = Parser(labels=classifier_file(models_dir or settings.data_dir))
        stack.push_async_callback(parser.close)
        embedder = choose_embedder(settings, registry, ledger.reading_for_caller)
        if embedder is not None:
            stack.push_async_callback(embedder.close)
        ingestor = Ingestor(storage, blobs, parser, embedder, changes, idle, rights=rights, find_owner=find_owner)
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
async def open_erasure(
    live_settings: LiveSettings,
    storage: Storage,
    data: tuple[ConversationService, ResponseService, Ingestor, Gallery],
    preferences: PreferenceService,
    accounts: Accounts,
) -> AsyncGenerator[tuple[RetentionService, PersonErasure]]:
    """Open what erases: by the rules of retention, and by the requests of people."""
    async with AsyncExitStack() as stack:
        retention = RetentionService(live_settings, storage, *data)
        retention.start()
        stack.push_async_callback(retention.close)
        person_erasure = PersonErasure(live_settings, storage, *data, preferences, accounts.principals)
        person_erasure.start()
        stack.push_async_callback(person_erasure.close)
        yield retention, person_erasure


@asynccontextmanager
async def open_downloads(
    settings: Settings, registry: Registry, changes: ChangeFeed, gate: OutboundGate
) -> AsyncGenerator[tuple[ModelUpgrade, ModelDownloads]]:
    """Open the downloads of models, and the change to a better one when it is here."""
    async with AsyncExitStack() as stack:
        catalogs = (ImageModelCatalog(settings), TextModelCatalog(settings, remove_model))
        upgrade = ModelUpgrade(settings, registry, changes)
        upgrade.start()
        stack.push_async_callback(upgrade.close)
        downloads = ModelDownloads(settings, catalogs, changes, registry.release, upgrade.models_changed, gate=gate)
        stack.push_async_callback(downloads.close)
        yield upgrade, downloads


@asynccontextmanager
async def open_python(
    settings: Settings, storage: Storage, files: Blobs, changes: ChangeFeed, gate: OutboundGate
) -> AsyncGenerator[PythonService]:
    """Open sandboxed Python, and the installation of its data tools."""
    tools = DataTools(settings.data_dir, gate, lambda: changes.publish_to_all("models"))
    python = PythonService(storage, files, tools)
    try:
        yield python
    finally:
        await python.close()
        await tools.close()


@asynccontextmanager
async def open_identity(
    settings: Settings, gate: OutboundGate, accounts: Accounts
) -> AsyncGenerator[IdentityProviders]:
    """Open the identity providers, where people have accounts. Raises SettingsError."""
    if settings.accounts == "off":
        yield IdentityProviders()
        return
    identity = await asyncio.to_thread(IdentityProviders.open, settings, gate)
    accounts.sign_in.directories.extend(identity.directories)
    try:
        yield identity
    finally:
        await identity.close()


@asynccontextmanager
async def open_traces(settings: Settings, gate: OutboundGate) -> AsyncGenerator[Traces | None]:
    """Open the traces, where a collector is set."""
    if settings.otlp_endpoint is None:
        yield None
        return
    from eclair.network.traces import Traces  # slow to import, and rarely needed

    traces = Traces(settings, gate)
    traces.start()
    try:
        yield traces
    finally:
        await traces.close()


@asynccontextmanager
async def open_conversations(
    settings: Settings, storage: Storage, changes: ChangeFeed, idle: IdleScheduler
) -> AsyncGenerator[tuple[Runs, Gallery, ConversationService]]:
    """Open runs, gallery and conversations, and clean up after dead processes. Raises StoreError."""
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
    settings: Settings, storage: Storage, registry: Registry, changes: ChangeFeed, idle: IdleScheduler, ask: AskModel
) -> AsyncGenerator[TitleGenerator | None]:
    """Open the idle-time workers that title conversations and tune models."""
    async with AsyncExitStack() as stack:
        titles = TitleGenerator(registry, storage.conversations, changes, idle, ask) if settings.titles else None
        tuner = AutoTuner(settings, registry.local, idle) if settings.tune and registry.local is not None else None
        for worker in (each for each in (titles, tuner) if each is not None):
            await worker.start()
            stack.push_async_callback(worker.close)
        yield titles


@asynccontextmanager
async def open_app(
    settings: Settings,
    environment: Environment = REAL_ENVIRONMENT,
    *,
    local: LocalEngine | None = None,
    read_only: str | None = None,
) -> AsyncGenerator[App]:
    """Open all services, and close them at the end. `local` is an embedded engine already started.

    `read_only` says why what is stored will be lost; see `App.read_only`.

    Raises SetupError. An engine that fails to start raises nothing; its health says why.
    """
    live_settings = LiveSettings(settings)
    async with AsyncExitStack() as stack:
        sweeping = asyncio.create_task(asyncio.to_thread(sweep_scratch_folders), name="sweep scratch folders")
        stack.push_async_callback(asyncio.wait, [sweeping])
        storage = await asyncio.to_thread(open_storage, settings.data_dir, backup_days=settings.backup_days)
        stack.push_async_callback(storage.close)
        vault = Vault.configured(settings)
        live_settings.overlay(overlay_of(settings, await storage.web_settings.get_web_settings(), vault))
        compliance_settings = ComplianceSettingsService(live_settings, storage.compliance_settings)
        await compliance_settings.reload()
        settings = live_settings.current
        backups = BackupSchedule(settings)
        backups.start()
        stack.push_async_callback(backups.close)
        egress_log, gate, web_client = await stack.enter_async_context(
            open_network(live_settings, storage, environment)
        )
        audit, destinations, rights = await stack.enter_async_context(
            open_oversight(live_settings, storage, gate, vault)
        )
        skills = CallSkills(settings.data_dir)
        registry = build_registry(
            settings,
            UserEngines(settings, storage.servers.list_servers, gate=gate, probes=storage.servers.list_probes),
            gate=gate,
            local=local,
            rights=rights,
            skills=skills,
        )
        stack.push_async_callback(registry.close)
        changes = ChangeFeed(storage.processes)
        stack.push_async_callback(changes.close)
        idle = IdleScheduler()
        weights = await stack.enter_async_context(open_damage_checks(settings, storage, changes, idle))
        runs, gallery, conversations = await stack.enter_async_context(
            open_conversations(settings, storage, changes, idle)
        )
        responses = ResponseService(live_settings, storage)
        await responses.start()
        stack.push_async_callback(responses.close)
        budgets = await stack.enter_async_context(open_budgets(live_settings, storage))
        limits = PersonLimits(live_settings)
        ledger = UsageLedger(settings, storage.usage, budgets, limits)
        titles = await stack.enter_async_context(
            open_background(settings, storage, registry, changes, idle, ledger.ask)
        )
        preferences = PreferenceService(storage.preferences)
        await preferences.read(LOCAL_PRINCIPAL)
        prefill = Prefill(idle)
        stack.push_async_callback(prefill.close)
        accounts = Accounts.open(live_settings, storage, vault)
        absent = AbsentPrincipals(storage.api_keys, accounts.principals, live_settings)
        documents = await stack.enter_async_context(
            open_documents(
                settings, storage, registry, changes, idle, ledger, rights=rights, find_owner=absent.find_person
            )
        )
        data = (conversations, responses, documents.ingestor, gallery)
        retention, person_erasure = await stack.enter_async_context(
            open_erasure(live_settings, storage, data, preferences, accounts)
        )
        servers = ServerService(settings, storage, gate=gate)
        archives = ArchiveImporter(storage, documents.ingestor, gallery, preferences, servers)
        imports = ImportService(storage, archives, settings.data_dir / "imports", changes)
        stack.callback(imports.close)
        feeds = await stack.enter_async_context(open_feeds(live_settings, storage, changes, web_client))
        feeds.start()
        services = [FeedProvider(feeds)]
        web = await stack.enter_async_context(
            open_web(
                live_settings, web_client, storage.web, documents.embedder, ledger.ask, environment, services, rights
            )
        )
        drawing = (storage, gallery, documents, idle, gate, environment, ScenePlanner(registry, ledger.ask))
        opening_images = open_image_generation(live_settings, *drawing, budgets, rights)
        provenance, images = await stack.enter_async_context(opening_images)
        prober = CallProber(skills, idle)
        await prober.start()
        stack.push_async_callback(prober.close)
        pipeline = AnswerPipeline(ledger, idle, prober.note_answer)
        router = ModelRouter(live_settings, registry, storage.usage, preferences, documents.vision)
        python = await stack.enter_async_context(open_python(settings, storage, documents.blobs, changes, gate))
        sources = (documents.documents, documents.vision, web, images, python)
        memory = MemoryService(storage.memories, changes, MemoryRecall(documents.embedder), rights)
        projects = ProjectService(storage.projects, storage.libraries, changes, documents.ingestor, rights)
        assistants = AssistantService(storage.assistants, changes, rights)
        permissions = ToolPermissions(storage.tool_permissions, rights)
        mcp = McpService(live_settings, storage.mcp_servers, vault, gate, rights)
        stack.push_async_callback(mcp.close)
        requests = AnswerRequests(
            live_settings,
            registry,
            router,
            preferences,
            *sources,
            rights=rights,
            memory=memory,
            projects=projects,
            permissions=permissions,
            canvases=(storage.canvases, changes),
            ask=ledger.ask,
            mcp=McpToolSource(mcp, storage.workspaces),
            feeds=storage.feeds,
            assistants=assistants,
        )
        parts = (runs, pipeline, requests, images, prefill, titles)
        turns = Turns(storage, *parts, live_settings, budgets)
        decisions = CallDecisions(storage, runs, pipeline, requests, permissions, absent.find_person)
        batches = BatchService(storage.batches, registry, idle, settings.data_dir, absent)
        stack.push_async_callback(batches.close)
        schedules = ScheduleService(storage.schedules, changes, storage.processes.current)
        schedule_mail = ScheduleMail(live_settings, storage.people, gate)
        stack.push_async_callback(schedule_mail.close)
        asking = (turns, idle, changes, absent.find_person, schedule_mail)
        schedule_runner = ScheduleRunner(storage, schedules, *asking)
        stack.push_async_callback(schedule_runner.close)
        upgrade, downloads = await stack.enter_async_context(open_downloads(settings, registry, changes, gate))
        identity = await stack.enter_async_context(open_identity(settings, gate, accounts))
        web_settings, policy = await stack.enter_async_context(
            open_policy(live_settings, storage, vault, web, rights, budgets, compliance_settings, changes)
        )
        yield App(
            live_settings=live_settings,
            read_only=read_only,
            traces=await stack.enter_async_context(open_traces(settings, gate)),
            storage=storage,
            accounts=accounts,
            identity=identity,
            rights=rights,
            emergency_reads=EmergencyReads(storage.emergency_reads, storage.people),
            registry=registry,
            router=router,
            preferences=preferences,
            memory=memory,
            projects=projects,
            mcp=mcp,
            assistants=assistants,
            runs=runs,
            responses=responses,
            retention=retention,
            person_erasure=person_erasure,
            pipeline=pipeline,
            answer_requests=requests,
            turns=turns,
            call_decisions=decisions,
            comparisons=Comparisons(storage, runs, changes),
            tool_permissions=permissions,
            changes=changes,
            conversations=conversations,
            imports=imports,
            idle=idle,
            follow_ups=FollowUpGenerator(registry, storage.conversations, idle, ledger.ask),
            downloads=downloads,
            upgrade=upgrade,
            ledger=ledger,
            budgets=budgets,
            limits=limits,
            servers=servers,
            backups=backups,
            weights=weights,
            egress_log=egress_log,
            audit=audit,
            audit_destinations=destinations,
            web_client=web_client,
            ingestor=documents.ingestor,
            blobs=documents.blobs,
            search=documents.search,
            documents=documents.documents,
            batches=batches,
            schedules=schedules,
            schedule_runner=schedule_runner,
            schedule_mail=schedule_mail,
            embeddings=EmbeddingService(registry, documents.embedder, ledger),
            reranking=RerankService(registry, documents.reranker, ledger),
            vision=documents.vision,
            web=web,
            web_settings=web_settings,
            compliance_settings=compliance_settings,
            policy=policy,
            branding=BrandingService(live_settings, storage.branding),
            feeds=feeds,
            provenance=provenance,
            gallery=gallery,
            images=images,
            python=python,
        )
