"""Composition root: builds every service from Settings. Shared by server and CLI."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from typing import TYPE_CHECKING

from eclair.accounts.absent_principals import AbsentPrincipals
from eclair.accounts.budgets import Budgets
from eclair.accounts.emergency_reads import EmergencyReads
from eclair.accounts.person_limits import PersonLimits
from eclair.accounts.rights import Rights
from eclair.accounts.service import Accounts
from eclair.assistants.service import AssistantService
from eclair.audit.audit_service import AuditService
from eclair.audit.chosen_destinations import ChosenDestinations
from eclair.chat.answer_memory import AnswerMemory
from eclair.chat.answer_requests import AnswerRequests
from eclair.chat.answer_skills import AnswerSkills
from eclair.chat.answer_tools import AnswerTools
from eclair.chat.batches import BatchService
from eclair.chat.call_decisions import CallDecisions
from eclair.chat.chat_search import ChatSearch
from eclair.chat.comparisons import Comparisons
from eclair.chat.conversations import ConversationService
from eclair.chat.follow_ups import FollowUpGenerator
from eclair.chat.preferences import PreferenceService
from eclair.chat.prefill import Prefill
from eclair.chat.presence import PresenceService
from eclair.chat.projects import ProjectService
from eclair.chat.responses import ResponseService
from eclair.chat.retention import RetentionService
from eclair.chat.routing import ModelRouter
from eclair.chat.runs import Runs
from eclair.chat.shown_conversations import ShownConversations
from eclair.chat.titles import TitleGenerator
from eclair.chat.turn_options import TurnOptions
from eclair.chat.turns import Turns
from eclair.compliance.compliance_settings import ComplianceSettingsService
from eclair.documents.document_search import DocumentSearch
from eclair.documents.embedding_service import EmbeddingService
from eclair.documents.embeddings import Embedder
from eclair.documents.ingest import Ingestor
from eclair.documents.rerank_service import RerankService
from eclair.documents.service import DocumentService
from eclair.documents.vision import VisionService
from eclair.generation.pipeline import AnswerPipeline
from eclair.generation.usage import UsageLedger
from eclair.identity.providers import IdentityProviders
from eclair.images.backends.clipart.scene_planner import ScenePlanner
from eclair.images.gallery import Gallery
from eclair.images.service import ImageService
from eclair.live_settings import LiveSettings
from eclair.llm.call_prober import CallProber
from eclair.llm.call_skills import CallSkills
from eclair.llm.local.local_engine import LocalEngine
from eclair.llm.local.model_upgrade import ModelUpgrade
from eclair.llm.registry import Registry, build_registry
from eclair.llm.servers.engines import UserEngines
from eclair.llm.servers.service import ServerService
from eclair.mcp_servers.content_service import McpContentService, ResourceKeeper
from eclair.mcp_servers.service import McpService
from eclair.mcp_servers.sign_in_keeper import SignInKeeper
from eclair.mcp_servers.sign_ins import McpSignIns
from eclair.memory.recall import MemoryRecall
from eclair.memory.service import MemoryService
from eclair.models.downloads import ModelDownloads
from eclair.models.weights_check import WeightsCheck
from eclair.network.blob_calls import open_bucket_files
from eclair.network.client import OutboundGate, WebClient
from eclair.network.egress_log import EgressLog
from eclair.policy.branding_service import BrandingService
from eclair.policy.policy_service import PolicyService
from eclair.provenance.service import Provenance
from eclair.python.python_service import PythonService
from eclair.schedules.mail import ScheduleMail
from eclair.schedules.runner import ScheduleRunner
from eclair.schedules.service import NO_PROCESS, ScheduleService
from eclair.schema.events import Event, decode, fold
from eclair.schema.jobs import WORK_KINDS, BackgroundWorker, WorkKind
from eclair.schema.messages import Message, Role, Web
from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.services import (
    background_work,
    open_background,
    open_budgets,
    open_conversations,
    open_damage_checks,
    open_documents,
    open_downloads,
    open_erasure,
    open_feeds,
    open_identity,
    open_image_generation,
    open_imports,
    open_network,
    open_oversight,
    open_policy,
    open_python,
    open_speaking,
    open_speech_parts,
    open_telemetry,
    open_transcription,
)
from eclair.settings import Settings
from eclair.skills.service import SkillService
from eclair.skills.skill_fit import SkillFit
from eclair.speech.recognizer_choice import RecognizerChoice
from eclair.speech.speech_parts import SpeechParts
from eclair.speech.speech_request import SpeakingService
from eclair.speech.transcription import TranscriptionService
from eclair.storage.backup.schedule import BackupSchedule
from eclair.storage.base import Storage
from eclair.storage.blobs import Blobs
from eclair.storage.change_feed import ChangeFeed
from eclair.storage.jobs import listed_worker
from eclair.storage.open import open_storage
from eclair.storage.secrets import Vault
from eclair.storage.shared_keys import share_keys
from eclair.tools.mcp_resources import ResourceShelf
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
    from eclair.network.telemetry import Telemetry


DRAIN_POLL_S = 0.1


class App:
    """All services, each opened after those that it needs."""

    live_settings: LiveSettings
    read_only: str | None
    """The sentence that says why nothing can be stored; None where it can."""
    work: frozenset[WorkKind]
    """The kinds of background work that this process does; the rest is left to others."""
    telemetry: Telemetry | None
    storage: Storage
    vault: Vault
    accounts: Accounts
    identity: IdentityProviders
    rights: Rights
    emergency_reads: EmergencyReads
    absent: AbsentPrincipals
    registry: Registry
    prober: CallProber
    router: ModelRouter
    preferences: PreferenceService
    memory: MemoryService
    projects: ProjectService
    chat_search: ChatSearch
    shown_conversations: ShownConversations
    presence: PresenceService
    mcp: McpService
    mcp_sign_ins: McpSignIns
    mcp_resources: ResourceKeeper
    assistants: AssistantService
    skills: SkillService
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
    titles: TitleGenerator | None
    follow_ups: FollowUpGenerator
    downloads: ModelDownloads
    upgrade: ModelUpgrade
    ledger: UsageLedger
    budgets: Budgets
    limits: PersonLimits
    egress_log: EgressLog
    gate: OutboundGate
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
    embedder: Embedder | None
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
    speech_parts: SpeechParts
    speaking: SpeakingService
    transcription: TranscriptionService
    recognizers: RecognizerChoice

    def __init__(
        self,
        settings: Settings,
        environment: Environment,
        read_only: str | None,
        work: frozenset[WorkKind],
        at_once: int,
    ) -> None:
        self.live_settings = LiveSettings(settings)
        self.read_only = read_only
        self.work = work
        self._at_once = at_once
        self._environment = environment

    async def open(self, stack: AsyncExitStack, local: LocalEngine | None) -> None:
        """Open the services; the stack closes them in reverse. `local` is an embedded engine already started.

        Raises SetupError.
        """
        await self._open_storage(stack)
        await self._open_network(stack)
        await self._open_people(stack)
        await self._open_models(stack, local)
        await self._open_conversations(stack)
        await self._open_sources(stack)
        self._open_tools(stack)
        await self._open_answering(stack)
        self._open_schedules(stack)
        await self._open_upkeep(stack)
        await self._open_work(stack)

    async def _open_storage(self, stack: AsyncExitStack) -> None:
        settings = self.settings
        sweeping = asyncio.create_task(asyncio.to_thread(sweep_scratch_folders), name="sweep scratch folders")
        stack.push_async_callback(asyncio.wait, [sweeping])
        self.storage = await asyncio.to_thread(open_storage, settings, backup_days=settings.backup_days)
        stack.push_async_callback(self.storage.close)
        self.vault = Vault.configured(settings)
        if self.read_only is None:
            await share_keys(settings, self.storage)
        chosen = await self.storage.web_settings.get_web_settings()
        self.live_settings.overlay(overlay_of(settings, chosen, self.vault))
        self.compliance_settings = ComplianceSettingsService(self.live_settings, self.storage.compliance_settings)
        await self.compliance_settings.reload()
        self.changes = ChangeFeed(self.storage.processes)
        self.storage.processes.name_changes()
        stack.push_async_callback(self.changes.close)
        self.idle = IdleScheduler()
        self.weights = await stack.enter_async_context(
            open_damage_checks(self.settings, self.storage, self.changes, self.idle)
        )
        self.branding = BrandingService(self.live_settings, self.storage.branding)

    async def _open_network(self, stack: AsyncExitStack) -> None:
        self.egress_log, self.gate, self.web_client = await stack.enter_async_context(
            open_network(self.live_settings, self.storage, self._environment)
        )
        self.backups = BackupSchedule(self.settings, open_bucket_files(self.settings, self.gate))
        self.backups.start()
        stack.push_async_callback(self.backups.close)
        self.audit, self.audit_destinations, self.rights = await stack.enter_async_context(
            open_oversight(self.live_settings, self.storage, self.gate, self.vault)
        )
        self.telemetry = await stack.enter_async_context(open_telemetry(self.settings, self.gate))

    async def _open_people(self, stack: AsyncExitStack) -> None:
        self.budgets = await stack.enter_async_context(open_budgets(self.live_settings, self.storage))
        self.limits = PersonLimits(self.live_settings)
        self.ledger = UsageLedger(self.settings, self.storage.usage, self.budgets, self.limits)
        self.preferences = PreferenceService(self.storage.preferences)
        await self.preferences.read(LOCAL_PRINCIPAL)
        self.accounts = Accounts.open(self.live_settings, self.storage, self.vault)
        self.absent = AbsentPrincipals(self.storage.api_keys, self.accounts.principals, self.live_settings)
        self.emergency_reads = EmergencyReads(
            self.storage.emergency_reads, self.storage.people, self.storage.processes.clock
        )
        self.identity = await stack.enter_async_context(
            open_identity(self.settings, self.gate, self.accounts, self.storage.processes.clock)
        )

    async def _open_models(self, stack: AsyncExitStack, local: LocalEngine | None) -> None:
        settings, stored = self.settings, self.storage.servers
        skills = CallSkills(settings.data_dir)
        self.registry = build_registry(
            settings,
            UserEngines(settings, stored.list_servers, gate=self.gate, probes=stored.list_probes),
            gate=self.gate,
            local=local,
            rights=self.rights,
            skills=skills,
        )
        stack.push_async_callback(self.registry.close)
        self.servers = ServerService(settings, self.storage, gate=self.gate)
        self.upgrade, self.downloads = await stack.enter_async_context(
            open_downloads(settings, self.registry, self.changes, self.gate)
        )
        self.prober = CallProber(skills, self.idle)
        await self.prober.start()
        stack.push_async_callback(self.prober.close)
        if (embedded := self.registry.local) is not None:
            embedded.watch_loading(lambda model: self.prober.note_loaded(embedded, model))

    async def _open_conversations(self, stack: AsyncExitStack) -> None:
        self.runs, self.gallery, self.conversations = await stack.enter_async_context(
            open_conversations(self.settings, self.storage, self.changes, self.idle, self.gate)
        )
        self.responses = ResponseService(self.live_settings, self.storage)
        await self.responses.start()
        stack.push_async_callback(self.responses.close)
        self.prefill = Prefill(self.idle)
        sharing = (self.registry, self.changes, self.idle, self.ledger.ask, self.prefill)
        self.titles = await stack.enter_async_context(open_background(self.settings, self.storage, *sharing))
        self.follow_ups = FollowUpGenerator(self.registry, self.storage.conversations, self.idle, self.ledger.ask)
        self.comparisons = Comparisons(self.storage, self.runs, self.changes)

    async def _open_sources(self, stack: AsyncExitStack) -> None:
        live, storage, rights, ask = self.live_settings, self.storage, self.rights, self.ledger.ask
        self.speech_parts = await stack.enter_async_context(open_speech_parts(self.settings, self.changes, self.gate))
        self.speaking = await stack.enter_async_context(
            open_speaking(self.settings, self.speech_parts, self.ledger, self.registry)
        )
        self.transcription, self.recognizers = await stack.enter_async_context(
            open_transcription(live, storage.speech_settings, self.speech_parts, self.ledger, self.registry)
        )
        documents = await stack.enter_async_context(
            open_documents(
                self.settings,
                storage,
                self.registry,
                self.changes,
                self.idle,
                self.ledger,
                rights=rights,
                find_owner=self.absent.find_person,
                gate=self.gate,
                work=self.work,
                at_once=self._at_once,
                recognizer=self.transcription.chosen_recognizer,
            )
        )
        self.ingestor, self.blobs, self.search = documents.ingestor, documents.blobs, documents.search
        self.documents, self.vision = documents.documents, documents.vision
        self.embedder = documents.embedder
        self.embeddings = EmbeddingService(self.registry, documents.embedder, self.ledger)
        self.reranking = RerankService(self.registry, documents.reranker, self.ledger)
        self.feeds = await stack.enter_async_context(open_feeds(live, storage, self.changes, self.web_client))
        if "feeds" in self.work:
            self.feeds.start()
        services = [FeedProvider(self.feeds)]
        self.web = await stack.enter_async_context(
            open_web(live, self.web_client, storage.web, documents.embedder, ask, self._environment, services, rights)
        )
        planner = ScenePlanner(self.registry, ask)
        drawing = (storage, self.gallery, documents, self.idle, self.gate, self._environment, planner, self.budgets)
        self.provenance, self.images = await stack.enter_async_context(open_image_generation(live, *drawing, rights))
        self.python = await stack.enter_async_context(
            open_python(self.settings, storage, documents.blobs, self.changes, self.gate, self.idle)
        )

    def _open_tools(self, stack: AsyncExitStack) -> None:
        storage, rights = self.storage, self.rights
        self.memory = MemoryService(storage.memories, self.changes, MemoryRecall(self.embedder), rights)
        self.projects = ProjectService(storage.projects, storage.libraries, self.changes, self.ingestor, rights)
        self.conversations.also_erases.append(self.projects.erase_deleted)
        self.chat_search = ChatSearch(storage, self.projects)
        showing = (storage, self.projects, self.changes, self.absent.find_person)
        self.shown_conversations = ShownConversations(*showing, rights)
        self.presence = PresenceService(
            *(storage.presence, storage.processes, self.changes, self.shown_conversations, self.preferences),
            self.live_settings,
        )
        stack.push_async_callback(self.presence.close)
        self.assistants = AssistantService(storage.assistants, self.changes, rights)
        self.skills = SkillService(storage.skills, self.changes)
        self.tool_permissions = ToolPermissions(storage.tool_permissions, rights)
        keeper = SignInKeeper(storage.mcp_sign_ins, storage.jobs, storage.processes, self.vault)
        clock = storage.processes.clock
        self.mcp = McpService(self.live_settings, storage.mcp_servers, self.vault, keeper, self.gate, rights)
        stack.push_async_callback(self.mcp.close)
        self.mcp_sign_ins = McpSignIns(self.mcp, keeper, storage.sign_in_states, self.vault, clock)
        self.mcp_resources = ResourceKeeper(McpContentService(self.mcp), self.ingestor, self.live_settings)

    async def _open_answering(self, stack: AsyncExitStack) -> None:
        live, storage = self.live_settings, self.storage
        self.pipeline = AnswerPipeline(self.ledger, self.idle, self.prober.note_answer)
        self.router = ModelRouter(live, self.registry, storage.usage, self.preferences, self.vision)
        memory = AnswerMemory(self.memory, self.preferences)
        skills = AnswerSkills(self.skills, SkillFit(self.embedder), self.python, self.rights)
        sources = (self.preferences, self.documents, self.vision, self.web, self.images)
        tools = AnswerTools(
            live,
            self.registry,
            memory,
            *sources,
            python=self.python,
            rights=self.rights,
            canvases=(storage.canvases, self.changes),
            ask=self.ledger.ask,
            mcp=McpToolSource(self.mcp, storage, ResourceShelf(self.mcp_resources, storage, self.ingestor)),
            skills=skills,
        )
        self.answer_requests = AnswerRequests(
            live,
            self.registry,
            self.router,
            tools,
            memory,
            *sources,
            projects=self.projects,
            permissions=self.tool_permissions,
            ask=self.ledger.ask,
            feeds=storage.feeds,
            assistants=self.assistants,
            skills=skills,
        )
        stack.push_async_callback(self.prefill.close)
        parts = (self.runs, self.pipeline, self.answer_requests, self.images, self.prefill, self.titles)
        self.turns = Turns(storage, *parts, live, self.budgets)
        self.conversations.on_delete = self.answer_requests.shown_notes.forget
        resuming = (self.runs, self.pipeline, self.answer_requests, self.tool_permissions, self.absent.find_person)
        self.call_decisions = CallDecisions(storage, *resuming)
        self.runs.on_enough = self.documents.readings.finish
        self.batches = BatchService(
            *(storage.batches, storage.jobs, storage.processes, self.registry), self.idle, self.absent
        )
        stack.push_async_callback(self.batches.close)

    def _open_schedules(self, stack: AsyncExitStack) -> None:
        storage = self.storage
        asker = storage.processes.current if "schedules" in self.work else NO_PROCESS
        self.schedules = ScheduleService(storage.schedules, self.changes, asker, clock=storage.processes.clock)
        self.schedule_mail = ScheduleMail(self.live_settings, storage.people, self.gate)
        stack.push_async_callback(self.schedule_mail.close)
        asking = (self.turns, self.idle, self.changes, self.absent.find_person, self.schedule_mail, self.assistants)
        self.schedule_runner = ScheduleRunner(storage, self.schedules, *asking)
        stack.push_async_callback(self.schedule_runner.close)

    async def _open_upkeep(self, stack: AsyncExitStack) -> None:
        live, storage = self.live_settings, self.storage
        data = (self.conversations, self.responses, self.ingestor, self.gallery)
        archives = ArchiveImporter(storage, self.ingestor, self.gallery, self.preferences, self.servers, self.skills)
        is_left_to_others = "erase" not in self.work
        self.imports = await stack.enter_async_context(
            open_imports(self.settings, storage, archives, self.changes, self.gate, is_left_to_others=is_left_to_others)
        )
        self.retention, self.person_erasure = await stack.enter_async_context(
            open_erasure(
                *(live, storage, data, self.imports, self.preferences, self.accounts),
                is_left_to_others=is_left_to_others,
            )
        )
        following = (self.web, self.rights, self.budgets, self.compliance_settings, self.recognizers, self.changes)
        self.web_settings, self.policy = await stack.enter_async_context(
            open_policy(live, storage, self.vault, *following)
        )

    async def _open_work(self, stack: AsyncExitStack) -> None:
        """Tell the other processes which background work this one does, if any."""
        if not self.work or self.read_only is not None:
            return
        jobs, process = self.storage.jobs, self.storage.processes.current
        kinds: tuple[WorkKind, ...] = tuple(kind for kind in WORK_KINDS if kind in self.work)
        worker = BackgroundWorker(process, socket.gethostname(), kinds, self._at_once, int(time.time() * 1000))
        await stack.enter_async_context(listed_worker(jobs, worker))

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

    @property
    def is_busy(self) -> bool:
        """True while answers or images are being made, or batches are at work."""
        is_answering = self.runs.is_busy or self.pipeline.statistics.running > 0
        return is_answering or self.images.is_busy or self.batches.is_busy

    async def drain(self, seconds: float) -> None:
        """Begin no further answers and requests of batches; wait for what is under way, so long at most."""
        self.runs.drain()
        self.batches.drain()
        await self.schedule_runner.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.is_busy:  # noqa: ASYNC110 (no event tells)
                    await asyncio.sleep(DRAIN_POLL_S)

    async def end_streams(self) -> None:
        """End all event streams, so that their connections close by themselves."""
        await self.runs.close()
        await self.responses.close()
        self.images.stop()
        await self.changes.close()


@asynccontextmanager
async def open_app(
    settings: Settings,
    environment: Environment = REAL_ENVIRONMENT,
    *,
    local: LocalEngine | None = None,
    read_only: str | None = None,
    work: frozenset[WorkKind] | None = None,
    at_once: int = 1,
) -> AsyncGenerator[App]:
    """Open all services, and close them at the end. `local` is an embedded engine already started.

    `read_only` says why what is stored will be lost; see `App.read_only`. `work` are the kinds of background work that
    this process does, as the settings say unless given; it reads `at_once` documents at once.

    Raises SetupError. An engine that fails to start raises nothing; its health says why.
    """
    app = App(settings, environment, read_only, background_work(settings) if work is None else work, at_once)
    async with AsyncExitStack() as stack:
        await app.open(stack, local)
        yield app
