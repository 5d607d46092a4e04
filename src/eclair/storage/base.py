"""The storage as a whole: one port for each matter, opened and closed together.

Ports are Protocols that exchange plain values; `storage/sql/` implements them. Every write is one transaction and
touches only the rows it names, so two clients that write to one conversation lose nothing. A method that touches a
person's data takes the Principal first and sees only what is theirs. One without serves background work on everyone's
data, or data of the installation; where neither is obvious, the Protocol's docstring says why. All methods raise
StoreError when the database cannot serve.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eclair.storage.announcements import AnnouncementStore
from eclair.storage.api_conversations import ApiConversationStore
from eclair.storage.api_keys import ApiKeyStore
from eclair.storage.assistants import AssistantStore
from eclair.storage.audit import AuditStore
from eclair.storage.audit_destinations import AuditDestinationStore
from eclair.storage.batches import BatchStore
from eclair.storage.branding import BrandingStore
from eclair.storage.budgets import BudgetStore
from eclair.storage.canvases import CanvasStore
from eclair.storage.chunks import ChunkStore
from eclair.storage.compliance_settings import ComplianceSettingsStore
from eclair.storage.conversations import ConversationStore
from eclair.storage.documents import DocumentStore
from eclair.storage.egress import EgressStore
from eclair.storage.elicitations import ElicitationStore
from eclair.storage.emergency_reads import EmergencyReadStore
from eclair.storage.feeds import FeedStore
from eclair.storage.files import FileStore
from eclair.storage.grants import GrantStore
from eclair.storage.groups import GroupStore
from eclair.storage.images import ImageStore
from eclair.storage.imports import ImportStore
from eclair.storage.installation_keys import InstallationKeyStore
from eclair.storage.integrity import IntegrityStore
from eclair.storage.jobs import JobStore
from eclair.storage.libraries import LibraryStore
from eclair.storage.literacy import LiteracyStore
from eclair.storage.mcp_servers import McpServerStore
from eclair.storage.mcp_sign_ins import McpSignInStore
from eclair.storage.memories import MemoryStore
from eclair.storage.owned_names import OwnedNameStore
from eclair.storage.passkeys import PasskeyStore
from eclair.storage.people import PeopleStore
from eclair.storage.personal_data import PersonalDataStore
from eclair.storage.policy import PolicyStore
from eclair.storage.preferences import PreferenceStore
from eclair.storage.presence import PresenceStore
from eclair.storage.processes import ProcessStore
from eclair.storage.projects import ProjectStore
from eclair.storage.prompts import PromptStore
from eclair.storage.ratings import RatingStore
from eclair.storage.responses import ResponseStore
from eclair.storage.retention import RetentionStore
from eclair.storage.runs import RunStore
from eclair.storage.schedules import ScheduleStore
from eclair.storage.scim import ScimStore
from eclair.storage.servers import ServerStore
from eclair.storage.sessions import SessionStore
from eclair.storage.shares import ShareStore
from eclair.storage.sign_in_states import SignInStateStore
from eclair.storage.skills import SkillStore
from eclair.storage.speech_settings import SpeechSettingsStore
from eclair.storage.tool_permissions import ToolPermissionStore
from eclair.storage.usage import UsageStore
from eclair.storage.web import WebStore
from eclair.storage.web_settings import WebSettingsStore
from eclair.storage.workspaces import WorkspaceStore

ReportSteps = Callable[[int, int], None]
"""Takes the number of steps that are done, and of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """All stores of one database. Whoever opened it calls `close`."""

    announcements: AnnouncementStore
    api_conversations: ApiConversationStore
    api_keys: ApiKeyStore
    assistants: AssistantStore
    audit: AuditStore
    audit_destinations: AuditDestinationStore
    batches: BatchStore
    branding: BrandingStore
    budgets: BudgetStore
    canvases: CanvasStore
    chunks: ChunkStore
    compliance_settings: ComplianceSettingsStore
    speech_settings: SpeechSettingsStore
    conversations: ConversationStore
    documents: DocumentStore
    egress: EgressStore
    elicitations: ElicitationStore
    emergency_reads: EmergencyReadStore
    feeds: FeedStore
    files: FileStore
    projects: ProjectStore
    grants: GrantStore
    groups: GroupStore
    images: ImageStore
    imports: ImportStore
    installation_keys: InstallationKeyStore
    integrity: IntegrityStore
    jobs: JobStore
    libraries: LibraryStore
    literacy: LiteracyStore
    owned_names: OwnedNameStore
    mcp_servers: McpServerStore
    mcp_sign_ins: McpSignInStore
    skills: SkillStore
    memories: MemoryStore
    passkeys: PasskeyStore
    people: PeopleStore
    personal_data: PersonalDataStore
    policy: PolicyStore
    preferences: PreferenceStore
    presence: PresenceStore
    processes: ProcessStore
    prompts: PromptStore
    ratings: RatingStore
    responses: ResponseStore
    retention: RetentionStore
    runs: RunStore
    schedules: ScheduleStore
    scim: ScimStore
    servers: ServerStore
    sessions: SessionStore
    shares: ShareStore
    sign_in_states: SignInStateStore
    tool_permissions: ToolPermissionStore
    usage: UsageStore
    web: WebStore
    web_settings: WebSettingsStore
    workspaces: WorkspaceStore
    close: Callable[[], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class DatabaseReport:
    """Findings about a database: its size in bytes, its format, the latest known format, and its damage, if any.

    `unused` is the space of what was erased, in bytes. `needs_compaction` says that it can't be given back to the disk
    while Éclair runs, since the database must be rewritten for that once and is too large.
    """

    size: int
    version: int
    latest: int
    damage: str | None
    unused: int
    needs_compaction: bool


@dataclass(frozen=True, slots=True)
class DatabaseCopy:
    """A copy of a database: its format, and the files of documents and images that it names, as paths."""

    format: int
    named_blobs: frozenset[str]


@dataclass(frozen=True, slots=True)
class RepairReport:
    """Numbers of rows by what they are, such as "messages", and the folder that the damaged database is in now.

    `lost` is what is known to be lost, `mended` what refers to other rows, or is shown, in another way than before.
    `set_aside` is None where the database was sound.
    """

    saved: dict[str, int]
    lost: dict[str, int]
    mended: dict[str, int]
    set_aside: Path | None
