"""Every statement on what belongs to somebody names its owner, or is known not to: by reading the code itself."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import apsw

from eclair.storage import sqlite
from eclair.storage.open import open_storage

CODE = Path(sqlite.__file__).parent
NOT_READ = ("salvage", "migrations")
"""Folders of what repairs a database as a whole, and of what makes it."""

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
            "conversations.SQLiteConversationStore._list_by_index",
            "conversations.refuse_while_running",
            "documents.SQLiteDocumentStore._replace",
            "egress._insert",
            "files._refuse_taken_path",
            "messages._read_messages",
            "messages._read_text",
            "messages.find_newest_leaf",
            "messages.get_message",
            "messages.insert_message",
            "messages.require_message",
            "messages.update_message",
            "mcp_servers._put",
            "name_search._locate",
            "responses.SQLiteResponseStore.is_running",
            "responses.SQLiteResponseStore.list_cancelled",
            "responses.SQLiteResponseStore.list_events",
            "responses.SQLiteResponseStore.request_cancel",
            "responses._append",
            "runs.SQLiteRunStore.find_folded",
            "runs.SQLiteRunStore.list_events",
            "runs.SQLiteRunStore.request_stop",
            "runs._append",
            "runs._owner",
            "runs._refuse_while_waiting",
            "schedules._has_open",
            "schedules._insert",
            "schedules._with_last",
            "runs.SQLiteRunStore.get_status",
            "runs.SQLiteRunStore.park_run",
            "runs._insert_answer",
            "runs._insert_decision",
            "shared_messages._edit",
            "shared_messages._mentioning",
            "shared_messages.erase_messages",
            "workspaces.SQLiteWorkspaceStore._store",
        ]
    ),
    "a run or a batch that began for somebody goes on and ends": frozenset(
        [
            "api_keys.SQLiteApiKeyStore.get_key",
            "batches.SQLiteBatchStore.add_reply",
            "budgets.SQLiteBudgetStore.list_processes",
            "budgets.SQLiteBudgetStore.reserve",
            "budgets.SQLiteBudgetStore.settle",
            "budgets.SQLiteBudgetStore.settle_dead",
            "budgets._reserve",
            "budgets._written_tokens",
            "batches.SQLiteBatchStore.begin_batch",
            "batches.SQLiteBatchStore.find_next_batch",
            "batches.SQLiteBatchStore.finish_batch",
            "batches.SQLiteBatchStore.get_status",
            "batches.SQLiteBatchStore.list_answered_lines",
            "batches._change",
            "egress.SQLiteEgressStore.add_calls",
            "feeds.SQLiteFeedStore._put_entries",
            "feeds.SQLiteFeedStore._put_feed",
            "feeds._put_entry",
            "responses.SQLiteResponseStore.finish_response",
            "schedules.SQLiteScheduleStore.claim_due",
            "schedules.SQLiteScheduleStore.end_occurrence",
            "schedules.SQLiteScheduleStore.note_run",
            "schedules.SQLiteScheduleStore.take_over",
            "schedules._pause",
            "runs.SQLiteRunStore.finish_run",
        ]
    ),
    "background work concerns everyone's, and shows it to nobody": frozenset(
        [
            "batches.SQLiteBatchStore.erase_expired_files",
            "chunks.SQLiteChunkStore.find_owner",
            "bulk_erasure.erase_conversations",
            "conversations.SQLiteConversationStore._expire",
            "conversations.SQLiteConversationStore._list_deleted",
            "conversations.SQLiteConversationStore._list_inactive",
            "conversations._free_moment",
            "egress.SQLiteEgressStore._interrupt",
            "sealed_calls.seal_calls",
            "sealed_calls.digest_calls",
            "egress.SQLiteEgressStore._list_processes",
            "egress.SQLiteEgressStore.erase_calls",
            "feeds.SQLiteFeedStore._erase_some",
            "feeds.SQLiteFeedStore.claim_due",
            "feeds.SQLiteFeedStore.get_next_due",
            "feeds._count_entries",
            "feeds._score_entries",
            "files.SQLiteFileStore.list_expired_files",
            "files.SQLiteFileStore.list_unattached_files",
            "images.SQLiteImageStore.list_blobs",
            "images.SQLiteImageStore.list_orphaned_blobs",
            "open.list_named_blobs",
            "open.read_feed_urls",
            "responses.SQLiteResponseStore.list_running",
            "retention.SQLiteRetentionStore._delete_some",
            "retention.SQLiteRetentionStore.list_due_files",
            "schedules.SQLiteScheduleStore.get_next_due",
            "schedules.SQLiteScheduleStore.list_due",
            "schedules.SQLiteScheduleStore.list_open",
            "schedules._find",
            "schedules.count_schedules",
            "runs.SQLiteRunStore.fold_logs",
            "runs.SQLiteRunStore.list_decided_runs",
            "runs.SQLiteRunStore.list_running",
            "runs.SQLiteRunStore.list_waiting_runs",
            "runs.SQLiteRunStore.take_up_run",
            "runs.SQLiteRunStore.list_stop_requests",
            "usage.SQLiteUsageStore.get_model_speeds",
        ]
    ),
    "requests for erasure are the house's to carry out": frozenset(
        [
            "personal_data.SQLitePersonalDataStore.end_request",
            "personal_data.SQLitePersonalDataStore.get_request",
            "personal_data.SQLitePersonalDataStore.list_due_requests",
            "personal_data.SQLitePersonalDataStore.list_requests",
        ]
    ),
    "two people decided that it may be read, and its owner is told": frozenset(
        [
            "emergency_reads.SQLiteEmergencyReadStore.list_readings",
            "emergency_reads.SQLiteEmergencyReadStore.list_requests",
            "emergency_reads._find",
        ]
    ),
    "administrators and auditors choose by name what a rule is for": frozenset(
        ["owned_names.SQLiteOwnedNameStore.get_names", "owned_names.SQLiteOwnedNameStore.search_names"]
    ),
    "the bytes are known by their hash; several people's files may share them": frozenset(
        ["document_rows.release_document", "files.SQLiteFileStore.get_name"]
    ),
    "the id or the key is a secret that nobody can guess": frozenset(
        [
            "api_keys.SQLiteApiKeyStore.find_key",
            "api_keys.SQLiteApiKeyStore.mark_used",
            "api_keys.has_keys",
            "shares.SQLiteShareStore.count_reading",
            "shares.SQLiteShareStore.get_share",
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
    for path in sorted(CODE.rglob("*.py")):
        if path.relative_to(CODE).parts[0] in NOT_READ:
            continue
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
