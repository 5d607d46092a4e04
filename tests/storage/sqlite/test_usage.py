"""Rows of usage: few, indexed, and filled by the migration that made them."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import apsw

from eclair.schema.principal import LOCAL_PRINCIPAL
from eclair.storage.base import Storage
from eclair.storage.open import open_storage
from eclair.storage.usage import UsageTotal
from tests.storage.test_usage import USAGE, Calendar, answered

NEWER = """
DROP TRIGGER project_memories_gone; DROP TRIGGER project_library_gone; DROP TRIGGER project_held_listed;
DROP TABLE job; DROP TABLE worker; DROP INDEX document_waiting;
DROP INDEX document_unembedded; DROP INDEX document_of_embedder;
ALTER TABLE document DROP COLUMN priority; ALTER TABLE document DROP COLUMN queued;
DROP TABLE finish_request; DROP TABLE project_conversation;
DROP TABLE elicitation; DROP TABLE tool_permission; DROP TABLE call_decision; DROP INDEX run_waiting;
ALTER TABLE run DROP COLUMN waiting_since; ALTER TABLE run DROP COLUMN options;
DROP TRIGGER conversation_held; DROP TRIGGER conversation_held_listed; DROP TRIGGER conversation_held_in_project;
DROP TRIGGER file_held; DROP TRIGGER picture_held; DROP TRIGGER project_held; DROP TRIGGER library_held;
DROP TRIGGER response_held; DROP TRIGGER api_conversation_held; DROP TRIGGER batch_held; DROP TRIGGER batch_file_held;
DROP TRIGGER message_held; DROP TRIGGER conversation_temporary; DROP TRIGGER message_temporary;
DROP TABLE speech_settings; DROP TABLE sign_in_state; DROP TABLE installation_key; DROP TABLE presence;
DROP TABLE waiting_import;
DROP TABLE compliance_settings; DROP TABLE mcp_server; DROP TABLE mcp_listing; DROP TABLE mcp_switch;
DROP TABLE mcp_sign_in;
DROP TRIGGER prompt_held; DROP TRIGGER person_prompts_gone; DROP TRIGGER group_prompts_gone;
DROP TABLE prompt_share; DROP TABLE prompt;
DROP TABLE occurrence; DROP TABLE schedule; ALTER TABLE conversation DROP COLUMN unread;
DROP TRIGGER assistant_library_gone;
DROP TRIGGER assistant_held; DROP TRIGGER person_assistants_gone; DROP TRIGGER group_assistants_gone;
DROP TABLE assistant_share; DROP TABLE assistant; ALTER TABLE conversation DROP COLUMN assistant_id;
DROP TABLE skill_switch; DROP TABLE skill_file; DROP TABLE skill;
DROP TABLE memory; ALTER TABLE conversation DROP COLUMN memory;
DROP TABLE retention_rule; DROP TABLE legal_hold; DROP TABLE erasure_request;
DROP TABLE scim_resource; DROP TABLE passkey; DROP TABLE canvas_version; DROP TABLE canvas; DROP TABLE announcement;
DROP TABLE workspace_file; DROP TABLE python_state; DROP TABLE branding;
DROP TRIGGER person_rights_gone; DROP TRIGGER group_rights_gone;
DROP TABLE access_grant; DROP TABLE library_share; DROP TABLE emergency_reading; DROP TABLE emergency_read;
ALTER TABLE share DROP COLUMN house;
DROP TABLE reserved_part; DROP TABLE reservation; DROP TABLE budget_use; DROP TABLE budget;
DROP TABLE one_time_code; DROP TABLE group_member; DROP TABLE person_group; DROP TABLE session;
DROP TABLE recovery_code; DROP TABLE second_factor; DROP TABLE password; DROP TABLE identity; DROP TABLE person;
DROP TABLE batch_part; DROP TABLE batch_reply; DROP TABLE batch_file; DROP TABLE batch; DROP TABLE upload;
ALTER TABLE conversation DROP COLUMN model; ALTER TABLE conversation DROP COLUMN mode;
ALTER TABLE conversation DROP COLUMN web; ALTER TABLE conversation DROP COLUMN temperature;
ALTER TABLE conversation DROP COLUMN max_tokens; ALTER TABLE conversation DROP COLUMN system;
DROP TRIGGER project_gone;
DROP TABLE project_share; DROP TABLE project;
DROP INDEX conversation_in_project; ALTER TABLE conversation DROP COLUMN project_id;
DROP TABLE web_page; ALTER TABLE share DROP COLUMN readings; ALTER TABLE share DROP COLUMN reviewer;
DROP TABLE entry_word; DROP TABLE entry_text; DROP TABLE entry; DROP TABLE feed;
DROP TABLE egress; DROP TRIGGER egress_forgets; DROP TABLE audit; DROP TABLE audit_value;
DROP TABLE audit_destination; DROP TABLE audit_checkpoint; DROP TABLE audit_delivery;
DROP TABLE server; DROP TABLE probe;
DROP TABLE attached; DROP TABLE file; DROP TABLE library; DROP TABLE document; DROP TABLE page; DROP TABLE vector;
DROP TABLE piece_word; DROP TABLE piece_text; DROP TABLE piece;
DROP TABLE picture_text; DROP TABLE picture; DROP TABLE picture_gone;
DROP TABLE api_key; DROP TABLE health_check; DROP INDEX conversation_tagged;
DROP INDEX run_with_log; ALTER TABLE run DROP COLUMN ended; ALTER TABLE run DROP COLUMN events;
ALTER TABLE run DROP COLUMN stop_requested; DROP TABLE index_merge_due;
DROP INDEX message_rated; ALTER TABLE message DROP COLUMN rated;
ALTER TABLE conversation DROP COLUMN branched_from;
DROP TABLE web_settings; DROP TABLE literacy;
DROP TABLE api_item; DROP TABLE api_event; DROP TABLE api_response; DROP TABLE api_conversation;
"""
"""Undoes what came after the sums."""


async def test_the_sums_stay_when_what_they_are_of_is_deleted_and_lead_nowhere(
    storage: Storage, tmp_path: Path
) -> None:
    await answered(storage, USAGE)
    before = await storage.usage.sum_usage(LOCAL_PRINCIPAL, by="day")
    await storage.conversations.delete_conversation(LOCAL_PRINCIPAL, "conv_a", forever=True)
    await storage.conversations.erase_deleted(1)
    assert await storage.usage.sum_usage(LOCAL_PRINCIPAL, by="day") == before
    database = apsw.Connection(str(tmp_path / "store" / "eclair.db"))
    text = repr(list(database.execute("SELECT * FROM spent")))
    database.close()
    assert "conv_" not in text
    assert "msg_" not in text


async def test_a_hundred_thousand_answers_are_a_few_rows_and_days_are_found_by_an_index(tmp_path: Path) -> None:
    calendar = Calendar()
    storage = open_storage(tmp_path / "many", calendar)
    database = apsw.Connection(str(tmp_path / "many" / "eclair.db"))
    try:
        await storage.usage.add_usage(LOCAL_PRINCIPAL, "muse", USAGE)
        columns = "prompt_tokens, cached_tokens, completion_tokens, milliseconds, metered, measured_mj, estimated_mj"
        database.execute(
            f"INSERT INTO spent (owner, day, model, currency, answers, words, {columns}, micros)"
            " WITH RECURSIVE n (i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n WHERE i < 99999)"
            " SELECT 'local', date('1900-01-01', i || ' days'), 'muse', 'EUR', 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 FROM n"
            " WHERE true ON CONFLICT DO UPDATE SET answers = answers + 1"
        )
        (whole,) = await storage.usage.sum_usage(LOCAL_PRINCIPAL)
        assert whole.answers == 100_001
        (week,) = await storage.usage.sum_usage(LOCAL_PRINCIPAL, date(1950, 1, 1), date(1950, 1, 7))
        assert week.answers == 7
        plan = repr(
            list(
                database.execute(
                    "EXPLAIN QUERY PLAN SELECT sum(words) FROM spent WHERE owner = 'x' AND day BETWEEN 'a' AND 'b'"
                )
            )
        )
        assert "SEARCH spent USING PRIMARY KEY (owner=? AND day>? AND day<?)" in plan
    finally:
        database.close()
        await storage.close()


async def test_what_was_answered_before_there_were_sums_is_in_them(tmp_path: Path) -> None:
    storage = open_storage(tmp_path / "old")
    await answered(storage, replace(USAGE, energy=None, cost=None))
    await storage.close()
    database = apsw.Connection(str(tmp_path / "old" / "eclair.db"))
    database.execute(f"{NEWER} DROP TABLE spent; PRAGMA user_version = 2")
    database.close()
    storage = open_storage(tmp_path / "old")
    (whole,) = await storage.usage.sum_usage(LOCAL_PRINCIPAL, by="model")
    await storage.close()
    assert whole == UsageTotal(
        name="muse", answers=1, words=8, prompt_tokens=100, cached_tokens=40, completion_tokens=10
    )
