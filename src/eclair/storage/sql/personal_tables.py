"""Tables that hold a person's data: whose rows they are, how an archive has them, and how they are erased.

`tests/storage/sqlite/test_personal_tables.py` walks the schema: a table that belongs to people must be here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Exported = Literal["archive", "rows", "derived", "secret"]
"""In the archive as conversations, files or settings; as rows; made from what is there; or kept back as a secret."""

Erased = Literal["service", "rows", "cascade", "kept"]
"""By a service that also deletes bytes; as rows; with the rows that they hang under; or kept, without content."""


@dataclass(frozen=True, slots=True)
class PersonalTable:
    """A table. `mine` is the condition of a person's rows, whose id is `?1`; `kind` says what they are.

    `columns` are those that an export shows as rows.
    """

    name: str
    kind: str
    mine: str
    exported: Exported
    erased: Erased
    columns: str = ""


def _table(
    name: str, kind: str, exported: Exported, erased: Erased, columns: str = "", mine: str = ""
) -> PersonalTable:
    return PersonalTable(name, kind, mine or "owner = ?1", exported, erased, columns)


def _under(parent: str, column: str, key: str = "id") -> str:
    return f"{column} IN (SELECT {key} FROM {parent} WHERE owner = ?1)"


_OF_MESSAGE = (
    "message IN (SELECT message.id FROM message JOIN conversation ON conversation.id = message.conversation"
    " WHERE owner = ?1)"
)
_OF_DOCUMENT = (
    "{column} IN (SELECT document FROM file AS own WHERE owner = ?1 AND NOT EXISTS"
    " (SELECT 1 FROM file AS other WHERE other.document = own.document AND other.owner <> ?1))"
)
_ACCOUNT = "person = ?1"

PERSONAL_TABLES = (
    _table("message", "messages", "archive", "cascade", mine=_under("conversation", "conversation")),
    _table("run", "records of answers", "derived", "cascade", mine=_under("conversation", "conversation")),
    _table(
        *("chunk", "records of answers", "derived", "cascade"),
        mine="run IN (SELECT run.id FROM run JOIN conversation ON conversation.id = run.conversation WHERE owner = ?1)",
    ),
    _table(
        *("call_decision", "records of answers", "derived", "cascade"),
        mine="run IN (SELECT run.id FROM run JOIN conversation ON conversation.id = run.conversation WHERE owner = ?1)",
    ),
    _table(
        *("finish_request", "records of answers", "derived", "cascade"),
        mine="run IN (SELECT run.id FROM run JOIN conversation ON conversation.id = run.conversation WHERE owner = ?1)",
    ),
    _table(
        *("elicitation", "records of answers", "derived", "cascade"),
        mine="run IN (SELECT run.id FROM run JOIN conversation ON conversation.id = run.conversation WHERE owner = ?1)",
    ),
    _table("tool_permission", "permissions of tools", "rows", "rows", "id, tool, scope, conversation, created"),
    _table("attached", "attachments", "archive", "cascade", mine=_OF_MESSAGE),
    _table(
        *("web_page", "web pages", "rows", "cascade", "id, conversation, url, fetched, title, site, author, published"),
        mine=_under("conversation", "conversation"),
    ),
    _table(
        *("project_conversation", "conversations shown in projects", "rows", "cascade"),
        *("conversation, project, shown", _under("conversation", "conversation")),
    ),
    _table("share", "shared links", "rows", "cascade", "id, conversation, title, created, expires, readings, body"),
    _table(
        "canvas_version",
        "canvases",
        "archive",
        "cascade",
        mine="canvas IN (SELECT canvas.id FROM canvas"
        " JOIN conversation ON conversation.id = canvas.conversation WHERE owner = ?1)",
    ),
    _table("canvas", "canvases", "archive", "cascade", mine=_under("conversation", "conversation")),
    _table(
        *("workspace_file", "files that Python made", "rows", "cascade"),
        "conversation, name, version, media, created, sha256, alt, data",
        _under("conversation", "conversation"),
    ),
    _table("python_state", "variables of Python", "derived", "cascade", mine=_under("conversation", "conversation")),
    _table("memory", "memories", "archive", "rows"),
    _table(
        *("mcp_listing", "tools of MCP servers", "rows", "rows", "server, approved, seen"),
        mine=_under("mcp_server", "server"),
    ),
    _table("mcp_server", "MCP servers", "rows", "rows", "id, name, config, created"),
    _table("mcp_sign_in", "sign-ins at MCP servers", "rows", "rows", "server, changed"),
    _table("mcp_switch", "choices of MCP servers", "rows", "rows", "server, conversation, is_on, changed"),
    _table(
        *("occurrence", "runs of schedules", "rows", "cascade"),
        "schedule, due, status, conversation, began, ended, fault, is_missed, is_manual",
        _under("schedule", "schedule"),
    ),
    _table(
        *("schedule", "schedules", "rows", "rows"),
        "id, name, asks, cron, zone, state, next_due, keeps, mail, conversation, created, changed",
    ),
    _table("conversation", "conversations", "archive", "service"),
    _table("picture", "images", "archive", "service"),
    _table("waiting_import", "uploads", "rows", "service", "id, name, created, expires"),
    _table("upload", "uploads", "rows", "cascade", "file, purpose, expires", _under("file", "file")),
    _table("page", "texts of files", "derived", "service", mine=_OF_DOCUMENT.format(column="page.id >> 24")),
    _table("piece", "texts of files", "derived", "service", mine=_OF_DOCUMENT.format(column="piece.id >> 24")),
    _table("vector", "vectors", "derived", "service", mine=_OF_DOCUMENT.format(column="vector.id >> 24")),
    _table("document", "documents", "derived", "service", mine=_OF_DOCUMENT.format(column="number")),
    _table("file", "files", "archive", "service"),
    _table(
        *("library_share", "shares of libraries", "rows", "cascade", "library, subject, access, created"),
        mine=_under("library", "library"),
    ),
    _table("library", "libraries", "archive", "service"),
    _table(
        *("prompt_share", "shares of prompts", "rows", "cascade", "prompt, subject, access, created"),
        mine=_under("prompt", "prompt"),
    ),
    _table("prompt", "prompts", "archive", "rows"),
    _table(
        *("project_share", "shares of projects", "rows", "cascade", "project, subject, access, created"),
        mine=_under("project", "project"),
    ),
    _table("project", "projects", "archive", "rows"),
    _table(
        *("assistant_share", "shares of assistants", "rows", "cascade", "assistant, subject, access, created"),
        mine=_under("assistant", "assistant"),
    ),
    _table("assistant", "assistants", "archive", "rows"),
    _table("skill_file", "files of skills", "rows", "cascade", "skill, path, data", _under("skill", "skill")),
    _table("skill", "skills", "rows", "rows", "id, name, head, created, changed"),
    _table("skill_switch", "choices of skills", "rows", "rows", "skill, is_on"),
    _table("preference", "preferences", "archive", "rows"),
    _table("entry", "entries of feeds", "derived", "rows", mine=_under("feed", "feed")),
    _table("feed", "feeds", "archive", "rows"),
    _table(
        *("api_item", "items of the API", "rows", "cascade", "id, response, conversation, input, body"),
    ),
    _table("api_event", "items of the API", "derived", "cascade", mine=_under("api_response", "response")),
    _table("api_response", "responses of the API", "rows", "rows", "id, used, status, previous, conversation, body"),
    _table("api_conversation", "conversations of the API", "rows", "rows", "id, created, used, metadata"),
    _table(
        *("batch_reply", "replies of batches", "rows", "cascade", "batch, line, failed, body"),
        mine=_under("batch", "batch"),
    ),
    _table(
        *("batch_part", "parts of batch files", "rows", "cascade", "file, number, data"),
        mine=_under("batch_file", "file"),
    ),
    _table("batch_file", "files of batches", "rows", "rows", "id, name, created, size, expires, batch, failed"),
    _table("batch", "batches", "rows", "rows", "id, created, status, details"),
    _table(
        *("spent", "sums of usage", "rows", "rows"),
        "day, model, currency, answers, words, prompt_tokens, cached_tokens, completion_tokens, milliseconds,"
        " measured_mj, estimated_mj, micros",
    ),
    _table("reserved_part", "reservations", "derived", "cascade", mine=_under("reservation", "reservation")),
    _table("reservation", "reservations", "derived", "rows"),
    _table("budget_use", "use of budgets", "rows", "rows", "budget, start, used", "holder = ?1"),
    _table(
        *("api_key", "keys", "rows", "rows"),
        "id, name, created, used, scope, networks, expires, models, per_minute, at_once",
    ),
    _table(
        *("egress", "outgoing calls", "rows", "kept"),
        "moment, purpose, run, method, url, host, address, country, sent, received, status, verdict, reason",
    ),
    _table(
        *("emergency_reading", "emergency readings", "rows", "cascade", "request, conversation, reader, moment"),
        mine=_under("emergency_read", "request"),
    ),
    _table(
        *("emergency_read", "emergency reads", "rows", "rows"),
        "id, reason, status, requester, requested, decider, decided, expires, acknowledged",
    ),
    _table("erasure_request", "requests for erasure", "rows", "kept", "id, asked, due, ended"),
    _table(
        *("audit_value", "names in the audit log", "rows", "service"),
        "number, field, value, (SELECT action FROM audit WHERE audit.number = audit_value.number) AS action,"
        " (SELECT moment FROM audit WHERE audit.number = audit_value.number) AS moment",
        "value IS NOT NULL AND (number IN (SELECT number FROM audit_value WHERE field = 'actor' AND value = ?1)"
        " OR field = 'object' AND value = ?1)",
    ),
    _table("password", "passwords", "secret", "cascade", mine=_ACCOUNT),
    _table("second_factor", "second factors", "secret", "cascade", mine=_ACCOUNT),
    _table("passkey", "passkeys", "rows", "cascade", "id, name, created, used", _ACCOUNT),
    _table("recovery_code", "recovery codes", "secret", "cascade", mine=_ACCOUNT),
    _table("one_time_code", "one-time codes", "secret", "cascade", mine=_ACCOUNT),
    _table("identity", "identities", "rows", "cascade", "issuer, subject", _ACCOUNT),
    _table("session", "sessions", "rows", "cascade", "id, created, seen, expires, device, address, issuer", _ACCOUNT),
    _table("presence", "open conversations", "derived", "rows", mine=_ACCOUNT),
    _table("sign_in_state", "sign-ins under way", "secret", "rows", mine=_ACCOUNT),
    _table(
        *("group_member", "groups", "rows", "cascade"),
        "(SELECT name FROM person_group WHERE id = person_group) AS name",
        _ACCOUNT,
    ),
    _table("person", "accounts", "rows", "rows", "id, name, display_name, email, role, created, seen", "id = ?1"),
)
"""All of them, in the order in which rows are erased: what refers to others first."""
