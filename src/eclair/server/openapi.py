"""The OpenAPI document: FastAPI's, with names that read well, who may call, and the replies that really come."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from fastapi import APIRouter, FastAPI
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

import eclair
from eclair.llm.base import JSON
from eclair.server import reply_schemas as replies
from eclair.server.client_limits import COSTLY_ROUTES
from eclair.server.lazy_routes import ROUTE_MODULES, add_routes, route_prefix

SCHEMAS = "#/components/schemas/{model}"

STATUSES = {
    400: "Something of the request is wrong; `param` names it.",
    401: "No key, or a wrong one.",
    403: "A page, a name or a proxy that may not use Éclair, or a call out that the policy refuses.",
    404: "It isn't there.",
    409: "It is in use, or there already.",
    410: "It has expired.",
    413: "Larger than its limit.",
    415: "Compressed in another way than gzip.",
    422: "A file that is locked, damaged or of an unsupported type.",
    431: "Headers or an address that are too long.",
    429: "Too many requests at the same time; `Retry-After` says when to try again.",
    501: "Nothing here can do it.",
    502: "A model or a service broke off, or can't be understood.",
    503: "A model or the storage isn't available.",
}

SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer"},
    "x-api-key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
    "api-key": {"type": "apiKey", "in": "header", "name": "api-key"},
}

REPLIES: Mapping[str, tuple[type[BaseModel], type[BaseModel] | None]] = {
    "POST /v1/chat/completions": (replies.ChatCompletionReply, replies.ChatCompletionChunk),
    "POST /v1/completions": (replies.TextCompletionReply, replies.TextCompletionReply),
    "POST /v1/fim/completions": (replies.ChatCompletionReply, replies.ChatCompletionChunk),
    "GET /v1/models": (replies.ModelListReply, None),
    "GET /v1/models/{id}": (replies.ModelEntry, None),
    "POST /v1/files": (replies.FileEntry, None),
    "GET /v1/files": (replies.FileListReply, None),
    "GET /v1/files/{id}": (replies.FileEntry, None),
    "DELETE /v1/files/{id}": (replies.DeletedReply, None),
    "POST /v1/embeddings": (replies.EmbeddingsReply, None),
    "POST /v1/audio/transcriptions": (replies.TranscriptReply, replies.TranscriptStreamEvent),
    "POST /v1/audio/translations": (replies.TranscriptReply, None),
    "POST /v1/rerank": (replies.RerankReply, None),
    "POST /v1/moderations": (replies.ModerationsReply, None),
    "POST /v1/images/generations": (replies.ImagesReply, replies.ResponseStreamEvent),
    "POST /v1/images/edits": (replies.ImagesReply, replies.ResponseStreamEvent),
    "POST /v1/responses": (replies.ResponseReply, replies.ResponseStreamEvent),
    "GET /v1/responses/{id}": (replies.ResponseReply, replies.ResponseStreamEvent),
    "POST /v1/messages": (replies.MessageReply, replies.MessageStreamEvent),
    "POST /v1/messages/count_tokens": (replies.TokenCountReply, None),
}
"""The reply to an operation, and what a frame of its stream holds."""

BYTES: Mapping[str, Sequence[str]] = {
    "GET /api/conversations/{id}/export": ("application/json", "text/markdown", "text/html", "application/pdf"),
    "GET /api/export": ("application/zip",),
    "GET /api/egress/export": ("text/csv", "application/json"),
    "GET /api/feeds/opml": ("text/x-opml",),
    "GET /api/files/{id}/content": ("application/octet-stream",),
    "GET /api/files/{id}/pages/{number}/picture": ("image/png",),
    "GET /api/pictures/{id}/content": ("image/png", "image/jpeg", "image/webp"),
    "GET /api/pictures/{id}/preview": ("image/png", "image/jpeg", "image/webp"),
    "GET /api/pictures/{id}/thumbnail": ("image/webp",),
    "GET /api/shared/{id}/pictures/{picture}": ("image/png", "image/jpeg", "image/webp"),
    "GET /v1/files/{id}/content": ("application/octet-stream",),
    "POST /api/speech/file": ("audio/mpeg",),
    "POST /api/speech/sound": ("audio/mpeg",),
    "POST /v1/audio/speech": ("audio/mpeg", "audio/ogg", "audio/flac", "audio/wav", "audio/pcm", "text/event-stream"),
}
"""Media types of replies that aren't JSON."""

