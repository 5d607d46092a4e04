"""Every statement on what belongs to somebody names its owner, or is known not to: by reading the code itself."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import apsw

from eclair import storage
from eclair.storage.open import open_storage

CODE = Path(storage.__file__).parent
OWNERLESS: dict[str, frozenset[str]] = {
    "a caller has checked that what it is in is the principal's": frozenset(
        [
            "api_conversations._find_item",
            "api_items.list_item_page",
            "api_items.list_items",
            "batches._add_file",
            "batches._erase_file",
            "canvases._insert_version",
            "canvases._require_version",
            "conversations.SQLConversationStore._list_by_index",
            "conversations.refuse_while_running",
            "documents.SQLDocumentStore._replace",
            "egress._insert",
            "files._refuse_taken_path",
            "messages._read_messages",
            "messages._read_text",
            "messages.find_newest_leaf",
            "messages.get_message",
            "messages.insert_message",
            "messages.require_message",
            "messages.update_message",
            "name_search._located_file",
            "responses.SQLResponseStore.is_running",
            "responses.SQLResponseStore.list_cancelled",
            "responses.SQLResponseStore.list_events",
            "responses.SQLResponseStore.list_last_events",
            "responses.SQLResponseStore.request_cancel",
            "responses._append",
            "responses._has_event",
            "elicitations.SQLElicitationStore.add_questions",
            "elicitations.SQLElicitationStore.take_inputs",
            "elicitations._is_answered",
            "elicitations._take",
            "runs.SQLRunStore.find_folded",
            "runs.SQLRunStore.list_events",
            "runs.SQLRunStore.list_last_events",
            "runs.SQLRunStore.list_new_events",
            "runs.SQLRunStore.request_finish",
            "runs.SQLRunStore.request_stop",
            "runs._append",
            "runs._owner",
            "runs._find_repeated",
            "runs._refuse_while_open",
            "schedules._has_open",
            "schedules._insert",
            "schedules._with_last",
            "runs.SQLRunStore.append_events",
            "runs.SQLRunStore.append_safely",
            "runs.SQLRunStore.get_status",
            "runs.SQLRunStore.park_run",
            "runs._insert_decision",
            "shared_messages._edit",
            "shared_messages._mentioning",
            "shared_messages.erase_messages",
            "workspaces.SQLWorkspaceStore._store",
        ]
    ),
    "a run or a batch that began for somebody goes on and ends": frozenset(
        [
            "api_keys.SQLApiKeyStore.get_key",
            "batches.SQLBatchStore.add_reply",
            "budgets.SQLBudgetStore.list_processes",
            "budgets.SQLBudgetStore.reserve",
            "budgets.SQLBudgetStore.settle",
            "budgets.SQLBudgetStore.settle_dead",
            "budgets._reserve",
            "budgets._written_tokens",
            "batches.SQLBatchStore.begin_batch",
            "batches.SQLBatchStore.find_next_batch",
            "batches.SQLBatchStore.finish_batch",
            "batches.SQLBatchStore.get_status",
            "batches.SQLBatchStore.list_answered_lines",
            "batches._change",
            "egress.SQLEgressStore.add_calls",
            "feeds.SQLFeedStore._put_entries",
            "feeds.SQLFeedStore._put_feed",
            "feeds._put_entry",
            "responses.SQLResponseStore.finish_response",
            "schedules.SQLScheduleStore.claim_due",
            "schedules.SQLScheduleStore.end_occurrence",
            "schedules.SQLScheduleStore.note_run",
            "schedules.SQLScheduleStore.take_over",
            "schedules._pause",
            "runs.SQLRunStore.finish_run",
        ]
    ),
    "background work concerns everyone's, and shows it to nobody": frozenset(
        [
            "batches.SQLBatchStore.erase_expired_files",
            "chunks.SQLChunkStore.find_owner",
            "bulk_erasure.erase_conversations",
            "conversations.SQLConversationStore._expire",
            "conversations.SQLConversationStore._list_deleted",
            "conversations.SQLConversationStore._list_inactive",
            "conversations._free_moment",
            "egress.SQLEgressStore._interrupt",
            "sealed_calls.seal_calls",
            "sealed_calls.digest_calls",
            "egress.SQLEgressStore._list_processes",
            "egress.SQLEgressStore.erase_calls",
            "feeds.SQLFeedStore._erase_some",
            "feeds.SQLFeedStore.claim_due",
            "feeds.SQLFeedStore.get_next_due",
            "feeds._count_entries",
            "files.SQLFileStore.list_expired_files",
            "files.SQLFileStore.list_unattached_files",
            "images.SQLImageStore.list_blobs",
            "images.SQLImageStore.list_orphaned_blobs",
            "imports.SQLImportStore.list_expired_imports",
            "imports.SQLImportStore.list_import_blobs",
            "named_blobs.list_named_blobs",
            "projects.SQLProjectStore.erase_project",
            "projects.SQLProjectStore.list_deleted_projects",
            "feeds.list_active_urls",
            "responses.SQLResponseStore.list_running",
            "retention.SQLRetentionStore._delete_some",
            "retention.SQLRetentionStore.list_due_files",
            "schedules.SQLScheduleStore.get_next_due",
            "schedules.SQLScheduleStore.list_due",
            "schedules.SQLScheduleStore.list_open",
            "schedules._find",
            "schedules.count_schedules",
            "runs.SQLRunStore.fold_logs",
            "runs.SQLRunStore.list_decided_runs",
            "runs.SQLRunStore.list_running",
            "runs.SQLRunStore.list_waiting_runs",
            "runs.SQLRunStore.take_up_run",
            "runs.SQLRunStore._delete_finish_requests",
            "runs.SQLRunStore._list_requests",
            "text_index.SQLiteTextIndex.count_entries",
            "usage.SQLUsageStore.get_model_speeds",
        ]
    ),
    "requests for erasure are the house's to carry out": frozenset(
        [
            "personal_data.SQLPersonalDataStore.end_request",
            "personal_data.SQLPersonalDataStore.get_request",
            "personal_data.SQLPersonalDataStore.list_due_requests",
            "personal_data.SQLPersonalDataStore.list_requests",
        ]
    ),
    "two people decided that it may be read, and its owner is told": frozenset(
        [
            "emergency_reads.SQLEmergencyReadStore.list_readings",
            "emergency_reads.SQLEmergencyReadStore.list_requests",
            "emergency_reads._find",
        ]
    ),
    "administrators and auditors choose by name what a rule is for": frozenset(
        ["owned_names.SQLOwnedNameStore.get_names", "owned_names.SQLOwnedNameStore.search_names"]
    ),
    "the bytes are known by their hash; several people's files may share them": frozenset(
        ["document_rows.release_document", "files.SQLFileStore.get_name"]
    ),
    "the id or the key is a secret that nobody can guess": frozenset(
        [
            "api_keys.SQLApiKeyStore.find_key",
            "api_keys.SQLApiKeyStore.mark_used",
            "api_keys.has_keys",
            "shares.SQLShareStore.count_reading",
            "shares.SQLShareStore.get_share",
        ]
    ),
}
"""Functions that touch what belongs to somebody without a principal, by the reason."""

_USE = re.compile(r"\b(?:FROM|JOIN|INTO|UPDATE)\s+(\w+)")


def owned_tables(database: Path) -> set[str]:
    """Return the tables with an owner, and those beneath them."""
    db = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READONLY)
    tables = [
        name for (name,) in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND sql LIKE '%STRICT%'")
    ]
    owned = {table for table in tables for row in db.execute(f"PRAGMA table_info({table})") if row[1] == "owner"}
    while True:
        beneath = {
            table for table in tables for row in db.execute(f"PRAGMA foreign_key_list({table})") if row[2] in owned
        }
        if beneath <= owned:
            return owned
        owned |= beneath


def functions(tree: ast.Module) -> Iterator[tuple[str, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, node
        elif isinstance(node, ast.ClassDef):
            yield from (
                (f"{node.name}.{each.name}", each)
                for each in node.body
                if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)
            )


def constants(tree: ast.Module) -> dict[str, str]:
    """Return the strings in the module's constants, by name."""
    return {
        target.id: " ".join(strings(node.value))
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def strings(node: ast.AST) -> Iterator[str]:
    for each in ast.walk(node):
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            yield each.value


def binds_a_principal(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Tell whether a function takes somebody and uses them."""
    wanted = ("Principal", "NewTurn", "SearchScope")
    takes = {
        each.arg
        for each in function.args.args
        if each.annotation is not None and ast.unparse(each.annotation).split(" |")[0] in wanted
    } | ({"owner"} & {each.arg for each in function.args.args})
    used = {each.id for statement in function.body for each in ast.walk(statement) if isinstance(each, ast.Name)}
    return bool(takes & used)


def unbound(owned: set[str]) -> dict[str, set[str]]:
    """Return the functions whose statements use an owned table for nobody, with the tables."""
    found: dict[str, set[str]] = {}
    for path in (*sorted((CODE / "sql").glob("*.py")), *sorted((CODE / "sqlite").glob("*.py"))):
        tree = ast.parse(path.read_text("utf-8"))
        named = constants(tree)
        for name, function in functions(tree):
            texts = [*strings(function)]
            texts += [named[each.id] for each in ast.walk(function) if isinstance(each, ast.Name) and each.id in named]
            used = {table for text in texts for table in _USE.findall(text)} & owned
            if used and not binds_a_principal(function):
                found[f"{path.stem}.{name}"] = used
    return found


async def test_statements_name_an_owner(tmp_path: Path) -> None:
    await open_storage(tmp_path).close()
    owned = owned_tables(tmp_path / "eclair.db")
    assert {"conversation", "message", "file", "library", "picture", "entry", "api_item", "batch_reply"} <= owned
    found = unbound(owned)
    known = {name for names in OWNERLESS.values() for name in names}
    assert {name: tables for name, tables in found.items() if name not in known} == {}
    assert sorted(known - found.keys()) == []
