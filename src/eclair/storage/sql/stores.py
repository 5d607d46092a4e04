"""The stores of one database, whichever it is."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from eclair.schema.ids import Clock
from eclair.storage.base import Storage
from eclair.storage.integrity import IntegrityStore
from eclair.storage.processes import ProcessStore
from eclair.storage.sql.announcements import SQLAnnouncementStore
from eclair.storage.sql.api_conversations import SQLApiConversationStore
from eclair.storage.sql.api_keys import SQLApiKeyStore
from eclair.storage.sql.assistants import SQLAssistantStore
from eclair.storage.sql.audit import SQLAuditStore
from eclair.storage.sql.audit_destinations import SQLAuditDestinationStore
from eclair.storage.sql.batches import SQLBatchStore
from eclair.storage.sql.branding import SQLBrandingStore
from eclair.storage.sql.budgets import SQLBudgetStore
from eclair.storage.sql.canvases import SQLCanvasStore
from eclair.storage.sql.chunks import SQLChunkStore
from eclair.storage.sql.compliance_settings import SQLComplianceSettingsStore
from eclair.storage.sql.connection import Database
from eclair.storage.sql.conversations import SQLConversationStore
from eclair.storage.sql.documents import SQLDocumentStore
from eclair.storage.sql.egress import SQLEgressStore
from eclair.storage.sql.elicitations import SQLElicitationStore
from eclair.storage.sql.emergency_reads import SQLEmergencyReadStore
from eclair.storage.sql.feeds import SQLFeedStore
from eclair.storage.sql.files import SQLFileStore
from eclair.storage.sql.grants import SQLGrantStore
from eclair.storage.sql.groups import SQLGroupStore
from eclair.storage.sql.images import SQLImageStore
from eclair.storage.sql.imports import SQLImportStore
from eclair.storage.sql.installation_keys import SQLInstallationKeyStore
from eclair.storage.sql.jobs import SQLJobStore
from eclair.storage.sql.libraries import SQLLibraryStore
from eclair.storage.sql.literacy import SQLLiteracyStore
from eclair.storage.sql.mcp_servers import SQLMcpServerStore
from eclair.storage.sql.mcp_sign_ins import SQLMcpSignInStore
from eclair.storage.sql.memories import SQLMemoryStore
from eclair.storage.sql.owned_names import SQLOwnedNameStore
from eclair.storage.sql.passkeys import SQLPasskeyStore
from eclair.storage.sql.people import SQLPeopleStore
from eclair.storage.sql.personal_data import SQLPersonalDataStore
from eclair.storage.sql.policy import SQLPolicyStore
from eclair.storage.sql.preferences import SQLPreferenceStore
from eclair.storage.sql.presence import SQLPresenceStore
from eclair.storage.sql.projects import SQLProjectStore
from eclair.storage.sql.prompts import SQLPromptStore
from eclair.storage.sql.ratings import SQLRatingStore
from eclair.storage.sql.responses import SQLResponseStore
from eclair.storage.sql.retention import SQLRetentionStore
from eclair.storage.sql.runs import SQLRunStore
from eclair.storage.sql.schedules import SQLScheduleStore
from eclair.storage.sql.scim import SQLScimStore
from eclair.storage.sql.servers import SQLServerStore
from eclair.storage.sql.sessions import SQLSessionStore
from eclair.storage.sql.shares import SQLShareStore
from eclair.storage.sql.sign_in_states import SQLSignInStateStore
from eclair.storage.sql.skills import SQLSkillStore
from eclair.storage.sql.speech_settings import SQLSpeechSettingsStore
from eclair.storage.sql.tool_permissions import SQLToolPermissionStore
from eclair.storage.sql.usage import SQLUsageStore
from eclair.storage.sql.web import SQLWebStore
from eclair.storage.sql.web_settings import SQLWebSettingsStore
from eclair.storage.sql.workspaces import SQLWorkspaceStore


def build_storage(
    database: Database,
    clock: Clock,
    processes: ProcessStore,
    integrity: IntegrityStore,
    close: Callable[[], Coroutine[Any, Any, None]],
) -> Storage:
    """Return all stores over an open database; `close` closes it."""
    documents = SQLDocumentStore(database, processes.current)
    return Storage(
        announcements=SQLAnnouncementStore(database, clock),
        api_conversations=SQLApiConversationStore(database, clock),
        api_keys=SQLApiKeyStore(database),
        assistants=SQLAssistantStore(database),
        audit=SQLAuditStore(database),
        audit_destinations=SQLAuditDestinationStore(database),
        batches=SQLBatchStore(database, clock),
        branding=SQLBrandingStore(database),
        budgets=SQLBudgetStore(database),
        canvases=SQLCanvasStore(database, clock),
        chunks=SQLChunkStore(database),
        compliance_settings=SQLComplianceSettingsStore(database),
        speech_settings=SQLSpeechSettingsStore(database),
        conversations=SQLConversationStore(database, clock),
        documents=documents,
        egress=SQLEgressStore(database, processes),
        elicitations=SQLElicitationStore(database),
        emergency_reads=SQLEmergencyReadStore(database),
        feeds=SQLFeedStore(database),
        files=SQLFileStore(database, documents),
        images=SQLImageStore(database),
        imports=SQLImportStore(database),
        installation_keys=SQLInstallationKeyStore(database),
        integrity=integrity,
        jobs=SQLJobStore(database, processes.current),
        projects=SQLProjectStore(database),
        grants=SQLGrantStore(database),
        groups=SQLGroupStore(database),
        libraries=SQLLibraryStore(database, documents),
        literacy=SQLLiteracyStore(database),
        owned_names=SQLOwnedNameStore(database),
        mcp_servers=SQLMcpServerStore(database),
        mcp_sign_ins=SQLMcpSignInStore(database),
        skills=SQLSkillStore(database),
        memories=SQLMemoryStore(database),
        passkeys=SQLPasskeyStore(database),
        people=SQLPeopleStore(database, clock),
        personal_data=SQLPersonalDataStore(database),
        policy=SQLPolicyStore(database),
        preferences=SQLPreferenceStore(database),
        presence=SQLPresenceStore(database, processes.current),
        processes=processes,
        prompts=SQLPromptStore(database),
        ratings=SQLRatingStore(database),
        responses=SQLResponseStore(database, clock),
        retention=SQLRetentionStore(database, clock),
        runs=SQLRunStore(database, processes.current, clock),
        schedules=SQLScheduleStore(database, clock),
        scim=SQLScimStore(database),
        servers=SQLServerStore(database),
        sessions=SQLSessionStore(database),
        shares=SQLShareStore(database),
        sign_in_states=SQLSignInStateStore(database),
        tool_permissions=SQLToolPermissionStore(database),
        usage=SQLUsageStore(database, clock),
        web=SQLWebStore(database),
        web_settings=SQLWebSettingsStore(database),
        workspaces=SQLWorkspaceStore(database),
        close=close,
    )