ALSO: Mapping[str, Mapping[int, str]] = {
    "POST /api/conversations": {200: "application/json"},
    "POST /api/conversations/{id}/turns": {200: "text/event-stream"},
    "GET /api/health": {503: "application/json"},
    "GET /api/health/ready": {503: "application/json"},
}
"""Replies that FastAPI doesn't know, in the schema of the first one where they are JSON."""

OPEN = ("/api/health", "/api/shared/")
"""Beginnings of paths that need no key."""

ASKING = COSTLY_ROUTES | {
    "api/embed",
    "api/embeddings",
    "api/engines",
    "api/feeds",
    "api/mcp-servers",
    "api/models",
    "api/pull",
    "api/speech",
    "api/web",
    "v1/embeddings",
    "v1/moderations",
    "v1/rerank",
}
"""Prefixes whose operations wait for a model, a server or the web."""


def build_document(routers: Iterable[APIRouter], path_prefix: str) -> dict[str, Any]:
    """Build the document of all routes."""
    api = FastAPI(title="Éclair", version=eclair.__version__)
    for router in routers:
        add_routes(api, router)
    document = api.openapi()
    operations = dict(_operations(document))
    functions = {where: _function_name(where, operation) for where, operation in operations.items()}
    counts = Counter(functions.values())
    for where, operation in operations.items():
        operation["operationId"] = _operation_id(where, operation, functions[where], counts)
        _correct(where, operation, document["components"]["schemas"])
    schemas = document["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas |= _schemas()
    document["components"]["securitySchemes"] = SECURITY_SCHEMES
    document["security"] = [{name: []} for name in SECURITY_SCHEMES] + [{}]
    document["servers"] = [{"url": path_prefix or "/"}]
    return document


def _operations(document: dict[str, Any]) -> Iterator[tuple[str, JSON]]:
    """Yield operations with method and path, such as `GET /v1/models`."""
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def _function_name(where: str, operation: JSON) -> str:
    """Return the name of an operation's function, to which FastAPI adds path and method."""
    method, _, path = where.partition(" ")
    name: str = operation["operationId"]
    return name.removesuffix(f"{re.sub(r'[^0-9A-Za-z_]', '_', path)}_{method.lower()}")


def _operation_id(where: str, operation: JSON, name: str, counts: Counter[str]) -> str:
    """Name an operation after its function, and its API or group where that alone says too little."""
    path = where.partition(" ")[2]
    dialect = operation.get("tags", [""])[0].lower()
    if path.startswith("/v1/") or dialect == "ollama":
        return f"{dialect}_{name}"
    group = route_prefix(path).partition("/")[2].replace("-", "_")
    return name if (counts[name] == 1 and "_" in name) or name == group or not group else f"{group}_{name}"


def _correct(where: str, operation: JSON, schemas: JSON) -> None:
    """Replace FastAPI's replies by those that come."""
    method, _, path = where.partition(" ")
    found: dict[str, Any] = operation["responses"]
    found.pop("422", None)
    first = next(iter(found.values()))
    if where in REPLIES:
        reply, frame = REPLIES[where]
        first["content"] = {"application/json": {"schema": _reference(reply)}}
        if frame is not None:
            first["content"]["text/event-stream"] = _events(_reference(frame))
    if where in BYTES:
        binary = {"schema": {"type": "string", "format": "binary"}}
        first["content"] = {media: {} if media == "application/json" else binary for media in BYTES[where]}
    if where not in REPLIES and (frames := first.get("content", {}).get("text/event-stream")) is not None:
        first["content"]["text/event-stream"] = _events(_frame_data(frames.get("schema", {}), schemas))
    for status, media in ALSO.get(where, {}).items():
        content = first["content"][media] if media == "application/json" else _events({"type": "object"})
        found[str(status)] = {"description": STATUSES.get(status, "As above."), "content": {media: content}}
    if path.startswith(OPEN):
        operation["security"] = [{}, *({name: []} for name in SECURITY_SCHEMES)]
    error = {"application/json": {"schema": _reference(_error_type(path))}}
    for status in sorted(_error_statuses(method, path, operation)):
        found.setdefault(str(status), {"description": STATUSES[status], "content": error})


def _error_statuses(method: str, path: str, operation: JSON) -> set[int]:
    """Return the statuses of errors that an operation may have."""
    has_body, has_parameters = "requestBody" in operation, "parameters" in operation
    asks = route_prefix(path) in ASKING
    statuses = {401, 403, 429, 431, 503}
    statuses |= {400} if has_body or has_parameters or method != "GET" else set()
    statuses |= {413, 415} if has_body or method == "POST" else set()
    needs_accounts = route_prefix(path) in ("api/me", "api/session")
    is_logo = path == "/api/branding/logo"
    statuses |= {404} if has_parameters or has_body or asks or needs_accounts or is_logo else set()
    statuses |= {409} if method != "GET" and (path.startswith("/api/") or "{" in path) else set()
    statuses |= {410} if path.startswith("/api/shared/") else set()
    statuses |= {422, 502} if asks and method != "GET" else set()
    statuses |= {422} if path.startswith(("/api/files", "/v1/files")) or is_logo else set()
    statuses |= {501} if path in ("/v1/moderations", "/v1/rerank") else set()
    statuses |= {409} if path in ("/v1/responses", "/v1/conversations") else set()
    return statuses


def _error_type(path: str) -> type[BaseModel]:
    """Return the form of the errors of a path."""
    if path.startswith("/v1/messages"):
        return replies.AnthropicError
    if path.startswith("/v1/"):
        return replies.OpenAIError
    is_ollama = any(module.startswith("ollama.") for module in ROUTE_MODULES.get(route_prefix(path), ()))
    return replies.OllamaError if is_ollama else replies.OwnError


def _reference(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": SCHEMAS.format(model=model.__name__)}


def _events(data: Mapping[str, Any]) -> dict[str, Any]:
    """Describe the events of a stream, whose data is JSON, but for OpenAI's last, which is `[DONE]`."""
    text = {"type": "string", "contentMediaType": "application/json", "contentSchema": data}
    fields = {"data": text, "event": {"type": "string"}, "id": {"type": "string"}}
    return {"schema": {"type": "object", "properties": fields, "description": "The fields of each event."}}


def _frame_data(frame: JSON, schemas: JSON) -> JSON:
    """Return the schema of the data of a stream's frames, some of which are described together with their event."""
    kinds: list[JSON] = []
    for kind in frame.get("anyOf", ()):
        fields = schemas[kind["$ref"].rpartition("/")[2]]["properties"]
        kinds.append(fields["data"] if "event" in fields else kind)
    return {"anyOf": kinds} if kinds else {"type": "object"}


def _schemas() -> dict[str, Any]:
    """Return the schemas of all replies and errors."""
    own = [kind for kind in vars(replies).values() if isinstance(kind, type) and issubclass(kind, BaseModel)]
    models = [(kind, "serialization") for kind in own if kind is not BaseModel]
    _, definitions = models_json_schema(models, ref_template=SCHEMAS)  # pyright: ignore[reportArgumentType]
    return {re.sub(r"-Output$", "", name): schema for name, schema in definitions["$defs"].items()}
